//! Which runs may go.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use super::point;
use crate::store::{Error, Run, Store};

/// The runs that may go where each deployment keeps its newest `keep`, oldest first. Of each deployment, and of each way of
/// asking (everybody, a list, one user), two stay in any case: the last run that came to its end with all lists read, and
/// the last in which everybody was read, too. Without them nobody could say what changed since all was known, and the
/// ratchet, for which whoever is waived need not have been read, would have nothing to compare with.
///
/// # Errors
/// What SQLite says.
pub fn surplus(store: &Store, keep: NonZeroUsize) -> Result<Vec<Run>, Error> {
    let mut newer: BTreeMap<String, usize> = BTreeMap::new();
    let (mut listed, mut complete) = (BTreeSet::new(), BTreeSet::new());
    let mut surplus = Vec::new();
    for (run, _) in store.runs()? {
        let asked = (run.deployment.clone(), run.settings.sources.clone());
        let point = point(store, run, None)?;
        let is_listed = point.run.finished_at.is_some() && point.tally.gaps == 0;
        let is_last = is_listed && listed.insert(asked.clone());
        let is_last_complete = point.is_complete() && complete.insert(asked);
        let newer = newer.entry(point.run.deployment.clone()).or_default();
        if *newer >= keep.get() && !is_last && !is_last_complete {
            surplus.push(point.run);
        }
        *newer += 1;
    }
    surplus.sort_by_key(|run| run.id);
    Ok(surplus)
}
