//! CSV with the columns of a type, and text that a spreadsheet does not run.

use std::io::{self, Write as _};

use ::csv::{Terminator, WriterBuilder};
use serde::{Serialize, Serializer};

use super::OutputFile;
use crate::spreadsheet;

/// Begins a file with its header, the names of the fields of `any` row. The header is there even without rows.
pub(crate) fn csv_writer(
    mut file: OutputFile,
    any: &impl Serialize,
) -> io::Result<::csv::Writer<OutputFile>> {
    let mut columns = Vec::new();
    let mut rows = WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(&mut columns);
    rows.serialize(any)?;
    drop(rows);
    let end = columns.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.write_all(&columns[..end])?;
    Ok(csv_rows(file))
}

/// Writes rows to a file, without a header.
pub(crate) fn csv_rows(file: OutputFile) -> ::csv::Writer<OutputFile> {
    WriterBuilder::new().has_headers(false).terminator(Terminator::Any(b'\n')).from_writer(file)
}

/// Text that a spreadsheet does not run.
#[derive(Default)]
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
