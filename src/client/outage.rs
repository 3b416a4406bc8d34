//! A deployment that is down in the middle of a run: everything is held until it answers again, and no user is lost for it.
//!
//! One failure says nothing: it may be one request's own. So after several in a row, one request asks for something that
//! worked before while the others wait; only if that fails as well is it an outage.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{RwLock, RwLockWriteGuard, watch};
use tokio::time::Instant;
use url::Url;

use super::Client;
use super::digest::DigestSession;
use super::request::{Attempt, unavailability};
use crate::console::{duration, warn};
use crate::exit::{Error, Signal};

/// After so many failures in a row, of whichever requests, and so long, it is looked into. A gateway that refuses what is
/// too fast lets some through meanwhile.
const FAILURES_IN_A_ROW: u32 = 4;
const SHORTEST_ROW: Duration = Duration::from_millis(100);
/// Between two probes, at first; then twice as much each time.
const FIRST_INTERVAL: Duration = Duration::from_millis(50);
const MAX_INTERVAL: Duration = Duration::from_secs(5);
/// What is over sooner is not worth a warning: a gateway that refuses what is too fast looks like that.
const SHORT_OUTAGE: Duration = Duration::from_millis(250);

/// Whether the deployment is down, as far as its requests know.
pub(super) struct Outage {
    /// For how long it may be down; zero where no request waits.
    patience: Duration,
    failures: watch::Sender<FailuresInARow>,
    /// Outages so far.
    ended: AtomicU64,
    /// Written by the request that probes; all others wait meanwhile.
    gate: RwLock<()>,
}

#[derive(Default)]
struct FailuresInARow {
    count: u32,
    /// When the first of them was sent: an answer to what was sent before says nothing about the time since.
    since: Option<Instant>,
    /// How many such rows have ended, each by an answer.
    ended: u64,
    /// Requests sent, and neither answered nor failed yet.
    in_flight: usize,
}

/// One request in flight.
pub(super) struct Passage<'a> {
    outage: &'a Outage,
    /// Outages that had ended before it was sent.
    ended: u64,
    sent: Instant,
}

/// What to do about a failure.
enum Verdict<'a> {
    /// It is the request's own.
    OwnFailure,
    /// There was an outage, and it has ended.
    Ended,
    /// It is this request's turn to find out.
    Probe(RwLockWriteGuard<'a, ()>),
}

impl Outage {
    pub(super) fn new(patience: Duration) -> Self {
        let (failures, _) = watch::channel(FailuresInARow::default());
        Self { patience, failures, ended: AtomicU64::new(0), gate: RwLock::new(()) }
    }

    /// Returns when requests may be sent.
    pub(super) async fn pass(&self) -> Passage<'_> {
        drop(self.gate.read().await);
        self.failures.send_if_modified(|failures| {
            failures.in_flight += 1;
            false
        });
        Passage { outage: self, ended: self.ended(), sent: Instant::now() }
    }

    fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// A request sent at `sent` was answered.
    fn answered(&self, sent: Instant) {
        self.failures.send_if_modified(|failures| {
            let ends = failures.since.is_some_and(|since| since <= sent);
            if ends {
                (failures.count, failures.since) = (0, None);
                failures.ended += 1;
            }
            ends
        });
    }

    /// A request got no answer, or only that there is none now. Returns when it is clear what that means: by the next
    /// answer, by several failures in a row, or because nothing else is in flight.
    async fn failed(&self, passage: Passage<'_>) -> Verdict<'_> {
        if self.patience.is_zero() {
            return Verdict::OwnFailure;
        }
        let mut failures = self.failures.subscribe();
        let (sent, before) = (passage.sent, passage.ended);
        drop(passage);
        let mut row = 0;
        self.failures.send_modify(|failures| {
            failures.count += 1;
            failures.since.get_or_insert(sent);
            row = failures.ended;
        });
        // Others may be sent in its place.
        tokio::task::yield_now().await;
        let is_clear = |failures: &FailuresInARow| failures.ended > row || failures.in_flight == 0;
        let is_row = |failures: &FailuresInARow| failures.count >= FAILURES_IN_A_ROW;
        // The sender lives as long as this.
        let _ = failures.wait_for(|failures| is_clear(failures) || is_row(failures)).await;
        let _ = tokio::time::timeout(SHORTEST_ROW, failures.wait_for(is_clear)).await;
        let gate = self.gate.write().await;
        if self.ended() > before {
            return Verdict::Ended;
        }
        if self.failures.borrow().ended > row {
            return Verdict::OwnFailure;
        }
        Verdict::Probe(gate)
    }

    /// The deployment answers again.
    fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.answered(Instant::now());
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.outage.failures.send_if_modified(|failures| {
            failures.in_flight -= 1;
            failures.in_flight == 0
        });
    }
}

