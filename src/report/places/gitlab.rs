//! `gl-code-quality-locations.json`: GitLab's Code Quality format. An entry a live place, and one for what was not searched.

use std::io::Write as _;

use super::{Identities, LocateReport, not_searched, path_or_git, sentence, unsearched_label};
use crate::output::{JsonArray, OutputFile};
use crate::report::FormatError;
use crate::report::formats::gitlab::{CodeQualityIssue, UNKNOWN, WAIVED, severity};
use crate::report::location::{SourceLocation, fingerprint};

/// The names of the checks.
const LIVE: &str = "key-in-file";
const UNSEARCHED: &str = "not-searched";

pub(super) fn write(report: &LocateReport, mut file: OutputFile) -> Result<OutputFile, FormatError> {
    let mut identities = Identities::default();
    let mut entries = JsonArray::open(&mut file)?;
    let mut write = |entry: &CodeQualityIssue| {
        entries.next(&mut file)?;
        Ok::<_, FormatError>(serde_json::to_writer(&mut file, entry)?)
    };
    report.rows.each_key(|row| {
        // Live rows are sorted by their path.
        identities.of_path(row.place);
        if !row.place.state.is_live() {
            return Ok(());
        }
        let level = row.key.map_or(UNKNOWN, |key| severity(key.severity));
        write(&CodeQualityIssue::new(
            sentence(row),
            LIVE,
            identities.of(row),
            if row.is_waived() { WAIVED } else { level },
            &SourceLocation::new(&path_or_git(&row.place.path), row.place.line.unwrap_or(1)),
        ))
    })?;
    report.rows.each_unsearched(|row| {
        let it = row.unsearched;
        write(&CodeQualityIssue::new(
            format!("{}: {}", unsearched_label(it), not_searched(it.why)),
            UNSEARCHED,
            fingerprint(&[&it.repository, &it.path, &it.member, it.why.as_str()]),
            if row.is_waived() { WAIVED } else { UNKNOWN },
            &SourceLocation::new(&path_or_git(&it.path), 1),
        ))
    })?;
    entries.close(&mut file, "\n]\n", "]\n")?;
    file.flush()?;
    Ok(file)
}
