//! The outputs of `locate`: one row a place, and one for what was not searched. A format is a file of this folder and one
//! function over the [`LocateReport`], whose rows are read again for each format, since memory must not grow with them.

mod csv;
mod github;
mod gitlab;
mod json;
pub(super) mod markdown;
mod record;
mod rows;
mod sarif;
mod summary;
pub(crate) mod terminal;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use clap::builder::PossibleValue;
use tempfile::TempDir;

pub(super) use self::rows::is_in_use;
pub(crate) use self::rows::{LocateFailOn, LocatedKey, LocationRow, Rows, UnsearchedRow};
pub(super) use self::summary::{KEYS, PLACES};
pub(crate) use self::summary::{LocateReport, SearchScope};
use super::error::failed;
use super::file::reopened;
use super::formats::github::append;
use super::location::fingerprint;
use super::text::{printable, shortened};
use super::wording::QUOTED;
use super::{Error, FormatError};
use crate::output::{OutputFile, ReportFile, persist, temp_file_in};
use crate::place::{NotSearched, Place, Unsearched};

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

    /// All that is written.
    pub(crate) fn targets(&self) -> Vec<PathBuf> {
        let names = self.formats.iter().filter_map(|format| format.file_name()).filter(|_| !self.stdout);
        names.map(|name| self.out.join(name)).chain(self.step_summary.clone()).collect()
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
            let file = temp_file_in(&folder).map(BufWriter::new).map_err(FormatError::from);
            let written = file.and_then(|file| write(*format, report, file));
            complete.push((written.map_err(|why| failed(&path, why))?, path));
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
        Ok(github::annotations(report)?)
    }
}

fn write(format: LocationFormat, report: &LocateReport, file: OutputFile) -> Result<OutputFile, FormatError> {
    match format {
        LocationFormat::Csv => csv::write(report, file),
        LocationFormat::Markdown => Ok(markdown::write(report, file)?),
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
struct Identities {
    numbers: HashMap<String, u64>,
    /// The repository and path of [`Identities::of_path`].
    path: (String, String),
}

impl Identities {
    /// Forgets the numbers of other paths, which do not come again.
    fn of_path(&mut self, place: &Place) {
        if (&self.path.0, &self.path.1) != (&place.repository, &place.path) {
            self.path = (place.repository.clone(), place.path.clone());
            self.numbers.clear();
        }
    }

    fn of(&mut self, row: &LocationRow) -> String {
        let LocationRow { key, place, .. } = row;
        let (deployment, id) = key.map_or(("", ""), |key| (&key.deployment, &key.id));
        let parts = [deployment, id, place.suffix.as_str(), &place.repository, &place.path];
        let identity = fingerprint(&parts);
        let number = self.numbers.entry(identity.clone()).or_default();
        *number += 1;
        if *number == 1 { identity } else { fingerprint(&[&identity, &number.to_string()]) }
    }
}
