//! The fields of a row in `keys.csv`, `findings.json` and `keys.ndjson`: one record for each key, and one for each user
//! without keys or not read. The names are a public contract, so they are separate from the names of the model.

use std::fmt::Debug;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Serialize, Serializer};

use super::wording::Unknown;
use super::{JudgedList, Row, RowContext};
use crate::model::{IncompleteList, Outcome, ReadStatus, Rfc3339, Suffix, UserResult};
use crate::output::{ExcelCell, Guarded};
use crate::policy::{Action, Severity, Verdict};
use crate::waivers::{Waiver, WaiverStatus};

/// How a format has texts, times and large counts.
pub(super) trait Cells {
    /// Text of the service or of a user.
    type Text<'a>: From<&'a str> + Default + Debug + Serialize;
    type Time: From<DateTime<Utc>> + Default + Debug + Serialize;
    type Count: From<u64> + Default + Debug + Serialize;
}

/// Texts as they are.
#[derive(Debug, Default)]
pub(super) struct Plain;

impl Cells for Plain {
    type Text<'a> = &'a str;
    type Time = Time;
    type Count = u64;
}

/// Texts that a spreadsheet does not run.
#[derive(Debug, Default)]
pub(super) struct ForSpreadsheet;

impl Cells for ForSpreadsheet {
    type Text<'a> = Guarded<'a>;
    type Time = Time;
    type Count = u64;
}

/// What Excel shows unchanged after a double click.
#[derive(Debug, Default)]
pub(super) struct ForExcel;

impl Cells for ForExcel {
    type Text<'a> = ExcelCell<'a>;
    type Time = ExcelCell<'static>;
    type Count = ExcelCell<'static>;
}

/// The fields, in the order of the columns: new ones are only appended. Unknown values are `None`.
#[derive(Debug, Default, Serialize)]
#[serde(bound = "")]
pub(super) struct Record<'a, C: Cells = Plain> {
    pub(super) deployment: C::Text<'a>,
    pub(super) user_id: Option<C::Text<'a>>,
    pub(super) username: Option<C::Text<'a>>,
    pub(super) read_status: Option<ReadStatus>,
    pub(super) http_status: Option<u16>,
    pub(super) error_code: Option<C::Text<'a>>,
    pub(super) attempts: Option<u32>,
    pub(super) read_at: Option<C::Time>,
    pub(super) key_id: Option<C::Text<'a>>,
    pub(super) key_suffix: Option<C::Text<'a>>,
    pub(super) description: Option<C::Text<'a>>,
    pub(super) enabled: Option<bool>,
    pub(super) created_at: Option<C::Time>,
    pub(super) age_days: Option<i64>,
    pub(super) last_used: Option<C::Time>,
    pub(super) days_since_last_use: Option<i64>,
    pub(super) used_count: Option<C::Count>,
    pub(super) verdict: Option<Verdict>,
    pub(super) severity: Option<Severity>,
    pub(super) action: Option<Action>,
    pub(super) reason: C::Text<'a>,
    pub(super) cutoff: C::Time,
    pub(super) auditing_key: Option<bool>,
    pub(super) org_id: Option<C::Text<'a>>,
    pub(super) waiver: Option<WaiverStatus>,
    pub(super) waiver_reason: Option<C::Text<'a>>,
    pub(super) waiver_owner: Option<C::Text<'a>>,
    pub(super) waiver_expires: Option<NaiveDate>,
    pub(super) waiver_ticket: Option<C::Text<'a>>,
    pub(super) org_ids: Option<C::Text<'a>>,
    pub(super) org_names: Option<C::Text<'a>>,
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

impl From<DateTime<Utc>> for Time {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Rfc3339::new(self.0).as_str())
    }
}

impl<'a, C: Cells + Default> Record<'a, C> {
    /// Of a key, or of a user without one.
    pub(super) fn new(context: &'a RowContext, row: &'a Row) -> Self {
        let UserResult { user, outcome, attempts, read_at, .. } = row.result;
        let of_user = Self {
            user_id: user.id.as_deref().map(C::Text::from),
            username: user.username.as_deref().map(C::Text::from),
            attempts: Some(*attempts),
            read_at: read_at.map(C::Time::from),
            org_id: user.origin.organization().map(C::Text::from),
            org_ids: Some(&*row.organizations.ids).filter(|ids| !ids.is_empty()).map(C::Text::from),
            org_names: Some(&*row.organizations.names).filter(|names| !names.is_empty()).map(C::Text::from),
            ..Self::of_outcome(context, outcome, row.waiver)
        };
        let Some((key, judged)) = &row.key else {
            return Self { reason: C::Text::from(why_no_key(row.result)), ..of_user };
        };
        let places = context.search.as_ref().and_then(|search| search.counts(key.suffix.as_ref()));
        Self {
            key_id: Some(C::Text::from(&key.id)),
            key_suffix: key.suffix.as_ref().map(Suffix::as_str).map(C::Text::from),
            description: Some(C::Text::from(&key.description)),
            enabled: key.enabled,
            created_at: key.created_at.map(C::Time::from),
            age_days: key.created_at.map(|time| context.policy.days_since(time)),
            last_used: key.last_use().map(C::Time::from),
            days_since_last_use: key.last_use().map(|time| context.policy.days_since(time)),
            used_count: key.used_count.map(C::Count::from),
            verdict: Some(judged.verdict),
            severity: Some(judged.severity),
            action: Some(judged.action),
            reason: C::Text::from(&judged.reason),
            auditing_key: Some(key.auditing),
            places: places.map(|places| places.all),
            live_places: places.map(|places| places.live),
            ..of_user
        }
    }

    /// Of a request with its waiver, and of the run that it was made in.
    fn of_outcome(
        context: &'a RowContext,
        outcome: &'a Outcome,
        waiver: Option<(&'a Waiver, WaiverStatus)>,
    ) -> Self {
        let (waiver, status) = waiver.unzip();
        Self {
            read_status: Some(outcome.status),
            http_status: outcome.http_status,
            error_code: outcome.error_code.as_deref().map(C::Text::from),
            waiver: status,
            waiver_reason: waiver.map(|waiver| C::Text::from(&waiver.reason)),
            waiver_owner: waiver.map(|waiver| C::Text::from(&waiver.owner)),
            waiver_expires: waiver.map(|waiver| waiver.expires),
            waiver_ticket: waiver.and_then(|waiver| waiver.ticket.as_deref()).map(C::Text::from),
            ..Self::of_run(context)
        }
    }

    fn of_run(context: &'a RowContext) -> Self {
        Self {
            deployment: C::Text::from(&context.run.deployment),
            cutoff: C::Time::from(context.policy.cutoff),
            ..Self::default()
        }
    }
}

/// Users that may be missing from the run: one row for each incomplete list, and one for an unfinished run.
pub(super) struct MissingUsers<'a> {
    context: &'a RowContext<'a>,
    /// The incomplete list; `None`: the run did not finish.
    pub(super) list: Option<&'a JudgedList<'a>>,
    reason: String,
}

impl<'a> MissingUsers<'a> {
    /// First the unfinished run, then the lists.
    pub(super) fn of_run(context: &'a RowContext) -> impl Iterator<Item = Self> {
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

    pub(super) fn record<C: Cells + Default>(&self) -> Record<'_, C> {
        let reason = C::Text::from(&self.reason);
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
