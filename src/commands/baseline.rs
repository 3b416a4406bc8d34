//! `--ratchet` and `--baseline`: which earlier run a run is compared with.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::{judged_by, run_label};
use crate::config::ReportSettings;
use crate::console::warn;
use crate::evidence::export::{self, Entries, ExportEntry, ExportedRun, ReadError};
use crate::exit::Error;
use crate::input;
use crate::model::{OrganizationResult, rfc3339};
use crate::policy::{Policy, deployment_now};
use crate::ratchet::Ratchet;
use crate::report::text::printable;
use crate::store::{Missing, Run, Store};
use crate::waivers::{WaiverStatus, Waivers};

/// What `run` is compared with, if it is to be: the baseline's file, or else the last complete run before it. `None` also
/// where there is no such run yet.
pub(super) fn ratchet(
    store: &Store,
    run: &Run,
    settings: &ReportSettings,
    waivers: &Waivers,
) -> Result<Option<Ratchet>, Error> {
    let policy = judged_by(run, settings);
    if let Some(path) = &settings.baseline {
        return from_file(path, run, policy, waivers).map(Some);
    }
    if !settings.ratchet {
        return Ok(None);
    }
    let is_alike = |it: &Run| it.id < run.id && it.deployment == run.deployment && it.asks_as(run);
    let excused = |it: &Run, missing: Missing| is_waived(waivers, missing, &it.deployment, it.started_at);
    let Some(before) = store.newest_complete(is_alike, excused)? else {
        warn("no earlier complete run of the same users to compare with; --ratchet has no effect", None);
        return Ok(None);
    };
    let name = run_label(&before);
    let policy = Policy { now: deployment_now(before.started_at, before.clock_skew), ..policy };
    Ratchet::new(name, &policy, |take| store.results(&before, |result| take(&result)))
        .map(Some)
        .map_err(Error::from)
}

/// Looks at the baseline before hours of reading: that it is there, and of this deployment. The rest is read when it is used.
pub(super) fn check(settings: &ReportSettings, deployment: &str) -> Result<(), Error> {
    settings.baseline.as_deref().map_or(Ok(()), |path| open(path, deployment).map(drop))
}

fn is_waived(waivers: &Waivers, missing: Missing, deployment: &str, at: DateTime<Utc>) -> bool {
    let waiver = match missing {
        Missing::User(user) => waivers.of_user(user, deployment),
        Missing::List(list, name) => {
            list.org_id.as_deref().and_then(|id| waivers.of_organization(id, name, deployment))
        }
    };
    waiver.is_some_and(|waiver| waiver.status(at) != WaiverStatus::Expired)
}

fn unusable(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::input(format!("invalid baseline {}: {why}", path.display()))
}

fn broken(path: &Path, why: &ReadError) -> Error {
    let mut error = Error::input(format!("invalid baseline {}:{}: {}", path.display(), why.line, why.why));
    error.help = Some(why.help.unwrap_or("export the run again with `keysunset export`").to_owned());
    error
}

/// The baseline's first line, and what follows it.
fn open(path: &Path, deployment: &str) -> Result<(ExportedRun, Entries<BufReader<File>>), Error> {
    let file = input::open(path).map_err(|why| Error::not_read("the baseline", path.display(), &why))?;
    let (before, entries) = export::read(BufReader::new(file)).map_err(|why| broken(path, &why))?;
    if before.deployment != deployment {
        let (theirs, ours) = (printable(&before.deployment), printable(deployment));
        return Err(unusable(path, format!("it is a run of {theirs}, but this run is of {ours}"))
            .help("use the same --name in both runs"));
    }
    Ok((before, entries))
}

/// Of a run that `keysunset export` wrote. It has to be one of the same deployment, and complete.
fn from_file(path: &Path, run: &Run, policy: Policy, waivers: &Waivers) -> Result<Ratchet, Error> {
    let (before, entries) = open(path, &run.deployment)?;
    let incomplete = |why: String| {
        unusable(path, format!("its run is incomplete: {why}"))
            .help("export a complete run, or add waivers for users who can't be read")
    };
    if before.finished_at.is_none() {
        return Err(incomplete("the run did not finish".to_owned()));
    }
    let called = format!("the run of {} in {}", rfc3339(before.started_at), path.display());
    let policy = Policy { now: deployment_now(before.started_at, before.clock_skew), ..policy };
    let mut names = BTreeMap::new();
    Ratchet::new(called, &policy, |take| {
        for entry in entries {
            match entry.map_err(|why| broken(path, &why))? {
                ExportEntry::Organization(OrganizationResult { organization, outcome: _ }) => {
                    names.insert(organization.id, organization.name);
                }
                ExportEntry::IncompleteList(list) => {
                    let name = list.org_id.as_ref().and_then(|id| names.get(id)?.as_deref());
                    let missing = Missing::List(&list, name);
                    if !is_waived(waivers, missing, &before.deployment, before.started_at) {
                        return Err(incomplete(printable(&list.source)));
                    }
                }
                ExportEntry::UserResult(result) => {
                    let is_read = result.outcome.status.is_complete();
                    let user = Missing::User(&result.user);
                    if !is_read && !is_waived(waivers, user, &before.deployment, before.started_at) {
                        let who = printable(result.user.label());
                        return Err(incomplete(format!("{who} is {}", result.outcome.status)));
                    }
                    take(&result)?;
                }
            }
        }
        Ok(())
    })
}
