//! How many requests may be in flight. An old Ops Manager must not be pushed over by an audit, so the limit starts low and
//! follows what the deployment can take.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The limit at first; more, once it is seen how the deployment takes it.
const INITIAL: usize = 64;
/// The limit falls once in such a time: how many requests a deployment takes in a second is for the rate limiter to learn,
/// which must see what comes through.
const REDUCED_FOR: Duration = Duration::from_millis(500);
/// The fewest answers from which a share of refusals is concluded.
const SHORTEST_ROUND: usize = 8;

/// The limit of one deployment.
pub(super) struct ConcurrencyLimit {
    permits: Semaphore,
    limit: Mutex<AdaptiveLimit>,
}

/// The permission to have one request in flight.
pub(super) struct Permit<'a> {
    concurrency: &'a ConcurrencyLimit,
    inner: SemaphorePermit<'a>,
    acquired: Instant,
}

/// How the deployment took a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// It answered, after so long.
    Normal(PathKind, Duration),
    /// It has more to do than it can: 429, 503, a timeout.
    Overloaded,
    /// The request says nothing about it.
    Unknown,
}

/// What a request asks for. Its latency is compared with that of its own kind alone: a page of users takes longer than
/// a user's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathKind {
    Keys,
    UserByName,
    Users,
    Organizations,
    /// The lists of a migration plan, each of which takes its own time.
    Inventory,
}

impl PathKind {
    /// The kind of a path below the base path.
    pub(super) fn from_path(path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        if path.starts_with("users/byName/") {
            Self::UserByName
        } else if path.ends_with("/keys") {
            Self::Keys
        } else if path.ends_with("/users") {
            Self::Users
        } else if path == "orgs" {
            Self::Organizations
        } else {
            Self::Inventory
        }
    }
}

impl ConcurrencyLimit {
    /// At most `max` requests in flight, and fewer while the deployment can't take so many.
    pub(super) fn new(max: NonZeroUsize) -> Self {
        let limit = AdaptiveLimit::new(max.get(), Instant::now());
        Self { permits: Semaphore::new(limit.limit), limit: Mutex::new(limit) }
    }

    /// Returns when one more request may be sent.
    pub(super) async fn acquire(&self) -> Option<Permit<'_>> {
        // The semaphore is never closed.
        let inner = self.permits.acquire().await.ok()?;
        Some(Permit { concurrency: self, inner, acquired: Instant::now() })
    }

    fn limit(&self) -> MutexGuard<'_, AdaptiveLimit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Gives the permit back, and lets the limit rise or fall by what was seen.
    pub(super) fn release(self, load: Load) {
        let mut limit = self.concurrency.limit();
        match load {
            Load::Normal(kind, latency) => {
                let more = limit.record(kind, latency);
                let of_excess = more.min(limit.excess);
                limit.excess -= of_excess;
                self.concurrency.permits.add_permits(more - of_excess);
            }
            Load::Overloaded => limit.refuse(self.acquired, Instant::now()),
            Load::Unknown => {}
        }
        // Permits in use can't be taken away; they are kept back as they are returned.
        if limit.excess > 0 {
            limit.excess -= 1;
            self.inner.forget();
        }
    }
}

/// Doubles with each round of answers until latency rises or half a round is refused; from then on an eighth more after a
/// round as fast as before, half as many after one that is half refused. A few refusals are those of single users: fewer
/// requests would not help them.
struct AdaptiveLimit {
    limit: usize,
    max: usize,
    is_doubling: bool,
    /// Permits still out that the limit no longer covers.
    excess: usize,
    /// The limit when the current round began; a round is as many answers.
    round: usize,
    answers: usize,
    refused: usize,
    /// By the kind of path.
    latencies: [Latency; 5],
    /// A request sent before does not reduce it further.
    reduced_until: Instant,
}

/// The latency of one kind of path.
#[derive(Clone, Copy)]
struct Latency {
    smoothed: Option<Duration>,
    /// The least that it ever was.
    least: Duration,
}

impl Latency {
    /// Takes an answer in; whether the deployment is about as fast as ever.
    fn record(&mut self, latency: Duration) -> bool {
        let smoothed = self.smoothed.map_or(latency, |before| (before * 7 + latency) / 8);
        self.smoothed = Some(smoothed);
        self.least = self.least.min(smoothed);
        smoothed <= self.least * 2 + Duration::from_millis(10)
    }
}

impl AdaptiveLimit {
    fn new(max: usize, now: Instant) -> Self {
        let limit = max.min(INITIAL);
        Self {
            limit,
            max,
            is_doubling: true,
            excess: 0,
            round: limit,
            answers: 0,
            refused: 0,
            latencies: [Latency { smoothed: None, least: Duration::MAX }; 5],
            reduced_until: now,
        }
    }

