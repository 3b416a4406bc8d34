//! TOML whose fields know their line. Walked by hand, since an error of serde or of the TOML parser ends at the first
//! problem, and shows the line that it is about, which may hold a secret.

use std::borrow::Cow;

use toml::de::{DeTable, DeValue};

use super::LineIndex;

/// A field of a table.
pub(crate) struct Field<'i> {
    /// Where its name is, from 1.
    pub(crate) line: u64,
    pub(crate) name: Cow<'i, str>,
    pub(crate) value: DeValue<'i>,
}

/// Parses a text as far as it is TOML: its fields, and the line and the reason of each place where it is none. What is left
/// of a table at such a place says nothing about what was meant.
pub(crate) fn parse_toml<'i>(text: &'i str, lines: &LineIndex) -> (Vec<Field<'i>>, Vec<(u64, String)>) {
    let (root, errors) = DeTable::parse_recoverable(text);
    let line = |error: &toml::de::Error| lines.at(error.span().map_or(0, |span| span.start));
    let errors = errors.iter().map(|error| (line(error), error.message().to_owned())).collect();
    (fields_of(root.into_inner(), lines), errors)
}

/// The fields of a table, in the order of the file.
pub(crate) fn fields_of<'i>(table: DeTable<'i>, lines: &LineIndex) -> Vec<Field<'i>> {
    let mut fields: Vec<_> = table.into_iter().collect();
    fields.sort_by_key(|(name, _)| name.span().start);
    let field = |(name, value): (toml::Spanned<Cow<'i, str>>, toml::Spanned<DeValue<'i>>)| Field {
        line: lines.at(name.span().start),
        name: name.into_inner(),
        value: value.into_inner(),
    };
    fields.into_iter().map(field).collect()
}
