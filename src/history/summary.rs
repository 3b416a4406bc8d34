//! The results of each run, in the order of the runs.

use std::cmp::Reverse;

use chrono::{DateTime, NaiveDate, Utc};

use crate::policy::{Policy, Verdict};
use crate::store::{Error, Run, Store};

/// A run and its results.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunSummary {
    pub run: Run,
    /// The cutoff by which uses were counted.
    pub cutoff: DateTime<Utc>,
    pub stats: RunStats,
    /// Keys more (or fewer) than in the last complete run before it that asked for the same users; `None` where this one is
    /// incomplete or there is no such run.
    pub change: Option<i64>,
}

/// The numbers of a run, as far as it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RunStats {
    /// All users who were to be read.
    pub users: u64,
    /// Users of whom something is unknown, those among them who were never asked for.
    pub unread: u64,
    /// Lists of users that were not read to their end.
    pub incomplete_lists: u64,
    /// All keys that were seen.
    pub keys: u64,
    /// Those that may still be in force.
    pub enabled: u64,
    /// Those of the verdict `used-after-cutoff`.
    pub used_after_cutoff: u64,
    /// Those of the verdict `usage-unknown`.
    pub usage_unknown: u64,
}

impl RunSummary {
    /// Of one run alone, so that its change is `None`. Uses count by `cutoff`, or by the run's own.
    pub(crate) fn new(store: &Store, run: Run, cutoff: Option<DateTime<Utc>>) -> Result<Self, Error> {
        let cutoff = cutoff.unwrap_or(run.settings.cutoff);
        let stats = RunStats::new(store, &run, cutoff)?;
        Ok(Self { run, cutoff, stats, change: None })
    }

    /// Whether nothing is known to be missing, apart from users who could not be read.
    pub(crate) fn is_whole(&self) -> bool {
        self.run.finished_at.is_some() && self.stats.incomplete_lists == 0
    }

    /// Whether no user can be missing. A run without users proves nothing.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_whole() && self.stats.unread == 0 && self.stats.users > 0
    }

    /// When it started, in UTC.
    pub(crate) fn day(&self) -> NaiveDate {
        self.run.started_at.date_naive()
    }

    /// What is missing, in a few words; `None` where nothing is.
    pub(crate) fn missing(&self) -> Option<String> {
        let RunStats { users, unread, incomplete_lists, .. } = self.stats;
        let mut what = Vec::new();
        if self.run.finished_at.is_none() {
            what.push("not finished".to_owned());
        }
        if incomplete_lists > 0 {
            what.push(counted(incomplete_lists, "incomplete list"));
        }
        if unread > 0 {
            what.push(format!("{} not read", counted(unread, "user")));
        }
        if users == 0 {
            what.push("no users requested".to_owned());
        }
        (!what.is_empty()).then(|| what.join(", "))
    }
}

impl RunStats {
    fn new(store: &Store, run: &Run, cutoff: DateTime<Utc>) -> Result<Self, Error> {
        let policy = Policy { now: run.started_at, cutoff, active_within: run.settings.active_within };
        let counts = store.user_counts(run)?;
        let mut stats = Self {
            users: counts.requested,
            unread: counts.requested - counts.complete,
            incomplete_lists: store.incomplete_lists(run)?.len() as u64,
            ..Self::default()
        };
        store.key_usages(run, |key| {
            stats.keys += 1;
            stats.enabled += u64::from(key.is_enabled());
            match policy.verdict(key) {
                Verdict::UsedAfterCutoff => stats.used_after_cutoff += 1,
                Verdict::UsageUnknown => stats.usage_unknown += 1,
                Verdict::NotUsedSinceCutoff | Verdict::NeverUsed => {}
            }
        })?;
        Ok(stats)
    }
}

/// A number and what it counts, in the plural where there is not one.
pub(super) fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Every run of a deployment, oldest first.
pub(crate) fn summaries(
    store: &Store,
    deployment: &str,
    cutoff: Option<DateTime<Utc>>,
) -> Result<Vec<RunSummary>, Error> {
    let mut summaries: Vec<RunSummary> = Vec::new();
    for run in store.runs()?.into_iter().rev().filter(|run| run.deployment == deployment) {
        let summary = RunSummary::new(store, run, cutoff)?;
        let change = change(&summaries, &summary);
        summaries.push(RunSummary { change, ..summary });
    }
    Ok(summaries)
}

