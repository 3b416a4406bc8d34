//! The outputs of `locate`: one row a place, and one for what was not searched. A format is a file of this folder and one
//! function over the [`LocateReport`], whose rows are all in memory.

mod csv;
mod github;
mod gitlab;
mod json;
pub(super) mod markdown;
mod record;
mod sarif;
pub(crate) mod terminal;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use clap::builder::PossibleValue;
use tempfile::TempDir;

use super::formats::github::append;
use super::location::fingerprint;
use super::text::{printable, shortened};
use super::wording::QUOTED;
use super::{Error, judge, reopened};
use crate::model::Suffix;
use crate::output::{OutputFile, ReportFile, persist, temp_file_in};
use crate::place::{Class, NotSearched, Place, Unsearched};
use crate::policy::{Action, Severity, Verdict};
use crate::waivers::{Waiver, WaiverStatus};

named! {
    /// Format of what `locate` found.
    pub(crate) enum LocationFormat {
        /// locations.csv, one row per place
        Csv = "csv",
        /// locations.md, a page to read
        Markdown = "markdown",
        /// locations.json, for programs; with a JSON Schema
        Json = "json",
        /// locations.ndjson, one row per line, for databases
        Ndjson = "ndjson",
        /// locations.sarif (SARIF 2.1.0), for code scanning
        Sarif = "sarif",
        /// gl-code-quality-locations.json, for GitLab merge requests
        Gitlab = "gitlab",
        /// GitHub annotations on stdout, and the step summary
        Github = "github",
    }
}

named! {
    /// Which places are findings.
    pub(crate) enum LocateFailOn {
        /// All places of personal keys
        Any = "any",
        /// Places in a work tree or at the end of a branch
        Live = "live",
        /// No places
        Never = "never",
    }
}

impl LocationFormat {
    /// Its file in `--out`; `None` for standard output.
    #[must_use]
    pub(crate) const fn file_name(self) -> Option<&'static str> {
        match self {
            Self::Csv => Some("locations.csv"),
            Self::Markdown => Some("locations.md"),
            Self::Json => Some("locations.json"),
            Self::Ndjson => Some("locations.ndjson"),
            Self::Sarif => Some("locations.sarif"),
            Self::Gitlab => Some("gl-code-quality-locations.json"),
            Self::Github => None,
        }
    }
}

impl LocateFailOn {
    /// Whether a place is a finding.
    #[must_use]
    pub(crate) fn counts(self, place: &Place) -> bool {
        place.class == Class::Key
            && match self {
                Self::Any => true,
                Self::Live => place.state.is_live(),
                Self::Never => false,
            }
    }
}

/// A personal key, as far as the search needs it. Texts are as the service sent them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocatedKey {
    /// The name of its deployment.
    pub(crate) deployment: String,
    /// 24 hexadecimal digits.
    pub(crate) id: String,
    /// By which it is found.
    pub(crate) suffix: Suffix,
    /// Of its owner; empty if unknown.
    pub(crate) username: String,
    /// As its owner wrote it.
    pub(crate) description: String,
    /// What is known about its use.
    pub(crate) verdict: Verdict,
    /// How urgent it is.
    pub(crate) severity: Severity,
    /// What to do about it.
    pub(crate) action: Action,
}

/// A place of a key. A key that several users have gives a row each.
pub(crate) struct LocationRow<'a> {
    /// `None` for a programmatic key, and for one that the run does not have.
    pub(crate) key: Option<&'a LocatedKey>,
    /// Where it is.
    pub(crate) place: &'a Place,
    /// The line, masked, where it was asked for.
    pub(crate) context: Option<&'a str>,
    /// The waiver of the place, and its status.
    pub(crate) waiver: Option<(&'a Waiver, WaiverStatus)>,
    /// Whether it fails the gate.
    pub(crate) is_finding: bool,
}

/// Something that was not searched.
pub(crate) struct UnsearchedRow<'a> {
    /// What, and why.
    pub(crate) unsearched: &'a Unsearched,
    /// The waiver of its path, and its status.
    pub(crate) waiver: Option<(&'a Waiver, WaiverStatus)>,
}

impl UnsearchedRow<'_> {
    /// Whether it has an active waiver.
    #[must_use]
    pub(crate) fn is_waived(&self) -> bool {
        judge::counts(self.waiver)
    }
}

impl LocationRow<'_> {
    /// Whether it has an active waiver.
    #[must_use]
    pub(crate) fn is_waived(&self) -> bool {
        judge::counts(self.waiver)
    }
}

