//! `findings.sarif`: SARIF 2.1.0 for code scanning, one result for each key, worst first, and a notification for each unread user
//! and incomplete list.
//!
//! All deployments are one run with an invocation each, because GitHub rejects a file whose runs share tool and category. GitHub
//! also rejects a run of more than 25,000 results: beyond that the least severe are left out, with a notification.

mod invocation;
mod result;
mod rules;

use std::io::{self, BufRead as _, Write as _};
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use self::invocation::Invocations;
use self::result::SarifResult;
pub(in crate::report) use self::result::{Message, Suppression, level, rank};
pub(in crate::report) use self::rules::descriptor;
use crate::output::add_json;
use crate::policy::Severity;
use crate::report::location::{Fingerprints, Locator};
use crate::report::record::Record;
use crate::report::{
    FormatError, JsonArray, OutputFile, Rendered, Report, Row, RowContext, RunContext, SpillFile, Writer,
};

/// The schema of the current standard, SARIF 2.1.0 with errata 01.
pub(in crate::report) const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Maximum results that code scanning accepts in a run.
pub(in crate::report) const MAX_RESULTS: u64 = 25_000;

struct Sarif {
    file: OutputFile,
    locator: Locator,
    fingerprints: Fingerprints,
    results: RankedResults,
    invocations: Invocations,
}

/// `out` is the folder of the temporary file with the results.
pub(super) fn start(file: OutputFile, out: &Path) -> Result<impl Writer + use<>, FormatError> {
    let results = RankedResults::new(out, MAX_RESULTS)?;
    let (fingerprints, invocations) = (Fingerprints::default(), Invocations::default());
    Ok(Sarif { file, locator: Locator::here(), fingerprints, results, invocations })
}

impl Writer for Sarif {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        self.invocations.begin(context);
        self.fingerprints = Fingerprints::new(context)?;
        Ok(())
    }

    fn row(&mut self, context: &RowContext, row: &Row) -> Result<(), FormatError> {
        let record = Record::new(context, row);
        let location = || self.locator.locate(&row.result.user);
        if let Some((_, judged)) = &row.key {
            let result = || {
                let fingerprint = self.fingerprints.of(&record, judged.verdict.as_str());
                SarifResult::new(&record, row, judged, &location(), fingerprint)
            };
            self.results.push(judged.severity, row.is_waived(), result)?;
        } else if row.is_unread() {
            self.invocations.unread_user(row, &record, &location());
        }
        Ok(())
    }

    fn end(self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        let Self { mut file, results, invocations, .. } = *self;
        let invocations = invocations.into_values(report, &results);
        write!(file, "{{\"version\":\"2.1.0\",\"$schema\":\"{SCHEMA}\",\"runs\":[{{\n\"tool\":")?;
        serde_json::to_writer(&mut file, &rules::tool())?;
        file.write_all(b",\n\"invocations\":")?;
        serde_json::to_writer(&mut file, &invocations)?;
        file.write_all(b",\n\"results\":")?;
        let mut array = JsonArray::open(&mut file)?;
        results.worst_first(|result| {
            array.next(&mut file)?;
            file.write_all(result)
        })?;
        array.close(&mut file, "\n]", "\n]")?;
        file.write_all(b",\n\"properties\":")?;
        let total = &report.total;
        let properties = json!({
            "complete": report.is_complete(),
            "users": total.requested(),
            "users_not_read": total.unread(),
            "keys": total.keys,
            "findings": total.findings,
            "waived": total.waived,
        });
        serde_json::to_writer(&mut file, &properties)?;
        file.write_all(b"}]}\n")?;
        Ok(Rendered::File(file))
    }
}

/// The severities, worst first, and after them waived keys.
const CLASSES: usize = Severity::ALL.len() + 1;

/// Results come in the order of the rows and are written worst first. Until then they are in a temporary file, so that memory
/// does not grow. Keeps the worst, and counts the rest.
struct RankedResults {
    max: u64,
    counts: [u64; CLASSES],
    /// One section for each class, one line for each result.
    lines: SpillFile,
    line: Vec<u8>,
}

impl RankedResults {
    fn new(folder: &Path, max: u64) -> io::Result<Self> {
        Ok(Self { max, counts: [0; CLASSES], lines: SpillFile::new_in(folder)?, line: Vec::new() })
    }

    /// Adds a result, which is made only if it may be kept.
    fn push<T: Serialize>(
        &mut self,
        severity: Severity,
        is_waived: bool,
        result: impl FnOnce() -> T,
    ) -> io::Result<()> {
        let class = if is_waived { CLASSES - 1 } else { severity as usize };
        self.counts[class] += 1;
        if self.counts[class] > self.max {
            return Ok(());
        }
        self.line.clear();
        add_json(&mut self.line, &result())?;
        self.line.push(b'\n');
        self.lines.write(class, &self.line)
    }

    /// Number of results added.
    fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Number of results kept.
    fn kept(&self) -> u64 {
        self.count().min(self.max)
    }

    /// Writes the kept results.
    fn worst_first(mut self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut left = self.kept();
        for class in 0..CLASSES {
            let mut lines = self.lines.read(class)?;
            let mut line = Vec::new();
            while left > 0 && lines.read_until(b'\n', &mut line)? > 0 {
                left -= 1;
                each(line.trim_ascii_end())?;
                line.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_are_kept_in_order_and_the_waived_are_dropped_first() {
        use Severity::{Critical, Info, Low};
        let folder = tempfile::tempdir().unwrap();
        let pushed = [
            (Low, false, "a"),
            (Critical, true, "b"),
            (Critical, false, "c"),
            (Info, false, "d\n"),
            (Low, false, "e"),
            (Critical, false, "f"),
        ];
        for (max, expected) in
            [(9, &["c", "f", "a", "e", "d\\n", "b"][..]), (3, &["c", "f", "a"]), (1, &["c"])]
        {
            let mut results = RankedResults::new(folder.path(), max).unwrap();
            for (severity, is_waived, text) in pushed {
                results.push(severity, is_waived, || text).unwrap();
            }
            assert_eq!((results.count(), results.kept()), (6, expected.len() as u64));
            let mut given = Vec::new();
            results
                .worst_first(|line| {
                    given.push(String::from_utf8(line.to_vec()).unwrap());
                    Ok(())
                })
                .unwrap();
            assert_eq!(given, expected.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing has a name");
    }
}
