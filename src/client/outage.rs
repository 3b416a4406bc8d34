//! A deployment that is down in the middle of a run, or refuses all requests since they come too fast: everything is held
//! until it answers again, and no user is lost for it.
//!
//! One failure says nothing: it may be one request's own. So after several in a row, one request asks for something that
//! worked before while the others wait; only if that fails as well is it an outage. A gateway may count what it refuses, and
//! continues to refuse until hardly anything is sent.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
/// The same where it says that requests are too fast.
const SHORT_REFUSAL: Duration = Duration::from_secs(5);

/// Whether the deployment is down, as far as its requests know.
pub(super) struct Outage {
    /// For how long it may be down; zero where no request waits.
    patience: Duration,
    failures: watch::Sender<FailuresInARow>,
    /// Outages so far.
    ended: AtomicU64,
    /// Whether there was one that may have been a limit of the rate.
    was_overloaded: AtomicBool,
    /// Written by the request that probes; all others wait meanwhile.
    gate: RwLock<()>,
    /// Why nothing more is tried: patience has ended, and not each request has some of its own.
    given_up: OnceLock<String>,
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

/// Why no request may pass now.
pub(super) enum Unavailability {
    /// The deployment does not answer.
    Down(String),
    /// It is down, or requests are too fast: 503 means either.
    Overloaded(String),
    /// Requests are too fast.
    RateLimited(String),
}

impl Unavailability {
    fn why(&self) -> &str {
        match self {
            Self::Down(why) | Self::Overloaded(why) | Self::RateLimited(why) => why,
        }
    }

    /// What the deployment does, and how long that is not worth a warning.
    fn state(&self) -> (&'static str, Duration) {
        match self {
            Self::Down(_) | Self::Overloaded(_) => ("is down", SHORT_OUTAGE),
            Self::RateLimited(_) => ("refuses all requests (rate limit)", SHORT_REFUSAL),
        }
    }