/// What was found, and how.
pub(crate) struct LocateReport<'a> {
    /// The name of the deployment; empty for keys of several.
    pub(crate) deployment: &'a str,
    /// Where the keys come from, such as `run 3 of 2025-01-01T00:00:00Z`.
    pub(crate) keys_from: String,
    /// The paths that were searched, as they were typed.
    pub(crate) roots: Vec<String>,
    /// The globs of `--exclude`.
    pub(crate) excluded: &'a [String],
    /// Whether git histories were searched.
    pub(crate) history: bool,
    /// Whether archives were searched.
    pub(crate) archives: bool,
    /// Which places are findings.
    pub(crate) fail_on: LocateFailOn,
    /// In the order of `locations.csv`.
    pub(crate) rows: Vec<LocationRow<'a>>,
    /// Likewise.
    pub(crate) unsearched: Vec<UnsearchedRow<'a>>,
    /// All keys that were searched for.
    pub(crate) keys: &'a [LocatedKey],
    /// Why keys may be missing from those, a sentence each.
    pub(crate) unknown_keys: Vec<String>,
    /// Waivers of paths with a problem, a sentence each.
    pub(crate) waiver_issues: Vec<String>,
    /// Files that were searched.
    pub(crate) files: u64,
    /// Objects of git that were searched.
    pub(crate) objects: u64,
    /// Bytes of the files, and of the files of git.
    pub(crate) bytes: u64,
    /// Symbolic links out of the paths, which were not followed.
    pub(crate) links_outside: u64,
}

impl LocateReport<'_> {
    /// Whether nothing can have been missed that no waiver accepts.
    #[must_use]
    pub(crate) fn is_complete_or_waived(&self) -> bool {
        self.unknown_keys.is_empty() && self.unsearched.iter().all(UnsearchedRow::is_waived)
    }

    /// How many places fail the gate.
    #[must_use]
    pub(crate) fn findings(&self) -> usize {
        self.rows.iter().filter(|row| row.is_finding).count()
    }

    /// The places of personal keys.
    fn key_rows(&self) -> impl Iterator<Item = &LocationRow<'_>> {
        self.rows.iter().filter(|row| row.place.class == Class::Key)
    }

    /// Keys with their places: worst first, and of those of one severity the live ones first.
    fn with_places(&self) -> Vec<(&LocatedKey, Vec<&LocationRow<'_>>)> {
        let mut by_key: BTreeMap<_, (&LocatedKey, Vec<&LocationRow>)> = BTreeMap::new();
        for row in self.key_rows() {
            let Some(key) = row.key else { continue };
            let entry = by_key.entry((&key.deployment, &key.id)).or_insert_with(|| (key, Vec::new()));
            entry.1.push(row);
        }
        let mut keys: Vec<_> = by_key.into_values().collect();
        for (_, rows) in &mut keys {
            rows.sort_by_key(|row| !row.place.state.is_live());
        }
        keys.sort_by_key(|(key, rows)| {
            (key.severity, !rows.iter().any(|row| row.place.state.is_live()), key.username.clone())
        });
        keys
    }

    /// How many keys are in a place.
    fn found(&self) -> usize {
        let found: HashSet<_> = self.key_rows().map(|row| &row.place.suffix).collect();
        self.keys.iter().filter(|key| found.contains(&key.suffix)).count()
    }

    /// Enabled keys that were used after the cutoff, or whose use is unknown, and that are in no place that was searched.
    #[must_use]
    pub(crate) fn nowhere(&self) -> Vec<&LocatedKey> {
        let found: HashSet<_> = self.key_rows().map(|row| &row.place.suffix).collect();
        let mut keys: Vec<_> =
            self.keys.iter().filter(|key| is_in_use(key.severity) && !found.contains(&key.suffix)).collect();
        keys.sort_by_key(|key| key.severity);
        keys
    }
}

/// Whether a script may need the key now.
#[must_use]
pub(crate) const fn is_in_use(severity: Severity) -> bool {
    match severity {
        Severity::Critical | Severity::High | Severity::Medium => true,
        Severity::Low | Severity::Info => false,
    }
}

/// Where to write, and what.
#[derive(Debug, Clone)]
pub(crate) struct LocationOutput {
    /// The folder, created if it is missing.
    pub(crate) out: PathBuf,
    /// Whether the one format goes to standard output.
    pub(crate) stdout: bool,
    /// Each once.
    pub(crate) formats: Vec<LocationFormat>,
    /// The file of GitHub's step summary, to append to.
    pub(crate) step_summary: Option<PathBuf>,
}

/// What was written.
pub(crate) struct LocationsWritten {
    /// The files, in the order of the formats.
    pub(crate) files: Vec<ReportFile>,
    /// What has yet to be written to standard output.
    pub(crate) stdout: String,
    /// The report that goes there.
    pub(crate) stdout_file: Option<File>,
}

impl LocationOutput {
    fn folder(&self) -> Result<(PathBuf, Option<TempDir>), Error> {
        let failed = |path: &Path, why| Error::Write(path.display().to_string(), why);
        if !self.stdout {
            std::fs::create_dir_all(&self.out).map_err(|why| failed(&self.out, why))?;
            return Ok((self.out.clone(), None));
        }
        let folder = TempDir::with_prefix("keysunset-").map_err(|why| failed(&std::env::temp_dir(), why))?;
        Ok((folder.path().to_owned(), Some(folder)))
    }

