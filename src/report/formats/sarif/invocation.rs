//! What is unknown, what was left out, and what has to be said of waivers: notifications of the invocation of each deployment.

use serde::Serialize;
use serde_json::{Value, json};

use super::message::{Location, Message};
use super::ranked::RankedResults;
use super::rules::{Notice, reference};
use crate::model::rfc3339;
use crate::policy::day_or_instant;
use crate::report::location::SourceLocation;
use crate::report::record::{MissingUsers, Record};
use crate::report::wording::{self, Unknown};
use crate::report::{Deployment, Report, Row, RunContext};

/// How many are told one by one; the rest of a deployment's are summed up in one more.
const TOLD: usize = 1_000;

/// One a deployment, as their rows pass.
#[derive(Default)]
pub(super) struct Invocations {
    all: Vec<Troubles>,
    /// Over all of them.
    told: usize,
}

/// What is unknown of one deployment.
#[derive(Default)]
struct Troubles {
    told: Vec<Notification>,
    more: u64,
}

#[derive(Serialize)]
struct Notification {
    descriptor: Value,
    level: &'static str,
    message: Message,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Location>,
    #[serde(skip_serializing_if = "Value::is_null")]
    properties: Value,
}

impl Notification {
    fn new(notice: Notice, level: &'static str, text: &str) -> Self {
        Self {
            descriptor: reference(notice),
            level,
            message: Message::of(text),
            locations: Vec::new(),
            properties: Value::Null,
        }
    }
}

impl Invocations {
    pub(super) fn begin(&mut self, context: &RunContext) {
        self.all.push(Troubles::default());
        for missing in MissingUsers::of_run(context) {
            self.note(|| {
                let (notice, record) = (Notice::Unknown(missing.unknown()), missing.record());
                Notification {
                    properties: fields(&record),
                    ..Notification::new(notice, "error", &wording::row(&record))
                }
            });
        }
    }

    /// Takes a row without a key.
    pub(super) fn row(&mut self, row: &Row, record: &Record, location: impl FnOnce() -> SourceLocation) {
        if row.is_unread() {
            let level = if row.is_waived() { "note" } else { "error" };
            self.note(|| Notification {
                locations: vec![Location::of(record, &location())],
                properties: fields(record),
                ..Notification::new(Notice::Unknown(Unknown::User), level, &wording::row(record))
            });
        }
    }

    fn note(&mut self, notification: impl FnOnce() -> Notification) {
        let Some(troubles) = self.all.last_mut() else { return };
        if self.told < TOLD {
            self.told += 1;
            troubles.told.push(notification());
        } else {
            troubles.more += 1;
        }
    }

    /// As SARIF has them. What is of no one deployment stands with the first.
    pub(super) fn told(self, report: &Report, found: &RankedResults) -> Vec<Value> {
        let mut configuration: Vec<_> = report
            .waiver_issues
            .iter()
            .map(|issue| {
                Notification::new(Notice::Waiver(issue.kind), "warning", &wording::waiver_issue(issue))
            })
            .collect();
        let mut left_out = left_out(found);
        let invocations = report.deployments.iter().zip(self.all).map(|(deployment, troubles)| {
            let Troubles { told: mut execution, more } = troubles;
            if more > 0 {
                let text =
                    format!("{more} more could not be read; `keysunset report --format csv` tells them all");
                execution.push(Notification::new(Notice::More, "error", &text));
            }
            execution.extend(left_out.take());
            invocation(deployment, &execution, &std::mem::take(&mut configuration))
        });
        invocations.collect()
    }
}

fn left_out(found: &RankedResults) -> Option<Notification> {
    let (count, kept) = (found.count(), found.kept());
    let text = format!(
        "{} of {count} keys are left out, since code scanning takes no more than {kept}: those of the least severity, and \
         waived ones before all others; `keysunset report --format csv` tells them all",
        count - kept
    );
    (count > kept).then(|| Notification::new(Notice::LeftOut, "warning", &text))
}

/// What is known of whom could not be read.
fn fields(record: &Record) -> Value {
    json!({
        "deployment": record.deployment,
        "org_id": record.org_id,
        "user_id": record.user_id,
        "username": record.username,
        "read_status": record.read_status,
        "http_status": record.http_status,
        "error_code": record.error_code,
        "waiver": record.waiver,
    })
}

fn invocation(deployment: &Deployment, execution: &[Notification], configuration: &[Notification]) -> Value {
    let Deployment { context, summary } = deployment;
    let run = context.run;
    let mut invocation = json!({
        // GitHub refuses what was no success, and would take the keys of whom it does not find in it for gone.
        "executionSuccessful": context.has_complete_lists() && summary.is_complete_or_waived(),
        "startTimeUtc": rfc3339(run.started_at),
        "toolExecutionNotifications": execution,
        "toolConfigurationNotifications": configuration,
        "properties": {
            "deployment": run.deployment,
            "address": run.address,
            "product": run.product,
            "service_version": run.service_version,
            "credential": run.credential,
            "tool_version": run.tool_version,
            "sources": run.settings.sources,
            "cutoff": day_or_instant(context.policy.cutoff),
            "active_within": context.policy.active_within,
            "certificates_not_verified": run.settings.requests.certificates_not_verified,
            "in_the_clear": run.settings.requests.in_the_clear,
            "users": summary.requested(),
            "users_not_read": summary.unread(),
            "keys": summary.keys,
            "findings": summary.findings,
            "waived": summary.waived,
        },
    });
    if let Some(finished) = run.finished_at {
        invocation["endTimeUtc"] = rfc3339(finished).into();
    }
    invocation
}
