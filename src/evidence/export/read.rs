//! The canonical form read back, line by line. Nothing but what was written is taken: what somebody has written to, or cut short,
//! is refused with its line.

use std::io::{BufRead, Read as _};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::line::ExportLine;
use super::{ExportCounts, ExportedRun, VERSION, version_1};
use crate::exit::reason;
use crate::model::{IncompleteList, OrganizationResult, UserResult};

/// In bytes: the keys of one user on one line.
const LONGEST: u64 = 64 << 20;

/// What follows the first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportEntry {
    /// An organization that was seen.
    Organization(OrganizationResult),
    /// A list that could not be read to its end.
    IncompleteList(IncompleteList),
    /// What came of one user.
    UserResult(UserResult),
}

/// Why it can't be read: the line, from 1, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct ReadError {
    /// From 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
    /// What to do next.
    pub help: Option<&'static str>,
}

impl ReadError {
    fn new(line: u64, why: impl Into<String>) -> Self {
        Self { line, why: why.into(), help: None }
    }

    fn help(self, help: &'static str) -> Self {
        Self { help: Some(help), ..self }
    }
}

/// What to do where a file is none that was exported.
const NOT_EXPORTED: &str = "create the file with `keysunset export`";
const CUT: &str = "export the run again";

/// Reads what [`write`](super::write) wrote: the first line at once, the others as they are asked for. A caller has to read to the end,
/// since only there it is known whether something is missing; after a [`ReadError`] nothing comes any more.
///
/// # Errors
/// What is no canonical form, or one of a newer version.
pub fn read<R: BufRead>(input: R) -> Result<(ExportedRun, Entries<R>), ReadError> {
    let (counts, text) = (ExportCounts::default(), Vec::new());
    let mut entries = Entries { input, version: VERSION, at: 0, text, last: None, counts, over: false };
    let Some(line) = entries.line()? else {
        return Err(ReadError::new(1, "the file is empty").help(NOT_EXPORTED));
    };
    match line {
        ExportLine::Run(run) => Ok((*run, entries)),
        ExportLine::Organization(_)
        | ExportLine::IncompleteList(_)
        | ExportLine::UserResult(_)
        | ExportLine::End(_) => {
            Err(ReadError::new(1, "the file does not begin with a run").help(NOT_EXPORTED))
        }
    }
}

/// The version that the first line names, before it is looked at any closer.
fn version(text: &[u8]) -> Result<u64, ReadError> {
    #[derive(Deserialize)]
    struct Probe {
        keysunset: String,
        version: u64,
    }
    match serde_json::from_slice(text) {
        Ok(Probe { keysunset, version }) if keysunset == "run" && version > VERSION => {
            let why = format!("(format version {version}; this version supports up to {VERSION})");
            Err(ReadError::new(1, format!("the file was written by a newer keysunset {why}"))
                .help("use the newer version"))
        }
        Ok(Probe { keysunset, version: version @ 1..=VERSION }) if keysunset == "run" => Ok(version),
        Ok(_) | Err(_) => Err(ReadError::new(1, "not an export of keysunset").help(NOT_EXPORTED)),
    }
}

/// The lines after the first, each held against the canonical form byte by byte.
pub struct Entries<R> {
    input: R,
    version: u64,
    at: u64,
    text: Vec<u8>,
    /// What the next line has to come after: organizations, then incomplete lists, then users by name and id.
    last: Option<Position>,
    counts: ExportCounts,
    over: bool,
}

#[derive(PartialEq, PartialOrd)]
enum Position {
    Organization(String),
    IncompleteList(String),
    User(String, String),
}

impl<R: BufRead> Entries<R> {
    /// The next line; `None` at the end of the input.
    fn line(&mut self) -> Result<Option<ExportLine>, ReadError> {
        self.at += 1;
        let broken = |why: String| ReadError::new(self.at, why);
        self.text.clear();
        let read = (&mut self.input).take(LONGEST).read_until(b'\n', &mut self.text);
        if read.map_err(|why| broken(reason(&why)))? == 0 {
            return Ok(None);
        }
        if self.text.len() as u64 == LONGEST {
            return Err(broken(format!("the line is longer than {} MiB", LONGEST >> 20)));
        }
        if self.at == 1 {
            self.version = version(&self.text)?;
            self.counts = ExportCounts::new(self.version);
        }
        let line = match self.version {
            1 => canonical::<version_1::Line>(&self.text).map(ExportLine::from),
            _ => canonical(&self.text),
        };
        line.map(Some).map_err(broken)
    }

