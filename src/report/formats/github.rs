//! For GitHub Actions: annotations on standard output, of each kind the nine worst and one that sums up the rest, and the
//! summary of the step.

mod annotation;
mod step_summary;
mod worst;

use std::cmp::Reverse;
use std::path::PathBuf;

use self::annotation::{About, Annotation, Annotations, Kind, named};
use self::step_summary::{StepSummary, append};
use crate::model::{PersonalKey, User};
use crate::policy::{Judgement, Severity};
use crate::report::place::Locator;
use crate::report::record::{MissingUsers, Record};
use crate::report::text::{printable, shortened};
use crate::report::{FormatError, Rendered, Report, Row, RunContext, Writer, terminal};

/// Characters of a description or a reason.
const TEXT: usize = 200;

/// What is under way.
struct Github {
    errors: Annotations,
    warnings: Annotations,
    notices: Annotations,
    summary: StepSummary,
    step_summary: Option<PathBuf>,
    places: Locator,
}

/// `step_summary` is the file that GitHub takes the summary of the step from, where there is one.
pub(super) fn start(step_summary: Option<PathBuf>) -> Result<impl Writer, FormatError> {
    if let Some(path) = &step_summary {
        append(path, "")?;
    }
    Ok(Github {
        errors: Annotations::new(),
        warnings: Annotations::new(),
        notices: Annotations::new(),
        summary: StepSummary::new(),
        step_summary,
        places: Locator::here(),
    })
}

impl Writer for Github {
    fn begin(&mut self, facts: &RunContext) -> Result<(), FormatError> {
        self.summary.begin(facts);
        for missing in MissingUsers::of_run(facts) {
            let deployment = printable(&facts.run.deployment);
            self.errors.push(Annotation {
                about: About::Nobody,
                last_used: Reverse(None),
                username: String::new(),
                user_id: String::new(),
                created_at: None,
                title: "incomplete: there may be users of whom nobody knows".to_owned(),
                message: format!("{deployment}: {}", not_read(&missing.record())),
                deployment,
                place: None,
            });
        }
        Ok(())
    }

    fn row(&mut self, facts: &RunContext, row: &Row) -> Result<(), FormatError> {
        self.summary.row(facts, row);
        let user = &row.reading.user;
        if let Some((key, judged)) = &row.key {
            let annotation = Annotation {
                about: About::Key(judged.severity),
                last_used: Reverse(key.last_use()),
                created_at: key.created_at,
                title: format!("{}: {} has a personal API key", judged.severity, named(user)),
                message: told(facts, row, key, judged),
                ..of_user(facts, user, &self.places)
            };
            self.of(kind(row.is_finding, judged.severity)).push(annotation);
        } else if !row.reading.outcome.status.is_complete() {
            let record = Record::new(facts, row);
            let kind = if row.is_waived() { Kind::Warning } else { Kind::Error };
            let annotation = Annotation {
                title: format!("not read: {}", named(user)),
                message: format!("{}{}", not_read(&record), waived(row)),
                ..of_user(facts, user, &self.places)
            };
            self.of(kind).push(annotation);
        }
        Ok(())
    }

    fn end(mut self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        for (number, lapse) in report.lapses.iter().enumerate() {
            self.warnings.push(Annotation {
                about: About::Waiver,
                last_used: Reverse(None),
                deployment: String::new(),
                username: String::new(),
                // In the order of their file.
                user_id: format!("{number:010}"),
                created_at: None,
                title: format!("a waiver: {}", lapse.kind),
                message: printable(&terminal::told(lapse)),
                place: None,
            });
        }
        let Self { errors, warnings, notices, summary, step_summary, places: _ } = *self;
        let mut stdout = String::new();
        errors.lines(Kind::Error, &mut stdout);
        warnings.lines(Kind::Warning, &mut stdout);
        notices.lines(Kind::Notice, &mut stdout);
        if let Some(path) = step_summary {
            append(&path, &summary.page(report))?;
        }
        Ok(Rendered::Stdout(stdout))
    }
}

impl Github {
    fn of(&mut self, kind: Kind) -> &mut Annotations {
        match kind {
            Kind::Error => &mut self.errors,
            Kind::Warning => &mut self.warnings,
            Kind::Notice => &mut self.notices,
        }
    }
}

/// How loud a key is to be told.
fn kind(is_finding: bool, severity: Severity) -> Kind {
    match severity {
        _ if !is_finding => Kind::Notice,
        Severity::Critical | Severity::High => Kind::Error,
        Severity::Medium | Severity::Low | Severity::Info => Kind::Warning,
    }
}

/// An annotation of a user who was not read, until more is said.
fn of_user(facts: &RunContext, user: &User, places: &Locator) -> Annotation {
    Annotation {
        about: About::User,
        last_used: Reverse(None),
        deployment: facts.run.deployment.clone(),
        username: user.username.clone().unwrap_or_default(),
        user_id: user.id.clone(),
        created_at: None,
        title: String::new(),
        message: String::new(),
        place: places.find(user),
    }
}

fn told(facts: &RunContext, row: &Row, key: &PersonalKey, judged: &Judgement) -> String {
    let ends_in = key.suffix.as_ref().map_or_else(String::new, |it| format!(", ends in {}", it.as_str()));
    let description = printable(&shortened(&key.description, TEXT));
    let Judgement { reason, action, .. } = judged;
    let (id, deployment) = (printable(&shortened(&key.id, TEXT)), printable(&facts.run.deployment));
    format!("{deployment}: key {id}{ends_in}, \"{description}\": {reason}; to do: {action}{}", waived(row))
}

/// `forbidden (401 NOT_SELF): why`.
fn not_read(record: &Record) -> String {
    let status = record.read_status.map_or("", |status| status.as_str());
    let http = record.http_status.map(|status| status.to_string());
    let answer: Vec<_> = http.into_iter().chain(record.error_code.map(str::to_owned)).collect();
    let answer = if answer.is_empty() { String::new() } else { format!(" ({})", answer.join(" ")) };
    printable(&shortened(&format!("{status}{answer}: {}", record.reason), TEXT))
}

/// What a waiver says, where one counts.
fn waived(row: &Row) -> String {
    match row.waiver {
        Some((waiver, _)) if row.is_waived() => {
            let reason = shortened(&waiver.reason, TEXT);
            printable(&format!("; waived until {} by {}: {reason}", waiver.expires, waiver.owner))
        }
        Some(_) | None => String::new(),
    }
}
