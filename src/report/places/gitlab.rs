//! `gl-code-quality-locations.json`: GitLab's Code Quality format. An entry a live place, and one for what was not searched.

use std::io::{self, Write as _};

use super::{Identities, LocateReport, not_searched, path_or_git, sentence, unsearched_label};
use crate::output::OutputFile;
use crate::report::formats::gitlab::{CodeQualityIssue, UNKNOWN, WAIVED, severity};
use crate::report::location::{SourceLocation, fingerprint};

/// The names of the checks.
const LIVE: &str = "key-in-file";
const UNSEARCHED: &str = "not-searched";

pub(super) fn write(report: &LocateReport, mut file: OutputFile) -> io::Result<OutputFile> {
    let mut identities = Identities::default();
    let live = report.key_rows().filter(|row| row.place.state.is_live()).map(|row| {
        let level = row.key.map_or(UNKNOWN, |key| severity(key.severity));
        CodeQualityIssue::new(
            sentence(row),
            LIVE,
            identities.of(row),
            if row.is_waived() { WAIVED } else { level },
            &SourceLocation::new(&path_or_git(&row.place.path), row.place.line.unwrap_or(1)),
        )
    });
    let unsearched = report.unsearched.iter().map(|row| {
        let it = row.unsearched;
        CodeQualityIssue::new(
            format!("{}: {}", unsearched_label(it), not_searched(it.why)),
            UNSEARCHED,
            fingerprint(&[&it.repository, &it.path, &it.member, it.why.as_str()]),
            if row.is_waived() { WAIVED } else { UNKNOWN },
            &SourceLocation::new(&path_or_git(&it.path), 1),
        )
    });
    let entries: Vec<_> = live.chain(unsearched).collect();
    serde_json::to_writer_pretty(&mut file, &entries)?;
    file.write_all(b"\n")?;
    Ok(file)
}