    fn entry(&mut self) -> Result<Option<ExportEntry>, ReadError> {
        let line = self.line()?;
        let at = self.at;
        let broken = |why: &str| ReadError::new(at, why);
        let entry = match line {
            Some(ExportLine::Organization(organization)) => ExportEntry::Organization(organization),
            Some(ExportLine::IncompleteList(list)) => ExportEntry::IncompleteList(list),
            Some(ExportLine::UserResult(result)) => ExportEntry::UserResult(result),
            Some(ExportLine::Run(_)) => {
                return Err(broken("a second run begins here, but a file contains one run"));
            }
            None => {
                return Err(broken("the last line is missing: the file is truncated").help(CUT));
            }
            Some(ExportLine::End(counts)) if counts != self.counts => {
                return Err(broken("the counts differ from the lines of the file").help(CUT));
            }
            Some(ExportLine::End(_)) => {
                return match self.line() {
                    Ok(None) => Ok(None),
                    Ok(Some(_)) | Err(_) => {
                        Err(ReadError::new(self.at, "unexpected content after the last line"))
                    }
                };
            }
        };
        let position = match &entry {
            ExportEntry::Organization(it) => Position::Organization(it.organization.id.clone()),
            ExportEntry::IncompleteList(list) => Position::IncompleteList(list.source.clone()),
            ExportEntry::UserResult(UserResult { user, .. }) => {
                Position::User(user.username.clone().unwrap_or_default(), user.id_or_empty().to_owned())
            }
        };
        if self.last.as_ref().is_some_and(|last| *last >= position) {
            return Err(broken("the line is repeated or not in order"));
        }
        self.last = Some(position);
        match &entry {
            ExportEntry::Organization(_) => {
                self.counts.organizations = self.counts.organizations.map(|count| count + 1);
            }
            ExportEntry::IncompleteList(_) => self.counts.gaps += 1,
            ExportEntry::UserResult(result) => self.counts.add(result),
        }
        Ok(Some(entry))
    }
}

/// A line, if these are the bytes that it is written as.
///
/// # Errors
/// In words.
fn canonical<L: DeserializeOwned + Serialize>(text: &[u8]) -> Result<L, String> {
    let line: L = serde_json::from_slice(text).map_err(|why| why.to_string())?;
    let mut canonical = Vec::with_capacity(text.len());
    serde_json::to_writer(&mut canonical, &line).map_err(|why| why.to_string())?;
    canonical.push(b'\n');
    if canonical != text {
        return Err("the line is not in canonical form: the file was modified".to_owned());
    }
    Ok(line)
}

impl<R: BufRead> Iterator for Entries<R> {
    type Item = Result<ExportEntry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let entry = self.entry().transpose();
        self.over = !matches!(entry, Some(Ok(_)));
        entry
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use chrono::DateTime;
    use proptest::option;
    use proptest::prelude::*;
    use proptest::strategy::ValueTree as _;

    use super::super::fuzz::{read_all, written};
    use super::*;
    use crate::model::{
        ListLine, ListScope, Membership, Organization, Origin, Outcome, PersonalKey, Product, ReadStatus,
        Role, Suffix, User,
    };
    use crate::v1::{RequestSettings, RunSettings};

    type Time = DateTime<chrono::Utc>;

