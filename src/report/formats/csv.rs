//! `keys.csv`: RFC 4180, one row for each key and one for each user without keys or not read.

use crate::output::{Guarded, csv_writer};
use crate::report::record::{MissingUsers, Record};
use crate::report::{FormatError, OutputFile, Rendered, Report, Row, RunContext, Writer};

/// The file in progress.
struct Csv {
    rows: ::csv::Writer<OutputFile>,
    raw: bool,
}

/// `raw` writes text unchanged, also formulas.
pub(super) fn start(file: OutputFile, raw: bool) -> Result<impl Writer, FormatError> {
    Ok(Csv { rows: csv_writer(file, &Record::<&str>::default())?, raw })
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
