//! A file of credentials in TOML: `[default]` and `[users."NAME"]`.

use std::borrow::Cow;

use ::toml::de::DeValue;
use zeroize::Zeroizing;

use super::entry::{CredentialBuilder, CredentialEntry, field, user};
use super::source::{SecretSource, SourceKind};
use crate::input::{Field, LineIndex, Problems, fields_of, parse_toml};

/// The credentials that are whole.
pub(super) fn entries(text: &str, problems: &mut Problems) -> Vec<CredentialEntry> {
    let lines = LineIndex::new(text);
    let (fields, errors) = parse_toml(text, &lines);
    if !errors.is_empty() {
        for (line, _) in errors {
            problems.push(line, "invalid TOML, or a repeated name");
        }
        return Vec::new();
    }
    let mut entries = Vec::new();
    for Field { line, name, value } in fields {
        match (name.as_ref(), value) {
            ("default", DeValue::Table(table)) => {
                entries.extend(entry(fields_of(table, &lines), None, line, problems));
            }
            ("users", DeValue::Table(users)) => {
                for Field { line, name, value } in fields_of(users, &lines) {
                    match (user(&name), value) {
                        (None, _) => problems.push(line, "empty username"),
                        (user, DeValue::Table(table)) => {
                            entries.extend(entry(fields_of(table, &lines), user, line, problems));
                        }
                        _ => problems.push(line, "expected a table such as [users.\"ann@example.com\"]"),
                    }
                }
            }
            _ => problems
                .push(line, "expected [default] or [users.\"ann@example.com\"], with quotes around the name"),
        }
    }
    entries.sort_by_key(|entry| entry.line);
    entries
}

fn entry(
    fields: Vec<Field>,
    user: Option<String>,
    line: u64,
    problems: &mut Problems,
) -> Option<CredentialEntry> {
    let mut entry = CredentialBuilder::default();
    for Field { line, name, value } in fields {
        let Some((half, kind)) = field(&name) else {
            let why = "unknown field; use public-key and private-key, or either with -env, -file or -command";
            entry.wrong(line, why, problems);
            continue;
        };
        match source(kind, value) {
            Ok(source) => entry.put(half, source, line, problems),
            Err(why) => entry.wrong(line, why, problems),
        }
    }
    entry.finish(user, line, problems)
}

fn source(kind: SourceKind, value: DeValue) -> Result<SecretSource, &'static str> {
    match (kind, value) {
        (SourceKind::Command, DeValue::Array(words)) => {
            let words: Option<Vec<_>> = words.into_iter().map(|word| text(word.into_inner())).collect();
            let words = words.filter(|words| words.first().is_some_and(|program| !program.is_empty()));
            words.map(SecretSource::Command)
        }
        (kind, value) => text(value).and_then(|text| SecretSource::from_text(kind, &text)),
    }
    .ok_or(match kind {
        SourceKind::Command => "expected an array of strings: the program and its arguments",
        SourceKind::Inline | SourceKind::Env | SourceKind::File => "expected a non-empty string",
    })
}

fn text(value: DeValue) -> Option<Zeroizing<String>> {
    match value {
        DeValue::String(Cow::Owned(text)) => Some(Zeroizing::new(text)),
        DeValue::String(Cow::Borrowed(text)) => Some(Zeroizing::new(text.to_owned())),
        _ => None,
    }
}
