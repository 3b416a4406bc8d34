//! In which order keys are moved: the ones that are easy to prove first.

use chrono::{DateTime, TimeDelta, Utc};

use super::decision::Decision;
use crate::history::usage;
use crate::model::PersonalKey;

/// How often a key is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Frequency {
    /// 0 where the key was measured as unused.
    pub(crate) calls_a_day: f64,
    /// Whether it is the count by the age of the key, for want of an earlier run.
    pub(crate) is_estimate: bool,
}

impl Frequency {
    /// Of a key read at `now`; `before` is the same key in an earlier run, and when that was. No call between two runs is a
    /// measurement like any other.
    pub(super) fn new(
        key: &PersonalKey,
        now: DateTime<Utc>,
        before: Option<(&PersonalKey, DateTime<Utc>)>,
    ) -> Option<Self> {
        let measured = before.and_then(|(before, then)| {
            let calls = usage((before, then), (key, now)).calls()?;
            Some(Self { calls_a_day: rate(calls, now - then)?, is_estimate: false })
        });
        measured.or_else(|| Self::estimate(key, now))
    }

    /// A key of less than a day counts as one of a day.
    fn estimate(key: &PersonalKey, now: DateTime<Utc>) -> Option<Self> {
        let age = (now - key.created_at?).max(TimeDelta::days(1));
        Some(Self { calls_a_day: rate(key.used_count?, age)?, is_estimate: true })
    }
}

impl Frequency {
    /// The time from one use to the next; `None` where there was none.
    #[expect(clippy::cast_possible_truncation, reason = "at most some thousand years")]
    pub(super) fn time_between(self) -> Option<TimeDelta> {
        (self.calls_a_day > 0.0).then(|| TimeDelta::seconds((86_400.0 / self.calls_a_day).min(1e11) as i64))
    }
}

/// How many days a key is usually silent between two uses, at most a day too many. Of a key that was measured as unused, that is
/// how long it is silent already, and not less than by its age: the time of the measurement may be too short for a use.
pub(super) fn gap(key: &PersonalKey, frequency: Frequency, now: DateTime<Utc>) -> Option<i64> {
    let silent = || {
        let usual = Frequency::estimate(key, now).and_then(Frequency::time_between);
        Some((now - key.last_use()?).max(usual.unwrap_or_default()))
    };
    let time = frequency.time_between().or_else(silent)?;
    Some((time + TimeDelta::seconds(86_399)).num_days())
}

/// Calls a day; `None` where no time has passed.
#[expect(clippy::cast_precision_loss, reason = "a rate, shown to two digits")]
fn rate(calls: u64, time: TimeDelta) -> Option<f64> {
    let seconds = time.num_seconds();
    (seconds > 0).then(|| calls as f64 * 86_400.0 / seconds as f64)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_measurement_without_a_use_does_not_shorten_the_gap() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let key = PersonalKey {
            created_at: Some(at("2018-01-01T00:00:00Z")),
            last_used: Some(at("2023-11-13T00:00:00Z")),
            used_count: Some(22),
            ..PersonalKey::default()
        };
        let (first, second) = (at("2023-11-14T00:00:00Z"), at("2023-11-15T00:00:00Z"));
        let estimate = Frequency::new(&key, first, None).unwrap();
        let measured = Frequency::new(&key, second, Some((&key, first))).unwrap();
        assert!(estimate.is_estimate && !measured.is_estimate);
        assert_eq!((gap(&key, estimate, first), gap(&key, measured, second)), (Some(98), Some(98)));
        // Silent for longer than it ever was.
        let later = at("2024-11-13T00:00:00Z");
        let measured = Frequency::new(&key, later, Some((&key, first))).unwrap();
        assert_eq!(gap(&key, measured, later), Some(366));
    }
}