    /// Makes the folder and tries it, before a long search.
    ///
    /// # Errors
    /// Why nothing can be written there.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        let (folder, _guard) = self.folder()?;
        temp_file_in(&folder).map(drop).map_err(|why| Error::Write(folder.display().to_string(), why))
    }

    /// Writes all formats. No file has its name until all of them are complete.
    ///
    /// # Errors
    /// Why it can't; then no file has changed.
    pub(crate) fn write(&self, report: &LocateReport) -> Result<LocationsWritten, Error> {
        let (folder, _guard) = self.folder()?;
        let (mut complete, mut stdout) = (Vec::new(), String::new());
        for format in &self.formats {
            let Some(name) = format.file_name() else {
                stdout.push_str(&self.annotations(report)?);
                continue;
            };
            let path = folder.join(name);
            let written =
                temp_file_in(&folder).map(BufWriter::new).and_then(|file| write(*format, report, file));
            complete.push((written.map_err(|why| Error::Write(path.display().to_string(), why))?, path));
        }
        let (mut files, mut stdout_file) = (Vec::new(), None);
        for (file, path) in complete {
            let failed = |why| Error::Write(path.display().to_string(), why);
            if self.stdout {
                stdout_file = Some(reopened(file).map_err(failed)?);
            } else {
                files.push(persist(file, &path).map_err(failed)?);
            }
        }
        Ok(LocationsWritten { files, stdout, stdout_file })
    }

    fn annotations(&self, report: &LocateReport) -> Result<String, Error> {
        if let Some(path) = &self.step_summary {
            let failed = |why: io::Error| Error::StepSummary(path.display().to_string(), why);
            let page = markdown::page(report).map_err(failed)?;
            append(path, &page).map_err(failed)?;
        }
        Ok(github::annotations(report))
    }
}

fn write(format: LocationFormat, report: &LocateReport, file: OutputFile) -> io::Result<OutputFile> {
    match format {
        LocationFormat::Csv => csv::write(report, file),
        LocationFormat::Markdown => markdown::write(report, file),
        LocationFormat::Json => json::write(report, file),
        LocationFormat::Ndjson => json::write_lines(report, file),
        LocationFormat::Sarif => sarif::write(report, file),
        LocationFormat::Gitlab => gitlab::write(report, file),
        // It has no file.
        LocationFormat::Github => Ok(file),
    }
}

/// What was not searched, for a person.
fn unsearched_label(unsearched: &Unsearched) -> String {
    let Unsearched { repository, path, member, .. } = unsearched;
    let member = if member.is_empty() { String::new() } else { format!("!{member}") };
    match (path.as_str(), repository.as_str()) {
        ("", repository) => format!("repository {repository}"),
        (path, repository) if repository == "." || repository == path => format!("{path}{member}"),
        (path, repository) => format!("{repository}/{path}{member}"),
    }
}

/// Why something was not searched, as a sentence.
fn not_searched(why: NotSearched) -> String {
    let value = why.to_possible_value();
    let text = value.as_ref().and_then(PossibleValue::get_help).map(ToString::to_string).unwrap_or_default();
    format!("not searched: {text}")
}

/// The file that a service shows: a message of a commit has none.
fn path_or_git(path: &str) -> String {
    if path.is_empty() { ".git".to_owned() } else { path.to_owned() }
}

/// A place of a personal key in a sentence.
fn sentence(row: &LocationRow) -> String {
    let LocationRow { key, place, .. } = row;
    let owner = key.map(|key| &*key.username).filter(|name| !name.is_empty());
    let owner = owner.map_or_else(String::new, |name| format!(" of {}", shortened(name, QUOTED)));
    let id = key.map_or_else(String::new, |key| format!(" {}", key.id));
    let severity = key.map_or_else(String::new, |key| format!("{}: ", key.severity));
    let member = if place.member.is_empty() { String::new() } else { format!(" in {}", place.member) };
    let encoding = if place.encoding == "plain" { String::new() } else { format!(" as {}", place.encoding) };
    let commit = place.last_commit.as_deref().map_or_else(String::new, |id| format!(", last in commit {id}"));
    let suffix = place.suffix.as_str();
    let state = place.state;
    printable(&format!(
        "{severity}personal API key{id} ending in {suffix}{owner} is here{member}{encoding} ({state}{commit})"
    ))
}

/// Fingerprints by key and path, so that a place is known again when its line moves. Places of one key in one path are
/// numbered.
#[derive(Default)]
struct Identities(HashMap<String, u64>);

impl Identities {
    fn of(&mut self, row: &LocationRow) -> String {
        let LocationRow { key, place, .. } = row;
        let (deployment, id) = key.map_or(("", ""), |key| (&key.deployment, &key.id));
        let parts = [deployment, id, place.suffix.as_str(), &place.repository, &place.path];
        let identity = fingerprint(&parts);
        let number = self.0.entry(identity.clone()).or_default();
        *number += 1;
        if *number == 1 { identity } else { fingerprint(&[&identity, &number.to_string()]) }
    }
}
