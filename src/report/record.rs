//! A row field by field, as `keys.csv`, `findings.json` and `keys.ndjson` have it: one record a key, and one for every
//! user without keys or not read. The names are promised outward, and stand here apart from the model's.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Serialize, Serializer};

use super::{Row, RunContext};
use crate::model::{IncompleteList, Outcome, ReadStatus, Suffix, UserResult, rfc3339};
use crate::policy::{Action, Severity, Verdict};
use crate::waivers::WaiverStatus;

/// The fields, in the order of the columns. What is not known is `None`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Record<'a> {
    pub(super) deployment: &'a str,
    pub(super) user_id: Option<&'a str>,
    pub(super) username: Option<&'a str>,
    pub(super) read_status: Option<ReadStatus>,
    pub(super) http_status: Option<u16>,
    pub(super) error_code: Option<&'a str>,
    pub(super) attempts: Option<u32>,
    pub(super) read_at: Option<Time>,
    pub(super) key_id: Option<&'a str>,
    pub(super) key_suffix: Option<&'a str>,
    pub(super) description: Option<&'a str>,
    pub(super) enabled: Option<bool>,
    pub(super) created_at: Option<Time>,
    pub(super) age_days: Option<i64>,
    pub(super) last_used: Option<Time>,
    pub(super) days_since_last_use: Option<i64>,
    pub(super) used_count: Option<u64>,
    pub(super) verdict: Option<Verdict>,
    pub(super) severity: Option<Severity>,
    pub(super) action: Option<Action>,
    pub(super) reason: Cow<'a, str>,
    pub(super) cutoff: Time,
    pub(super) auditing_key: Option<bool>,
    pub(super) org_id: Option<&'a str>,
    pub(super) waiver: Option<WaiverStatus>,
    pub(super) waiver_reason: Option<&'a str>,
    pub(super) waiver_owner: Option<&'a str>,
    pub(super) waiver_expires: Option<NaiveDate>,
    pub(super) waiver_ticket: Option<&'a str>,
}

/// A time as every report writes it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Time(DateTime<Utc>);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rfc3339(self.0))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

impl<'a> Record<'a> {
    /// Of a key, or of a user without one.
    pub(super) fn of(facts: &'a RunContext, row: &'a Row) -> Self {
        let UserResult { user, outcome, attempts, read_at, .. } = row.reading;
        let of_user = Self {
            deployment: &facts.run.deployment,
            user_id: (!user.id.is_empty()).then_some(&user.id),
            username: user.username.as_deref(),
            read_status: Some(outcome.status),
            http_status: outcome.http_status,
            error_code: outcome.error_code.as_deref(),
            attempts: Some(*attempts),
            read_at: read_at.map(Time),
            cutoff: Time(facts.policy.cutoff),
            org_id: user.origin.organization.as_deref(),
            waiver: row.waiver.map(|(_, standing)| standing),
            waiver_reason: row.waiver.map(|(waiver, _)| waiver.reason.as_str()),
            waiver_owner: row.waiver.map(|(waiver, _)| waiver.owner.as_str()),
            waiver_expires: row.waiver.map(|(waiver, _)| waiver.expires),
            waiver_ticket: row.waiver.and_then(|(waiver, _)| waiver.ticket.as_deref()),
            ..Self::default()
        };
        let Some((key, judged)) = &row.key else {
            return Self { reason: why_no_key(row.reading), ..of_user };
        };
        Self {
            key_id: Some(&key.id),
            key_suffix: key.suffix.as_ref().map(Suffix::as_str),
            description: Some(&key.description),
            enabled: key.enabled,
            created_at: key.created_at.map(Time),
            age_days: key.created_at.map(|time| facts.policy.days_since(time)),
            last_used: key.last_used.map(Time),
            days_since_last_use: key.last_used.map(|time| facts.policy.days_since(time)),
            used_count: key.used_count,
            verdict: Some(judged.verdict),
            severity: Some(judged.severity),
            action: Some(judged.action),
            reason: Cow::Borrowed(&judged.reason),
            auditing_key: Some(key.auditing),
            ..of_user
        }
    }

    /// Of each thing that hides users of whom not even the name is known.
    pub(super) fn of_nobody(facts: &'a RunContext) -> impl Iterator<Item = Self> {
        let cut_short = facts.run.finished_at.is_none().then(|| Self {
            read_status: Some(ReadStatus::Error),
            reason: Cow::Borrowed("INCOMPLETE: the run ended before all users were known and read"),
            ..Self::of_run(facts)
        });
        let gaps = facts.gaps.iter().map(|IncompleteList { source, outcome }| {
            let Outcome { status, http_status, error_code, detail } = outcome;
            let why = detail.as_deref().unwrap_or("for no stated reason");
            Self {
                read_status: Some(*status),
                http_status: *http_status,
                error_code: error_code.as_deref(),
                reason: Cow::Owned(format!(
                    "{source}: not all of it could be read, so users may be missing: {why}"
                )),
                ..Self::of_run(facts)
            }
        });
        cut_short.into_iter().chain(gaps)
    }

    fn of_run(facts: &'a RunContext) -> Self {
        Self { deployment: &facts.run.deployment, cutoff: Time(facts.policy.cutoff), ..Self::default() }
    }
}

/// The reason of a row without a key.
fn why_no_key(reading: &UserResult) -> Cow<'_, str> {
    let why = reading.outcome.detail.as_deref();
    Cow::Borrowed(match reading.outcome.status {
        ReadStatus::Read => "no personal API keys",
        ReadStatus::Removed => "the deployment no longer has personal API keys",
        ReadStatus::Partial => why.unwrap_or("not all keys could be read"),
        ReadStatus::Forbidden
        | ReadStatus::NotFound
        | ReadStatus::RateLimited
        | ReadStatus::Malformed
        | ReadStatus::Error => why.unwrap_or("could not be read"),
    })
}
