//! A deployment that is down in the middle of a run: everything is held until it answers again, and no user is lost for it.
//!
//! One failure says nothing: it may be one request's own. So after several in a row, one request asks for something that
//! worked before while the others wait; only if that fails as well is it an outage.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{RwLock, RwLockWriteGuard};
use tokio::time::Instant;

/// After so many failures in a row, of whichever requests, it is looked into.
const FAILURES_IN_A_ROW: u32 = 4;
/// Between two probes, at first; then twice as much each time.
const FIRST_INTERVAL: Duration = Duration::from_millis(250);
const MAX_INTERVAL: Duration = Duration::from_secs(5);

/// Whether the deployment is down, as far as its requests know.
pub(super) struct Outage {
    /// For how long it may be down; zero where nobody waits.
    patience: Duration,
    failures: AtomicU32,
    /// Outages so far.
    ended: AtomicU64,
    /// Written by the request that probes; all others wait meanwhile.
    gate: RwLock<()>,
}

/// What a request was sent under.
#[derive(Clone, Copy)]
pub(super) struct Passage(u64);

/// What to do about a failure.
pub(super) enum Verdict<'a> {
    /// It is the request's own.
    OwnFailure,
    /// There was an outage, and it has ended.
    Ended,
    /// It is this request's turn to find out.
    Probe(RwLockWriteGuard<'a, ()>),
}

impl Outage {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, failures: AtomicU32::new(0), ended: AtomicU64::new(0), gate: RwLock::new(()) }
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Returns when requests may be sent.
    pub(super) async fn pass(&self) -> Passage {
        drop(self.gate.read().await);
        Passage(self.ended.load(Ordering::Relaxed))
    }

    /// Something answered.
    pub(super) fn answered(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Nothing did, or only that it can't now.
    pub(super) async fn failed(&self, passage: Passage) -> Verdict<'_> {
        if self.patience.is_zero() || self.failures.fetch_add(1, Ordering::Relaxed) + 1 < FAILURES_IN_A_ROW {
            return Verdict::OwnFailure;
        }
        let gate = self.gate.write().await;
        if self.ended.load(Ordering::Relaxed) > passage.0 {
            return Verdict::Ended;
        }
        if self.failures.load(Ordering::Relaxed) < FAILURES_IN_A_ROW {
            return Verdict::OwnFailure;
        }
        Verdict::Probe(gate)
    }

    /// The deployment answers again.
    pub(super) fn end(&self) {
        self.answered();
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// The times of the probes of one outage.
pub(super) struct Probes {
    began: Instant,
    patience: Duration,
    interval: Duration,
}

impl Probes {
    pub(super) fn new(patience: Duration) -> Self {
        Self { began: Instant::now(), patience, interval: FIRST_INTERVAL }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns when it is time for the next; `false` where patience ends before.
    pub(super) async fn next(&mut self) -> bool {
        let Some(wait) = self.wait(self.elapsed()) else { return false };
        tokio::time::sleep(wait).await;
        true
    }

    /// How long to wait for the next after so long; `None` where patience has ended.
    fn wait(&mut self, elapsed: Duration) -> Option<Duration> {
        let left = self.patience.checked_sub(elapsed).filter(|left| !left.is_zero())?;
        let wait = self.interval.min(left);
        self.interval = (self.interval * 2).min(MAX_INTERVAL);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_few_failures_are_the_requests_own_and_an_answer_forgives_them() {
        let outage = Outage::new(Duration::from_secs(300));
        let passage = outage.pass().await;
        for _ in 1..FAILURES_IN_A_ROW {
            assert!(matches!(outage.failed(passage).await, Verdict::OwnFailure));
        }
        outage.answered();
        assert!(matches!(outage.failed(passage).await, Verdict::OwnFailure));
    }

    #[tokio::test]
    async fn in_an_outage_one_request_probes_and_all_others_wait_for_its_end() {
        let outage = Outage::new(Duration::from_secs(300));
        let passage = outage.pass().await;
        for _ in 1..FAILURES_IN_A_ROW {
            let _ = outage.failed(passage).await;
        }
        let Verdict::Probe(gate) = outage.failed(passage).await else { panic!("several in a row") };
        let (mut new, mut in_flight) = (Box::pin(outage.pass()), Box::pin(outage.failed(passage)));
        assert!(futures::poll!(&mut new).is_pending() && futures::poll!(&mut in_flight).is_pending());
        outage.end();
        drop(gate);
        new.await;
        assert!(matches!(in_flight.await, Verdict::Ended), "it lost no attempt");
    }

    #[test]
    fn probes_come_more_and_more_rarely_until_patience_ends() {
        let mut probes = Probes::new(Duration::from_secs(300));
        let (mut elapsed, mut count) = (Duration::ZERO, 0);
        while let Some(wait) = probes.wait(elapsed) {
            (elapsed, count) = (elapsed + wait, count + 1);
        }
        assert_eq!((elapsed, count), (Duration::from_secs(300), 64));
    }
}
