//! Which format a list has that a person, a spreadsheet or a directory service wrote: recognized by how it begins.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs_io::DecodeReaderBytes;

use super::{Lines, TableRows, delimiter};

/// What the format is recognized by, a header of hundreds of columns included, is within the first bytes.
const START: u64 = 1 << 18;
const DELIMITERS: &[u8] = b",;\t";
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
const UTF_16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// A format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ListFormat {
    /// No header: one thing a line.
    Text,
    /// With a header that names one of the columns that were looked for.
    Csv {
        /// The line that it begins at, from 1.
        header: u64,
        /// Between two cells.
        delimiter: u8,
    },
    /// An array or an object.
    Json,
}

impl ListFormat {
    /// The format of a list, and the list from its start in UTF-8; a mark at its start says whether it is UTF-16. The name of
    /// a column is in lower case.
    ///
    /// # Errors
    /// Why it can't be read at all.
    pub(crate) fn open(
        list: impl Read,
        is_column: impl Fn(&str) -> bool,
    ) -> io::Result<(Self, impl BufRead)> {
        let mut list = DecodeReaderBytes::new(list);
        let mut start = Vec::new();
        list.by_ref().take(START).read_to_end(&mut start)?;
        if start.starts_with(BYTE_ORDER_MARK) {
            start.drain(..BYTE_ORDER_MARK.len());
        } else if UTF_16_MARKS.contains(&&*start) {
            // An empty list, of which the decoder leaves the mark.
            start.clear();
        }
        let format = Self::detect(&start, is_column);
        Ok((format, BufReader::new(io::Cursor::new(start).chain(list))))
    }

    /// JSON starts with a bracket, CSV with a header. Before the header there may be blank lines,
    /// comments such as PowerShell's `#TYPE`, and a line such as `sep=;`, by which spreadsheets give the delimiter.
    fn detect(start: &[u8], is_column: impl Fn(&str) -> bool) -> Self {
        if matches!(start.trim_ascii_start().first(), Some(b'[' | b'{')) {
            return Self::Json;
        }
        let mut named = None;
        let mut rest = start;
        for number in 1.. {
            let line = &rest[..memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len())];
            let delimiter = named.unwrap_or_else(|| delimiter(rest, DELIMITERS));
            let text = line.trim_ascii();
            if has_column(rest, delimiter, &is_column) && !text.is_empty() {
                return Self::Csv { header: number, delimiter };
            }
            match (text, line.trim_ascii_start()) {
                ([] | [b'#', ..], _) => {}
                // Also a tab, which is no blank here.
                (_, [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', sign, rest @ ..])
                    if named.is_none() && rest.trim_ascii().is_empty() =>
                {
                    named = Some(*sign);
                }
                _ => return Self::Text,
            }
            let end = if rest[line.len()..].starts_with(b"\r\n") { 2 } else { 1 };
            match rest.get(line.len() + end..) {
                Some(next) if !next.is_empty() => rest = next,
                Some(_) | None => return Self::Text,
            }
        }
        Self::Text
    }
}

fn has_column(table: &[u8], delimiter: u8, is_column: impl Fn(&str) -> bool) -> bool {
    match TableRows::new(Lines::new(table), delimiter).next() {
        Some(Ok(header)) => header.cells.iter().any(|cell| is_column(&column_name(cell))),
        Some(Err(_)) | None => false,
    }
}

/// The name of a column, in lower case and without quotes around it.
pub(crate) fn column_name(header: &str) -> String {
    header.trim().trim_matches('"').trim().to_ascii_lowercase()
}
