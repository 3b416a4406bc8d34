//! From the totals to the exit code.

use crate::exit::Exit;
use crate::report::Report;

/// The four results of a report that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GateResult {
    Clean,
    Findings,
    Incomplete,
    FindingsIncomplete,
}

impl GateResult {
    /// `more` are findings that are no keys, such as a waiver that matches nothing where that counts.
    pub(crate) fn new(report: &Report, more: u64) -> Self {
        Self::of_counts(report.total.findings + more > 0, report.is_complete_or_waived())
    }

    /// From what the results are made of.
    pub(crate) fn of_counts(has_findings: bool, is_complete: bool) -> Self {
        match (has_findings, is_complete) {
            (false, true) => Self::Clean,
            (true, true) => Self::Findings,
            (false, false) => Self::Incomplete,
            (true, false) => Self::FindingsIncomplete,
        }
    }

    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Clean => Exit::Clean,
            Self::Findings => Exit::Findings,
            Self::Incomplete => Exit::Incomplete,
            Self::FindingsIncomplete => Exit::FindingsIncomplete,
        }
    }
}