    fn past_state(&self) -> &'static str {
        match self {
            Self::Down(_) | Self::Overloaded(_) => "was down",
            Self::RateLimited(_) => "refused all requests (rate limit)",
        }
    }
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
        Self {
            patience,
            failures,
            ended: AtomicU64::new(0),
            was_overloaded: AtomicBool::new(false),
            gate: RwLock::new(()),
            given_up: OnceLock::new(),
        }
    }

    /// Returns when there is no outage.
    pub(super) async fn wait_for_end(&self) {
        drop(self.gate.read().await);
    }

    /// Lets a request be sent now; `None` in an outage.
    pub(super) fn pass(&self) -> Option<Passage<'_>> {
        drop(self.gate.try_read().ok()?);
        self.failures.send_if_modified(|failures| {
            failures.in_flight += 1;
            false
        });
        Some(Passage { outage: self, ended: self.ended(), sent: Instant::now() })
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

    /// Whether an outage that ends was a limit of the rate. A second 503 is taken for one: a deployment that was down once
    /// is rarely down again.
    fn is_rate_limit(&self, unavailability: &Unavailability) -> bool {
        match unavailability {
            Unavailability::Down(_) => false,
            Unavailability::Overloaded(_) => self.was_overloaded.swap(true, Ordering::Relaxed),
            Unavailability::RateLimited(_) => true,
        }
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
        match unavailability(attempt) {
            None => {
                self.outage.answered(passage.sent);
                return Ok(false);
            }
            // It says until when.
            Some(Unavailability::RateLimited(_)) if !self.pause_left().is_zero() => return Ok(false),
            Some(_) => {}
        }
        // Without an earlier answer an outage looks like one request's own failure.
        let Some(worked) = session.worked().filter(|_| self.has_answered()) else { return Ok(false) };
        let _waiting = self.waiting.enter();
        let _gate = match self.outage.failed(passage).await {
            Verdict::OwnFailure => return Ok(false),
            Verdict::Ended => return Ok(true),
            Verdict::Probe(gate) => gate,
        };
        let given_up = |why: &String| Err(Error::interrupted(Signal::Interrupt, why.clone()));
        if let Some(why) = self.outage.given_up.get() {
            return given_up(why);
        }
        let (origin, patience) = (url.origin().ascii_serialization(), self.outage.patience);
        let mut probes = Probes::new(patience);
        let (mut last, mut is_reported, mut failures) = (None, false, self.outage.failures.borrow().count);
        loop {
            let probe = Box::pin(self.follow(session, &worked)).await;
            let probe = probe.and_then(|response| self.interpret(response));
            let Some(unavailability) = unavailability(&probe) else { break };
            let (why, (state, short)) = (unavailability.why(), unavailability.state());
            if !is_reported && probes.elapsed() >= short {
                let longest = duration(patience);
                warn(&format!("{origin} {state}: {why}; waiting up to {longest} (--patience)"), None);
                is_reported = true;
            }
            if !probes.next(&unavailability).await {
                let past = unavailability.past_state();
                let why = format!("{origin} {past} for {}: {why}", duration(patience));
                return given_up(self.outage.given_up.get_or_init(|| why));
            }
            last = Some(unavailability);
            failures += 1;
        }
        let Some(unavailability) = last else {
            self.outage.answered(Instant::now());
            return Ok(false);
        };
        if is_reported {
            let lasted = duration(probes.elapsed());
            warn(&format!("{origin} responds again after {lasted}; the run continues"), None);
        }
        if self.outage.is_rate_limit(&unavailability) {
            self.rate_limiter.resume(failures);
        } else if is_reported {
            self.rate_limiter.forget_refusals();
        }
        self.outage.end();
        Ok(true)
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
    pub(super) async fn next(&mut self, unavailability: &Unavailability) -> bool {
        let Some(wait) = self.wait(self.elapsed(), unavailability) else { return false };
        tokio::time::sleep(wait).await;
        true
    }

    /// How long to wait for the next after so long; `None` where patience has ended.
    fn wait(&mut self, elapsed: Duration, unavailability: &Unavailability) -> Option<Duration> {
        let left = self.patience.checked_sub(elapsed).filter(|left| !left.is_zero())?;
        let wait = self.interval.min(left);
        let longest = match unavailability {
            Unavailability::Down(_) | Unavailability::Overloaded(_) => MAX_INTERVAL,
            // Each probe may begin the time again for which it refuses all.
            Unavailability::RateLimited(_) => MAX_INTERVAL.max(elapsed / 4),
        };
        self.interval = (self.interval * 2).min(longest);
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
        let [before, passage, after] = [(); 3].map(|()| outage.pass().unwrap());
        let mut failed = Box::pin(outage.failed(passage));
        assert!(futures::poll!(&mut failed).is_pending() && futures::poll!(&mut failed).is_pending());
        outage.answered(before.sent);
        drop(before);
        assert!(futures::poll!(&mut failed).is_pending(), "that was sent before");
        outage.answered(after.sent);
        assert!(matches!(failed.await, Verdict::OwnFailure));
        drop(after);
        let alone = outage.pass().unwrap();
        assert!(matches!(outage.failed(alone).await, Verdict::Probe(_)), "nothing else is in flight");
    }

    #[tokio::test]
    async fn in_an_outage_one_request_probes_and_all_others_wait_for_its_end() {
        let outage = Outage::new(PATIENCE);
        let in_flight = outage.pass();
        let mut failed = Vec::new();
        for _ in 0..FAILURES_IN_A_ROW {
            let mut failure = Box::pin(outage.failed(outage.pass().unwrap()));
            assert!(futures::poll!(&mut failure).is_pending(), "others may be sent first");
            failed.push(failure);
        }
        let Verdict::Probe(gate) = failed.remove(0).await else { panic!("several in a row") };
        let mut new = Box::pin(outage.wait_for_end());
        assert!(futures::poll!(&mut new).is_pending() && outage.pass().is_none());
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
        for (unavailability, most) in
            [(Unavailability::Down(String::new()), 66), (Unavailability::RateLimited(String::new()), 24)]
        {
            let mut probes = Probes::new(Duration::from_secs(300));
            let (mut elapsed, mut count) = (Duration::ZERO, 0);
            while let Some(wait) = probes.wait(elapsed, &unavailability) {
                (elapsed, count) = (elapsed + wait, count + 1);
            }
            assert_eq!((elapsed, count), (Duration::from_secs(300), most));
        }
    }
}
