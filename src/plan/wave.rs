//! In which order keys are moved: the ones that are easy to prove first.

use chrono::{DateTime, Utc};

use super::decision::Decision;
use crate::history::usage;
use crate::model::PersonalKey;

/// How often a key is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Frequency {
    /// Above 0.
    pub(crate) calls_a_day: f64,
    /// Whether it is the count by the age of the key, for want of an earlier run.
    pub(crate) is_estimate: bool,
}

impl Frequency {
    /// Of a key read at `now`; `before` is the same key in an earlier run, and when that was.
    #[expect(clippy::cast_precision_loss, reason = "a rate, shown to two digits")]
    pub(super) fn new(
        key: &PersonalKey,
        now: DateTime<Utc>,
        before: Option<(&PersonalKey, DateTime<Utc>)>,
    ) -> Option<Self> {
        let measured = before.and_then(|before| usage(before, (key, now)).calls_a_day());
        if let Some(calls_a_day) = measured.filter(|calls| *calls > 0.0) {
            return Some(Self { calls_a_day, is_estimate: false });
        }
        let days = (now - key.created_at?).num_seconds() as f64 / 86_400.0;
        let calls_a_day = key.used_count? as f64 / days.max(1.0);
        (calls_a_day > 0.0).then_some(Self { calls_a_day, is_estimate: true })
    }
}

/// The wave of a key, from 0; `None` where nothing is to be done in order.
pub(super) fn wave(decision: Decision, frequency: Option<Frequency>) -> Option<u8> {
    match decision {
        Decision::SelfKey => Some(0),
        Decision::Retire => Some(1),
        Decision::Replace => Some(match frequency {
            Some(Frequency { calls_a_day, .. }) if calls_a_day >= 1.0 => 2,
            Some(Frequency { calls_a_day, .. }) if calls_a_day >= 1.0 / 7.0 => 3,
            Some(_) | None => 4,
        }),
        Decision::Ask => Some(5),
        Decision::DeleteOnly | Decision::Waived => None,
    }
}