/// Of the complete runs that asked for the same users as the newest, the last of each day, oldest first: a run of one user says
/// nothing about the others.
pub(super) fn comparable(summaries: &[RunSummary]) -> Vec<&RunSummary> {
    let Some(newest) = newest(summaries) else { return Vec::new() };
    let is_comparable = |summary: &&RunSummary| summary.is_complete() && summary.run.asks_as(&newest.run);
    let mut comparable: Vec<_> = summaries.iter().filter(is_comparable).collect();
    comparable.sort_by_key(|summary| Reverse((summary.run.started_at, summary.run.id)));
    comparable.dedup_by_key(|summary| summary.day());
    comparable.reverse();
    comparable
}

/// The run that started last.
pub(super) fn newest(summaries: &[RunSummary]) -> Option<&RunSummary> {
    summaries.iter().max_by_key(|summary| (summary.run.started_at, summary.run.id))
}

fn change(earlier: &[RunSummary], summary: &RunSummary) -> Option<i64> {
    let last = earlier.iter().rfind(|earlier| earlier.is_complete() && earlier.run.asks_as(&summary.run))?;
    summary.is_complete().then(|| summary.stats.keys.cast_signed() - last.stats.keys.cast_signed())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Product;
    use crate::v1::{RequestSettings, RunSettings};

    /// A complete run of one user with so many keys.
    pub(in crate::history) fn complete(id: i64, started_at: &str, keys: u64) -> RunSummary {
        let started_at = started_at.parse().unwrap();
        let settings = RunSettings {
            sources: vec!["all organizations".to_owned()],
            lists: Vec::new(),
            cutoff: DateTime::UNIX_EPOCH,
            active_within: 90,
            requests: RequestSettings::none(),
        };
        let run = Run {
            id,
            deployment: "prod".to_owned(),
            address: String::new(),
            product: Product::OpsManager,
            service_version: None,
            credential: String::new(),
            clock_skew: None,
            started_at,
            finished_at: Some(started_at),
            reported: true,
            tool_version: String::new(),
            has_organizations: false,
            settings,
        };
        let stats = RunStats { users: 1, keys, ..RunStats::default() };
        RunSummary { run, cutoff: DateTime::UNIX_EPOCH, stats, change: None }
    }

    #[test]
    fn anything_missing_makes_a_run_incomplete() {
        let whole = complete(1, "2025-01-01T00:00:00Z", 3);
        assert_eq!((whole.is_complete(), whole.missing()), (true, None));
        let without = |change: fn(&mut RunSummary)| {
            let mut summary = whole.clone();
            change(&mut summary);
            (summary.is_complete(), summary.missing().unwrap())
        };
        let incomplete = |what: &str| (false, what.to_owned());
        assert_eq!(without(|it| it.run.finished_at = None), incomplete("not finished"));
        assert_eq!(without(|it| it.stats.incomplete_lists = 1), incomplete("1 incomplete list"));
        assert_eq!(without(|it| it.stats.unread = 2), incomplete("2 users not read"));
        assert_eq!(without(|it| it.stats.users = 0), incomplete("no users requested"));
    }

    #[test]
    fn a_change_is_counted_from_the_last_comparable_run() {
        let first = complete(1, "2025-01-01T00:00:00Z", 10);
        let mut cut_short = complete(2, "2025-01-02T00:00:00Z", 1);
        cut_short.run.finished_at = None;
        let mut of_others = complete(3, "2025-01-03T00:00:00Z", 2);
        of_others.run.settings.sources = vec!["user ann".to_owned()];
        let next = complete(4, "2025-01-04T00:00:00Z", 7);
        let before = [first, cut_short, of_others];
        assert_eq!(change(&before, &next), Some(-3));
        assert_eq!(change(&before[..1], &before[1]), None, "incomplete");
        assert_eq!(change(&before[..2], &before[2]), None, "other users");
    }
}
