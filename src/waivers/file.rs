//! `--waivers FILE`: a list of entries in TOML. Walked by hand, so that all problems are reported at once and by line.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read as _};
use std::path::Path;

use chrono::{Months, NaiveDate};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Waiver;
use super::entry::{WaiverBuilder, quoted};
use crate::digest::sha256;
use crate::exit::Error;
use crate::input::{self, Field, LineIndex, Problems, fields_of, parse_toml};

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

/// In bytes: some 30,000 waivers. What is no TOML costs its parser up to 200 times as much memory.
const LIMIT: u64 = 1 << 20;

const UNUSABLE: &str = "invalid waiver file";

/// From the day on which the file is read: the longest time that a waiver may still count.
const LONGEST: Months = Months::new(12);

/// The waivers of the file, in its order, and the SHA-256 of its bytes.
pub(super) fn read(path: &Path, today: NaiveDate) -> Result<(Vec<Waiver>, String), Error> {
    let name = path.display().to_string();
    let bytes = bytes(path).map_err(|why| Error::not_read("the waiver file", &name, &why))?;
    let refused = |why| Error::input(UNUSABLE).details([why]);
    if bytes.len() as u64 > LIMIT {
        return Err(
            refused(format!("{name}: larger than {} MiB", LIMIT >> 20)).help("remove expired waivers")
        );
    }
    let text = std::str::from_utf8(&bytes).map_err(|why| {
        let end = why.valid_up_to();
        let line = LineIndex::new(&String::from_utf8_lossy(&bytes[..end])).at(end);
        refused(format!("{name}:{line}: not UTF-8")).help("save the file as UTF-8")
    })?;
    let mut problems = Problems::new(&name);
    let last = today.checked_add_months(LONGEST).unwrap_or(NaiveDate::MAX);
    let waivers = waivers(text.strip_prefix('\u{feff}').unwrap_or(text), last, &mut problems);
    problems.into_result(UNUSABLE, "docs/waivers.md has examples")?;
    Ok((waivers, sha256(&bytes)))
}

/// At most one more than the limit.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The waivers that are whole, none of which ends after `last`.
fn waivers(text: &str, last: NaiveDate, problems: &mut Problems) -> Vec<Waiver> {
    let lines = LineIndex::new(text);
    let (fields, errors) = parse_toml(text, &lines);
    let mut broken = BTreeSet::new();
    for (line, why) in errors {
        // One slip of the pen can make the parser stumble several times.
        if broken.insert(line) {
            problems.push(line, not_toml(&why));
        }
    }
    let entries = entries(fields, &lines, &broken, problems);
    let starts: Vec<u64> = entries.iter().map(|(line, _)| *line).collect();
    let mut waivers = Vec::new();
    let mut scopes = HashMap::new();
    for (at, (line, table)) in entries.into_iter().enumerate() {
        let end = starts.get(at + 1).map_or(u64::MAX, |next| line.max(next - 1));
        if broken.range(line..=end).next().is_some() {
            // What is left of it says nothing about what was meant.
            continue;
        }
        let entry = WaiverBuilder::read(fields_of(table, &lines), line, last, problems);
        if let Some((line, scope)) = entry.scope() {
            if let Some(before) = scopes.get(&scope) {
                problems.push(line, format!("{} is already waived in line {before}", scope.target));
            } else {
                scopes.insert(scope, line);
            }
        }
        waivers.extend(entry.finish(problems));
    }
    waivers
}

/// What the parser says, but for its word for a name, which here is that of something else.
fn not_toml(message: &str) -> String {
    match message {
        "duplicate key" => "repeated name".to_owned(),
        other => format!("invalid TOML: {other}"),
    }
}

/// The tables of the entries, each with the line where it begins, in the order of the file.
fn entries<'i>(
    fields: Vec<Field<'i>>,
    lines: &LineIndex,
    broken: &BTreeSet<u64>,
    problems: &mut Problems,
) -> Vec<(u64, DeTable<'i>)> {
    let mut items: Vec<Spanned<DeValue>> = Vec::new();
    for Field { line, name, value } in fields {
        match (name.as_ref(), value) {
            ("waiver" | "waivers", DeValue::Array(array)) => items.extend(array),
            _ if broken.contains(&line) => {}
            ("waiver" | "waivers", _) => {
                problems.push(line, "a waiver begins with [[waiver]], with double brackets");
            }
            (name, _) => {
                let why = format!("{} is outside a waiver; each waiver begins with [[waiver]]", quoted(name));
                problems.push(line, why);
            }
        }
    }
    items.sort_by_key(|item| item.span().start);
    let mut entries = Vec::new();
    for item in items {
        let line = lines.at(item.span().start);
        match item.into_inner() {
            DeValue::Table(table) => entries.push((line, table)),
            _ if broken.contains(&line) => {}
            _ => problems.push(line, "expected a table: [[waiver]] with its fields below"),
        }
    }
    entries
}

#[cfg(test)]
mod tests;
