//! The keys to search for: of a stored run, or of the `keys.csv` of an audit.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::super::{judged_by, run_label};
use crate::config::ReportSettings;
use crate::exit::Error;
use crate::input::{self, Lines, Problems, TableRows, delimiter};
use crate::model::{Origin, UserResult};
use crate::model::{ReadStatus, Suffix, User};
use crate::policy::{Policy, Severity, Verdict};
use crate::report::places::LocatedKey;
use crate::spreadsheet::unguard;
use crate::store::{Run, Store};
use crate::waivers::{Waiver, WaiverStatus, Waivers};

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

/// All keys that are known, and what is not known.
#[derive(Default)]
pub(super) struct KeyList {
    pub(super) keys: Vec<LocatedKey>,
    /// Of programmatic keys.
    pub(super) programmatic: Vec<Suffix>,
    /// Of all users.
    pub(super) usernames: Vec<String>,
    /// In which the search is recorded.
    pub(super) run: Option<Run>,
    /// For a person.
    pub(super) from: String,
    /// Of the clock by which waivers end.
    pub(super) now: DateTime<Utc>,
    /// Users whose keys are not known, and who have no waiver.
    unread: u64,
    /// Keys whose last digits are not known.
    without_suffix: u64,
    /// Lists of users that are incomplete and have no waiver; and whether the run ended.
    incomplete: Vec<String>,
}

impl KeyList {
    pub(super) fn from_run(
        settings: &ReportSettings,
        run: Option<i64>,
        waivers: &Waivers,
    ) -> Result<Self, Error> {
        let store = Store::open(&settings.store)?;
        let run = store.run(run)?;
        let policy = judged_by(&run, settings);
        let mut list = Self { from: run_label(&run), now: run.started_at, ..Self::default() };
        store.programmatic_keys(&run, |suffix| {
            list.programmatic.push(suffix);
            Ok::<_, Error>(())
        })?;
        if run.finished_at.is_none() {
            list.incomplete.push("the run did not end: there may be more users".to_owned());
        }
        let organizations = store.organizations(&run)?.unwrap_or_default();
        for it in store.incomplete_lists(&run)? {
            let id = it.org_id.as_deref();
            let name = organizations.iter().find(|found| Some(&*found.organization.id) == id);
            let name = name.and_then(|found| found.organization.name.as_deref());
            let waiver = id.and_then(|id| waivers.of_organization(id, name, &run.deployment));
            if !counts(waiver, list.now) {
                list.incomplete
                    .push(format!("{} was not read completely: there may be more users", it.source));
            }
        }
        store.results(&run, |result| {
            let waiver = waivers.of_user(&result.user, &run.deployment);
            list.add_result(&result, &run.deployment, &policy, counts(waiver, run.started_at));
            Ok::<_, Error>(())
        })?;
        list.run = Some(run);
        Ok(list)
    }

    fn add_result(&mut self, result: &UserResult, deployment: &str, policy: &Policy, is_waived: bool) {
        let username = result.user.username.clone().unwrap_or_default();
        self.unread += u64::from(!result.outcome.status.is_complete() && !is_waived);
        for key in &result.keys {
            let Some(suffix) = key.suffix.clone() else {
                self.without_suffix += 1;
                continue;
            };
            let judged = policy.judge(key);
            self.keys.push(LocatedKey {
                deployment: deployment.to_owned(),
                id: key.id.clone(),
                suffix,
                username: username.clone(),
                description: key.description.clone(),
                verdict: judged.verdict,
                severity: judged.severity,
                action: judged.action,
            });
        }
        self.usernames.extend(Some(username).filter(|name| !name.is_empty()));
    }

    /// Why keys may be missing, a sentence each.
    pub(super) fn unknown(&self) -> Vec<String> {
        let mut unknown = self.incomplete.clone();
        match self.unread {
            0 => {}
            1 => unknown.push("the keys of 1 user could not be read in the audit".to_owned()),
            users => unknown.push(format!("the keys of {users} users could not be read in the audit")),
        }
        match self.without_suffix {
            0 => {}
            1 => unknown.push("the last 12 digits of 1 key are unknown".to_owned()),
            keys => unknown.push(format!("the last 12 digits of {keys} keys are unknown")),
        }
        unknown
    }

    /// The one deployment of the keys; empty for several.
    pub(super) fn deployment(&self) -> &str {
        if let Some(run) = &self.run {
            return &run.deployment;
        }
        let mut names: BTreeSet<_> = self.keys.iter().map(|key| &*key.deployment).collect();
        if names.len() == 1 { names.pop_first().unwrap_or_default() } else { "" }
    }

