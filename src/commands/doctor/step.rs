//! One line of the doctor's findings, for a person and for a program.

use std::fmt::Write as _;

use serde::Serialize;

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

/// The lines for a person; `quiet` leaves out what is well.
pub(super) fn page(results: &[StepResult], quiet: bool) -> String {
    let mut page = String::new();
    for result in results.iter().filter(|result| !quiet || result.status != Status::Ok) {
        // Writing to a string can't fail.
        let _ = writeln!(page, "  {:<9}{:<13}{}", result.status, result.step, result.found);
        if let Some(advice) = &result.advice {
            let _ = writeln!(page, "  {:<9}{:<13}→ {advice}", "", "");
        }
    }
    if !quiet {
        let _ = writeln!(page, "\n  {}", verdict(results));
    }
    page
}

fn verdict(results: &[StepResult]) -> String {
    let count = |status| results.iter().filter(|result| result.status == status).count();
    let untried: Vec<_> = Step::ALL
        .iter()
        .filter(|step| **step != Step::Certificate && results.iter().all(|result| result.step != **step))
        .map(|step| step.as_str())
        .collect();
    let rest =
        if untried.is_empty() { String::new() } else { format!("; not tried: {}", untried.join(", ")) };
    match (count(Status::Failed), count(Status::Warning)) {
        (0, 0) => format!("all is well{rest}"),
        (0, warnings) => format!("an audit can start; {warnings} to look at first{rest}"),
        (failed, _) => format!("an audit would fail: {failed} failed{rest}"),
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
