//! What a report may be written as, and where it goes: the list of the formats, each a file of this folder.

mod csv;
mod github;
mod gitlab;
mod json;
mod junit;
mod markdown;
mod ndjson;
mod prometheus;
mod sarif;

use std::io::BufWriter;
use std::path::PathBuf;

use super::file::temp_file_in;
use super::{Error, FormatError, Writer, failed};

named! {
    /// What a report may be written as.
    pub enum Format {
        /// keys.csv: one row a key, and one for every user without keys or not read
        Csv = "csv",
        /// migration-report.md: for the person who acts on it and the auditor who has to believe it
        Markdown = "markdown",
        /// findings.json: every field and the run's facts, for programs; it has a schema
        Json = "json",
        /// keys.ndjson: a row a line, for databases and warehouses
        Ndjson = "ndjson",
        /// findings.sarif: SARIF 2.1.0, for code scanning
        Sarif = "sarif",
        /// junit.xml: a test case a user, for CI servers
        Junit = "junit",
        /// gl-code-quality-report.json: for GitLab's merge requests
        Gitlab = "gitlab",
        /// Annotations on standard output, and GitHub's step summary
        Github = "github",
        /// keysunset.prom: metrics, for a textfile of the node exporter
        Prometheus = "prometheus",
    }
}

impl Format {
    /// Its name in `--out`; `None` for what goes elsewhere.
    #[must_use]
    pub const fn file_name(self) -> Option<&'static str> {
        match self {
            Self::Csv => Some("keys.csv"),
            Self::Markdown => Some("migration-report.md"),
            Self::Json => Some("findings.json"),
            Self::Ndjson => Some("keys.ndjson"),
            Self::Sarif => Some("findings.sarif"),
            Self::Junit => Some("junit.xml"),
            Self::Gitlab => Some("gl-code-quality-report.json"),
            Self::Github => None,
            Self::Prometheus => Some("keysunset.prom"),
        }
    }

    /// Begins a file of this format in the folder of the output.
    pub(super) fn start(self, output: &Output) -> Result<Box<dyn Writer>, Error> {
        self.writer(output).map_err(|why| failed(&output.path(self), why))
    }

    fn writer(self, output: &Output) -> Result<Box<dyn Writer>, FormatError> {
        let file = || temp_file_in(&output.out).map(BufWriter::new);
        Ok(match self {
            Self::Csv => Box::new(csv::start(file()?, output.csv_raw)?),
            Self::Markdown => Box::new(markdown::start(file()?, output.templates.as_deref())?),
            Self::Json => Box::new(json::start(file()?)?),
            Self::Ndjson => Box::new(ndjson::start(file()?)),
            Self::Sarif => Box::new(sarif::start(file()?, &output.out)?),
            Self::Junit => Box::new(junit::start(file()?, &output.out)?),
            Self::Gitlab => Box::new(gitlab::start(file()?)?),
            Self::Github => Box::new(github::start(output.step_summary.clone())?),
            Self::Prometheus => Box::new(prometheus::start(file()?)),
        })
    }
}

/// What to write, and where.
#[derive(Debug, Clone)]
pub struct Output {
    /// The folder, made where it is missing.
    pub out: PathBuf,
    /// In the order in which they were asked for.
    pub formats: Vec<Format>,
    /// Templates that replace the built-in ones of the same name.
    pub templates: Option<PathBuf>,
    /// Where GitHub takes the summary of a step from, which is added to.
    pub step_summary: Option<PathBuf>,
    /// Whether CSV fields are left as they are, even where a spreadsheet would run them.
    pub csv_raw: bool,
}

impl Output {
    /// Where a format goes.
    pub(super) fn path(&self, format: Format) -> PathBuf {
        match (format.file_name(), &self.step_summary) {
            (Some(name), _) => self.out.join(name),
            (None, Some(summary)) => summary.clone(),
            (None, None) => PathBuf::from("standard output"),
        }
    }
}
