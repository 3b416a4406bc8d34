//! The burn-down for a report: the complete runs up to one, ready for a template.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::summary::{comparable, newest};
use super::{Forecast, RunStats, RunSummary, forecast};
use crate::store::{Error, Run, Store};

/// Days in it.
const SHOWN: usize = 30;
/// Runs that are counted again for it, since each costs a look at all of its keys.
const COUNTED: usize = 60;

/// What a template needs to draw it: three lists of the same length, oldest first, one place a day with a complete run: of
/// several the last, as in the forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BurnDown {
    /// The numbers of the runs.
    pub runs: Vec<i64>,
    /// The days on which they started, no two the same. No foreign text: digits and `-`.
    pub days: Vec<String>,
    /// Keys left.
    pub keys: Vec<u64>,
    /// Those of them that were used after the cutoff.
    pub used_after_cutoff: Vec<u64>,
    /// When no key is left, or why that is unknown, in a sentence with the arithmetic.
    pub forecast: String,
    /// The day on which no key is left by that forecast, if it has one.
    pub none_left: Option<NaiveDate>,
    /// Of the last 60 runs those that are left out because they were incomplete.
    pub incomplete: usize,
    /// Likewise because they asked for other users.
    pub of_others: usize,
}

impl BurnDown {
    /// From the runs of one deployment, oldest first. The last one says which users it is of.
    pub(crate) fn new(summaries: &[RunSummary]) -> Self {
        let by_day = comparable(summaries);
        let shown = &by_day[by_day.len().saturating_sub(SHOWN)..];
        let newest = newest(summaries);
        let is_alike = |summary: &&RunSummary| newest.is_some_and(|newest| summary.run.asks_as(&newest.run));
        let alike: Vec<_> = summaries.iter().filter(is_alike).collect();
        let forecast = forecast(summaries);
        Self {
            runs: shown.iter().map(|summary| summary.run.id).collect(),
            days: shown.iter().map(|summary| summary.day().to_string()).collect(),
            keys: shown.iter().map(|summary| summary.stats.keys).collect(),
            used_after_cutoff: shown.iter().map(|summary| summary.stats.used_after_cutoff).collect(),
            forecast: forecast.to_string(),
            none_left: match forecast {
                Forecast::Day(day, _) => Some(day),
                Forecast::Reached { .. } | Forecast::Beyond(_) | Forecast::None(_) => None,
            },
            incomplete: alike.iter().filter(|summary| !summary.is_complete()).count(),
            of_others: summaries.len() - alike.len(),
        }
    }
}

/// Of the last runs of the same deployment up to `run`, so that a report of an old run does not change with the runs after
/// it. Uses count by `cutoff`. `stats` are those of `run`, which the report has counted.
pub(crate) fn burn_down(
    store: &Store,
    run: &Run,
    cutoff: DateTime<Utc>,
    stats: RunStats,
) -> Result<BurnDown, Error> {
    let runs = store.runs()?.into_iter();
    let before = runs.filter(|it| it.deployment == run.deployment && it.id < run.id);
    let before = before.take(COUNTED - 1).map(|it| RunSummary::new(store, it, Some(cutoff)));
    let mut summaries = before.collect::<Result<Vec<_>, _>>()?;
    summaries.reverse();
    summaries.push(RunSummary { run: run.clone(), cutoff, stats, change: None });
    Ok(BurnDown::new(&summaries))
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::complete;
    use super::*;

    #[test]
    fn the_chart_has_the_last_complete_run_of_each_day() {
        let mut cut_short = complete(3, "2025-01-03T00:00:00Z", 1);
        cut_short.run.finished_at = None;
        let mut of_others = complete(4, "2025-01-04T00:00:00Z", 2);
        of_others.run.settings.sources.clear();
        let drawn = BurnDown::new(&[
            complete(1, "2025-01-01T08:00:00Z", 9),
            complete(2, "2025-01-01T09:00:00Z", 8),
            cut_short,
            of_others,
            complete(5, "2025-01-05T09:00:00Z", 4),
        ]);
        assert_eq!(drawn.days, ["2025-01-01", "2025-01-05"]);
        assert_eq!((drawn.runs, drawn.keys), (vec![2, 5], vec![8, 4]));
        assert_eq!((drawn.incomplete, drawn.of_others), (1, 1));
        assert!(drawn.forecast.ends_with("none left by 2025-01-10"), "{}", drawn.forecast);
        assert_eq!(drawn.none_left, NaiveDate::from_ymd_opt(2025, 1, 10));
    }
}
