//! `gl-code-quality-report.json`: GitLab's Code Quality format, for the widget of a merge request. An array with one entry for
//! each key, unread user and incomplete list, so that a merge request never looks better than the run.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::output::add_json;
use crate::policy::Severity;
use crate::report::location::{Fingerprints, Locator, SourceLocation, fingerprint};
use crate::report::record::{MissingUsers, Record};
use crate::report::wording::{self, Unknown};
use crate::report::{
    FormatError, JsonArray, OutputFile, Rendered, Report, Row, RowContext, RunContext, Writer,
};

/// The severity of an unread user or incomplete list, equal to a key of unknown use.
pub(in crate::report) const UNKNOWN: &str = "major";
/// GitLab has no field for waivers: a waived key stays in the list with the lowest severity.
pub(in crate::report) const WAIVED: &str = "info";

struct Gitlab {
    file: OutputFile,
    locator: Locator,
    fingerprints: Fingerprints,
    entries: JsonArray,
    entry: Vec<u8>,
}

/// An entry as GitLab documents it. GitLab ignores other fields.
#[derive(Serialize)]
pub(in crate::report) struct CodeQualityIssue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: IssueLocation,
}

impl<'a> CodeQualityIssue<'a> {
    pub(in crate::report) fn new(
        description: String,
        check_name: &'a str,
        fingerprint: String,
        severity: &'static str,
        location: &SourceLocation,
    ) -> Self {
        Self { description, check_name, fingerprint, severity, location: IssueLocation::new(location) }
    }
}

#[derive(Serialize)]
struct IssueLocation {
    path: String,
    lines: IssueLines,
}

#[derive(Serialize)]
struct IssueLines {
    begin: u64,
}

pub(super) fn start(mut file: OutputFile) -> Result<impl Writer, FormatError> {
    let entries = JsonArray::open(&mut file)?;
    let fingerprints = Fingerprints::default();
    Ok(Gitlab { file, locator: Locator::here(), fingerprints, entries, entry: Vec::new() })
}

impl Gitlab {
    fn write(&mut self, entry: &CodeQualityIssue) -> io::Result<()> {
        self.entries.next(&mut self.file)?;
        self.entry.clear();
        add_json(&mut self.entry, entry)?;
        self.file.write_all(&self.entry)
    }
}

impl Writer for Gitlab {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        self.fingerprints = Fingerprints::new(context)?;
        for missing in MissingUsers::of_run(context) {
            let (record, check_name) = (missing.record(), missing.unknown().name());
            let list = missing.list.map_or("", |judged| &judged.list.source);
            self.write(&CodeQualityIssue {
                description: wording::row(&record),
                check_name,
                fingerprint: fingerprint(&[record.deployment, list, check_name]),
                severity: if missing.waiver().is_some() { WAIVED } else { UNKNOWN },
                location: IssueLocation::new(&SourceLocation::elsewhere()),
            })?;
        }
        Ok(())
    }

    fn row(&mut self, context: &RowContext, row: &Row) -> Result<(), FormatError> {
        let (check_name, severity) = match &row.key {
            Some((_, judged)) => (judged.verdict.as_str(), severity(judged.severity)),
            None if row.is_unread() => (Unknown::User.name(), UNKNOWN),
            None => return Ok(()),
        };
        let record = Record::new(context, row);
        self.write(&CodeQualityIssue {
            description: wording::row(&record),
            check_name,
            fingerprint: self.fingerprints.of(&record, check_name),
            severity: if row.is_waived() { WAIVED } else { severity },
            location: IssueLocation::new(&self.locator.locate(&row.result.user)),
        })?;
        Ok(())
    }

    fn end(self: Box<Self>, _: &Report) -> Result<Rendered, FormatError> {
        let Self { mut file, entries, .. } = *self;
        entries.close(&mut file, "\n]\n", "]\n")?;
        Ok(Rendered::File(file))
    }
}

impl IssueLocation {
    fn new(location: &SourceLocation) -> Self {
        Self { path: location.path(), lines: IssueLines { begin: location.line } }
    }
}

/// GitLab has the same number of severities, with other names.
pub(in crate::report) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "blocker",
        Severity::High => "critical",
        Severity::Medium => UNKNOWN,
        Severity::Low => "minor",
        Severity::Info => "info",
    }
}
