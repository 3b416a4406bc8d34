//! A file of credentials in TOML: `[default]` and `[users."NAME"]`. Walked by hand, since an error of serde or of the
//! TOML parser shows the line that it is about.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::entry::{Draft, Entry, How, field, inline, user};
use super::mistakes::Problems;
use super::part::SecretSource;
use crate::lines::LineIndex;

/// The credentials that are whole; what is wrong is noted.
pub(super) fn entries(text: &str, mistakes: &mut Problems) -> Vec<Entry> {
    let lines = LineIndex::of(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let place = error.span().map_or(0, |span| span.start);
        mistakes.note(lines.at(place), "this is no TOML, or says something twice");
    }
    let mut entries = Vec::new();
    if !errors.is_empty() {
        return entries;
    }
    for (name, value) in root.into_inner() {
        let line = lines.at(name.span().start);
        match (name.get_ref().as_ref(), value.into_inner()) {
            ("default", DeValue::Table(table)) => {
                entries.extend(draft(table, &lines, mistakes).finish(None, line, mistakes));
            }
            ("users", DeValue::Table(users)) => {
                for (name, value) in users {
                    let line = lines.at(name.span().start);
                    let Some(user) = user(name.get_ref()) else {
                        mistakes.note(line, "the name of a user is empty");
                        continue;
                    };
                    match value.into_inner() {
                        DeValue::Table(table) => {
                            let draft = draft(table, &lines, mistakes);
                            entries.extend(draft.finish(Some(user), line, mistakes));
                        }
                        _ => mistakes.note(line, "a user is a table: [users.\"ann@example.com\"]"),
                    }
                }
            }
            _ => mistakes
                .note(line, "expected [default] or [users.\"ann@example.com\"], with quotes around the name"),
        }
    }
    entries.sort_by_key(|entry| entry.line);
    entries
}

fn draft(table: DeTable, lines: &LineIndex, mistakes: &mut Problems) -> Draft {
    let mut draft = Draft::default();
    let mut fields: Vec<_> = table.into_iter().collect();
    fields.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in fields {
        let line = lines.at(name.span().start);
        let Some((half, how)) = field(name.get_ref()) else {
            let why =
                "no such field; there are public-key and private-key, and each with -env, -file or -command";
            draft.wrong(line, why, mistakes);
            continue;
        };
        match part(how, value) {
            Ok(part) => draft.put(half, part, line, mistakes),
            Err(why) => draft.wrong(line, why, mistakes),
        }
    }
    draft
}

fn part(how: How, value: Spanned<DeValue>) -> Result<SecretSource, &'static str> {
    let expected = match how {
        How::Command => "expected an array of strings: the program and its arguments",
        How::Inline | How::Env | How::File => "expected a string that is not empty",
    };
    match (how, value.into_inner()) {
        (How::Command, DeValue::Array(words)) => {
            let words: Option<Vec<_>> = words.into_iter().map(|word| text(word.into_inner())).collect();
            match words {
                Some(words) if words.first().is_some_and(|program| !program.is_empty()) => {
                    Ok(SecretSource::Command(words))
                }
                Some(_) | None => Err(expected),
            }
        }
        (_, value) => {
            let given = text(value).and_then(|text| inline(&text));
            given.and_then(|text| SecretSource::of_text(how, text)).ok_or(expected)
        }
    }
}

fn text(value: DeValue) -> Option<Zeroizing<String>> {
    match value {
        DeValue::String(Cow::Owned(text)) => Some(Zeroizing::new(text)),
        DeValue::String(Cow::Borrowed(text)) => Some(Zeroizing::new(text.to_owned())),
        _ => None,
    }
}
