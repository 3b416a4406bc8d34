//! The day on which no key is left, by the slope of the last runs. All numbers are whole, so that the result can be checked
//! by hand.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};

use super::RunSummary;
use super::summary::{comparable, counted};

/// Runs of which the slope is taken.
const RUNS: usize = 5;
/// No forecast reaches further ahead: ten years, leap days among them.
const HORIZON: i128 = 3653 * DAY;
/// In seconds.
const DAY: i128 = 86_400;

/// When no key is left, at the rate of the last runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Forecast {
    /// At this day, 00:00 UTC, at the latest.
    Day(NaiveDate, Slope),
    /// The last complete run found none.
    Reached {
        /// Its number.
        run: i64,
        /// When it started.
        on: NaiveDate,
    },
    /// They get fewer, but so slowly that it takes more than ten years.
    Beyond(Slope),
    /// There is none, and this is why.
    None(String),
}

/// How fast keys get fewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slope {
    /// The runs it was taken of, at least two, oldest first.
    pub runs: Vec<i64>,
    /// Keys of the last of them.
    pub left: u64,
    /// When that started.
    pub on: NaiveDate,
    /// Keys fewer in `1` second, as a fraction: numerator and denominator, both above 0.
    fall: (i128, i128),
}

impl Slope {
    /// Keys fewer in so many days, in tenths, rounded.
    fn tenths_in(&self, days: i128) -> i128 {
        let (fewer, seconds) = self.fall;
        (fewer * days * DAY * 20 + seconds) / (2 * seconds)
    }

    /// Keys fewer in a week, to a tenth.
    pub(crate) fn a_week(&self) -> f64 {
        let tenths = i32::try_from(self.tenths_in(7)).unwrap_or(i32::MAX);
        f64::from(tenths) / 10.0
    }
}

impl fmt::Display for Slope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tenths, time) = match self.tenths_in(7) {
            ..10 => (self.tenths_in(365), "year"),
            tenths => (tenths, "week"),
        };
        let fraction = if tenths % 10 == 0 { String::new() } else { format!(".{}", tenths % 10) };
        let (first, last) = (self.runs[0], self.runs[self.runs.len() - 1]);
        write!(
            f,
            "{} left on {}, {}{fraction} fewer per {time} over the last {} complete runs ({first} to {last})",
            counted(self.left, "key"),
            self.on,
            tenths / 10,
            self.runs.len(),
        )
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day, slope) => write!(f, "{slope}: none left by {day}"),
            Self::Reached { run, on } => write!(f, "no keys left: run {run} of {on} found none"),
            Self::Beyond(slope) => write!(f, "{slope}: at this rate, keys remain for more than ten years"),
            Self::None(why) => write!(f, "no forecast: {why}"),
        }
    }
}

/// From the runs of one deployment, in any order. It counts complete runs alone, of those that asked for the same users as
/// the newest, and of several on one day the last: the newest five of these.
///
/// A straight line is laid through them by least squares; its slope, from the keys of the newest on, leads to zero.
pub(crate) fn forecast(summaries: &[RunSummary]) -> Forecast {
    let mut complete = comparable(summaries);
    let Some(newest) = complete.last().copied() else {
        return Forecast::None("there is no complete run".to_owned());
    };
    if newest.stats.keys == 0 {
        return Forecast::Reached { run: newest.run.id, on: newest.day() };
    }
    complete.drain(..complete.len().saturating_sub(RUNS));
    if complete.len() < 2 {
        return Forecast::None("complete runs of the same users on at least two days are needed".to_owned());
    }
    let Some(fall) = fall(&complete) else {
        let first = complete[0];
        return Forecast::None(format!(
            "the number of keys did not decrease over the last {} complete runs: {} on {}, {} on {}",
            complete.len(),
            first.stats.keys,
            first.day(),
            newest.stats.keys,
            newest.day(),
        ));
    };
    let runs = complete.iter().map(|summary| summary.run.id).collect();
    let slope = Slope { runs, left: newest.stats.keys, on: newest.day(), fall };
    match zero(newest, fall) {
        Some(day) => Forecast::Day(day, slope),
        None => Forecast::Beyond(slope),
    }
}

/// Keys fewer a second by least squares, as a fraction; `None` where they get no fewer.
fn fall(summaries: &[&RunSummary]) -> Option<(i128, i128)> {
    let start = summaries.first()?.run.started_at;
    let (mut times, mut keys, mut products, mut squares) = (0, 0, 0, 0);
    for summary in summaries {
        let time = i128::from((summary.run.started_at - start).num_seconds());
        let left = i128::from(summary.stats.keys);
        times += time;
        keys += left;
        products += time * left;
        squares += time * time;
    }
    let number = i128::try_from(summaries.len()).ok()?;
    let (rise, run) = (number * products - times * keys, number * squares - times * times);
    (rise < 0 && run > 0).then_some((-rise, run))
}