    /// Any that SQLite can keep: to the second, far beyond the years of four digits.
    fn time() -> impl Strategy<Value = Time> {
        let (first, last) = (Time::MIN_UTC.timestamp(), Time::MAX_UTC.timestamp());
        (first..=last).prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), Just("\u{2028}\"\\\n\r\t\u{0}\u{7f}".to_owned()), "[a-z]{0,9}"]
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        let status = (0..ReadStatus::ALL.len()).prop_map(|at| ReadStatus::ALL[at]);
        (status, option::of(any::<u16>()), option::of(text()), option::of(text())).prop_map(
            |(status, http_status, error_code, detail)| Outcome { status, http_status, error_code, detail },
        )
    }

    fn key() -> impl Strategy<Value = PersonalKey> {
        let suffix = option::of("[0-9a-f]{12}".prop_map(|digits| Suffix::from_key(&digits).unwrap()));
        let times = (option::of(time()), option::of(time()));
        let rest = (any::<Option<bool>>(), any::<Option<u64>>(), any::<bool>());
        (text(), suffix, text(), times, rest).prop_map(|(id, suffix, description, times, rest)| PersonalKey {
            id,
            suffix,
            description,
            enabled: rest.0,
            created_at: times.0,
            last_used: times.1,
            used_count: rest.1,
            auditing: rest.2,
        })
    }

    fn membership() -> impl Strategy<Value = Membership> {
        let role = (option::of(text()), option::of(text()), text());
        let role = role.prop_map(|(org_id, project_id, name)| Role { org_id, project_id, name });
        let roles = option::of(proptest::collection::vec(role, 0..3));
        let team_ids = option::of(proptest::collection::vec(text(), 0..3));
        let scope = (0..ListScope::ALL.len()).prop_map(|at| ListScope::ALL[at]);
        (scope, text(), roles, team_ids).prop_map(|(scope, id, roles, team_ids)| Membership {
            scope,
            id,
            roles,
            team_ids,
        })
    }

    fn result() -> impl Strategy<Value = UserResult> {
        let line = option::of((text(), any::<u64>()));
        let memberships = proptest::collection::vec(membership(), 0..3);
        let origin = (memberships, line).prop_map(|(memberships, line)| Origin {
            memberships,
            line: line.map(|(list, number)| ListLine { list: list.into(), number: NonZeroU64::new(number) }),
        });
        let user = (text(), option::of(text()), origin).prop_map(|(id, username, origin)| User {
            id: Some(id).filter(|id| !id.is_empty()),
            username,
            origin,
        });
        let keys = proptest::collection::vec(key(), 0..4);
        (user, keys, outcome(), any::<u32>(), option::of(time())).prop_map(
            |(user, keys, outcome, attempts, read_at)| UserResult { user, keys, outcome, attempts, read_at },
        )
    }

    fn run() -> impl Strategy<Value = ExportedRun> {
        let texts = proptest::collection::vec(text(), 4);
        (texts, option::of(any::<i64>()), time(), option::of(time()), option::of(0.001..1e6)).prop_map(
            |(texts, clock_skew, started_at, finished_at, rate)| ExportedRun {
                version: VERSION,
                deployment: texts[0].clone(),
                address: texts[1].clone(),
                product: Product::Atlas,
                service_version: Some(texts[2].clone()),
                credential: texts[3].clone(),
                clock_skew,
                started_at,
                finished_at,
                tool_version: "0.1.0".to_owned(),
                has_organizations: Some(true),
                settings: RunSettings {
                    sources: texts.clone(),
                    lists: texts,
                    cutoff: started_at,
                    active_within: 90,
                    requests: RequestSettings { concurrency: 16, rate, ..RequestSettings::none() },
                },
            },
        )
    }

    /// In order and without repeats, as a store hands them out.
    fn sorted(
        organizations: Vec<(Option<String>, Option<bool>, Outcome)>,
        lists: Vec<Outcome>,
        mut results: Vec<UserResult>,
    ) -> Vec<ExportEntry> {
        let organizations = organizations.into_iter().enumerate().map(|(at, (name, is_deleted, outcome))| {
            let organization = Organization { id: at.to_string(), name, is_deleted };
            ExportEntry::Organization(OrganizationResult { organization, outcome })
        });
        let name =
            |result: &UserResult| (result.user.username.clone().unwrap_or_default(), result.user.id.clone());
        results.sort_by_key(name);
        results.dedup_by_key(|result| name(result));
        let lists = lists.into_iter().enumerate();
        let lists = lists.map(|(at, outcome)| {
            let org_id = (at == 1).then(|| at.to_string());
            ExportEntry::IncompleteList(IncompleteList { source: format!("list {at}"), org_id, outcome })
        });
        organizations.chain(lists).chain(results.into_iter().map(ExportEntry::UserResult)).collect()
    }

    fn any_run() -> impl Strategy<Value = (ExportedRun, Vec<ExportEntry>)> {
        let organizations = (option::of(text()), any::<Option<bool>>(), outcome());
        let organizations = proptest::collection::vec(organizations, 0..3);
        let lists = proptest::collection::vec(outcome(), 0..3);
        let results = proptest::collection::vec(result(), 0..6);
        let entries = (organizations, lists, results);
        (run(), entries.prop_map(|(organizations, lists, results)| sorted(organizations, lists, results)))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_as_the_same_bytes((run, entries) in any_run()) {
            let bytes = written(&run, &entries);
            prop_assert_eq!(bytes.split_inclusive(|byte| *byte == b'\n').count(), entries.len() + 2);
            let (read_run, read_entries) = read_all(&bytes).unwrap();
            prop_assert_eq!(written(&read_run, &read_entries), bytes);
            prop_assert_eq!((read_run, read_entries), (run, entries));
        }

        #[test]
        fn an_export_of_version_1_is_read_back_as_the_same_bytes((run, entries) in any_run()) {
            let run = ExportedRun { version: 1, has_organizations: None, ..run };
            let bytes = written(&run, &entries);
            let (read_run, read_entries) = read_all(&bytes).unwrap();
            prop_assert_eq!(written(&read_run, &read_entries), bytes);
            prop_assert_eq!(read_run, run);
            prop_assert!(read_entries.iter().all(|entry| !matches!(entry, ExportEntry::Organization(_))));
        }

        #[test]
        fn a_cut_or_repeated_export_is_refused((run, entries) in any_run(), at in any::<prop::sample::Index>()) {
            let bytes = written(&run, &entries);
            prop_assert!(read_all(&bytes[..at.index(bytes.len())]).is_err());
            let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let at = at.index(lines.len());
            let without = [&lines[..at], &lines[at + 1..]].concat().concat();
            prop_assert!(read_all(&without).is_err(), "without line {}", at + 1);
            let twice = [&lines[..=at], &lines[at..]].concat().concat();
            prop_assert!(read_all(&twice).is_err(), "line {} twice", at + 1);
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read_all(&bytes).is_err());
        }
    }

    #[test]
    fn another_spelling_is_refused_with_its_line() {
        let result = UserResult {
            user: User { id: Some("5b".to_owned()), username: None, origin: Origin::default() },
            keys: Vec::new(),
            outcome: Outcome::read(200),
            attempts: 1,
            read_at: None,
        };
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let run = run().new_tree(&mut runner).unwrap().current();
        let whole = String::from_utf8(written(&run, &[ExportEntry::UserResult(result)])).unwrap();
        assert!(read_all(whole.as_bytes()).is_ok());
        let broken = |from: &str, to: &str| {
            assert!(whole.contains(from), "{from}");
            read_all(whole.replacen(from, to, 1).as_bytes()).unwrap_err()
        };
        for (from, to) in [
            ("\"username\":null,", ""),
            ("\"attempts\":1", "\"attempts\": 1"),
            ("\"user_id\":\"5b\"", "\"user_id\":\"\\u0035b\""),
            ("\"attempts\":1,", "\"attempts\":1,\"attempts\":1,"),
            ("\"attempts\":1,", "\"attempts\":1,\"more\":1,"),
            ("\"keys\":[]", "\"keys\":[{}]"),
            ("\"status\":\"read\"", "\"status\":\"well\""),
            ("\"line\":null", "\"line\":7"),
            ("\"memberships\":[]", "\"organization\":null"),
        ] {
            assert_eq!(broken(from, to).line, 2, "{to}");
        }
        assert_eq!(broken("\"users\":1", "\"users\":2").line, 3);
        let newer = broken("\"version\":2", "\"version\":3");
        assert_eq!((newer.line, newer.help), (1, Some("use the newer version")));
        assert!(newer.why.starts_with("the file was written by a newer keysunset"), "{newer}");
        for other in ["", "{}\n", "{\"keysunset\":\"run\"}\n", "deployment,user_id\n", "[1]\n"] {
            assert_eq!(read_all(other.as_bytes()).unwrap_err().line, 1, "{other}");
        }
    }
}
