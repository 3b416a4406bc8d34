//! `keysunset.prom`: metrics in Prometheus' text format, for the textfile collector of the node exporter. The collector refuses
//! samples with timestamps, so times are values. Counts are written even if they are 0, so that an alert never waits for a
//! series that does not exist. Unknown values are missing.
//!
//! The format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::{Display, Write as _};
use std::io::Write as _;

use chrono::{DateTime, Utc};

use crate::model::ReadStatus;
use crate::policy::{Severity, Verdict};
use crate::report::{
    Deployment, FormatError, OutputFile, Rendered, Report, Row, RowContext, RunContext, Summary, Writer,
};
use crate::store::Run;

/// Keys by verdict and severity; the totals count each separately.
type Matrix = [[u64; Severity::ALL.len()]; Verdict::ALL.len()];

/// The file under way.
struct Prometheus {
    file: OutputFile,
    /// In the order of the deployments of the report.
    counted: Vec<Counted>,
}

/// Values of a deployment that the report does not have.
struct Counted {
    keys: Matrix,
    /// End of the last complete run up to this one.
    last_complete: Option<DateTime<Utc>>,
}

pub(super) fn start(file: OutputFile) -> impl Writer {
    Prometheus { file, counted: Vec::new() }
}

impl Writer for Prometheus {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        let last_complete = context.store.last_complete(context.run)?;
        self.counted.push(Counted { keys: Matrix::default(), last_complete });
        Ok(())
    }

    fn row(&mut self, _: &RowContext, row: &Row) -> Result<(), FormatError> {
        if let (Some((_, judged)), Some(counted)) = (&row.key, self.counted.last_mut()) {
            counted.keys[judged.verdict as usize][judged.severity as usize] += 1;
        }
        Ok(())
    }

    fn end(self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        let Self { mut file, counted } = *self;
        let each = report.deployments.iter().zip(&counted);
        let all: Vec<_> = each.map(|(deployment, counted)| Metrics { deployment, counted }).collect();
        file.write_all(page(&all).as_bytes())?;
        Ok(Rendered::File(file))
    }
}

/// The values of a deployment.
struct Metrics<'a> {
    deployment: &'a Deployment<'a>,
    counted: &'a Counted,
}

impl<'a> Metrics<'a> {
    fn name(&self) -> &'a str {
        &self.deployment.context.run.deployment
    }

    fn run(&self) -> &'a Run {
        self.deployment.context.run
    }

    fn summary(&self) -> &'a Summary {
        &self.deployment.summary
    }

    /// A sample without further labels.
    fn alone<T>(&self, value: T) -> Sample<'a, T> {
        Sample { deployment: self.name(), labels: Vec::new(), value }
    }

    fn by_verdict_and_severity(&self) -> impl Iterator<Item = Sample<'a, u64>> {
        let (deployment, keys) = (self.name(), &self.counted.keys);
        Verdict::ALL.iter().flat_map(move |verdict| {
            Severity::ALL.iter().map(move |severity| Sample {
                deployment,
                labels: vec![("severity", severity.as_str()), ("verdict", verdict.as_str())],
                value: keys[*verdict as usize][*severity as usize],
            })
        })
    }

    fn by_read_status(&self) -> impl Iterator<Item = Sample<'a, u64>> {
        ReadStatus::ALL.iter().map(|status| Sample {
            deployment: self.name(),
            labels: vec![("read_status", status.as_str())],
            value: self.summary().users(*status),
        })
    }

    /// From the start to the end; 0 if the clock was set back meanwhile.
    fn seconds(&self) -> Option<i64> {
        Some((self.run().finished_at? - self.run().started_at).num_seconds().max(0))
    }
}

struct Sample<'a, T> {
    deployment: &'a str,
    /// In the order of their names, as Prometheus writes them.
    labels: Vec<(&'static str, &'static str)>,
    value: T,
}

/// A count of every deployment: name, help, value.
type CountMetric = (&'static str, &'static str, fn(&Metrics) -> u64);

const COUNTS: [CountMetric; 8] = [
    ("keysunset_keys_enabled", "Personal API keys that are enabled, or whose state is unknown.", |it| {
        it.summary().enabled
    }),
    ("keysunset_keys_waived", "Personal API keys with an active waiver.", |it| it.summary().waived),
    ("keysunset_findings", "Findings: personal API keys that fail the quality gate.", |it| {
        it.summary().findings
    }),
    ("keysunset_users_without_keys", "Users that were read and have no personal API key.", |it| {
        it.summary().without_keys
    }),
    ("keysunset_users_waived", "Users that could not be read and have an active waiver.", |it| {
        it.summary().waived_users
    }),
    ("keysunset_gaps_waived", "Incomplete lists of users with an active waiver.", |it| {
        it.summary().waived_lists
    }),
    ("keysunset_gaps", "Incomplete lists of users.", |it| it.summary().incomplete_lists),
    ("keysunset_complete", "1 if the run finished and no user can be missing, else 0.", |it| {
        u64::from(it.deployment.is_complete())
    }),
];

/// A time of a deployment, if known: in seconds, or as seconds since 1970.
type TimeMetric = (&'static str, &'static str, fn(&Metrics) -> Option<i64>);

const TIMES: [TimeMetric; 4] = [
    ("keysunset_run_duration_seconds", "Duration of the run; missing if it did not finish.", |it| {
        it.seconds()
    }),
    ("keysunset_run_started_timestamp_seconds", "Start of the run.", |it| {
        Some(it.run().started_at.timestamp())
    }),
    ("keysunset_run_finished_timestamp_seconds", "End of the run; missing if it did not finish.", |it| {
        Some(it.run().finished_at?.timestamp())
    }),
    (
        "keysunset_last_success_timestamp_seconds",
        "End of the last complete run up to this one; missing if there was none.",
        |it| Some(it.counted.last_complete?.timestamp()),
    ),
];

/// The whole file.
fn page(all: &[Metrics]) -> String {
    let mut page = String::new();
    let keys = all.iter().flat_map(Metrics::by_verdict_and_severity);
    gauge(&mut page, "keysunset_keys", "Personal API keys by verdict and severity.", keys);
    let users = all.iter().flat_map(Metrics::by_read_status);
    gauge(&mut page, "keysunset_users", "Users in scope by read status.", users);
    for (name, help, count) in COUNTS {
        gauge(&mut page, name, help, all.iter().map(|it| it.alone(count(it))));
    }
    for (name, help, time) in TIMES {
        gauge(&mut page, name, help, all.iter().filter_map(|it| time(it).map(|value| it.alone(value))));
    }
    page
}

/// A metric and its samples; nothing where there are none.
fn gauge<'a, T: Display>(
    page: &mut String,
    name: &str,
    help: &str,
    samples: impl Iterator<Item = Sample<'a, T>>,
) {
    let mut samples = samples.peekable();
    if samples.peek().is_none() {
        return;
    }
    // Writing to a string can't fail.
    let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} gauge");
    for Sample { deployment, labels, value } in samples {
        let _ = write!(page, "{name}{{deployment=\"{}\"", escaped(deployment));
        for (label, of) in labels {
            let _ = write!(page, ",{label}=\"{of}\"");
        }
        let _ = writeln!(page, "}} {value}");
    }
}

/// The value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_ends_where_it_should() {
        for (text, expected) in [
            ("a", "a"),
            ("a\"b\\c\nd", "a\\\"b\\\\c\\nd"),
            ("\\n", "\\\\n"),
            ("\\\"", "\\\\\\\""),
            ("é\r", "é\r"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
