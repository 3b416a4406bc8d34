//! `keys.csv`: RFC 4180, one row a key and one for every user without keys or not read.

use std::io::{self, BufWriter};

use tempfile::NamedTempFile;

use crate::report::record::Record;
use crate::report::{Ended, Error, Report, Row, RunContext, Writer};

/// Promised outward; later ones are only ever appended.
const COLUMNS: [&str; 29] = [
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
    "org_id",
    "waiver",
    "waiver_reason",
    "waiver_owner",
    "waiver_expires",
    "waiver_ticket",
];

/// The file under way.
struct Csv {
    rows: ::csv::Writer<BufWriter<NamedTempFile>>,
    raw: bool,
}

/// `raw` leaves text as it is, even where a spreadsheet would run it.
pub(super) fn start(file: BufWriter<NamedTempFile>, raw: bool) -> Result<impl Writer, Error> {
    let mut rows = ::csv::WriterBuilder::new().terminator(::csv::Terminator::Any(b'\n')).from_writer(file);
    rows.write_record(COLUMNS).map_err(|why| wrong(why.into()))?;
    Ok(Csv { rows, raw })
}

fn wrong(why: io::Error) -> Error {
    Error::Write("keys.csv".to_owned(), why)
}

impl Csv {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        let text = |text: Option<&str>| self.guard(text.unwrap_or_default());
        let fields: [String; COLUMNS.len()] = [
            text(Some(record.deployment)),
            text(record.user_id),
            text(record.username),
            cell(record.read_status),
            cell(record.http_status),
            text(record.error_code),
            cell(record.attempts),
            cell(record.read_at),
            text(record.key_id),
            cell(record.key_suffix),
            text(record.description),
            cell(record.enabled),
            cell(record.created_at),
            cell(record.age_days),
            cell(record.last_used),
            cell(record.days_since_last_use),
            cell(record.used_count),
            cell(record.verdict),
            cell(record.severity),
            cell(record.action),
            text(Some(&record.reason)),
            cell(Some(record.cutoff)),
            cell(record.auditing_key),
            text(record.org_id),
            cell(record.waiver),
            text(record.waiver_reason),
            text(record.waiver_owner),
            cell(record.waiver_expires),
            text(record.waiver_ticket),
        ];
        Ok(self.rows.write_record(&fields)?)
    }

    fn guard(&self, text: &str) -> String {
        if self.raw { text.to_owned() } else { guarded(text) }
    }
}

impl Writer for Csv {
    fn begin(&mut self, facts: &RunContext) -> io::Result<()> {
        Record::of_nobody(facts).try_for_each(|record| self.write(&record))
    }

    fn row(&mut self, facts: &RunContext, row: &Row) -> io::Result<()> {
        self.write(&Record::of(facts, row))
    }

    fn end(self: Box<Self>, _: &Report) -> Result<Ended, Error> {
        let file = self.rows.into_inner();
        file.map(Ended::File).map_err(|failed| wrong(io::Error::other(failed.error().to_string())))
    }
}

/// What is not known is empty.
fn cell(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
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