/// The first day at whose start nothing is left.
fn zero(newest: &RunSummary, (fewer, seconds): (i128, i128)) -> Option<NaiveDate> {
    let keys = i128::from(newest.stats.keys);
    let lasts = div_ceil(keys * seconds, fewer);
    if lasts > HORIZON {
        return None;
    }
    let end = i128::from(newest.run.started_at.timestamp()) + lasts;
    let midnight = i64::try_from(div_ceil(end, DAY) * DAY).ok()?;
    DateTime::<Utc>::from_timestamp(midnight, 0).map(|time| time.date_naive())
}

/// Rounded up; `by` is above 0.
fn div_ceil(number: i128, by: i128) -> i128 {
    -(-number).div_euclid(by)
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::complete;
    use super::*;

    fn runs(all: &[(&str, u64)]) -> Vec<RunSummary> {
        let numbered = (1..).zip(all);
        numbered.map(|(id, (day, keys))| complete(id, &format!("{day}T00:00:00Z"), *keys)).collect()
    }

    #[test]
    fn the_day_is_rounded_up() {
        // 3 keys in 2 days: the last of 10 goes after 6.67 days.
        let summaries = runs(&[("2025-01-01", 13), ("2025-01-03", 10)]);
        let Forecast::Day(day, slope) = forecast(&summaries) else { panic!("{}", forecast(&summaries)) };
        assert_eq!((day.to_string().as_str(), slope.a_week().to_string()), ("2025-01-10", "10.5".to_owned()));
        // To the day: no more is added.
        let summaries = runs(&[("2025-01-01", 10), ("2025-01-06", 5)]);
        assert!(
            forecast(&summaries).to_string().ends_with("none left by 2025-01-11"),
            "{}",
            forecast(&summaries)
        );
    }

    #[test]
    fn a_slow_fall_is_given_per_year_for_at_most_ten_years() {
        let summaries = runs(&[("2024-01-01", 12), ("2024-12-31", 10)]);
        let text = forecast(&summaries).to_string();
        assert!(text.contains("2 fewer per year") && text.ends_with("none left by 2029-12-30"), "{text}");
        let summaries = runs(&[("2024-01-01", 30), ("2024-12-31", 28)]);
        assert!(
            forecast(&summaries).to_string().ends_with("keys remain for more than ten years"),
            "{}",
            forecast(&summaries)
        );
    }

    #[test]
    fn only_the_last_five_complete_runs_of_the_same_users_count() {
        let mut summaries = runs(&[
            ("2025-01-01", 900),
            ("2025-01-08", 50),
            ("2025-01-15", 40),
            ("2025-01-22", 30),
            ("2025-01-29", 20),
            ("2025-02-05", 10),
        ]);
        let alone = forecast(&summaries);
        assert!(alone.to_string().ends_with("(2 to 6): none left by 2025-02-12"), "{alone}");
        let mut cut_short = complete(7, "2025-02-12T00:00:00Z", 0);
        cut_short.stats.unread = 1;
        let mut of_others = complete(8, "2025-02-01T00:00:00Z", 1);
        of_others.run.settings.sources.clear();
        let of_another_day = complete(9, "2025-02-04T23:59:59Z", 20);
        let same_day = complete(5, "2025-01-29T00:00:00Z", 20);
        summaries.extend([cut_short, of_others, same_day]);
        assert_eq!(forecast(&summaries), alone);
        summaries.push(of_another_day);
        assert_ne!(forecast(&summaries), alone, "and a complete run of another day does");
    }

    #[test]
    fn without_a_slope_there_is_a_reason() {
        for (summaries, why) in [
            (runs(&[]), "no forecast: there is no complete run"),
            (
                runs(&[("2025-01-01", 5)]),
                "no forecast: complete runs of the same users on at least two days are needed",
            ),
            (
                runs(&[("2025-01-01", 9), ("2025-01-01", 5)]),
                "no forecast: complete runs of the same users on at least two days are needed",
            ),
            (
                runs(&[("2025-01-01", 5), ("2025-01-02", 5)]),
                "no forecast: the number of keys did not decrease over the last 2 complete runs: 5 on 2025-01-01, 5 on 2025-01-02",
            ),
            (runs(&[("2025-01-01", 5), ("2025-01-02", 0)]), "no keys left: run 2 of 2025-01-02 found none"),
        ] {
            assert_eq!(forecast(&summaries).to_string(), why);
        }
    }

    proptest::proptest! {
        /// Of two runs the line goes through both: what is left is gone after as many of its steps as it has.
        #[test]
        fn the_day_of_two_runs_follows_the_rule_of_three(
            days in 1_i64..400, fewer in 1_u64..500, left in 1_u64..500,
        ) {
            let first = complete(1, "2020-01-01T00:00:00Z", left + fewer);
            let mut last = complete(2, "2020-01-01T00:00:00Z", left);
            last.run.started_at += chrono::TimeDelta::days(days);
            let needed = (left * days.cast_unsigned()).div_ceil(fewer);
            let expected = last.run.started_at + chrono::TimeDelta::days(needed.cast_signed());
            match forecast(&[first, last]) {
                Forecast::Day(day, _) => proptest::prop_assert_eq!(day, expected.date_naive()),
                Forecast::Beyond(_) => proptest::prop_assert!(needed > 3653),
                other => proptest::prop_assert!(false, "{}", other),
            }
        }
    }
}
