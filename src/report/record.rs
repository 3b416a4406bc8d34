//! The fields of a row in `keys.csv`, `findings.json` and `keys.ndjson`: one record for each key, and one for each user
//! without keys or not read. The names are a public contract, so they are separate from the names of the model.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Serialize, Serializer};

use super::wording::Unknown;
use super::{JudgedList, Row, RunContext};
use crate::model::{IncompleteList, Outcome, ReadStatus, Suffix, UserResult, rfc3339};
use crate::policy::{Action, Severity, Verdict};
use crate::waivers::{Waiver, WaiverStatus};

/// The fields, in the order of the columns: new ones are only appended. Unknown values are `None`.
/// `T` is foreign text; a format may use its own type for it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Record<'a, T = &'a str> {
    pub(super) deployment: T,
    pub(super) user_id: Option<T>,
    pub(super) username: Option<T>,
    pub(super) read_status: Option<ReadStatus>,
    pub(super) http_status: Option<u16>,
    pub(super) error_code: Option<T>,
    pub(super) attempts: Option<u32>,
    pub(super) read_at: Option<Time>,
    pub(super) key_id: Option<T>,
    pub(super) key_suffix: Option<&'a str>,
    pub(super) description: Option<T>,
    pub(super) enabled: Option<bool>,
    pub(super) created_at: Option<Time>,
    pub(super) age_days: Option<i64>,
    pub(super) last_used: Option<Time>,
    pub(super) days_since_last_use: Option<i64>,
    pub(super) used_count: Option<u64>,
    pub(super) verdict: Option<Verdict>,
    pub(super) severity: Option<Severity>,
    pub(super) action: Option<Action>,
    pub(super) reason: T,
    pub(super) cutoff: Time,
    pub(super) auditing_key: Option<bool>,
    pub(super) org_id: Option<T>,
    pub(super) waiver: Option<WaiverStatus>,
    pub(super) waiver_reason: Option<T>,
    pub(super) waiver_owner: Option<T>,
    pub(super) waiver_expires: Option<NaiveDate>,
    pub(super) waiver_ticket: Option<T>,
    pub(super) org_ids: Option<T>,
    pub(super) org_names: Option<T>,
    pub(super) places: Option<u64>,
    pub(super) live_places: Option<u64>,
}

/// A time in the form of all reports.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Time(DateTime<Utc>);

