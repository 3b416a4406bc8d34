//! Whether a key was used between two readings, and how often. If a count is missing or decreased, the number of calls is
//! unknown, and not 0.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::model::{PersonalKey, rfc3339};

/// A key's use between two readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Usage {
    /// Not used: neither its count nor its last use moved, as far as the service has them, and it has one at least.
    Unused,
    /// Used.
    Used {
        /// How often; `None` where the counts do not say.
        calls: Option<u64>,
        /// Between the two readings, in seconds; may be 0 or less where clocks differ.
        seconds: i64,
        /// The last use that moved; `None` where it did not.
        last_used: Option<DateTime<Utc>>,
        /// Why the numbers are incomplete or contradictory.
        but: Option<String>,
    },
    /// It is not known, and this is why.
    Unknown(String),
}

impl Usage {
    /// Calls a day, in hundredths, rounded; `None` where the calls or the time between are not known.
    fn hundredths_a_day(&self) -> Option<u64> {
        let Self::Used { calls: Some(calls), seconds, .. } = self else { return None };
        let seconds = u128::try_from(*seconds).ok().filter(|seconds| *seconds > 0)?;
        u64::try_from((u128::from(*calls) * 8_640_000 * 2 + seconds) / (2 * seconds)).ok()
    }

    /// Calls a day, to a hundredth; `None` where the calls or the time between are not known.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate of more than 2^53 hundredths is no rate")]
    pub(crate) fn calls_a_day(&self) -> Option<f64> {
        self.hundredths_a_day().map(|hundredths| hundredths as f64 / 100.0)
    }

    /// How often it was used; `None` where that is not known.
    pub(crate) fn calls(&self) -> Option<u64> {
        match self {
            Self::Unused => Some(0),
            Self::Used { calls, .. } => *calls,
            Self::Unknown(_) => None,
        }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (calls, seconds, last_used, but) = match self {
            Self::Unused => return f.write_str("not used between the runs"),
            Self::Unknown(why) => return f.write_str(why),
            Self::Used { calls, seconds, last_used, but } => (calls, *seconds, last_used, but),
        };
        match calls {
            None => f.write_str("unknown number of calls")?,
            Some(1) => f.write_str("1 call")?,
            Some(calls) => write!(f, "{calls} calls")?,
        }
        if seconds > 0 {
            write!(f, " in {}", span(seconds))?;
        }
        if let Some(rate) = self.hundredths_a_day() {
            write!(f, ", {}.{:02} a day", rate / 100, rate % 100)?;
        }
        if let Some(last) = last_used {
            write!(f, "; last used {}", rfc3339(*last))?;
        }
        but.iter().try_for_each(|but| write!(f, "; {but}"))
    }
}

