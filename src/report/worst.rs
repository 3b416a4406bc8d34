//! The worst findings, for the summary on the terminal.

use super::Row;
use super::top_n::{Rank, TopN, rank};
use crate::model::Suffix;
use crate::policy::Severity;

/// As many as fit a summary.
const SHOWN: usize = 5;

/// What a line has of a finding. The texts are as the service sent them.
pub(super) struct WorstFinding {
    pub(super) severity: Severity,
    pub(super) ends_in: String,
    /// The day; `never`, or `unknown`.
    pub(super) last_use: String,
    pub(super) owner: String,
    pub(super) description: String,
}

/// Collects them in one pass over all rows.
pub(super) struct WorstFindings(TopN<Rank<Severity>, WorstFinding>);

impl Default for WorstFindings {
    fn default() -> Self {
        Self(TopN::new(SHOWN))
    }
}

impl WorstFindings {
    pub(super) fn add(&mut self, row: &Row) {
        let Some((key, judged)) = row.key.as_ref().filter(|_| row.is_finding) else { return };
        self.0.push(rank(judged.severity, key), || {
            let without_use = if key.used_count == Some(0) { "never" } else { "unknown" };
            WorstFinding {
                severity: judged.severity,
                ends_in: key.suffix.as_ref().map_or("unknown", Suffix::as_str).to_owned(),
                last_use: key
                    .last_use()
                    .map_or_else(|| without_use.to_owned(), |time| time.date_naive().to_string()),
                owner: row.result.user.label().to_owned(),
                description: key.description.clone(),
            }
        });
    }

    /// Worst first.
    pub(super) fn into_vec(self) -> Vec<WorstFinding> {
        self.0.into_values().collect()
    }
}