impl Client {
    /// Whether nothing but an outage was wrong with an attempt; then it has ended meanwhile.
    ///
    /// # Errors
    /// It lasts longer than patience.
    pub(super) async fn is_lost_to_outage(
        &self,
        session: &DigestSession,
        url: &Url,
        passage: Passage<'_>,
        attempt: &Attempt,
    ) -> Result<bool, Error> {
        if unavailability(attempt).is_none() {
            self.outage.answered(passage.sent);
            return Ok(false);
        }
        // Without an earlier answer an outage looks like one request's own failure.
        let Some(worked) = session.worked().filter(|_| self.has_answered()) else { return Ok(false) };
        let _waiting = self.waiting.enter();
        let _gate = match self.outage.failed(passage).await {
            Verdict::OwnFailure => return Ok(false),
            Verdict::Ended => return Ok(true),
            Verdict::Probe(gate) => gate,
        };
        let (origin, patience) = (url.origin().ascii_serialization(), self.outage.patience);
        let mut probes = Probes::new(patience);
        let (mut was_down, mut is_reported) = (false, false);
        loop {
            let probe = self.follow(session, &worked).await.and_then(|response| self.interpret(response));
            let Some(why) = unavailability(&probe) else { break };
            was_down = true;
            if !is_reported && probes.elapsed() >= SHORT_OUTAGE {
                let longest = duration(patience);
                warn(&format!("{origin} is down: {why}; waiting up to {longest} (--patience)"), None);
                is_reported = true;
            }
            if !probes.next().await {
                let why = format!("{origin} was down for {}: {why}", duration(patience));
                return Err(Error::interrupted(Signal::Interrupt, why));
            }
        }
        if is_reported {
            let lasted = duration(probes.elapsed());
            warn(&format!("{origin} responds again after {lasted}; the run continues"), None);
            self.rate_limiter.forget_refusals();
        }
        if was_down {
            self.outage.end();
        } else {
            self.outage.answered(Instant::now());
        }
        Ok(was_down)
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

    const PATIENCE: Duration = Duration::from_secs(300);

    #[tokio::test]
    async fn a_failure_is_the_requests_own_once_what_was_sent_later_is_answered() {
        let outage = Outage::new(PATIENCE);
        let (before, passage, after) = (outage.pass().await, outage.pass().await, outage.pass().await);
        let mut failed = Box::pin(outage.failed(passage));
        assert!(futures::poll!(&mut failed).is_pending() && futures::poll!(&mut failed).is_pending());
        outage.answered(before.sent);
        drop(before);
        assert!(futures::poll!(&mut failed).is_pending(), "that was sent before");
        outage.answered(after.sent);
        assert!(matches!(failed.await, Verdict::OwnFailure));
        drop(after);
        let alone = outage.pass().await;
        assert!(matches!(outage.failed(alone).await, Verdict::Probe(_)), "nothing else is in flight");
    }

    #[tokio::test]
    async fn in_an_outage_one_request_probes_and_all_others_wait_for_its_end() {
        let outage = Outage::new(PATIENCE);
        let in_flight = outage.pass().await;
        let mut failed = Vec::new();
        for _ in 0..FAILURES_IN_A_ROW {
            let mut failure = Box::pin(outage.failed(outage.pass().await));
            assert!(futures::poll!(&mut failure).is_pending(), "others may be sent first");
            failed.push(failure);
        }
        let Verdict::Probe(gate) = failed.remove(0).await else { panic!("several in a row") };
        let mut new = Box::pin(outage.pass());
        assert!(futures::poll!(&mut new).is_pending());
        assert!(futures::poll!(&mut failed[0]).is_pending());
        outage.end();
        drop((gate, in_flight));
        new.await;
        for failure in failed {
            assert!(matches!(failure.await, Verdict::Ended), "it lost no attempt");
        }
    }

    #[test]
    fn probes_come_more_and_more_rarely_until_patience_ends() {
        let mut probes = Probes::new(Duration::from_secs(300));
        let (mut elapsed, mut count) = (Duration::ZERO, 0);
        while let Some(wait) = probes.wait(elapsed) {
            (elapsed, count) = (elapsed + wait, count + 1);
        }
        assert_eq!((elapsed, count), (Duration::from_secs(300), 66));
    }
}
