//! The step summary: Markdown that GitHub shows on the page of the run. GitHub drops the whole summary if it is too long.
//!
//! It has the totals, what was not read, and the findings of each owner as the Markdown report has them. The template is
//! `templates/step-summary.md.j2`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use minijinja::Environment;
use minijinja::value::Value;

use crate::console::warn;
use crate::report::formats::markdown::owners::Owners;
use crate::report::formats::markdown::page::{self, Rows};
use crate::report::formats::markdown::{ROWS, STEP_SUMMARY, environment, render, template_error};
use crate::report::top_n::TopN;
use crate::report::{FormatError, Report, Row, RowContext};

/// GitHub shows no longer summary, so one that is too long would also hide the summaries of other programs.
const LONGEST: usize = 1 << 20;
/// Bytes that are left to programs that write to the same summary later.
const LEFT: usize = 64 << 10;

/// The summary in progress.
pub(super) struct StepSummary {
    path: PathBuf,
    environment: Environment<'static>,
    owners: Owners,
    unread: TopN<(), Value>,
}

impl StepSummary {
    /// For the file that GitHub named.
    pub(super) fn new(path: PathBuf) -> Result<Self, FormatError> {
        append(&path, "").map_err(FormatError::StepSummary)?;
        let environment = environment(None)?;
        let owners = Owners::new(&environment, LONGEST, true).map_err(|why| template_error(&why))?;
        Ok(Self { path, environment, owners, unread: TopN::new(ROWS) })
    }

    /// Adds the rows of a user.
    pub(super) fn rows(&mut self, context: &RowContext, rows: &[Row]) -> Result<(), FormatError> {
        self.owners.add(&self.environment, context, rows).map_err(|why| template_error(&why))?;
        for row in rows.iter().filter(|row| row.is_unread()) {
            self.unread.push((), || page::row(context, row));
        }
        Ok(())
    }

    /// Ends it.
    pub(super) fn end(self, report: &Report) -> Result<StepSummaryPage, FormatError> {
        let Self { path, environment, owners, unread } = self;
        let mut rows = Rows::none();
        rows.unread = unread.into_values().collect();
        let used = std::fs::metadata(&path).map_err(FormatError::StepSummary)?.len();
        let free = (LONGEST - LEFT).saturating_sub(usize::try_from(used).unwrap_or(LONGEST));
        let text = render(&environment, STEP_SUMMARY, (owners, page::page(report, rows)), free)?;
        Ok(StepSummaryPage { path, text })
    }
}

/// A complete page, to be added to the file of the step summary.
pub(in crate::report) struct StepSummaryPage {
    pub(in crate::report) path: PathBuf,
    text: String,
}

impl StepSummaryPage {
    pub(in crate::report) fn append(&self) -> io::Result<()> {
        append(&self.path, &self.text)
    }
}

/// Adds to the step summary, to which other programs also write. If it is full, it prints a warning.
pub(in crate::report) fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut summary = std::fs::File::options().create(true).append(true).open(path)?;
    if summary.metadata()?.len() + text.len() as u64 > LONGEST as u64 {
        warn(&format!("{} is full: the summary of this run is left out", path.display()), None);
        return Ok(());
    }
    summary.write_all(text.as_bytes())
}