impl Time {
    pub(super) const fn instant(self) -> DateTime<Utc> {
        self.0
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

impl<'a, T: From<&'a str> + Default> Record<'a, T> {
    /// Of a key, or of a user without one.
    pub(super) fn new(context: &'a RunContext, row: &'a Row) -> Self {
        let UserResult { user, outcome, attempts, read_at, .. } = row.result;
        let of_user = Self {
            user_id: user.id.as_deref().map(T::from),
            username: user.username.as_deref().map(T::from),
            attempts: Some(*attempts),
            read_at: read_at.map(Time),
            org_id: user.origin.organization().map(T::from),
            org_ids: Some(&*row.organizations.ids).filter(|ids| !ids.is_empty()).map(T::from),
            org_names: Some(&*row.organizations.names).filter(|names| !names.is_empty()).map(T::from),
            ..Self::of_outcome(context, outcome, row.waiver)
        };
        let Some((key, judged)) = &row.key else {
            return Self { reason: T::from(why_no_key(row.result)), ..of_user };
        };
        let places = context.search.as_ref().and_then(|search| search.counts(key.suffix.as_ref()));
        Self {
            key_id: Some(T::from(&key.id)),
            key_suffix: key.suffix.as_ref().map(Suffix::as_str),
            description: Some(T::from(&key.description)),
            enabled: key.enabled,
            created_at: key.created_at.map(Time),
            age_days: key.created_at.map(|time| context.policy.days_since(time)),
            last_used: key.last_use().map(Time),
            days_since_last_use: key.last_use().map(|time| context.policy.days_since(time)),
            used_count: key.used_count,
            verdict: Some(judged.verdict),
            severity: Some(judged.severity),
            action: Some(judged.action),
            reason: T::from(&judged.reason),
            auditing_key: Some(key.auditing),
            places: places.map(|places| places.all),
            live_places: places.map(|places| places.live),
            ..of_user
        }
    }

    /// Of a request with its waiver, and of the run that it was made in.
    fn of_outcome(
        context: &'a RunContext,
        outcome: &'a Outcome,
        waiver: Option<(&'a Waiver, WaiverStatus)>,
    ) -> Self {
        let (waiver, status) = waiver.unzip();
        Self {
            read_status: Some(outcome.status),
            http_status: outcome.http_status,
            error_code: outcome.error_code.as_deref().map(T::from),
            waiver: status,
            waiver_reason: waiver.map(|waiver| T::from(&waiver.reason)),
            waiver_owner: waiver.map(|waiver| T::from(&waiver.owner)),
            waiver_expires: waiver.map(|waiver| waiver.expires),
            waiver_ticket: waiver.and_then(|waiver| waiver.ticket.as_deref()).map(T::from),
            ..Self::of_run(context)
        }
    }

    fn of_run(context: &'a RunContext) -> Self {
        Self {
            deployment: T::from(&context.run.deployment),
            cutoff: Time(context.policy.cutoff),
            ..Self::default()
        }
    }
}

/// Users that may be missing from the run: one row for each incomplete list, and one for an unfinished run.
pub(super) struct MissingUsers<'a> {
    context: &'a RunContext<'a>,
    /// The incomplete list; `None`: the run did not finish.
    pub(super) list: Option<&'a JudgedList<'a>>,
    reason: String,
}

impl<'a> MissingUsers<'a> {
    /// First the unfinished run, then the lists.
    pub(super) fn of_run(context: &'a RunContext) -> impl Iterator<Item = Self> {
        let cut_short = context.run.finished_at.is_none().then(|| Self {
            context,
            list: None,
            reason: "INCOMPLETE: the run ended before all users were discovered and read".to_owned(),
        });
        let lists = context.incomplete_lists.iter().map(move |judged| {
            let IncompleteList { source, outcome, .. } = &judged.list;
            let why = outcome.detail.as_deref().unwrap_or("unknown reason");
            let reason = format!("{source}: incomplete list, users may be missing: {why}");
            Self { context, list: Some(judged), reason }
        });
        cut_short.into_iter().chain(lists)
    }

    /// The name of the list or run that they are missing from.
    pub(super) fn source(&self) -> &'a str {
        self.list.map_or("the whole run", |judged| &judged.list.source)
    }

    /// The reason without the name of the list.
    pub(super) fn detail(&self) -> &str {
        self.list.and_then(|judged| judged.list.outcome.detail.as_deref()).unwrap_or(&self.reason)
    }

    /// The waiver of the list, if it is in effect.
    pub(super) fn waiver(&self) -> Option<&'a Waiver> {
        let judged = self.list.filter(|judged| judged.is_waived())?;
        judged.waiver.map(|(waiver, _)| waiver)
    }

    pub(super) fn unknown(&self) -> Unknown {
        self.list.map_or(Unknown::Run, |_| Unknown::List)
    }

    pub(super) fn record<'r, T: From<&'r str> + Default>(&'r self) -> Record<'r, T> {
        let reason = T::from(&self.reason);
        match self.list {
            Some(JudgedList { list, waiver }) => {
                Record { reason, ..Record::of_outcome(self.context, &list.outcome, *waiver) }
            }
            None => Record { read_status: Some(ReadStatus::Error), reason, ..Record::of_run(self.context) },
        }
    }
}

/// The reason of a row without a key.
fn why_no_key(result: &UserResult) -> &str {
    let why = result.outcome.detail.as_deref();
    match result.outcome.status {
        ReadStatus::Read => "no personal API keys",
        ReadStatus::Removed => "the deployment no longer has personal API keys",
        ReadStatus::Partial => why.unwrap_or("not all keys could be read"),
        ReadStatus::Forbidden
        | ReadStatus::NotFound
        | ReadStatus::RateLimited
        | ReadStatus::Malformed
        | ReadStatus::Error => why.unwrap_or("could not be read"),
    }
}
