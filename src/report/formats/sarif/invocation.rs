//! Notifications of the invocation of each deployment: unread users, incomplete lists, results left out, and waivers with a
//! problem.

use serde::Serialize;
use serde_json::{Value, json};

use super::RankedResults;
use super::result::{Location, Message};
use super::rules::{NotificationKind, reference};
use crate::model::rfc3339;
use crate::policy::day_or_instant;
use crate::report::location::SourceLocation;
use crate::report::record::{MissingUsers, Record};
use crate::report::wording::{self, Unknown};
use crate::report::{Deployment, Report, Row, RowContext};

/// For all deployments together; the rest is counted in one more notification for each deployment.
const MAX_NOTIFICATIONS: usize = 1_000;

/// One for each deployment, filled while its rows pass.
#[derive(Default)]
pub(super) struct Invocations {
    all: Vec<Notifications>,
    /// Notifications of all deployments.
    count: usize,
}

/// The notifications of one deployment.
#[derive(Default)]
struct Notifications {
    listed: Vec<Notification>,
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
    fn new(kind: NotificationKind, level: &'static str, text: &str) -> Self {
        Self {
            descriptor: reference(kind),
            level,
            message: Message::new(text),
            locations: Vec::new(),
            properties: Value::Null,
        }
    }
}

impl Invocations {
    pub(super) fn begin(&mut self, context: &RowContext) {
        self.all.push(Notifications::default());
        for missing in MissingUsers::of_run(context) {
            self.push(|| {
                let (kind, record) = (NotificationKind::Unknown(missing.unknown()), missing.record());
                let level = if missing.waiver().is_some() { "note" } else { "error" };
                let mut properties = fields(&record);
                properties["org_id"] = missing.list.and_then(|judged| judged.list.org_id.as_deref()).into();
                Notification { properties, ..Notification::new(kind, level, &wording::row(&record)) }
            });
        }
    }

    /// Adds the row of a user who could not be read.
    pub(super) fn unread_user(&mut self, row: &Row, record: &Record, location: &SourceLocation) {
        let level = if row.is_waived() { "note" } else { "error" };
        self.push(|| Notification {
            locations: vec![Location::new(record, location)],
            properties: fields(record),
            ..Notification::new(NotificationKind::Unknown(Unknown::User), level, &wording::row(record))
        });
    }

    fn push(&mut self, notification: impl FnOnce() -> Notification) {
        let Some(notifications) = self.all.last_mut() else { return };
        if self.count < MAX_NOTIFICATIONS {
            self.count += 1;
            notifications.listed.push(notification());
        } else {
            notifications.more += 1;
        }
    }

    /// As SARIF objects. Notifications of no single deployment are with the first.
    pub(super) fn into_values(self, report: &Report, results: &RankedResults) -> Vec<Value> {
        let mut configuration: Vec<_> = report
            .waiver_issues
            .iter()
            .map(|issue| {
                Notification::new(
                    NotificationKind::Waiver(issue.kind),
                    "warning",
                    &wording::waiver_issue(issue),
                )
            })
            .collect();
        let mut left_out = left_out(results);
        let invocations = report.deployments.iter().zip(self.all).map(|(deployment, notifications)| {
            let Notifications { listed: mut execution, more } = notifications;
            if more > 0 {
                let text = format!(
                    "{more} more users or lists could not be read; `keysunset report --format csv` lists all"
                );
                execution.push(Notification::new(NotificationKind::More, "error", &text));
            }
            execution.extend(left_out.take());
            invocation(deployment, &execution, &std::mem::take(&mut configuration))
        });
        invocations.collect()
    }
}

fn left_out(results: &RankedResults) -> Option<Notification> {
    let (count, kept) = (results.count(), results.kept());
    let text = format!(
        "{} of {count} keys are left out, because code scanning accepts at most {kept}: waived keys first, then the least \
         severe ones; `keysunset report --format csv` lists all",
        count - kept
    );
    (count > kept).then(|| Notification::new(NotificationKind::LeftOut, "warning", &text))
}

/// The known fields of a user or list that could not be read.
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
    let Deployment { context, summary, .. } = deployment;
    let run = context.run;
    let mut invocation = json!({
        // GitHub rejects an unsuccessful invocation. Otherwise it would close the alerts of all keys that were not read.
        "executionSuccessful": deployment.is_complete_or_waived(),
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
