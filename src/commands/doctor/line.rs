//! One line of the doctor's findings, for a person and for a program.

use std::fmt::Write as _;

use serde::Serialize;

use crate::exit::Error;
use crate::report::text::{printable, shortened};

named! {
    /// What was looked at, in the order in which an audit needs it.
    pub enum Check {
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
    pub enum Status {
        /// Nothing to do
        Ok = "ok",
        /// An audit runs, but may not bring what was hoped for
        Warning = "warning",
        /// An audit ends here
        Failed = "failed",
    }
}

/// What was found.
pub(super) struct Line {
    check: Check,
    pub(super) status: Status,
    found: String,
    advice: Option<String>,
}

/// So much of a sentence of the service.
const LONGEST: usize = 500;

impl Line {
    fn new(check: Check, status: Status, found: &str, advice: Option<&str>) -> Self {
        let safe = |text: &str| shortened(&printable(text), LONGEST);
        Self { check, status, found: safe(found), advice: advice.map(safe) }
    }

    pub(super) fn ok(check: Check, found: impl AsRef<str>) -> Self {
        Self::new(check, Status::Ok, found.as_ref(), None)
    }

    pub(super) fn warning(check: Check, found: impl AsRef<str>, advice: impl AsRef<str>) -> Self {
        Self::new(check, Status::Warning, found.as_ref(), Some(advice.as_ref()))
    }

    pub(super) fn failed(check: Check, found: impl AsRef<str>, advice: impl AsRef<str>) -> Self {
        Self::new(check, Status::Failed, found.as_ref(), Some(advice.as_ref()))
    }

    /// From what would end an audit.
    pub(super) fn error(check: Check, why: Error) -> Self {
        let lines = [vec![why.message], why.details].concat();
        let advice = why.help.as_deref().unwrap_or("run it again with -vv");
        Self::failed(check, lines.join("; ").replace('\n', "; "), advice)
    }
}

/// The lines for a person; `quiet` leaves out what is well.
pub(super) fn page(lines: &[Line], quiet: bool) -> String {
    let mut page = String::new();
    for line in lines.iter().filter(|line| !quiet || line.status != Status::Ok) {
        // Writing to a string can't fail.
        let _ = writeln!(page, "  {:<9}{:<13}{}", line.status, line.check, line.found);
        if let Some(advice) = &line.advice {
            let _ = writeln!(page, "  {:<9}{:<13}→ {advice}", "", "");
        }
    }
    if !quiet {
        let _ = writeln!(page, "\n  {}", verdict(lines));
    }
    page
}

fn verdict(lines: &[Line]) -> String {
    let count = |status| lines.iter().filter(|line| line.status == status).count();
    let untried: Vec<_> = Check::ALL
        .iter()
        .filter(|check| **check != Check::Certificate && lines.iter().all(|line| line.check != **check))
        .map(|check| check.as_str())
        .collect();
    let rest =
        if untried.is_empty() { String::new() } else { format!("; not tried: {}", untried.join(", ")) };
    match (count(Status::Failed), count(Status::Warning)) {
        (0, 0) => format!("all is well{rest}"),
        (0, warnings) => format!("an audit can start; {warnings} to look at first{rest}"),
        (failed, _) => format!("an audit would fail: {failed} failed{rest}"),
    }
}

/// The lines for a program: a contract of its own, whatever they are inside.
pub(super) fn json(lines: &[Line]) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        lines: Vec<Row<'a>>,
        ok: bool,
    }
    #[derive(Serialize)]
    struct Row<'a> {
        check: &'static str,
        status: &'static str,
        found: &'a str,
        advice: Option<&'a str>,
    }
    fn row(line: &Line) -> Row<'_> {
        Row {
            check: line.check.as_str(),
            status: line.status.as_str(),
            found: &line.found,
            advice: line.advice.as_deref(),
        }
    }
    let document = Document {
        schema: "keysunset-doctor/1",
        lines: lines.iter().map(row).collect(),
        ok: lines.iter().all(|line| line.status != Status::Failed),
    };
    // Strings and a boolean always have a JSON.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}
