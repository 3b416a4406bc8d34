//! `keys.csv`: RFC 4180, one row a key and one for every user without keys or not read.

use std::io::{self, BufWriter};

use tempfile::NamedTempFile;

use super::{Error, Facts, Row, Summary, Writer};
use crate::model::{Outcome, ReadStatus, Reading, Suffix, User, rfc3339};

/// Promised outward; later ones are only ever appended.
const COLUMNS: [&str; 23] = [
    "deployment",
    "user_id",
    "username",
    "read_status",
    "http_status",
    "error_code",
    "attempts",
    "read_at",
    "key_id",
    "key_suffix",
    "description",
    "enabled",
    "created_at",
    "age_days",
    "last_used",
    "days_since_last_use",
    "used_count",
    "verdict",
    "severity",
    "action",
    "reason",
    "cutoff",
    "auditing_key",
];

/// Where the reason stands: a row without a key leaves all before it empty.
const REASON: usize = 20;

/// The file under way.
struct Csv {
    rows: ::csv::Writer<BufWriter<NamedTempFile>>,
    raw: bool,
    begun: bool,
}

/// `raw` leaves text as it is, even where a spreadsheet would run it.
pub(super) fn start(file: BufWriter<NamedTempFile>, raw: bool) -> impl Writer {
    let rows = ::csv::WriterBuilder::new().terminator(::csv::Terminator::Any(b'\n')).from_writer(file);
    Csv { rows, raw, begun: false }
}

impl Csv {
    /// The header, and a row for each thing that hides users of whom not even the name is known.
    fn begin(&mut self, facts: &Facts) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        self.rows.write_record(COLUMNS)?;
        if facts.run.finished_at.is_none() {
            let why = "INCOMPLETE: the run ended before all users were known and read";
            self.nobody(facts, &Outcome::unread(ReadStatus::Error, None, ""), why)?;
        }
        for gap in facts.gaps {
            let why = gap.outcome.detail.as_deref().unwrap_or("for no stated reason");
            self.nobody(
                facts,
                &gap.outcome,
                &format!("{}: its users could not all be listed: {why}", gap.source),
            )?;
        }
        Ok(())
    }

    fn nobody(&mut self, facts: &Facts, outcome: &Outcome, why: &str) -> io::Result<()> {
        let mut fields = self.user_fields(facts, &User { id: String::new(), username: None }, outcome);
        fields.resize(REASON, String::new());
        fields.extend([self.guard(why), rfc3339(facts.policy.cutoff), String::new()]);
        Ok(self.rows.write_record(&fields)?)
    }

    fn guard(&self, text: &str) -> String {
        if self.raw { text.to_owned() } else { guarded(text) }
    }

    /// The first six columns.
    fn user_fields(&self, facts: &Facts, user: &User, outcome: &Outcome) -> Vec<String> {
        let mut fields = Vec::with_capacity(COLUMNS.len());
        fields.extend([
            self.guard(&facts.run.deployment),
            self.guard(&user.id),
            self.guard(user.username.as_deref().unwrap_or_default()),
            outcome.status.to_string(),
            cell(outcome.http_status),
            self.guard(outcome.error_code.as_deref().unwrap_or_default()),
        ]);
        fields
    }
}

impl Writer for Csv {
    fn row(&mut self, facts: &Facts, row: &Row) -> io::Result<()> {
        self.begin(facts)?;
        let Reading { user, outcome, attempts, read_at, .. } = row.reading;
        let mut fields = self.user_fields(facts, user, outcome);
        fields.extend([attempts.to_string(), cell(read_at.map(rfc3339))]);
        if let Some((key, judged)) = &row.key {
            fields.extend([
                self.guard(&key.id),
                cell(key.suffix.as_ref().map(Suffix::as_str)),
                self.guard(&key.description),
                cell(key.enabled),
                cell(key.created_at.map(rfc3339)),
                cell(key.created_at.map(|time| facts.policy.days_since(time))),
                cell(key.last_used.map(rfc3339)),
                cell(key.last_used.map(|time| facts.policy.days_since(time))),
                cell(key.used_count),
                judged.verdict.to_string(),
                judged.severity.to_string(),
                judged.action.to_string(),
                self.guard(&judged.reason),
            ]);
        } else {
            fields.resize(REASON, String::new());
            fields.push(self.guard(&why_no_key(row.reading)));
        }
        fields.push(rfc3339(facts.policy.cutoff));
        fields.push(cell(row.key.as_ref().map(|(key, _)| key.auditing)));
        self.rows.write_record(&fields)?;
        Ok(())
    }

    fn end(mut self: Box<Self>, facts: &Facts, _: &Summary) -> Result<BufWriter<NamedTempFile>, Error> {
        let wrong = |why| Error::Write("keys.csv".to_owned(), why);
        self.begin(facts).map_err(wrong)?;
        self.rows.into_inner().map_err(|failed| wrong(io::Error::other(failed.error().to_string())))
    }
}

/// What is not known is empty.
fn cell(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// The reason of a row without a key.
fn why_no_key(reading: &Reading) -> String {
    let why = reading.outcome.detail.clone();
    match reading.outcome.status {
        ReadStatus::Read => "no personal API keys".to_owned(),
        ReadStatus::Removed => "the deployment no longer has personal API keys".to_owned(),
        ReadStatus::Partial => why.unwrap_or_else(|| "not all keys could be read".to_owned()),
        ReadStatus::Forbidden
        | ReadStatus::NotFound
        | ReadStatus::RateLimited
        | ReadStatus::Malformed
        | ReadStatus::Error => why.unwrap_or_else(|| "could not be read".to_owned()),
    }
}

/// A `'` before what a spreadsheet would run as a formula.
fn guarded(text: &str) -> String {
    let runs = |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r');
    let first = text.chars().next();
    let first_visible = text.trim_start().chars().next();
    if first.is_some_and(runs) || first_visible.is_some_and(runs) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_guarded() {
        for text in ["=1+1", "+1", "-1", "@x", "\tx", "\rx", " =1", "\n=1", "\u{a0}=1", "\t", "  \t@x"] {
            assert_eq!(guarded(text), format!("'{text}"), "{text:?}");
        }
        for text in ["", "ci", "a=1", " a", "'=1", "\nx", "5-3"] {
            assert_eq!(guarded(text), text, "{text:?}");
        }
    }
}
