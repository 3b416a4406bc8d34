//! For GitHub Actions: annotations on standard output, for each kind the nine worst and one that counts the rest, and the
//! step summary.
//!
//! An annotation is a workflow command, which GitHub shows beside the run and at the line of a file:
//! `::error title=…,file=…,line=…::message`. Characters that would end a part early are escaped as `%25`, `%0D`, `%0A`, and in
//! properties also `%3A` and `%2C`, so that no foreign text becomes a command.

mod step_summary;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::PathBuf;

use self::step_summary::StepSummary;
pub(in crate::report) use self::step_summary::{StepSummaryPage, append};
use crate::model::{PersonalKey, User};
use crate::policy::Severity;
use crate::report::location::{Locator, SourceLocation};
use crate::report::record::{MissingUsers, Record};
use crate::report::text::{printable, shortened};
use crate::report::top_n::{Rank, TopN, rank};
use crate::report::wording::{self, QUOTED};
use crate::report::{FormatError, Rendered, Report, Row, RowContext, RunContext, Writer};

/// GitHub shows ten annotations of a kind in a step; the tenth counts the rest.
pub(in crate::report) const SHOWN: usize = 9;
/// Maximum characters of a name or an id.
const NAME: usize = 100;

/// The output in progress.
struct Github {
    errors: Annotations,
    warnings: Annotations,
    notices: Annotations,
    summary: Option<StepSummary>,
    locator: Locator,
}

/// `summary_file` is the file of the step summary, if GitHub named one.
pub(super) fn start(summary_file: Option<PathBuf>) -> Result<impl Writer, FormatError> {
    Ok(Github {
        errors: Annotations::new("error"),
        warnings: Annotations::new("warning"),
        notices: Annotations::new("notice"),
        summary: summary_file.map(StepSummary::new).transpose()?,
        locator: Locator::here(),
    })
}

impl Writer for Github {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        let deployment = printable(&context.run.deployment);
        let missing = MissingUsers::of_run(context);
        let message = |it: MissingUsers| {
            let message = format!("{deployment}: {}", wording::not_read(&it.record(), QUOTED));
            let waived = it.waiver().map(|waiver| format!("; {}", wording::waived(waiver, QUOTED)));
            (message + &waived.unwrap_or_default(), it.waiver().is_some())
        };
        let mut messages: Vec<_> = missing.map(message).collect();
        messages.sort();
        for (message, is_waived) in messages {
            let annotations = if is_waived { &mut self.warnings } else { &mut self.errors };
            let title = || "incomplete: users may be missing".to_owned();
            annotations.push(AnnotationSubject::MissingUsers, None, || Annotation {
                title: title(),
                message,
                location: None,
            });
        }
        Ok(())
    }

    fn rows(&mut self, context: &RowContext, rows: &[Row]) -> Result<(), FormatError> {
        if let Some(summary) = &mut self.summary {
            summary.rows(context, rows)?;
        }
        rows.iter().try_for_each(|row| self.row(context, row))
    }

    fn row(&mut self, context: &RowContext, row: &Row) -> Result<(), FormatError> {
        let user = &row.result.user;
        let waived = || match row.waiver {
            Some((waiver, _)) if row.is_waived() => format!("; {}", wording::waived(waiver, QUOTED)),
            Some(_) | None => String::new(),
        };
        if let Some((key, judged)) = &row.key {
            let annotations = match judged.severity {
                _ if !row.is_finding => &mut self.notices,
                Severity::Critical | Severity::High => &mut self.errors,
                Severity::Medium | Severity::Low | Severity::Info => &mut self.warnings,
            };
            let locator = &self.locator;
            annotations.push(AnnotationSubject::Key(judged.severity), Some(key), || {
                let key = wording::key(&Record::new(context, row), QUOTED);
                Annotation {
                    title: format!("{}: {} has a personal API key", judged.severity, name(user)),
                    message: format!("{}: {key}{}", printable(&context.run.deployment), waived()),
                    location: locator.find(user),
                }
            });
        } else if row.is_unread() {
            let annotations = if row.is_waived() { &mut self.warnings } else { &mut self.errors };
            let locator = &self.locator;
            annotations.push(AnnotationSubject::User, None, || Annotation {
                title: format!("not read: {}", name(user)),
                message: format!(
                    "{}: {}{}",
                    printable(&context.run.deployment),
                    wording::not_read(&Record::new(context, row), QUOTED),
                    waived()
                ),
                location: locator.find(user),
            });
        }
        Ok(())
    }

    fn end(mut self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        for issue in &report.waiver_issues {
            self.warnings.push(AnnotationSubject::Waiver, None, || Annotation {
                title: format!("waiver: {}", issue.kind),
                message: printable(&wording::waiver_issue(issue)),
                location: None,
            });
        }
        let mut stdout = String::new();
        for annotations in [self.errors, self.warnings, self.notices] {
            annotations.write(&mut stdout);
        }
        let summary = self.summary.map(|summary| summary.end(report)).transpose()?;
        Ok(Rendered::Github(stdout, summary))
    }
}

