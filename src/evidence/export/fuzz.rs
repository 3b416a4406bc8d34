//! What holds for any canonical export.

use super::line::ExportLine;
use super::{ExportCounts, ExportEntry, ExportedRun, LineWriter, ReadError, read};

/// A canonical export.
pub(crate) fn export(bytes: &[u8]) {
    if let Ok((run, entries)) = read_all(bytes) {
        assert_eq!(String::from_utf8_lossy(&written(&run, &entries)), String::from_utf8_lossy(bytes));
    }
}

pub(super) fn read_all(bytes: &[u8]) -> Result<(ExportedRun, Vec<ExportEntry>), ReadError> {
    let (run, entries) = read(bytes)?;
    Ok((run, entries.collect::<Result<_, _>>()?))
}

pub(super) fn written(run: &ExportedRun, entries: &[ExportEntry]) -> Vec<u8> {
    let version = run.version;
    let (mut bytes, mut counts) = (Vec::new(), ExportCounts::new(version));
    let mut lines = LineWriter { version, out: &mut bytes, line: Vec::new() };
    lines.write(ExportLine::Run(Box::new(run.clone()))).expect("bytes in memory");
    for entry in entries.iter().cloned() {
        let line = match entry {
            ExportEntry::Organization(organization) => {
                counts.organizations = counts.organizations.map(|count| count + 1);
                ExportLine::Organization(organization)
            }
            ExportEntry::IncompleteList(list) => {
                counts.gaps += 1;
                ExportLine::IncompleteList(list)
            }
            ExportEntry::UserResult(result) => {
                counts.add(&result);
                ExportLine::UserResult(result)
            }
        };
        lines.write(line).expect("bytes in memory");
    }
    lines.write(ExportLine::End(counts)).expect("bytes in memory");
    bytes
}
