//! `findings.sarif`: SARIF 2.1.0 for code scanning, one result a key, worst first, and a notification for whatever is unknown.
//!
//! All deployments are one run with an invocation each, since GitHub refuses a file whose runs share tool and category. It also
//! refuses a run of more than 25,000 results; past that the least severe are left out, and a notification says so.

mod invocation;
mod message;
mod result;
mod rules;
mod spool;

use std::io::{self, BufWriter, Write as _};

use serde_json::json;
use tempfile::NamedTempFile;

use self::invocation::Invocations;
use self::result::Found;
use self::spool::Spool;
use crate::report::place::Locator;
use crate::report::record::Record;
use crate::report::{Ended, Error, Report, Row, RunContext, Writer};

/// Of the standard with its first errata, which is the one in force.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// How many results code scanning takes in a run.
const MOST: u64 = 25_000;

struct Sarif {
    file: BufWriter<NamedTempFile>,
    places: Locator,
    found: Spool,
    invocations: Invocations,
}

pub(super) fn start(file: BufWriter<NamedTempFile>) -> impl Writer {
    let found = Spool::beside(file.get_ref().path(), MOST);
    Sarif { file, places: Locator::here(), found, invocations: Invocations::default() }
}

impl Writer for Sarif {
    fn begin(&mut self, facts: &RunContext) -> io::Result<()> {
        self.invocations.begin(facts);
        Ok(())
    }

    fn row(&mut self, facts: &RunContext, row: &Row) -> io::Result<()> {
        let record = Record::new(facts, row);
        let place = || self.places.of(&row.reading.user);
        let Some((_, judged)) = &row.key else {
            self.invocations.row(row, &record, place);
            return Ok(());
        };
        self.found.put(judged.severity, row.is_waived(), || Found::of(&record, row, judged, &place()))
    }

    fn end(self: Box<Self>, report: &Report) -> Result<Ended, Error> {
        self.whole(report).map(Ended::File).map_err(|why| Error::Write("findings.sarif".to_owned(), why))
    }
}

impl Sarif {
    /// Puts the parts together.
    fn whole(self, report: &Report) -> io::Result<BufWriter<NamedTempFile>> {
        let Self { mut file, found, invocations, .. } = self;
        let invocations = invocations.told(report, &found);
        write!(file, "{{\"version\":\"2.1.0\",\"$schema\":\"{SCHEMA}\",\"runs\":[{{\n\"tool\":")?;
        serde_json::to_writer(&mut file, &rules::tool())?;
        file.write_all(b",\n\"invocations\":")?;
        serde_json::to_writer(&mut file, &invocations)?;
        file.write_all(b",\n\"results\":[")?;
        let mut before: &[u8] = b"\n";
        found.worst_first(|result| {
            file.write_all(before)?;
            before = b",\n";
            file.write_all(result)
        })?;
        file.write_all(b"\n],\n\"properties\":")?;
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

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use serde_json::Value;

    use super::*;
    use crate::model::{Origin, Outcome, PersonalKey, Product, User, UserResult};
    use crate::policy::Policy;
    use crate::report::{Deployment, Summary};
    use crate::store::Run;
    use crate::v1::{RequestSettings, RunSettings};

    fn run(deployment: &str, finished_at: Option<DateTime<Utc>>) -> Run {
        Run {
            id: 1,
            deployment: deployment.to_owned(),
            address: String::new(),
            product: Product::OpsManager,
            service_version: None,
            credential: "abcdwxyz".to_owned(),
            clock_skew: None,
            started_at: DateTime::UNIX_EPOCH,
            finished_at,
            reported: false,
            tool_version: "0.1.0".to_owned(),
            settings: RunSettings {
                sources: Vec::new(),
                lists: Vec::new(),
                cutoff: DateTime::UNIX_EPOCH,
                active_within: 90,
                requests: RequestSettings::none(),
            },
        }
    }

    /// One user with one key.
    fn reading() -> UserResult {
        let key = PersonalKey {
            id: "5af9a1d29cc0cdb6acdca6d5".to_owned(),
            suffix: None,
            description: String::new(),
            enabled: None,
            created_at: None,
            last_used: None,
            used_count: None,
            auditing: false,
        };
        let user =
            User { id: "5af9a1d29cc0cdb6ac0bf3f8".to_owned(), username: None, origin: Origin::default() };
        UserResult { user, keys: vec![key], outcome: Outcome::read(200), attempts: 1, read_at: None }
    }

    #[test]
    fn several_deployments_are_one_run_with_an_invocation_each() {
        let runs = [run("one", Some(DateTime::UNIX_EPOCH)), run("two", None)];
        let policy = Policy { now: DateTime::UNIX_EPOCH, cutoff: DateTime::UNIX_EPOCH, active_within: 90 };
        let reading = reading();
        let mut writer: Box<dyn Writer> = Box::new(start(BufWriter::new(NamedTempFile::new().unwrap())));
        let mut deployments = Vec::new();
        for run in &runs {
            let facts = RunContext {
                run,
                policy,
                gaps: Vec::new(),
                ratchet: None,
                last_complete: None,
                burn_down: None,
            };
            writer.begin(&facts).unwrap();
            let key = &reading.keys[0];
            let row = Row {
                reading: &reading,
                key: Some((key, policy.judge(key))),
                waiver: None,
                worse: None,
                is_finding: true,
            };
            writer.row(&facts, &row).unwrap();
            let mut summary = Summary::new(0);
            summary.add(&row);
            deployments.push(Deployment { facts, summary });
        }
        let total = Summary::over(deployments.iter().map(|deployment| &deployment.summary));
        let Ok(Ended::File(mut file)) = writer.end(&Report {
            deployments,
            total,
            lapses: Vec::new(),
            fail_on: crate::policy::FailOn::Any,
        }) else {
            panic!("it is a file")
        };
        file.flush().unwrap();
        let written: Value = serde_json::from_slice(&std::fs::read(file.get_ref().path()).unwrap()).unwrap();
        let runs = written["runs"].as_array().unwrap();
        let [results, invocations] = ["results", "invocations"].map(|part| runs[0][part].as_array().unwrap());
        assert_eq!((runs.len(), results.len(), invocations.len()), (1, 2, 2));
        assert_ne!(results[0]["partialFingerprints"], results[1]["partialFingerprints"]);
        let of =
            |part: &str| invocations.iter().map(|it| it.pointer(part).unwrap().clone()).collect::<Vec<_>>();
        assert_eq!(of("/properties/deployment"), ["one", "two"]);
        assert_eq!(of("/executionSuccessful"), [true, false]);
        let told: Vec<_> =
            of("/toolExecutionNotifications").iter().map(|it| it.as_array().unwrap().len()).collect();
        assert_eq!(told, [0, 1], "the second was cut short");
    }
}
