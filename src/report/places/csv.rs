//! `locations.csv`: RFC 4180, one row for each place of a key, then one for each file or repository that was not searched.

use std::io;

use super::record::Record;
use super::{LocateReport, not_searched};
use crate::output::{CsvStyle, Guarded, OutputFile, csv_writer};

pub(super) fn write(report: &LocateReport, file: OutputFile) -> io::Result<OutputFile> {
    let mut rows = csv_writer(file, CsvStyle::Guarded, &Record::<&str>::default())?;
    for row in &report.rows {
        rows.serialize(Record::<Guarded>::new(report, row))?;
    }
    for row in &report.unsearched {
        let reason = not_searched(row.unsearched.why);
        rows.serialize(Record::<Guarded>::of_unsearched(report, row, &reason))?;
    }
    rows.into_inner().map_err(csv::IntoInnerError::into_error)
}
