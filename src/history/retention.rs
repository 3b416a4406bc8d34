//! Which runs may be deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use super::RunSummary;
use crate::store::{Error, Run, Store};

/// The runs that may be deleted where each deployment keeps its newest `keep`, oldest first. Of each deployment, and of each
/// way of asking (all users, a list, one user), two stay in any case: the last run that ended with all lists read,
/// and the last in which all users were read, too. Without them it is unknown what changed since all was known, and the
/// ratchet, for which waived users need not have been read, would have nothing to compare with.
pub(crate) fn prunable(store: &Store, keep: NonZeroUsize) -> Result<Vec<Run>, Error> {
    let mut newer: BTreeMap<String, usize> = BTreeMap::new();
    let (mut listed, mut complete) = (BTreeSet::new(), BTreeSet::new());
    let mut prunable = Vec::new();
    for run in store.runs()? {
        let asked = (run.deployment.clone(), run.settings.sources.clone());
        let summary = RunSummary::new(store, run, None)?;
        let is_last = summary.is_whole() && listed.insert(asked.clone());
        let is_last_complete = summary.is_complete() && complete.insert(asked);
        let newer = newer.entry(summary.run.deployment.clone()).or_default();
        if *newer >= keep.get() && !is_last && !is_last_complete {
            prunable.push(summary.run);
        }
        *newer += 1;
    }
    prunable.reverse();
    Ok(prunable)
}
