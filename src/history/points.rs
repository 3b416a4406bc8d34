//! What each run came to, in the order of the runs.

use chrono::{DateTime, Utc};

use crate::store::{Error, Run, RunStats, Store};

/// A run, and what it came to.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// What was asked.
    pub run: Run,
    /// The cutoff by which uses were counted.
    pub cutoff: DateTime<Utc>,
    /// What came of it.
    pub tally: RunStats,
    /// Keys more (or fewer) than in the last complete run before it that asked for the same users; `None` where this one is
    /// incomplete or there is no such run.
    pub change: Option<i64>,
}

impl RunSummary {
    /// Whether nothing is known to be missing, apart from users who could not be read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.run.finished_at.is_some() && self.tally.gaps == 0
    }

    /// Whether nobody can have been missed. A run of nobody proves nothing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_whole() && self.tally.unread == 0 && self.tally.users > 0
    }

    /// What is missing, in a few words; `None` where nothing is.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let RunStats { users, unread, gaps, .. } = self.tally;
        let mut what = Vec::new();
        if self.run.finished_at.is_none() {
            what.push("not finished".to_owned());
        }
        if gaps > 0 {
            what.push(format!("{} not listed to the end", counted(gaps, "list")));
        }
        if unread > 0 {
            what.push(format!("{} not read", counted(unread, "user")));
        }
        if users == 0 {
            what.push("nobody asked for".to_owned());
        }
        (!what.is_empty()).then(|| what.join(", "))
    }

    /// Whether both asked for the same: the same organizations, projects, lists and users. What a list of users held is not
    /// looked at, since people come and go.
    #[must_use]
    pub fn asks_as(&self, other: &Self) -> bool {
        self.run.settings.sources == other.run.settings.sources
    }
}

/// A number and what it counts, in the plural where there is not one.
pub(super) fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// One run by itself: nothing is said of its change. Uses count by `cutoff`, or by the run's own.
///
/// # Errors
/// What SQLite says.
pub fn point(store: &Store, run: Run, cutoff: Option<DateTime<Utc>>) -> Result<RunSummary, Error> {
    let cutoff = cutoff.unwrap_or(run.settings.cutoff);
    let tally = store.tally(&run, cutoff)?;
    Ok(RunSummary { run, cutoff, tally, change: None })
}

/// Every run of a deployment, oldest first.
///
/// # Errors
/// What SQLite says.
pub fn points(
    store: &Store,
    deployment: &str,
    cutoff: Option<DateTime<Utc>>,
) -> Result<Vec<RunSummary>, Error> {
    let runs = store.runs()?.into_iter().rev().map(|(run, _)| run);
    let of_it = runs.filter(|run| run.deployment == deployment);
    let mut points = of_it.map(|run| point(store, run, cutoff)).collect::<Result<Vec<_>, _>>()?;
    for at in 0..points.len() {
        let (before, rest) = points.split_at_mut(at);
        rest[0].change = change(before, &rest[0]);
    }
    Ok(points)
}

fn change(before: &[RunSummary], point: &RunSummary) -> Option<i64> {
    let last = before.iter().rfind(|earlier| earlier.is_complete() && earlier.asks_as(point))?;
    point.is_complete().then(|| point.tally.keys.cast_signed() - last.tally.keys.cast_signed())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Product;
    use crate::store::RunSettings;

    /// A complete run of one user with so many keys.
    pub(in crate::history) fn complete(id: i64, started_at: &str, keys: u64) -> RunSummary {
        let started_at = started_at.parse().unwrap();
        let settings = RunSettings {
            sources: vec!["all organizations".to_owned()],
            lists: Vec::new(),
            cutoff: DateTime::UNIX_EPOCH,
            active_within: 90,
            concurrency: 1,
            rate: None,
            timeout: 30,
            retries: 0,
            certificates_not_verified: false,
            in_the_clear: false,
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
            tool_version: String::new(),
            settings,
        };
        let tally = RunStats { users: 1, keys, ..RunStats::default() };
        RunSummary { run, cutoff: DateTime::UNIX_EPOCH, tally, change: None }
    }

    #[test]
    fn what_is_missing_makes_a_run_incomplete() {
        let whole = complete(1, "2025-01-01T00:00:00Z", 3);
        assert_eq!((whole.is_complete(), whole.missing()), (true, None));
        let without = |change: fn(&mut RunSummary)| {
            let mut point = whole.clone();
            change(&mut point);
            (point.is_complete(), point.missing().unwrap())
        };
        let told = |what: &str| (false, what.to_owned());
        assert_eq!(without(|it| it.run.finished_at = None), told("not finished"));
        assert_eq!(without(|it| it.tally.gaps = 1), told("1 list not listed to the end"));
        assert_eq!(without(|it| it.tally.unread = 2), told("2 users not read"));
        assert_eq!(without(|it| it.tally.users = 0), told("nobody asked for"));
    }

    #[test]
    fn a_change_is_counted_from_the_last_complete_run_that_asked_for_the_same() {
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
