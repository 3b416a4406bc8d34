//! A row in one sentence, for formats that have room for no more; and what is unknown, as they name it.

use std::fmt::Write as _;

use super::Row;
use super::record::Record;
use super::text::{printable, shortened};
use crate::model::ReadStatus;
use crate::policy::Action;
use crate::waivers::WaiverStatus;

/// In characters: what of a text that somebody else wrote goes into a sentence. The whole is in the other reports.
const QUOTED: usize = 200;

/// Why something is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// A user who could not be read, or not wholly.
    User,
    /// A list of users that could not be read to its end.
    List,
    /// A run that did not come to its end.
    Run,
}

impl Unknown {
    /// The name outside, as a rule's.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::User => "unreadable-user",
            Self::List => "unlisted-users",
            Self::Run => "run-cut-short",
        }
    }
}

/// Whether a row says that something of its user is unknown.
pub(super) fn is_unread(row: &Row) -> bool {
    row.key.is_none() && !row.reading.outcome.status.is_complete()
}

/// A row in a sentence: one line without anything invisible.
pub(super) fn of(record: &Record) -> String {
    let said = match (record.key_id, record.user_id, record.username) {
        (Some(key), ..) => of_key(key, record),
        (None, None, None) => format!("{}: {}", record.deployment, shortened(record.reason, 2 * QUOTED)),
        (None, ..) => of_user(record),
    };
    printable(&(waived(record) + &said))
}

fn of_key(key: &str, record: &Record) -> String {
    let severity = record.severity.map_or("", |severity| severity.as_str());
    let mut said = format!("{severity}: personal API key {key}");
    // Writing to a string can't fail.
    if let Some(suffix) = record.key_suffix {
        let _ = write!(said, " ending in {suffix}");
    }
    if let Some(description) = record.description.filter(|description| !description.trim().is_empty()) {
        let _ = write!(said, ", \"{}\",", shortened(description, QUOTED));
    }
    let _ = write!(said, " of {} on {}: {}", owner(record), record.deployment, record.reason);
    if record.auditing_key == Some(true) {
        said.push_str("; this audit itself used it");
    }
    if let Some(action) = record.action {
        let _ = write!(said, ". {}.", to_do(action));
    }
    said
}

fn of_user(record: &Record) -> String {
    let wholly = if record.read_status == Some(ReadStatus::Partial) { "read wholly" } else { "read" };
    let mut why = record.read_status.map_or("", |status| status.as_str()).to_owned();
    if let Some(status) = record.http_status {
        let _ = write!(why, ", HTTP {status}");
    }
    if let Some(code) = record.error_code {
        let _ = write!(why, ", {}", shortened(code, QUOTED));
    }
    let reason = shortened(record.reason, 2 * QUOTED);
    format!(
        "{} on {} could not be {wholly} ({why}): {reason}. What personal API keys this user has is unknown.",
        owner(record),
        record.deployment
    )
}

/// Whose the row is.
fn owner(record: &Record) -> String {
    let name = record.username.filter(|name| !name.is_empty()).or(record.user_id).unwrap_or_default();
    shortened(name, QUOTED)
}

/// What a waiver makes of the row.
fn waived(record: &Record) -> String {
    let (Some(standing), Some(day)) = (record.waiver, record.waiver_expires) else { return String::new() };
    let owner = shortened(record.waiver_owner.unwrap_or_default(), QUOTED);
    match standing {
        WaiverStatus::Active | WaiverStatus::Ending => format!("waived until {day} by {owner}: "),
        WaiverStatus::Expired => format!("the waiver of {owner} ended on {day}: "),
    }
}

const fn to_do(action: Action) -> &'static str {
    match action {
        Action::Migrate => "Give whatever uses it a programmatic key, then delete it",
        Action::Investigate => "Find out whether anybody uses it",
        Action::DisableAndDelete => "Disable it, wait, then delete it",
        Action::Delete => "Delete it",
    }
}
