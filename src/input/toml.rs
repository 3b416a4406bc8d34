//! TOML whose fields know their line. Walked by hand, since an error of serde or of the TOML parser ends at the first
//! problem, and shows the line that it is about, which may hold a secret.

use std::borrow::Cow;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue, Error};

/// Where the lines of a text end.
pub(crate) struct LineIndex(Vec<usize>);

impl LineIndex {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line of this byte, from 1; a line break belongs to the line that it ends.
    pub(crate) fn at(&self, byte: usize) -> u64 {
        self.0.partition_point(|end| *end < byte) as u64 + 1
    }
}

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
    let line = |error: &Error| lines.at(error.span().map_or(0, |span| span.start));
    let errors = errors.iter().map(|error| (line(error), error.message().to_owned())).collect();
    (fields_of(root.into_inner(), lines), errors)
}

/// The fields of a table, in the order of the file.
pub(crate) fn fields_of<'i>(table: DeTable<'i>, lines: &LineIndex) -> Vec<Field<'i>> {
    let mut fields: Vec<_> = table.into_iter().collect();
    fields.sort_by_key(|(name, _)| name.span().start);
    let field = |(name, value): (Spanned<Cow<'i, str>>, Spanned<DeValue<'i>>)| Field {
        line: lines.at(name.span().start),
        name: name.into_inner(),
        value: value.into_inner(),
    };
    fields.into_iter().map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_belongs_to_the_line_that_it_ends() {
        let lines = LineIndex::new("a\n\nb\r\n");
        assert_eq!([0, 1, 2, 3, 5, 6, 99].map(|byte| lines.at(byte)), [1, 1, 2, 3, 3, 4, 4]);
        assert_eq!(LineIndex::new("").at(0), 1);
    }
}
