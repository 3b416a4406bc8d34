//! A file of credentials in CSV: a header, and a user a row; `*` is the default. There are no commands here.

use ::csv::{Position, ReaderBuilder, StringRecord, Trim};

use super::entry::{CredentialBuilder, CredentialEntry, KeyHalf, field, user};
use super::source::{SecretSource, SourceKind};
use crate::input::{Problems, delimiter};

/// What a column holds.
enum Column {
    User,
    Half(KeyHalf, SourceKind),
}

/// The credentials that are whole.
pub(super) fn entries(text: &str, problems: &mut Problems) -> Vec<CredentialEntry> {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(first.unwrap_or_default().as_bytes(), b",;"))
        .comment(Some(b'#'))
        .trim(Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let Some(columns) = reader.headers().ok().and_then(|header| columns(header, problems)) else {
        return Vec::new();
    };
    let mut entries = Vec::new();
    let mut row = StringRecord::new();
    loop {
        match reader.read_record(&mut row) {
            Ok(true) => entries.extend(entry(&columns, &row, problems)),
            Ok(false) => return entries,
            // The text is UTF-8 and rows may have any length, so that nothing is left to go wrong.
            Err(_) => {
                problems.push(reader.position().line(), "invalid CSV");
                return entries;
            }
        }
    }
}

/// A row that was read has one.
fn line_of(row: &StringRecord) -> u64 {
    row.position().map_or(1, Position::line)
}

/// What the columns hold; named by number, since a file without a header begins with a secret.
fn columns(header: &StringRecord, problems: &mut Problems) -> Option<Vec<Column>> {
    let line = line_of(header);
    let columns: Vec<_> = header
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let why = match (name, field(name)) {
                ("user" | "user_id" | "username", _) => return Some(Column::User),
                (_, Some((_, SourceKind::Command))) => "commands are supported in TOML files only",
                (_, Some((half, kind))) => return Some(Column::Half(half, kind)),
                (_, None) => {
                    "unknown column; the first line needs the names user, public_key and private_key (the keys also \
                     with _env or _file)"
                }
            };
            problems.push(line, format!("column {}: {why}", at + 1));
            None
        })
        .collect();
    let users = columns.iter().flatten().filter(|column| matches!(column, Column::User)).count();
    if columns.iter().all(Option::is_some) && users != 1 {
        problems.push(line, "exactly one column `user` is required");
        return None;
    }
    columns.into_iter().collect()
}

fn entry(columns: &[Column], row: &StringRecord, problems: &mut Problems) -> Option<CredentialEntry> {
    let line = line_of(row);
    if row.len() != columns.len() {
        problems.push(line, format!("{} fields, but the first line has {}", row.len(), columns.len()));
        return None;
    }
    let (mut entry, mut owner) = (CredentialBuilder::default(), None);
    for (column, value) in columns.iter().zip(row) {
        match column {
            Column::User => owner = user(value),
            Column::Half(half, kind) => {
                if let Some(source) = SecretSource::from_text(*kind, value) {
                    entry.put(*half, source, line, problems);
                }
            }
        }
    }
    let Some(owner) = owner else {
        problems.push(line, "no user; use `*` for the default credential");
        return None;
    };
    entry.finish(Some(owner).filter(|user| user != "*"), line, problems)
}
