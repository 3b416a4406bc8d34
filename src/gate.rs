//! From the totals to the exit code.

use crate::exit::Exit;
use crate::report::Report;

/// The exit code of a report. `more` are findings that are no keys, such as a waiver that matches nothing where that counts.
pub(crate) fn exit(report: &Report, more: u64) -> Exit {
    match (
        report.total.findings + more > 0,
        report.has_complete_lists() && report.total.is_complete_or_waived(),
    ) {
        (false, true) => Exit::Clean,
        (true, true) => Exit::Findings,
        (false, false) => Exit::Incomplete,
        (true, false) => Exit::FindingsIncomplete,
    }
}

/// What `--exit-zero` does: findings and gaps no longer count, anything else still does.
pub(crate) fn to_zero(exit: Exit) -> Exit {
    match exit {
        Exit::Clean | Exit::Findings | Exit::Incomplete | Exit::FindingsIncomplete => Exit::Clean,
        Exit::Usage
        | Exit::BadInput
        | Exit::NotWritten
        | Exit::Bug
        | Exit::Interrupted
        | Exit::Terminated => exit,
    }
}
