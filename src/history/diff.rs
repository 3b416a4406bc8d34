//! What changed from one run to a later one, user by user. Pure. What is not known is reported as unknown: a key that is missing
//! because its user was not read is never gone, and one that could not be seen before is never new.

mod change;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

pub(crate) use self::change::{Change, ChangeKind, KeyVersions};
use super::RunSummary;
use super::usage::{Usage, usage};
use crate::model::{PersonalKey, ReadStatus, User, UserResult, rfc3339};

/// The two runs that are compared.
pub(crate) struct RunPair {
    pub before: RunSummary,
    pub after: RunSummary,
}

impl RunPair {
    /// Whether both asked for the same users.
    pub(crate) fn asks_the_same(&self) -> bool {
        self.before.run.asks_as(&self.after.run)
    }

    /// What has to be known to read the rest, in sentences.
    pub(crate) fn caveats(&self) -> Vec<String> {
        let (before, after) = (&self.before, &self.after);
        let mut caveats = Vec::new();
        for summary in [before, after] {
            if let Some(missing) = summary.missing() {
                caveats.push(format!("run {} is incomplete: {missing}", summary.run.id));
            }
        }
        if !self.asks_the_same() {
            let asked = |summary: &RunSummary| {
                format!("run {}: {}", summary.run.id, summary.run.settings.sources.join(", "))
            };
            caveats.push(format!("the runs read different users ({}; {})", asked(before), asked(after)));
        } else if before.run.settings.lists != after.run.settings.lists {
            caveats.push("the user lists of the runs differ".to_owned());
        }
        if before.run.address != after.run.address {
            let addresses = format!("{} and {}", before.run.address, after.run.address);
            caveats.push(format!("the runs used different addresses: {addresses}"));
        }
        caveats
    }

    /// What changed with one user, himself first, then his keys by id: his result in the earlier run and in the later one.
    pub(crate) fn changes<'a>(
        &self,
        before: Option<&'a UserResult>,
        after: Option<&'a UserResult>,
    ) -> Vec<Change<'a>> {
        let Some(newest) = after.or(before) else { return Vec::new() };
        let diff = UserDiff { pair: self, user: &newest.user, before, after };
        let mut changes = Vec::new();
        changes.extend(diff.user_change());
        for versions in keys(before, after).into_values() {
            diff.key_changes(versions, &mut changes);
        }
        changes
    }
}

/// The keys of both results, by id.
fn keys<'a>(
    before: Option<&'a UserResult>,
    after: Option<&'a UserResult>,
) -> BTreeMap<&'a str, KeyVersions<'a>> {
    let before = before.into_iter().flat_map(|result| &result.keys);
    let mut keys: BTreeMap<_, _> = before.map(|key| (key.id.as_str(), KeyVersions::Before(key))).collect();
    for after in after.into_iter().flat_map(|result| &result.keys) {
        let versions = match keys.get(after.id.as_str()).and_then(|versions| versions.before()) {
            Some(before) => KeyVersions::Both { before, after },
            None => KeyVersions::After(after),
        };
        keys.insert(&after.id, versions);
    }
    keys
}

/// One user in both runs.
struct UserDiff<'a, 'f> {
    pair: &'f RunPair,
    user: &'a User,
    before: Option<&'a UserResult>,
    after: Option<&'a UserResult>,
}

