//! CSV with the columns of a type, in one of three styles.

use std::io::{self, Write as _};

use ::csv::WriterBuilder;
use chrono::{DateTime, Datelike as _, Utc};
use serde::{Serialize, Serializer};

use super::OutputFile;
use super::row::{RowFormat, add_row};
use crate::bytes::{CONTROL, QUOTE, SEPARATOR, kinds};
use crate::model::rfc3339;
use crate::spreadsheet;

/// For which reader a CSV is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CsvStyle {
    /// Programs and the import of a spreadsheet: texts that a spreadsheet would run are neutralised.
    #[default]
    Guarded,
    /// Programs: every text is unchanged, also formulas.
    Raw,
    /// A double click in Excel: its separator, and text that it does not convert to numbers.
    Excel,
}

impl CsvStyle {
    const fn delimiter(self) -> u8 {
        match self {
            Self::Guarded | Self::Raw => b',',
            Self::Excel => b';',
        }
    }

    /// Without it, Excel takes UTF-8 for the character set of the system.
    const fn start(self) -> &'static [u8] {
        match self {
            Self::Guarded | Self::Raw => b"",
            Self::Excel => "\u{feff}".as_bytes(),
        }
    }
}

/// The rows of a file under way.
pub(crate) struct CsvRows {
    file: OutputFile,
    style: CsvStyle,
    row: Vec<u8>,
}

impl CsvRows {
    /// Without a header.
    pub(crate) fn new(file: OutputFile, style: CsvStyle) -> Self {
        Self { file, style, row: Vec::new() }
    }

    /// With a header, the names of the fields of `any` row. It is there even without rows.
    pub(crate) fn with_header(
        mut file: OutputFile,
        style: CsvStyle,
        any: &impl Serialize,
    ) -> io::Result<Self> {
        let mut columns = Vec::new();
        WriterBuilder::new().delimiter(style.delimiter()).from_writer(&mut columns).serialize(any)?;
        let names = columns.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        file.write_all(style.start())?;
        file.write_all(names)?;
        Ok(Self::new(file, style))
    }

    pub(crate) fn serialize(&mut self, row: &impl Serialize) -> io::Result<()> {
        self.row.clear();
        add_row(&mut self.row, Csv { delimiter: self.style.delimiter() }, row)?;
        self.row.push(b'\n');
        self.file.write_all(&self.row)
    }

    pub(crate) fn into_file(self) -> OutputFile {
        self.file
    }
}

/// The values of a row, each between two delimiters.
#[derive(Clone, Copy)]
struct Csv {
    delimiter: u8,
}

impl RowFormat for Csv {
    const OBJECT: [&'static [u8]; 2] = [b"", b""];
    const LIST: [&'static [u8]; 2] = [b"", b""];
    const NONE: &'static [u8] = b"";

    fn separator(self) -> u8 {
        self.delimiter
    }

    fn name(self, _: &mut Vec<u8>, _: &'static str) {}

    fn after_key(self, row: &mut Vec<u8>) {
        row.push(self.delimiter);
    }

    fn text(self, row: &mut Vec<u8>, text: &str) -> Result<(), serde_json::Error> {
        let may_be_quoted = kinds(text) & (CONTROL | QUOTE | SEPARATOR) != 0;
        let is_quoted = |byte| matches!(byte, b'"' | b'\n' | b'\r') || byte == self.delimiter;
        if may_be_quoted && text.bytes().any(is_quoted) {
            for part in text.split('"') {
                row.extend_from_slice(b"\"");
                row.extend_from_slice(part.as_bytes());
                row.extend_from_slice(b"\"");
            }
        } else {
            row.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }
}

/// Text that a spreadsheet does not run.
#[derive(Debug, Default)]
pub(crate) struct Guarded<'a>(&'a str);

impl<'a> From<&'a str> for Guarded<'a> {
    fn from(text: &'a str) -> Self {
        Self(text)
    }
}

impl Serialize for Guarded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&spreadsheet::guard(self.0))
    }
}

/// A value that Excel shows as what it is: a text unchanged, a time as a date, all digits of a count.
#[derive(Debug)]
pub(crate) enum ExcelCell<'a> {
    Text(&'a str),
    Time(DateTime<Utc>),
    Count(u64),
}

impl Default for ExcelCell<'_> {
    fn default() -> Self {
        Self::Text("")
    }
}

impl<'a> From<&'a str> for ExcelCell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<DateTime<Utc>> for ExcelCell<'_> {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Time(time)
    }
}

impl From<u64> for ExcelCell<'_> {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl Serialize for ExcelCell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Excel keeps 15 digits of a number.
        const LARGEST: u64 = 999_999_999_999_999;
        match self {
            Self::Text(text) => serializer.serialize_str(&spreadsheet::excel_text(text)),
            // Excel has no other years; it reads this form in every language.
            Self::Time(time) if (1900..=9999).contains(&time.year()) => {
                serializer.collect_str(&time.format("%Y-%m-%d %H:%M:%S"))
            }
            Self::Time(time) => serializer.serialize_str(&spreadsheet::excel_text(&rfc3339(*time))),
            Self::Count(count) if *count > LARGEST => {
                serializer.serialize_str(&spreadsheet::excel_text(&count.to_string()))
            }
            Self::Count(count) => serializer.serialize_u64(*count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_row_has_the_bytes_of_the_crate_csv(
            texts in proptest::array::uniform4("[a;,|\"\\n\\r \\\\é]{0,6}|\\PC{0,6}"),
            number: Option<u64>,
            is_true: bool,
        ) {
            for delimiter in [b',', b';'] {
                let row = (&texts, number, is_true, -1);
                let mut expected = WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
                expected.serialize(row).unwrap();
                let mut written = Vec::new();
                add_row(&mut written, Csv { delimiter }, &row).unwrap();
                written.push(b'\n');
                proptest::prop_assert_eq!(written, expected.into_inner().unwrap());
            }
        }
    }
}