/// A time of `seconds`, in days, or in hours where it is less than two days.
fn span(seconds: i64) -> String {
    let (unit, name) = if seconds < 2 * 86_400 { (3600, "hours") } else { (86_400, "days") };
    let tenths = (seconds * 20 + unit) / (2 * unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// A key's use between two readings of it, each with when it was.
pub(crate) fn usage(
    (before, then): (&PersonalKey, DateTime<Utc>),
    (after, now): (&PersonalKey, DateTime<Utc>),
) -> Usage {
    let calls = match (before.used_count, after.used_count) {
        (Some(was), Some(is)) => {
            is.checked_sub(was).ok_or_else(|| format!("the use count decreased from {was} to {is}"))
        }
        (None, None) => Err("the service reported no use count".to_owned()),
        (None, Some(_)) => Err("the earlier run has no use count".to_owned()),
        (Some(_), None) => Err("the later run has no use count".to_owned()),
    };
    let last = LastUseChange::new(before, after, then);
    let moved = if last == LastUseChange::Later { after.last_use() } else { None };
    let used = |calls, but| Usage::Used { calls, seconds: (now - then).num_seconds(), last_used: moved, but };
    match (calls, last) {
        (Ok(0), LastUseChange::Later) => used(None, Some("use count unchanged".to_owned())),
        (Ok(0), LastUseChange::Earlier) => Usage::Unknown(
            "the last use is older than in the earlier run, but the use count is unchanged".to_owned(),
        ),
        (Ok(0), LastUseChange::Same | LastUseChange::Unknown) => Usage::Unused,
        (Ok(calls), LastUseChange::Later) => used(Some(calls), None),
        (Ok(calls), LastUseChange::Same) => used(Some(calls), Some("last use unchanged".to_owned())),
        (Ok(calls), LastUseChange::Earlier) => {
            used(Some(calls), Some("the last use is older than in the earlier run".to_owned()))
        }
        (Ok(calls), LastUseChange::Unknown) => used(Some(calls), Some("last use unknown".to_owned())),
        (Err(why), LastUseChange::Later) => used(None, Some(why)),
        // Where the service never counts, the last use alone says that there was none.
        (Err(_), LastUseChange::Same) if before.used_count.is_none() && after.used_count.is_none() => {
            Usage::Unused
        }
        (Err(why), LastUseChange::Same) => Usage::Unknown(format!("{why}; last use unchanged")),
        (Err(why), LastUseChange::Earlier) => {
            Usage::Unknown(format!("{why}; the last use is older than in the earlier run"))
        }
        (Err(why), LastUseChange::Unknown) => Usage::Unknown(format!("{why}; last use unknown")),
    }
}

/// The last use of a key in the later run, beside that in the earlier one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastUseChange {
    Later,
    Same,
    Earlier,
    /// It is missing in one of the runs at least, and that says nothing.
    Unknown,
}

impl LastUseChange {
    fn new(before: &PersonalKey, after: &PersonalKey, then: DateTime<Utc>) -> Self {
        match (before.last_use(), after.last_use()) {
            (Some(was), Some(is)) if is > was => Self::Later,
            (Some(was), Some(is)) if is < was => Self::Earlier,
            (Some(_), Some(_)) => Self::Same,
            // There was none before, or it is after the earlier reading, which had none.
            (None, Some(is)) if before.used_count == Some(0) || is > then => Self::Later,
            (None | Some(_), None) | (None, Some(_)) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn key(last_used: Option<&str>, used_count: Option<u64>) -> PersonalKey {
        PersonalKey {
            id: "5af9a1d29cc0cdb6acdca6d5".to_owned(),
            enabled: Some(true),
            last_used: last_used.map(at),
            used_count,
            ..PersonalKey::default()
        }
    }

    /// Read at the starts of the 1st and the 8th of January.
    fn between(before: (Option<&str>, Option<u64>), after: (Option<&str>, Option<u64>)) -> Usage {
        let (before, after) = (key(before.0, before.1), key(after.0, after.1));
        usage((&before, at("2025-01-01T00:00:00Z")), (&after, at("2025-01-08T00:00:00Z")))
    }

    const OLD: Option<&str> = Some("2024-12-01T00:00:00Z");
    const OLDER: Option<&str> = Some("2024-11-01T00:00:00Z");
    const NEW: Option<&str> = Some("2025-01-07T00:00:00Z");

    #[test]
    fn calls_a_day_are_the_calls_by_the_days_between_the_readings() {
        let used = between((OLD, Some(10)), (NEW, Some(422)));
        assert_eq!(used.calls_a_day(), Some(58.86), "412 calls in 7 days");
        assert_eq!(used.to_string(), "412 calls in 7.0 days, 58.86 a day; last used 2025-01-07T00:00:00Z");
        let once = between((None, Some(0)), (NEW, Some(1)));
        assert_eq!(once.to_string(), "1 call in 7.0 days, 0.14 a day; last used 2025-01-07T00:00:00Z");
    }

    #[test]
    fn a_key_is_unused_only_where_the_numbers_say_so() {
        for (before, after) in [
            ((OLD, Some(10)), (OLD, Some(10))),
            ((None, Some(0)), (None, Some(0))),
            ((None, Some(3)), (None, Some(3))),
            ((OLD, None), (OLD, None)),
            // The service began, or ceased, to say when.
            ((None, Some(3)), (OLD, Some(3))),
            ((OLD, Some(3)), (None, Some(3))),
        ] {
            assert_eq!(between(before, after), Usage::Unused, "{before:?} {after:?}");
            assert_eq!(between(before, after).calls(), Some(0));
        }
    }

    #[test]
    fn a_later_last_use_is_a_use_whatever_the_counts() {
        for (before, after, but) in [
            ((OLD, None), (NEW, None), "the service reported no use count"),
            ((OLD, Some(9)), (NEW, None), "the later run has no use count"),
            ((OLD, None), (NEW, Some(9)), "the earlier run has no use count"),
            ((OLD, Some(9)), (NEW, Some(3)), "the use count decreased from 9 to 3"),
            ((OLD, Some(9)), (NEW, Some(9)), "use count unchanged"),
            // There was none before, and this one lies after that reading.
            ((None, None), (NEW, None), "the service reported no use count"),
        ] {
            let used = between(before, after);
            assert_eq!((used.calls(), used.calls_a_day()), (None, None), "{before:?} {after:?}");
            let text = used.to_string();
            assert!(text.starts_with("unknown number of calls in 7.0 days") && text.ends_with(but), "{text}");
        }
    }

    #[test]
    fn a_higher_count_is_a_use_whatever_the_last_use() {
        for (before, after) in [
            ((None, Some(3)), (None, Some(5))),
            ((OLD, Some(3)), (OLD, Some(5))),
            ((OLD, Some(3)), (OLDER, Some(5))),
            ((OLD, Some(3)), (None, Some(5))),
        ] {
            assert_eq!(between(before, after).calls(), Some(2), "{before:?} {after:?}");
        }
    }

    #[test]
    fn contradictory_or_missing_numbers_are_unknown_use() {
        for (before, after) in [
            ((None, None), (None, None)),
            ((None, None), (OLD, None)),
            ((OLD, None), (None, None)),
            ((None, Some(3)), (None, None)),
            ((OLD, Some(3)), (OLD, None)),
            ((OLD, None), (OLD, Some(3))),
            ((OLD, Some(9)), (OLD, Some(3))),
            ((None, Some(9)), (None, Some(3))),
            ((OLD, Some(9)), (OLDER, Some(9))),
            ((OLD, Some(9)), (OLDER, None)),
        ] {
            let found = between(before, after);
            assert!(matches!(found, Usage::Unknown(_)), "{before:?} {after:?}: {found}");
            assert_eq!(found.calls(), None);
        }
    }

    #[test]
    fn without_time_between_there_is_no_rate() {
        let (before, after) = (key(OLD, Some(1)), key(NEW, Some(5)));
        let now = at("2025-01-08T00:00:00Z");
        for then in [now, at("2025-01-09T00:00:00Z")] {
            let used = usage((&before, then), (&after, now));
            assert_eq!((used.calls(), used.calls_a_day()), (Some(4), None));
            assert_eq!(used.to_string(), "4 calls; last used 2025-01-07T00:00:00Z");
        }
    }

    proptest::proptest! {
        /// Whatever the numbers are: nothing is called unused that moved, and no arithmetic breaks.
        #[test]
        fn a_number_that_moved_is_never_unused(
            was in proptest::option::of(0_u64..), is in proptest::option::of(0_u64..),
            earlier in proptest::option::of(0_i64..4_000_000_000), later in proptest::option::of(0_i64..4_000_000_000),
            then in 0_i64..4_000_000_000, now in 0_i64..4_000_000_000,
        ) {
            let time = |seconds: Option<i64>| seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
            let before = PersonalKey { last_used: time(earlier), ..key(None, was) };
            let after = PersonalKey { last_used: time(later), ..key(None, is) };
            let found = usage((&before, time(Some(then)).unwrap()), (&after, time(Some(now)).unwrap()));
            let _ = (found.to_string(), found.calls_a_day());
            let moved = matches!((earlier, later), (Some(was), Some(is)) if was != is);
            let counted = matches!((was, is), (Some(was), Some(is)) if was != is);
            let silent = (was.is_none() || is.is_none()) && (earlier.is_none() || later.is_none());
            proptest::prop_assert!(!(moved || counted || silent) || found != Usage::Unused, "{}", found);
        }
    }
}
