//! One line of the doctor's findings, for a person and for a program.

use anstyle::Style;
use serde::Serialize;

use crate::console::{Page, Text, style};
use crate::exit::Error;
use crate::report::text::{printable, shortened};

named! {
    /// What was looked at, in the order in which an audit needs it.
    pub(super) enum Step {
        /// Where and as whom
        Settings = "settings",
        /// Host to addresses
        Name = "name",
        /// The first answer
        Connection = "connection",
        /// The server's certificate
        Certificate = "certificate",
        /// Which authentication is asked for
        Challenge = "challenge",
        /// Whether the credentials are accepted
        Credentials = "credentials",
        /// Who the credentials are
        Identity = "identity",
        /// Whose keys they may read
        Reach = "reach",
        /// Whether there are personal keys at all
        Version = "version",
        /// Our clock against the service's
        Clock = "clock",
        /// How long one answer takes
        Latency = "latency",
        /// How long an audit takes
        Forecast = "forecast",
    }
}

named! {
    /// How it looks.
    pub(super) enum Status {
        /// Nothing to do
        Ok = "ok",
        /// An audit runs, but may not bring what was hoped for
        Warning = "warning",
        /// An audit ends here
        Failed = "failed",
    }
}

/// What was found. The names of the fields are those of the JSON document.
#[derive(Serialize)]
pub(super) struct StepResult {
    #[serde(rename = "check")]
    step: Step,
    pub(super) status: Status,
    found: String,
    advice: Option<String>,
}

/// So much of a sentence of the service.
const LONGEST: usize = 500;

impl Step {
    fn result(self, status: Status, found: &str, advice: Option<&str>) -> StepResult {
        let safe = |text: &str| shortened(&printable(text), LONGEST);
        StepResult { step: self, status, found: safe(found), advice: advice.map(safe) }
    }

    pub(super) fn ok(self, found: impl AsRef<str>) -> StepResult {
        self.result(Status::Ok, found.as_ref(), None)
    }

    pub(super) fn warning(self, found: impl AsRef<str>, advice: &str) -> StepResult {
        self.result(Status::Warning, found.as_ref(), Some(advice))
    }

    pub(super) fn failed(self, found: impl AsRef<str>, advice: &str) -> StepResult {
        self.result(Status::Failed, found.as_ref(), Some(advice))
    }

    /// From what would end an audit.
    pub(super) fn error(self, why: Error) -> StepResult {
        let lines = [vec![why.message], why.details].concat();
        let advice = why.help.as_deref().unwrap_or("run it again with -vv");
        self.failed(lines.join("; ").replace('\n', "; "), advice)
    }
}

impl Status {
    fn style(self) -> Style {
        match self {
            Self::Ok => style::OK,
            Self::Warning => style::WARNING,
            Self::Failed => style::ERROR,
        }
    }
}

/// The lines for a person; `quiet` leaves out the steps that are ok.
pub(super) fn page(results: &[StepResult], quiet: bool) -> String {
    let mut page = Page::default();
    for result in results.iter().filter(|result| !quiet || result.status != Status::Ok) {
        let status = Text::from("  ").styled(result.status.style(), &format!("{:<9}", result.status));
        page.columns(status.plain(result.step.as_str()), 24, result.found.as_str());
        if let Some(advice) = &result.advice {
            page.columns(Text::from(" ".repeat(24)).styled(style::HELP, "→").plain(" "), 26, advice.as_str());
        }
    }
    if !quiet {
        page.gap();
        page.text(format!("  {}", verdict(results)));
    }
    page.into_text()
}

fn verdict(results: &[StepResult]) -> String {
    let count = |status| results.iter().filter(|result| result.status == status).count();
    let untried: Vec<_> = Step::ALL
        .iter()
        .filter(|step| **step != Step::Certificate && results.iter().all(|result| result.step != **step))
        .map(|step| step.as_str())
        .collect();
    let rest = if untried.is_empty() { String::new() } else { format!("; not run: {}", untried.join(", ")) };
    match (count(Status::Failed), count(Status::Warning)) {
        (0, warnings) => format!("all checks passed{}{rest}", warnings_in_words(warnings)),
        (failed, warnings) => {
            let checks = if failed == 1 { "1 check".to_owned() } else { format!("{failed} checks") };
            format!("{checks} failed{}{rest}; an audit would fail", warnings_in_words(warnings))
        }
    }
}

/// `; 1 warning`, or nothing.
fn warnings_in_words(warnings: usize) -> String {
    match warnings {
        0 => String::new(),
        1 => "; 1 warning".to_owned(),
        more => format!("; {more} warnings"),
    }
}

/// The lines for a program.
#[derive(Serialize)]
pub(super) struct DoctorDocument<'a> {
    schema: &'static str,
    lines: &'a [StepResult],
    ok: bool,
}

pub(super) fn document(results: &[StepResult]) -> DoctorDocument<'_> {
    let ok = results.iter().all(|result| result.status != Status::Failed);
    DoctorDocument { schema: "keysunset-doctor/1", lines: results, ok }
}
