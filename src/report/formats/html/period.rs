//! The quarter of a last use: a bar of the chart, and the order of keys within a severity.

use chrono::{DateTime, Datelike, Utc};

use crate::policy::Verdict;

/// The years that have quarters; others are one period.
const FIRST: i32 = 2010;
const LAST: i32 = 2099;
/// Number of different ranks.
pub(super) const RANKS: usize = 4 + 4 * (LAST - FIRST + 1).unsigned_abs() as usize;

/// When a key was last used, latest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Period {
    Future,
    Quarter(Quarter),
    Before2010,
    Never,
    Unknown,
}

/// Quarters since the first one of year 0, the later one first in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quarter(pub(super) i32);

impl PartialOrd for Quarter {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quarter {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.cmp(&self.0)
    }
}

impl Quarter {
    pub(super) fn new(time: DateTime<Utc>) -> Self {
        Self(time.year() * 4 + time.month0().cast_signed() / 3)
    }

    pub(super) const fn year(self) -> i32 {
        self.0.div_euclid(4)
    }

    /// 1 to 4.
    pub(super) const fn number(self) -> i32 {
        self.0.rem_euclid(4) + 1
    }
}

impl Period {
    /// Bounded, because the times come from the service.
    pub(super) fn new(last_use: Option<DateTime<Utc>>, verdict: Verdict, now: DateTime<Utc>) -> Self {
        match last_use {
            None if verdict == Verdict::NeverUsed => Self::Never,
            None => Self::Unknown,
            Some(time) if time.year() < FIRST => Self::Before2010,
            Some(time) if time.year() > now.year().min(LAST) => Self::Future,
            Some(time) => Self::Quarter(Quarter::new(time)),
        }
    }

    /// From 0 to below [`RANKS`], in the order of the periods.
    pub(super) fn rank(self) -> usize {
        match self {
            Self::Future => 0,
            Self::Quarter(quarter) => 1 + (LAST * 4 + 3 - quarter.0).unsigned_abs() as usize,
            Self::Before2010 => RANKS - 3,
            Self::Never => RANKS - 2,
            Self::Unknown => RANKS - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_use_has_a_lower_rank() {
        let now = "2099-12-31T00:00:00Z".parse().unwrap();
        let period = |time: &str| Period::new(Some(time.parse().unwrap()), Verdict::UsedAfterCutoff, now);
        let none = |verdict| Period::new(None, verdict, now);
        let periods = [
            period("2100-01-01T00:00:00Z"),
            period("2099-10-01T00:00:00Z"),
            period("2021-03-31T23:59:59Z"),
            period("2020-12-31T00:00:00Z"),
            period("2010-01-01T00:00:00Z"),
            period("2009-12-31T23:59:59Z"),
            none(Verdict::NeverUsed),
            none(Verdict::UsageUnknown),
        ];
        assert!(periods.is_sorted_by(|one, other| one < other), "{periods:?}");
        assert!(periods.map(Period::rank).is_sorted_by(|one, other| one < other));
        assert_eq!((periods[1].rank(), periods[7].rank()), (1, RANKS - 1));
        assert_eq!(periods[4].rank() + 1, periods[5].rank());
        assert_eq!((Quarter::new(now).year(), Quarter::new(now).number()), (2099, 4));
    }
}
