//! `keys.csv`: RFC 4180, one row for each key and one for each user without keys or not read.

use std::io::{self, Write as _};

use ::csv::{Terminator, WriterBuilder};
use serde::{Serialize, Serializer};

use crate::report::record::{MissingUsers, Record};
use crate::report::{FormatError, OutputFile, Rendered, Report, Row, RunContext, Writer};
use crate::spreadsheet;

/// The file in progress.
struct Csv {
    rows: ::csv::Writer<OutputFile>,
    raw: bool,
}

/// `raw` writes text unchanged, also formulas.
pub(super) fn start(file: OutputFile, raw: bool) -> Result<impl Writer, FormatError> {
    Ok(Csv { rows: writer(file, &Record::<&str>::default())?, raw })
}

/// Begins a file with its header, the names of the fields of `any` row. The header is there even without rows.
pub(crate) fn writer(mut file: OutputFile, any: &impl Serialize) -> io::Result<::csv::Writer<OutputFile>> {
    let mut columns = Vec::new();
    let mut rows = WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(&mut columns);
    rows.serialize(any)?;
    drop(rows);
    let end = columns.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.write_all(&columns[..end])?;
    Ok(WriterBuilder::new().has_headers(false).terminator(Terminator::Any(b'\n')).from_writer(file))
}

/// Ends a file.
pub(super) fn end(rows: ::csv::Writer<OutputFile>) -> Result<Rendered, FormatError> {
    Ok(Rendered::File(rows.into_inner().map_err(::csv::IntoInnerError::into_error)?))
}

impl Writer for Csv {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        for missing in MissingUsers::of_run(context) {
            if self.raw {
                self.rows.serialize(missing.record::<&str>())?;
            } else {
                self.rows.serialize(missing.record::<Guarded>())?;
            }
        }
        Ok(())
    }

    fn row(&mut self, context: &RunContext, row: &Row) -> Result<(), FormatError> {
        if self.raw {
            self.rows.serialize(Record::<&str>::new(context, row))?;
        } else {
            self.rows.serialize(Record::<Guarded>::new(context, row))?;
        }
        Ok(())
    }

    fn end(self: Box<Self>, _: &Report) -> Result<Rendered, FormatError> {
        end(self.rows)
    }
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
