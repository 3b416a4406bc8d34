//! Which two runs.

use crate::exit::Error;
use crate::report::text::printable;
use crate::store::{Run, Store};

/// The earlier and the later run, by their numbers; `deployment` is whose where no number says so. Where none is given, the
/// newest and the last complete one before it; where one is, that and the newest of its deployment.
pub(super) fn choose(
    store: &Store,
    before: Option<i64>,
    after: Option<i64>,
    deployment: Option<&str>,
) -> Result<(Run, Run), Error> {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (store.run(Some(before))?, store.run(Some(after))?),
        (Some(before), None) => {
            let before = store.run(Some(before))?;
            let after = newest(store, Some(&before.deployment))?;
            if after.id == before.id {
                return Err(Error::input(format!(
                    "run {} is the newest run of {}; there is no later run to compare it with",
                    before.id,
                    printable(&before.deployment)
                ))
                .help("`keysunset history` lists the runs"));
            }
            (before, after)
        }
        (None, after) => {
            let after = match after {
                Some(after) => store.run(Some(after))?,
                None => newest(store, deployment)?,
            };
            (last_complete(store, &after)?, after)
        }
    };
    if before.deployment != after.deployment {
        let (one, other) = (printable(&before.deployment), printable(&after.deployment));
        return Err(Error::input(format!(
            "run {} is of {one}, but run {} is of {other}; only runs of one deployment can be compared",
            before.id, after.id
        ))
        .help("`keysunset history` lists the runs of each deployment"));
    }
    if before.id >= after.id {
        let (one, other) = (after.id.min(before.id), before.id.max(after.id));
        let error = Error::input(format!("run {} is not earlier than run {}", before.id, after.id));
        return Err(if one == other {
            error.help("name two different runs; `keysunset history` lists them")
        } else {
            error.help(format!("name the earlier run first: `keysunset diff {one} {other}`"))
        });
    }
    Ok((before, after))
}

fn newest(store: &Store, deployment: Option<&str>) -> Result<Run, Error> {
    let mut of_it =
        store.runs()?.into_iter().filter(|run| deployment.is_none_or(|name| run.deployment == name));
    match of_it.next() {
        Some(run) => Ok(run),
        // An error, which says so.
        None => Ok(store.run(None)?),
    }
}

fn last_complete(store: &Store, after: &Run) -> Result<Run, Error> {
    let is_earlier = |run: &Run| run.deployment == after.deployment && run.id < after.id;
    if let Some(run) = store.newest_complete(is_earlier, |_, _| false)? {
        return Ok(run);
    }
    let error = Error::input(format!(
        "no complete run of {} before run {} to compare it with",
        printable(&after.deployment),
        after.id
    ));
    if !store.runs()?.iter().any(is_earlier) {
        return Err(error.help("audit again later, then compare: two runs are needed"));
    }
    Err(error.help(format!(
        "name an incomplete run, as in `keysunset diff RUN {}`; `keysunset history` lists the runs",
        after.id
    )))
}
