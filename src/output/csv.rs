//! CSV with the columns of a type, in one of three styles.

use std::io::{self, Write as _};

use ::csv::{Terminator, WriterBuilder};
use chrono::{DateTime, Datelike as _, Utc};
use serde::{Serialize, Serializer};

use super::OutputFile;
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

/// Begins a file with its header, the names of the fields of `any` row. The header is there even without rows.
pub(crate) fn csv_writer(
    mut file: OutputFile,
    style: CsvStyle,
    any: &impl Serialize,
) -> io::Result<::csv::Writer<OutputFile>> {
    let mut columns = Vec::new();
    let mut rows = builder(style).has_headers(true).from_writer(&mut columns);
    rows.serialize(any)?;
    drop(rows);
    let end = columns.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.write_all(style.start())?;
    file.write_all(&columns[..end])?;
    Ok(csv_rows(file, style))
}

/// Writes rows to a file, without a header.
pub(crate) fn csv_rows(file: OutputFile, style: CsvStyle) -> ::csv::Writer<OutputFile> {
    builder(style).has_headers(false).from_writer(file)
}

fn builder(style: CsvStyle) -> WriterBuilder {
    let mut builder = WriterBuilder::new();
    builder.delimiter(style.delimiter()).terminator(Terminator::Any(b'\n'));
    builder
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
