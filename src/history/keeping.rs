//! Which runs may go.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use super::point;
use crate::store::{Error, Run, Store};

/// The runs that may go where each deployment keeps its newest `keep`, oldest first. The last complete run of a deployment
/// stays in any case: without it nobody could say what changed since all was known.
///
/// # Errors
/// What SQLite says.
pub fn surplus(store: &Store, keep: NonZeroUsize) -> Result<Vec<Run>, Error> {
    let mut by_deployment: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    for (run, _) in store.runs()? {
        by_deployment.entry(run.deployment.clone()).or_default().push(run);
    }
    let mut surplus = Vec::new();
    for runs in by_deployment.into_values() {
        let mut complete = false;
        for (newer, run) in runs.into_iter().enumerate() {
            let last_complete = !complete && point(store, run.clone(), None)?.is_complete();
            complete |= last_complete;
            if newer >= keep.get() && !last_complete {
                surplus.push(run);
            }
        }
    }
    surplus.sort_by_key(|run| run.id);
    Ok(surplus)
}
