//! How many requests may be in flight. An old Ops Manager must not be pushed over by an audit, so the limit starts low and
//! follows what the deployment can take.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The limit at first; more, once it is seen how the deployment takes it.
const INITIAL: usize = 4;

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
    Normal(Duration),
    /// It has more to do than it can: 429, 503, a timeout.
    Overloaded,
    /// The request says nothing about it.
    Unknown,
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
            Load::Normal(latency) if limit.record(latency) => {
                tracing::info!("concurrency up to {}", limit.limit);
                if limit.excess > 0 {
                    limit.excess -= 1;
                } else {
                    self.concurrency.permits.add_permits(1);
                }
            }
            Load::Overloaded => {
                let before = limit.limit;
                if limit.reduce(self.acquired, Instant::now()) {
                    tracing::info!(
                        "concurrency down from {before} to {}: the deployment is overloaded",
                        limit.limit
                    );
                }
            }
            Load::Normal(_) | Load::Unknown => {}
        }
        // Permits in use can't be taken away; they are kept back as they are returned.
        if limit.excess > 0 {
            limit.excess -= 1;
            self.inner.forget();
        }
    }
}

/// One more after a round of answers as fast as before, half as many at overload.
struct AdaptiveLimit {
    limit: usize,
    max: usize,
    /// Permits still out that the limit no longer covers.
    excess: usize,
    /// Since the limit last changed, or did not although it might.
    answers: usize,
    /// Of answers, smoothed; and the least of it ever seen.
    latency: Option<Duration>,
    least_latency: Duration,
    /// A request sent before says nothing about the limit after it.
    reduced: Instant,
}

impl AdaptiveLimit {
    fn new(max: usize, now: Instant) -> Self {
        Self {
            limit: max.min(INITIAL),
            max,
            excess: 0,
            answers: 0,
            latency: None,
            least_latency: Duration::MAX,
            reduced: now,
        }
    }

    /// Takes the latency of an answer in; whether the limit rose.
    fn record(&mut self, latency: Duration) -> bool {
        let smoothed = self.latency.map_or(latency, |before| (before * 7 + latency) / 8);
        self.latency = Some(smoothed);
        self.least_latency = self.least_latency.min(smoothed);
        self.answers += 1;
        if self.answers < self.limit || self.limit == self.max {
            return false;
        }
        self.answers = 0;
        let is_steady = smoothed <= self.least_latency * 2 + Duration::from_millis(10);
        self.limit += usize::from(is_steady);
        is_steady
    }

    /// Takes an overload in, seen by a request sent at `sent`; whether the limit fell.
    fn reduce(&mut self, sent: Instant, now: Instant) -> bool {
        if sent < self.reduced || self.limit == 1 {
            return false;
        }
        let half = (self.limit / 2).max(1);
        self.excess += self.limit - half;
        self.limit = half;
        self.answers = 0;
        self.reduced = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn concurrency_rises_by_one_a_round_while_latency_is_steady() {
        let mut limit = AdaptiveLimit::new(6, Instant::now());
        let mut rises = Vec::new();
        for answer in 1..=20 {
            if limit.record(MILLISECOND) {
                rises.push((answer, limit.limit));
            }
        }
        assert_eq!(
            rises,
            [(4, 5), (9, 6)],
            "a round is as many answers as may be in flight, and 6 is the most"
        );
        let mut slow = AdaptiveLimit::new(6, Instant::now());
        slow.record(MILLISECOND);
        assert!(
            (0..100).all(|_| !slow.record(Duration::from_secs(1))),
            "not while answers take longer and longer"
        );
    }

    #[test]
    fn concurrency_halves_once_for_all_requests_in_flight() {
        let start = Instant::now();
        let mut limit = AdaptiveLimit::new(4, start);
        assert!(limit.reduce(start, start + MILLISECOND));
        assert_eq!((limit.limit, limit.excess), (2, 2));
        assert!(!limit.reduce(start, start + 2 * MILLISECOND), "sent before the cut");
        assert!(limit.reduce(start + 2 * MILLISECOND, start + 3 * MILLISECOND));
        assert!(!limit.reduce(start + 4 * MILLISECOND, start + 5 * MILLISECOND));
        assert_eq!(limit.limit, 1);
    }
}
