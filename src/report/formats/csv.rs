//! `keys.csv`: RFC 4180, one row for each key and one for each user without keys or not read.

use crate::output::{CsvRows, CsvStyle};
use crate::report::record::{ForExcel, ForSpreadsheet, MissingUsers, Plain, Record};
use crate::report::{FormatError, OutputFile, Rendered, Report, Row, RowContext, RunContext, Writer};

/// The file in progress.
struct Csv {
    rows: CsvRows,
    style: CsvStyle,
}

pub(super) fn start(file: OutputFile, style: CsvStyle) -> Result<impl Writer, FormatError> {
    Ok(Csv { rows: CsvRows::with_header(file, style, &Record::<Plain>::default())?, style })
}

impl Writer for Csv {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        for missing in MissingUsers::of_run(context) {
            match self.style {
                CsvStyle::Raw => self.rows.serialize(&missing.record::<Plain>())?,
                CsvStyle::Guarded => self.rows.serialize(&missing.record::<ForSpreadsheet>())?,
                CsvStyle::Excel => self.rows.serialize(&missing.record::<ForExcel>())?,
            }
        }
        Ok(())
    }

    fn row(&mut self, context: &RowContext, row: &Row) -> Result<(), FormatError> {
        match self.style {
            CsvStyle::Raw => self.rows.serialize(&Record::<Plain>::new(context, row))?,
            CsvStyle::Guarded => self.rows.serialize(&Record::<ForSpreadsheet>::new(context, row))?,
            CsvStyle::Excel => self.rows.serialize(&Record::<ForExcel>::new(context, row))?,
        }
        Ok(())
    }

    fn end(self: Box<Self>, _: &Report) -> Result<Rendered, FormatError> {
        Ok(Rendered::File(self.rows.into_file()))
    }
}