impl<'a> UserDiff<'a, '_> {
    fn change(&self, kind: ChangeKind, key: Option<KeyVersions<'a>>, why: String) -> Change<'a> {
        let status = |result: Option<&UserResult>| result.map(|result| result.outcome.status);
        let (status_before, status_after) = (status(self.before), status(self.after));
        Change { kind, user: self.user, status_before, status_after, key, usage: None, why }
    }

    /// Whether a run knew all users that the other requested, and if not, why.
    fn knew_all_users(&self, summary: &RunSummary) -> Result<(), String> {
        let run = summary.run.id;
        match (self.pair.asks_the_same(), summary.is_whole()) {
            (true, true) => Ok(()),
            (true, false) => Err(format!("not in run {run}, which did not find all users")),
            (false, _) => Err(format!("not in run {run}, which read other users")),
        }
    }

    fn user_change(&self) -> Option<Change<'a>> {
        let RunPair { before: earlier, after: later } = self.pair;
        let (kind, why) = match (self.before, self.after) {
            (None, None) => return None,
            (None, Some(_)) => match self.knew_all_users(earlier) {
                Ok(()) => (ChangeKind::UserCame, format!("not listed in run {}", earlier.run.id)),
                Err(why) => (ChangeKind::UserFirstSeen, why),
            },
            (Some(_), None) => match self.knew_all_users(later) {
                Ok(()) => (ChangeKind::UserWent, format!("no longer listed in run {}", later.run.id)),
                Err(why) => (ChangeKind::UserUnknown, why),
            },
            (Some(before), Some(after)) => {
                let (was, is) = (before.outcome.status, after.outcome.status);
                let why = format!("{was} in run {}, {is} in run {}", earlier.run.id, later.run.id);
                match (was.is_complete(), is.is_complete()) {
                    (true, false) => (ChangeKind::BecameUnreadable, why),
                    (false, true) => (ChangeKind::BecameReadable, why),
                    (true, true) | (false, false) => return None,
                }
            }
        };
        Some(self.change(kind, None, why))
    }

    fn key_changes(&self, versions: KeyVersions<'a>, changes: &mut Vec<Change<'a>>) {
        match versions {
            KeyVersions::Both { before, after } => {
                let enabled = match (before.is_enabled(), after.is_enabled()) {
                    (true, false) => Some((ChangeKind::Disabled, "disabled".to_owned())),
                    (false, true) if after.enabled.is_none() => {
                        let why = "treated as enabled, because the service no longer reports the state";
                        Some((ChangeKind::Enabled, why.to_owned()))
                    }
                    (false, true) => Some((ChangeKind::Enabled, "enabled again".to_owned())),
                    (true, true) | (false, false) => None,
                };
                changes.extend(enabled.map(|(kind, why)| self.change(kind, Some(versions), why)));
                changes.extend(self.use_change(before, after));
            }
            KeyVersions::After(after) => {
                let (kind, why) = self.new_key(after);
                changes.push(self.change(kind, Some(versions), why));
            }
            KeyVersions::Before(_) => {
                let (kind, why) = self.missing_key();
                changes.push(self.change(kind, Some(versions), why));
            }
        }
    }

    fn new_key(&self, key: &PersonalKey) -> (ChangeKind, String) {
        let run = self.pair.before.run.id;
        let created = key
            .created_at
            .map_or_else(|| "creation date unknown".to_owned(), |time| format!("created {}", rfc3339(time)));
        match self.before.map(|result| result.outcome.status) {
            Some(was) if was.is_complete() => (ChangeKind::Came, created),
            Some(was) => {
                (ChangeKind::FirstSeen, format!("{created}; status of the user in run {run}: {was}"))
            }
            None => (ChangeKind::FirstSeen, format!("{created}; the user was not in run {run}")),
        }
    }

    fn missing_key(&self) -> (ChangeKind, String) {
        let later = &self.pair.after;
        let run = later.run.id;
        match self.after.map(|result| result.outcome.status) {
            Some(ReadStatus::Removed) => {
                (ChangeKind::Went, "the deployment no longer has personal API keys".to_owned())
            }
            Some(ReadStatus::Read) => {
                (ChangeKind::Went, format!("not among the keys of the user in run {run}"))
            }
            Some(is) => (ChangeKind::Unknown, format!("status of the user in run {run}: {is}")),
            None => match self.knew_all_users(later) {
                Ok(()) => (
                    ChangeKind::LeftWithUser,
                    format!("the user is no longer listed in run {run}, so the key was not checked"),
                ),
                Err(why) => (ChangeKind::Unknown, format!("the user is {why}")),
            },
        }
    }

    fn use_change(&self, before: &'a PersonalKey, after: &'a PersonalKey) -> Option<Change<'a>> {
        let (then, now) = (read_at(self.before, &self.pair.before), read_at(self.after, &self.pair.after));
        let usage = usage((before, then), (after, now));
        let kind = match usage {
            Usage::Unused => return None,
            Usage::Used { .. } => ChangeKind::Used,
            Usage::Unknown { .. } => ChangeKind::UseUnknown,
        };
        let versions = KeyVersions::Both { before, after };
        let own = if versions.is_auditing() { "; an audit itself used this key" } else { "" };
        let why = format!("{usage}{own}");
        Some(Change { usage: Some(usage), ..self.change(kind, Some(versions), why) })
    }
}

/// When a user was read; where that is not known, when the run started.
fn read_at(result: Option<&UserResult>, summary: &RunSummary) -> DateTime<Utc> {
    result.and_then(|result| result.read_at).unwrap_or(summary.run.started_at)
}

#[cfg(test)]
mod tests;