    /// Takes the latency of an answer in; by how much the limit rose.
    fn record(&mut self, kind: PathKind, latency: Duration) -> usize {
        let is_steady = self.latencies[kind as usize].record(latency);
        self.is_doubling &= is_steady;
        self.answers += 1;
        let is_end =
            self.answers + self.refused >= self.round.max(if self.refused > 0 { SHORTEST_ROUND } else { 0 });
        let step = match (self.is_doubling, is_end) {
            (true, _) => 1,
            (false, true) if is_steady => (self.limit / 8).max(1),
            (false, _) => 0,
        };
        let step = step.min(self.max - self.limit);
        self.limit += step;
        if is_end {
            if self.limit > self.round {
                tracing::info!("concurrency raised to {}", self.limit);
            }
            self.begin_round();
        }
        step
    }

    fn begin_round(&mut self) {
        (self.round, self.answers, self.refused) = (self.limit, 0, 0);
    }

    /// Takes an overload in, seen by a request sent at `sent`.
    fn refuse(&mut self, sent: Instant, now: Instant) {
        if sent < self.reduced_until {
            return;
        }
        self.refused += 1;
        if self.refused * 2 < self.round.max(SHORTEST_ROUND) {
            return;
        }
        let half = (self.limit / 2).max(1);
        if half < self.limit {
            tracing::info!("concurrency lowered from {} to {half}: the deployment is overloaded", self.limit);
        }
        self.excess += self.limit - half;
        self.limit = half;
        self.is_doubling = false;
        self.reduced_until = now + REDUCED_FOR;
        self.begin_round();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    /// The limit after each of so many answers.
    fn limits(limit: &mut AdaptiveLimit, kind: PathKind, latency: Duration, answers: usize) -> Vec<usize> {
        let record = |_| {
            limit.record(kind, latency);
            limit.limit
        };
        (0..answers).map(record).collect()
    }

    #[test]
    fn concurrency_doubles_each_round_until_latency_rises() {
        let mut limit = AdaptiveLimit::new(256, Instant::now());
        let rounds = limits(&mut limit, PathKind::Keys, SECOND, 192);
        assert_eq!([64, 192].map(|answers| rounds[answers - 1]), [128, 256]);
        let mut limit = AdaptiveLimit::new(256, Instant::now());
        limits(&mut limit, PathKind::Keys, MILLISECOND, 8);
        let slow = limits(&mut limit, PathKind::Keys, SECOND, 100);
        assert_eq!(slow, [72; 100], "not while answers take longer");
        let fast = limits(&mut limit, PathKind::Keys, MILLISECOND, 100);
        assert_eq!(fast.last(), Some(&81), "slower from then on: {fast:?}");
    }

    #[test]
    fn a_request_is_judged_by_its_own_kind() {
        let mut limit = AdaptiveLimit::new(256, Instant::now());
        limits(&mut limit, PathKind::Organizations, MILLISECOND, 2);
        limits(&mut limit, PathKind::Users, 10 * MILLISECOND, 2);
        assert_eq!(limits(&mut limit, PathKind::Keys, SECOND, 8).last(), Some(&76));
        for (path, kind) in [
            ("users/5af9a1d29cc0cdb6ac0bf3f8/keys?pageNum=1&itemsPerPage=250", PathKind::Keys),
            ("users/byName/keys", PathKind::UserByName),
            ("orgs/5980000000000000000000aa/users?pageNum=1", PathKind::Users),
            ("orgs?pageNum=1&itemsPerPage=1", PathKind::Organizations),
            ("orgs/5980000000000000000000aa/apiKeys?pageNum=1", PathKind::Inventory),
            ("groups?pageNum=1", PathKind::Inventory),
        ] {
            assert_eq!(PathKind::from_path(path), kind, "{path}");
        }
    }

    #[test]
    fn concurrency_halves_once_where_half_of_a_round_is_refused() {
        let start = Instant::now();
        let mut limit = AdaptiveLimit::new(16, start);
        limits(&mut limit, PathKind::Keys, MILLISECOND, 100);
        for _ in 0..7 {
            limit.refuse(start, start + MILLISECOND);
        }
        assert_eq!(limit.limit, 16);
        limit.refuse(start, start + MILLISECOND);
        assert_eq!((limit.limit, limit.excess), (8, 8));
        for _ in 0..100 {
            limit.refuse(start, start + 2 * MILLISECOND);
        }
        assert_eq!(limit.limit, 8, "sent before the cut");
        for sent in 2..100 {
            limit.refuse(start + sent * SECOND, start + sent * SECOND);
        }
        assert_eq!(limit.limit, 1);
    }

    #[test]
    fn a_share_of_refusals_does_not_reduce_concurrency() {
        let start = Instant::now();
        let mut limit = AdaptiveLimit::new(256, start);
        for request in 0..10_000 {
            if request % 5 == 0 {
                limit.refuse(start + SECOND, start + SECOND);
            } else {
                limit.record(PathKind::Keys, MILLISECOND);
            }
        }
        assert_eq!(limit.limit, 256);
    }
}