/// The name of a user in a title.
fn name(user: &User) -> String {
    printable(&shortened(user.label(), NAME))
}

/// The subject of an annotation, worst first: missing users may hide anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum AnnotationSubject {
    /// An incomplete list or an unfinished run.
    MissingUsers,
    /// A user who could not be read.
    User,
    /// A waiver.
    Waiver,
    /// A key.
    Key(Severity),
}

/// The name in the annotation that counts the rest.
impl fmt::Display for AnnotationSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingUsers => f.write_str("incomplete lists or runs"),
            Self::User => f.write_str("users not read"),
            Self::Waiver => f.write_str("waivers"),
            Self::Key(severity) => write!(f, "{severity} keys"),
        }
    }
}

struct Annotation {
    title: String,
    message: String,
    location: Option<SourceLocation>,
}

/// All annotations of one kind. Errors: severe findings, and unread users; warnings: other findings, and waivers; notices: keys
/// that are not findings.
struct Annotations {
    /// The name of the workflow command.
    kind: &'static str,
    worst: TopN<Rank<AnnotationSubject>, (AnnotationSubject, Annotation)>,
    counts: BTreeMap<AnnotationSubject, u64>,
}

impl Annotations {
    fn new(kind: &'static str) -> Self {
        Self { kind, worst: TopN::new(SHOWN), counts: BTreeMap::new() }
    }

    fn push(
        &mut self,
        subject: AnnotationSubject,
        key: Option<&PersonalKey>,
        annotation: impl FnOnce() -> Annotation,
    ) {
        *self.counts.entry(subject).or_default() += 1;
        let rank = key.map_or((subject, Reverse(None)), |key| rank(subject, key));
        self.worst.push(rank, || (subject, annotation()));
    }

    /// Writes a line for each of the worst, and one that counts the rest.
    fn write(self, out: &mut String) {
        let Self { kind, worst, counts: mut left_out } = self;
        let mut more = worst.count();
        for (subject, Annotation { title, message, location }) in worst.into_values() {
            more -= 1;
            left_out.entry(subject).and_modify(|count| *count -= 1);
            let mut properties = vec![("title", title)];
            if let Some(location) = location {
                properties.extend([("file", location.path()), ("line", location.line.to_string())]);
            }
            command(kind, &properties, &message, out);
        }
        if more > 0 {
            let each = left_out.into_iter().filter(|(_, count)| *count > 0);
            let each: Vec<_> = each.map(|(subject, count)| format!("{count} {subject}")).collect();
            let message = format!("{more} more: {}; `keysunset report` lists all of them", each.join(", "));
            command(kind, &[("title", format!("and {more} more"))], &message, out);
        }
    }
}

/// Writes a workflow command.
pub(in crate::report) fn command(kind: &str, properties: &[(&str, String)], message: &str, out: &mut String) {
    let properties: Vec<_> = properties
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value).replace(':', "%3A").replace(',', "%2C")))
        .collect();
    // Writing to a string can't fail.
    let _ = writeln!(out, "::{kind} {}::{}", properties.join(","), escaped(message));
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}
