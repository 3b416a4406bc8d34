//! The summary on the terminal: a few aligned lines, what was written where, and what to do next.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::{Facts, Summary, text};
use crate::model::ReadStatus;
use crate::policy::{Severity, Verdict, day_or_instant};

/// The lines, with a line break at the end of each.
#[must_use]
pub fn summary(facts: &Facts, summary: &Summary, files: &[PathBuf], next: &str) -> String {
    let mut page = String::new();
    let mut line = |label: &str, value: String| {
        // Writing to a string can't fail.
        let _ = writeln!(page, "  {label:<12}{value}");
    };
    let version =
        facts.run.service_version.as_deref().map_or_else(String::new, |version| format!(" {version}"));
    let deployment = text::printable(&facts.run.deployment);
    line("deployment", format!("{deployment} ({}{})", facts.run.product.title(), text::printable(&version)));
    if facts.run.settings.certificates_not_verified {
        line("warning", "certificates were NOT verified: somebody else may have answered".to_owned());
    }
    if facts.run.settings.in_the_clear {
        line("warning", "plain http to another host: answers may have been read and changed".to_owned());
    }
    line("users", users(summary));
    for gap in facts.gaps {
        line("", format!("{}: not all users could be listed", text::printable(&gap.source)));
    }
    line("keys", keys(facts, summary));
    if summary.keys > 0 {
        line("severity", severities(summary));
    }
    for (at, file) in files.iter().enumerate() {
        line(if at == 0 { "written" } else { "" }, file.display().to_string());
    }
    line("next", next.to_owned());
    page
}

fn users(summary: &Summary) -> String {
    let mut line = format!(
        "{} requested = {} read + {} not read",
        summary.requested(),
        summary.read(),
        summary.unread()
    );
    if summary.unread() > 0 {
        let unread =
            ReadStatus::ALL.iter().filter(|status| !status.is_complete() && summary.users(**status) > 0);
        let each: Vec<_> = unread.map(|status| format!("{} {status}", summary.users(*status))).collect();
        let _ = write!(line, " ({})", each.join(", "));
    }
    line
}

fn keys(facts: &Facts, summary: &Summary) -> String {
    if summary.keys == 0 {
        return "no personal API key found".to_owned();
    }
    let each: Vec<_> =
        Verdict::ALL.iter().map(|verdict| format!("{} {verdict}", summary.verdict(*verdict))).collect();
    format!("{} = {} (cutoff {})", summary.keys, each.join(" + "), day_or_instant(facts.policy.cutoff))
}

fn severities(summary: &Summary) -> String {
    let each = Severity::ALL.iter().filter(|severity| summary.severity(**severity) > 0);
    each.map(|severity| format!("{} {severity}", summary.severity(*severity))).collect::<Vec<_>>().join(", ")
}
