//! The colours of words. A word never depends on its colour, since files and logs have none.

use anstyle::{AnsiColor, Style};

use crate::policy::Severity;

pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const HELP: Style = AnsiColor::Cyan.on_default().bold();
pub(crate) const OK: Style = AnsiColor::Green.on_default();

pub(crate) fn severity(severity: Severity) -> Style {
    match severity {
        Severity::Critical => ERROR,
        Severity::High => AnsiColor::Red.on_default(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::Low => Style::new(),
        Severity::Info => Style::new().dimmed(),
    }
}
