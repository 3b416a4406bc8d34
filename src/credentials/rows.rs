//! A file of credentials in CSV: a header, and a user a row; `*` is the default. There are no commands here.

use csv::{ReaderBuilder, StringRecord, Trim};

use super::entry::{Draft, Entry, How, KeyHalf, field, inline, user};
use super::mistakes::Problems;
use super::part::SecretSource;

/// What a column holds.
enum Column {
    User,
    SecretSource(KeyHalf, How),
}

/// The credentials that are whole; what is wrong is noted.
pub(super) fn entries(text: &str, mistakes: &mut Problems) -> Vec<Entry> {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let counts = |mark: char| first.map_or(0, |line| line.matches(mark).count());
    let delimiter = if counts(';') > counts(',') { b';' } else { b',' };
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .comment(Some(b'#'))
        .trim(Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let Some(columns) = reader.headers().ok().and_then(|header| columns(header, mistakes)) else {
        return Vec::new();
    };
    let mut entries = Vec::new();
    let mut row = StringRecord::new();
    loop {
        match reader.read_record(&mut row) {
            Ok(true) => entries.extend(entry(&columns, &row, mistakes)),
            Ok(false) => return entries,
            // The text is UTF-8 and rows may have any length, so that nothing is left to go wrong.
            Err(_) => {
                mistakes.note(reader.position().line(), "this is no CSV");
                return entries;
            }
        }
    }
}

fn line_of(row: &StringRecord) -> u64 {
    row.position().map_or(0, csv::Position::line)
}

/// What the columns hold; told by number, since a file without a header begins with a secret.
fn columns(header: &StringRecord, mistakes: &mut Problems) -> Option<Vec<Column>> {
    let line = line_of(header).max(1);
    let columns: Vec<_> = header
        .iter()
        .enumerate()
        .map(|(at, name)| match (name, field(name)) {
            ("user" | "user_id" | "username", _) => Some(Column::User),
            (_, Some((half, How::Inline | How::Env | How::File))) => {
                field(name).map(|(_, how)| Column::SecretSource(half, how))
            }
            (_, Some((_, How::Command))) => {
                mistakes.note(line, format!("column {}: commands can only be given in TOML", at + 1));
                None
            }
            (_, None) => {
                let why = "no such column; the first line has to name them: user, public_key, private_key, \
                           and each key with _env or _file";
                mistakes.note(line, format!("column {}: {why}", at + 1));
                None
            }
        })
        .collect();
    let users = columns.iter().flatten().filter(|column| matches!(column, Column::User)).count();
    if columns.iter().all(Option::is_some) && users != 1 {
        mistakes.note(line, "there has to be one column `user`");
        return None;
    }
    columns.into_iter().collect()
}

fn entry(columns: &[Column], row: &StringRecord, mistakes: &mut Problems) -> Option<Entry> {
    let line = line_of(row);
    if row.len() != columns.len() {
        mistakes.note(line, format!("{} fields, where the first line has {}", row.len(), columns.len()));
        return None;
    }
    let (mut draft, mut whose) = (Draft::default(), None);
    for (column, value) in columns.iter().zip(row) {
        match column {
            Column::User => whose = user(value),
            Column::SecretSource(half, how) => {
                if let Some(part) = inline(value).and_then(|text| SecretSource::of_text(*how, text)) {
                    draft.put(*half, part, line, mistakes);
                }
            }
        }
    }
    match whose {
        None => {
            mistakes.note(line, "no user; `*` stands for whoever has no row");
            None
        }
        Some(whose) => draft.finish(Some(whose).filter(|user| user != "*"), line, mistakes),
    }
}
