//! The list of the formats, each in a file of this folder, and the settings of the output.

mod csv;
pub(super) mod github;
pub(super) mod gitlab;
mod html;
mod json;
mod junit;
pub(super) mod markdown;
mod ndjson;
mod organizations_csv;
mod prometheus;
pub(super) mod sarif;
mod xlsx;

use std::io::BufWriter;
use std::path::PathBuf;

use tempfile::TempDir;

use super::error::failed;
use super::write::Writers;
use super::{Error, FormatError, Writer};
use crate::output::{CsvStyle, temp_file_in};

/// The file whose hash `report.html` shows.
pub(super) const KEYS_CSV: &str = "keys.csv";

named! {
    /// Report format.
    pub enum Format {
        /// keys.csv and organizations.csv
        Csv = "csv",
        /// migration-report.md, a report to read
        Markdown = "markdown",
        /// report.html, a report for a browser, with all keys to filter and sort
        Html = "html",
        /// keys.xlsx, a workbook for spreadsheet programs
        Xlsx = "xlsx",
        /// findings.json, for programs; with a JSON Schema
        Json = "json",
        /// keys.ndjson, one row per line, for databases
        Ndjson = "ndjson",
        /// findings.sarif (SARIF 2.1.0), for code scanning
        Sarif = "sarif",
        /// junit.xml, one test case per user, for CI servers
        Junit = "junit",
        /// gl-code-quality-report.json, for GitLab merge requests
        Gitlab = "gitlab",
        /// GitHub annotations on stdout, and the step summary
        Github = "github",
        /// keysunset.prom, metrics for the Prometheus node exporter
        Prometheus = "prometheus",
    }
}

impl Format {
    /// Its files in `--out`, the main one first; none for standard output.
    #[must_use]
    pub const fn file_names(self) -> &'static [&'static str] {
        match self {
            Self::Csv => &[KEYS_CSV, "organizations.csv"],
            Self::Markdown => &["migration-report.md"],
            Self::Html => &["report.html"],
            Self::Xlsx => &["keys.xlsx"],
            Self::Json => &["findings.json"],
            Self::Ndjson => &["keys.ndjson"],
            Self::Sarif => &["findings.sarif"],
            Self::Junit => &["junit.xml"],
            Self::Gitlab => &["gl-code-quality-report.json"],
            Self::Github => &[],
            Self::Prometheus => &["keysunset.prom"],
        }
    }

    /// Whether it shows the runs up to this one.
    pub(super) const fn has_burn_down(self) -> bool {
        match self {
            Self::Markdown | Self::Html | Self::Github => true,
            Self::Csv
            | Self::Xlsx
            | Self::Json
            | Self::Ndjson
            | Self::Sarif
            | Self::Junit
            | Self::Gitlab
            | Self::Prometheus => false,
        }
    }

    /// Begins the files of this format in the output folder; returns the writer and the path of each.
    pub(super) fn start(self, output: &Output) -> Result<Writers, Error> {
        let paths = output.paths(self);
        let writers = self.writers(output).map_err(|why| failed(&paths[0], why))?;
        Ok(paths.into_iter().zip(writers).collect())
    }

    /// One for each path, in the order of the paths.
    fn writers(self, output: &Output) -> Result<Vec<Box<dyn Writer>>, FormatError> {
        let file = || temp_file_in(&output.out).map(BufWriter::new);
        Ok(match self {
            Self::Csv => vec![
                Box::new(csv::start(file()?, output.csv)?),
                Box::new(organizations_csv::start(file()?, output.csv)),
            ],
            Self::Markdown => vec![Box::new(markdown::start(file()?, output.templates.as_deref())?)],
            Self::Html => vec![Box::new(html::start(file()?, &output.out)?)],
            Self::Xlsx => vec![Box::new(xlsx::start(file()?, &output.out)?)],
            Self::Json => vec![Box::new(json::start(file()?)?)],
            Self::Ndjson => vec![Box::new(ndjson::start(file()?))],
            Self::Sarif => vec![Box::new(sarif::start(file()?, &output.out)?)],
            Self::Junit => vec![Box::new(junit::start(file()?, &output.out)?)],
            Self::Gitlab => vec![Box::new(gitlab::start(file()?)?)],
            Self::Github => vec![Box::new(github::start(output.step_summary.clone())?)],
            Self::Prometheus => vec![Box::new(prometheus::start(file()?))],
        })
    }
}

/// Which formats to write, and where.
#[derive(Debug, Clone)]
pub struct Output {
    /// The folder, created if it is missing.
    pub out: PathBuf,
    /// Whether the main file of the one format is written to standard output instead, and no other file at all.
    pub stdout: bool,
    /// In the order of `--format`.
    pub formats: Vec<Format>,
    /// Templates that replace the built-in ones of the same name.
    pub templates: Option<PathBuf>,
    /// The file of GitHub's step summary, to append to.
    pub step_summary: Option<PathBuf>,
    /// The style of CSV files.
    pub csv: CsvStyle,
}

impl Output {
    /// The same with a folder for unfinished files: a temporary one where no file is to be left. It is removed when the
    /// second is dropped.
    pub(super) fn with_folder(&self) -> Result<(Self, Option<TempDir>), Error> {
        if !self.stdout {
            std::fs::create_dir_all(&self.out).map_err(|why| failed(&self.out, why))?;
            return Ok((self.clone(), None));
        }
        let folder = TempDir::with_prefix("keysunset-").map_err(|why| failed(&std::env::temp_dir(), why))?;
        Ok((Self { out: folder.path().to_owned(), ..self.clone() }, Some(folder)))
    }

    /// All that is written: the files of the formats, the manifest, and the step summary.
    pub(crate) fn targets(&self) -> Vec<PathBuf> {
        let names =
            self.formats.iter().flat_map(|format| format.file_names()).copied().chain([super::MANIFEST]);
        let files = names.filter(|_| !self.stdout).map(|name| self.out.join(name));
        files.chain(self.step_summary.clone()).collect()
    }

    /// The path of a format for messages; never empty.
    pub(super) fn paths(&self, format: Format) -> Vec<PathBuf> {
        match (format.file_names(), &self.step_summary) {
            (names, _) if self.stdout && !names.is_empty() => vec![PathBuf::from("standard output")],
            ([], Some(summary)) => vec![summary.clone()],
            ([], None) => vec![PathBuf::from("standard output")],
            (names, _) => names.iter().map(|name| self.out.join(name)).collect(),
        }
    }
}
