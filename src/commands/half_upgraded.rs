//! Whether servers of two kinds answered in one run: some that still have personal keys, and some that no longer do. Then
//! it is not known whose keys are gone, and the run is incomplete.

use std::collections::BTreeSet;

use crate::client::product;
use crate::model::{IncompleteList, Outcome, ReadStatus};
use crate::store::{Error, Run, Store};

/// Records that a run is of a half-upgraded deployment, if its own results or versions say so.
pub(super) fn record(store: &Store, run: i64) -> Result<(), Error> {
    let run = store.run(Some(run))?;
    let statuses = store.read_statuses(&run)?;
    match why(&run, &statuses) {
        None => Ok(()),
        Some(why) => {
            let source = "half-upgraded deployment".to_owned();
            let outcome = Outcome::unread(ReadStatus::Malformed, None, why);
            store.add_incomplete_list(&run, &IncompleteList { source, org_id: None, outcome })
        }
    }
}

fn why(run: &Run, statuses: &BTreeSet<ReadStatus>) -> Option<String> {
    let versions: Vec<_> = run.service_version.iter().flat_map(|versions| versions.split(", ")).collect();
    let have_removed: BTreeSet<_> = versions
        .iter()
        .map(|version| product::has_removed_personal_keys(run.product, Some(version)))
        .collect();
    let is_mixed = [ReadStatus::Read, ReadStatus::Removed].iter().all(|status| statuses.contains(status));
    if !is_mixed && have_removed.len() < 2 {
        return None;
    }
    let answered = match versions.as_slice() {
        [] => "servers of unknown versions".to_owned(),
        [version] => format!("servers that report no version but {version}"),
        several => format!("servers of versions {}", several.join(" and ")),
    };
    Some(format!(
        "{answered} responded, some with and some without personal keys; which users' keys were removed is unknown"
    ))
}