    pub(super) fn from_file(path: &Path, waivers: &Waivers, now: DateTime<Utc>) -> Result<Self, Error> {
        let name = path.display().to_string();
        let failed = |why: std::io::Error| Error::not_read("the file of keys", &name, &why);
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut input::open(path).map_err(failed)?, &mut bytes).map_err(failed)?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut problems = Problems::new(&name);
        let mut list = Self { from: name, now, ..Self::default() };
        list.read(bytes, waivers, &mut problems);
        problems.into_result("invalid file of keys", "name the keys.csv that an audit wrote, unchanged")?;
        Ok(list)
    }

    fn read(&mut self, bytes: &[u8], waivers: &Waivers, problems: &mut Problems) {
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut rows = TableRows::new(Lines::new(bytes), delimiter(first, b",;\t"));
        let header = match rows.next() {
            Some(Ok(row)) => row.cells,
            Some(Err(why)) => return problems.push(why.line, why.why),
            None => return problems.push(1, "the file is empty"),
        };
        let Some(columns) = Columns::new(&header, problems) else { return };
        let (mut users, mut has_rows) = (BTreeSet::new(), false);
        while let Some(row) = rows.next() {
            has_rows = true;
            match row {
                Err(why) => {
                    let is_end = why.is_end;
                    problems.push(why.line, why.why);
                    if is_end {
                        return;
                    }
                }
                Ok(row) if row.cells.len() != header.len() => {
                    let (found, expected) = (row.cells.len(), header.len());
                    problems.push(row.line, format!("{found} fields, but the first line has {expected}"));
                }
                Ok(row) => match columns.row(&row.cells) {
                    Ok(row) => self.add_row(row, waivers, &mut users),
                    Err(why) => problems.push(row.line, why),
                },
            }
        }
        if !has_rows {
            // An audit writes a row for each user at least.
            problems.push(1, "there is no row behind the names of the columns: the file is cut short");
        }
        self.usernames = users.into_iter().collect();
    }

    fn add_row(&mut self, row: KeyRow, waivers: &Waivers, users: &mut BTreeSet<String>) {
        users.extend(Some(row.user.username.clone().unwrap_or_default()).filter(|name| !name.is_empty()));
        match row.content {
            RowContent::Key(key) => self.keys.push(key),
            RowContent::KeyWithoutSuffix => self.without_suffix += 1,
            RowContent::Unread => {
                let waiver = waivers.of_user(&row.user, &row.deployment);
                self.unread += u64::from(!counts(waiver, self.now));
            }
            RowContent::List(why) => self.incomplete.push(why),
            RowContent::Nothing => {}
        }
    }
}

/// Whether a waiver accepts it now.
pub(super) fn counts(waiver: Option<&Waiver>, now: DateTime<Utc>) -> bool {
    waiver.is_some_and(|waiver| waiver.status(now) != WaiverStatus::Expired)
}

/// The columns of `keys.csv` that are read.
const NAMES: [&str; 9] = [
    "deployment",
    "user_id",
    "username",
    "read_status",
    "key_id",
    "key_suffix",
    "description",
    "verdict",
    "severity",
];

/// Where they are.
struct Columns([usize; 9]);

/// One row of `keys.csv`.
struct KeyRow {
    deployment: String,
    user: User,
    content: RowContent,
}

enum RowContent {
    Key(LocatedKey),
    KeyWithoutSuffix,
    /// A user whose keys are not known.
    Unread,
    /// A list of users that is not complete.
    List(String),
    /// A user without keys.
    Nothing,
}

impl Columns {
    fn new(header: &[String], problems: &mut Problems) -> Option<Self> {
        let mut found = [0; 9];
        let mut missing = Vec::new();
        for (at, name) in found.iter_mut().zip(NAMES) {
            match header.iter().position(|column| column.trim() == name) {
                Some(column) => *at = column,
                None => missing.push(name),
            }
        }
        if missing.is_empty() {
            return Some(Self(found));
        }
        problems.push(1, format!("the columns {} are missing", missing.join(", ")));
        None
    }

    fn row(&self, cells: &[String]) -> Result<KeyRow, String> {
        let text = |number: usize| unguard(&cells[self.0[number]]).into_owned();
        let [deployment, user_id, username, status, id, suffix, description, verdict, severity] =
            std::array::from_fn(text);
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let user = User { id: some(user_id), username: some(username), origin: Origin::default() };
        let is_key = !id.is_empty();
        let status = some(status).map(|status| status.parse::<ReadStatus>()).transpose()?;
        let is_complete = status.is_some_and(ReadStatus::is_complete);
        let content = if is_key && suffix.is_empty() {
            RowContent::KeyWithoutSuffix
        } else if is_key {
            let is_suffix = suffix.len() == 12;
            let suffix = Suffix::from_key(&suffix).filter(|_| is_suffix);
            let suffix = suffix.ok_or("key_suffix: expected 12 hexadecimal digits")?;
            let verdict: Verdict = verdict.parse()?;
            let severity: Severity = severity.parse()?;
            RowContent::Key(LocatedKey {
                deployment: deployment.clone(),
                id,
                suffix,
                username: user.username.clone().unwrap_or_default(),
                description,
                verdict,
                severity,
                action: severity.action(),
            })
        } else if is_complete {
            RowContent::Nothing
        } else if user.id.is_none() && user.username.is_none() {
            RowContent::List(format!("a list of users of {deployment} was not read completely"))
        } else {
            RowContent::Unread
        };
        Ok(KeyRow { deployment, user, content })
    }
}
