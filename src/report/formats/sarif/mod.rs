//! `findings.sarif`: SARIF 2.1.0 for code scanning, one result a key, worst first, and a notification for whatever is unknown.
//!
//! All deployments are one run with an invocation each, since GitHub refuses a file whose runs share tool and category. It also
//! refuses a run of more than 25,000 results; past that the least severe are left out, and a notification says so.

mod invocation;
mod message;
mod ranked;
mod result;
mod rules;

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::json;

use self::invocation::Invocations;
use self::ranked::RankedResults;
use self::result::Found;
use crate::report::location::Locator;
use crate::report::record::Record;
use crate::report::{FormatError, JsonArray, OutputFile, Rendered, Report, Row, RunContext, Writer};

/// Of the standard with its first errata, which is the one in force.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// How many results code scanning takes in a run.
const MOST: u64 = 25_000;

struct Sarif {
    file: OutputFile,
    locator: Locator,
    found: RankedResults,
    invocations: Invocations,
}

/// `out` is where the results wait.
pub(super) fn start(file: OutputFile, out: &Path) -> Result<impl Writer + use<>, FormatError> {
    let found = RankedResults::new(out, MOST)?;
    Ok(Sarif { file, locator: Locator::here(), found, invocations: Invocations::default() })
}

impl Writer for Sarif {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        self.invocations.begin(context);
        Ok(())
    }

    fn row(&mut self, context: &RunContext, row: &Row) -> Result<(), FormatError> {
        let record = Record::new(context, row);
        let location = || self.locator.of(&row.result.user);
        let Some((_, judged)) = &row.key else {
            self.invocations.row(row, &record, location);
            return Ok(());
        };
        self.found.put(judged.severity, row.is_waived(), || Found::of(&record, row, judged, &location()))?;
        Ok(())
    }

    fn end(self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        Ok(Rendered::File(self.whole(report)?))
    }
}

impl Sarif {
    /// Puts the parts together.
    fn whole(self, report: &Report) -> io::Result<OutputFile> {
        let Self { mut file, found, invocations, .. } = self;
        let invocations = invocations.told(report, &found);
        write!(file, "{{\"version\":\"2.1.0\",\"$schema\":\"{SCHEMA}\",\"runs\":[{{\n\"tool\":")?;
        serde_json::to_writer(&mut file, &rules::tool())?;
        file.write_all(b",\n\"invocations\":")?;
        serde_json::to_writer(&mut file, &invocations)?;
        file.write_all(b",\n\"results\":")?;
        let mut results = JsonArray::open(&mut file)?;
        found.worst_first(|result| {
            results.next(&mut file)?;
            file.write_all(result)
        })?;
        results.close(&mut file, "\n]", "\n]")?;
        file.write_all(b",\n\"properties\":")?;
        let total = &report.total;
        serde_json::to_writer(
            &mut file,
            &json!({
                "complete": report.is_complete(),
                "users": total.requested(),
                "users_not_read": total.unread(),
                "keys": total.keys,
                "findings": total.findings,
                "waived": total.waived,
            }),
        )?;
        file.write_all(b"}]}\n")?;
        Ok(file)
    }
}
