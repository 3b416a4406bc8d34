//! From the totals to the exit code.

use crate::exit::Exit;
use crate::report::Summary;

named! {
    /// Which keys fail the gate.
    pub enum FailOn {
        /// Any personal key
        Any = "any",
        /// An enabled one
        Enabled = "enabled",
        /// One used after the cutoff, or of which nobody knows that it was not
        Used = "used",
        /// None
        Never = "never",
    }
}

/// Keys that fail the gate. A key of unknown use is never counted as unused.
#[must_use]
pub fn findings(summary: &Summary, fail_on: FailOn) -> u64 {
    match fail_on {
        FailOn::Any => summary.keys,
        FailOn::Enabled => summary.enabled,
        FailOn::Used => summary.used_or_unknown(),
        FailOn::Never => 0,
    }
}

/// The exit code of a report; `whole` is false where the run itself was cut short.
#[must_use]
pub fn exit(summary: &Summary, whole: bool, fail_on: FailOn) -> Exit {
    match (findings(summary, fail_on) > 0, whole && summary.is_complete()) {
        (false, true) => Exit::Clean,
        (true, true) => Exit::Findings,
        (false, false) => Exit::Incomplete,
        (true, false) => Exit::FindingsIncomplete,
    }
}

/// What `--exit-zero` does: findings and gaps no longer count, anything else still does.
#[must_use]
pub fn to_zero(exit: Exit) -> Exit {
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
