//! `locations.csv`: RFC 4180, one row for each place of a key, then one for each file or repository that was not searched.

use super::record::Record;
use super::{LocateReport, not_searched};
use crate::output::{CsvRows, CsvStyle, Guarded, OutputFile};
use crate::report::FormatError;

pub(super) fn write(report: &LocateReport, file: OutputFile) -> Result<OutputFile, FormatError> {
    let mut csv = CsvRows::with_header(file, CsvStyle::Guarded, &Record::<&str>::default())?;
    report.rows.each(|row| Ok::<_, FormatError>(csv.serialize(&Record::<Guarded>::new(report, row))?))?;
    report.rows.each_unsearched(|row| {
        let reason = not_searched(row.unsearched.why);
        Ok::<_, FormatError>(csv.serialize(&Record::<Guarded>::of_unsearched(report, row, &reason))?)
    })?;
    Ok(csv.into_file())
}
