//! `--ratchet` and `--baseline`: which earlier run a run is compared with.

use crate::config::View;
use crate::exit::Error;
use crate::model::rfc3339;
use crate::ratchet::Ratchet;
use crate::store::{Run, Store};
use crate::waivers::{Standing, Waivers};

/// What `run` is compared with, if it is to be: the baseline's file, or else the last complete run before it. `None` also
/// where there is no such run yet.
pub(super) fn ratchet(
    store: &Store,
    run: &Run,
    view: &View,
    waivers: &Waivers,
) -> Result<Option<Ratchet>, Error> {
    if !view.ratchet {
        return Ok(None);
    }
    let Some(before) = last_complete(store, run, waivers)? else {
        tracing::warn!(
            "there is no earlier complete run of the same users to compare with: judged as without --ratchet"
        );
        return Ok(None);
    };
    let name = format!("run {} of {}", before.id, rfc3339(before.started_at));
    Ratchet::of(name, before.started_at, |take| store.readings(&before, |reading| take(&reading)))
        .map(Some)
        .map_err(Error::from)
}

/// The last run before `run` that asked the same deployment for the same, and of which nothing is unknown: everybody was
/// read, or waived.
fn last_complete(store: &Store, run: &Run, waivers: &Waivers) -> Result<Option<Run>, Error> {
    for (before, _) in store.runs()? {
        let is_alike = before.id < run.id
            && before.deployment == run.deployment
            && before.settings.sources == run.settings.sources;
        let is_waived = |user: &_| {
            let waiver = waivers.of_user(user);
            waiver.is_some_and(|waiver| waiver.standing(before.started_at) != Standing::Expired)
        };
        if is_alike && store.is_complete_but_for(&before, is_waived)? {
            return Ok(Some(before));
        }
    }
    Ok(None)
}
