//! The rate that a deployment takes, where it refuses what is more and never says how much that is.
//!
//! Refusals alone do not show a limit: some may be the lasting failures of single users. So after a window of answers with
//! too many of them the rate is cut to that of the answers that came through, and the next window shows whether that
//! helped. If it did, the cut rate is kept, and grows slowly until it is refused again; if not, the cut is undone.

use std::time::Duration;

use tokio::time::Instant;

/// The fewest answers, with and without a known limit, or refusals, and the shortest time, from which something is concluded.
const FEW_ANSWERS: f64 = 50.0;
const MANY_ANSWERS: f64 = 200.0;
const REFUSALS: u32 = 10;
/// Fewer are an accident.
const FEWEST_REFUSALS: u32 = 3;
const SHORTEST_WINDOW: Duration = Duration::from_millis(250);
/// A share of refusals that is no reason to be slower.
const TOLERATED: f64 = 0.03;
/// How much of the rate that came through is asked for after a cut.
const CUT_TO: f64 = 0.97;
/// How much of that is asked for in the window that shows whether a cut helps.
const TRIAL: f64 = 0.85;
/// Where so many are refused the rate that came through may have been a burst, and a second trial has to decide.
const BURST: f64 = 0.5;
/// What is added in the first window after a cut, as a share of the rate, and what after a cut to a rate that was good
/// before; then so many times as much in each window, up to the most.
const FIRST_STEP: f64 = 0.05;
const SLOW_STEP: f64 = 0.005;
const STEP_GROWTH: f64 = 1.5;
const MAX_STEP: f64 = 0.5;
/// Below this share of the rate something else is the limit, and the rate need not grow.
const IN_USE: f64 = 0.7;

/// What is known of the rate.
pub(super) struct LearnedRate {
    /// Requests a second; `None` where no limit is known.
    rate: Option<f64>,
    step: f64,
    /// The last rate that was in use without too many refusals, if none was refused since.
    last_good: Option<f64>,
    /// Refusals that do not depend on the rate, as a share of all answers.
    unavoidable: f64,
    /// The last cut, until the window after it is over.
    cut: Option<Cut>,
    window: Window,
}

#[derive(Clone, Copy)]
struct Cut {
    /// The rate to continue with if it helped.
    rate: f64,
    /// Refusals before it, where it is a cut to the rate that came through.
    share_before: Option<f64>,
    /// Whether the cut before helped no more: where a gateway lets a burst through, the rate of the burst is no limit.
    is_second_trial: bool,
}

/// Answers to requests that were sent since it began.
struct Window {
    began: Instant,
    passed: u32,
    /// While no limit is known, of requests that were sent for the first time: one that is refused again may be one user's
    /// failure for ever.
    refused: u32,
}

/// An answer, as far as the rate is concerned.
pub(super) struct Answer {
    pub(super) latency: Duration,
    pub(super) is_first_attempt: bool,
    pub(super) is_refused: bool,
}

impl LearnedRate {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            rate: None,
            step: FIRST_STEP,
            last_good: None,
            unavoidable: 0.0,
            cut: None,
            window: Window::new(now),
        }
    }

    /// Between two requests; `None` where no limit is known.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_secs_f64(rate.recip()))
    }

    /// Takes an answer in.
    pub(super) fn record(&mut self, answer: &Answer, now: Instant) {
        let Answer { latency, is_first_attempt, is_refused } = *answer;
        let elapsed = now - self.window.began;
        if elapsed < latency {
            return;
        }
        let window = &mut self.window;
        window.passed += u32::from(!is_refused);
        window.refused += u32::from(is_refused && (is_first_attempt || self.rate.is_some()));
        let window = &self.window;
        let is_enough =
            f64::from(window.passed + window.refused) >= self.answers_needed() || window.refused >= REFUSALS;
        if is_enough && window.passed > 0 && elapsed >= SHORTEST_WINDOW {
            self.conclude(elapsed.as_secs_f64());
            self.window = Window::new(now);
        }
    }

    /// Takes a challenge in: an exchange that came through, besides that of the answer.
    pub(super) fn record_challenge(&mut self) {
        self.window.passed += 1;
    }

    /// How many answers make a window. By chance a few of many refusals may all come in one.
    fn answers_needed(&self) -> f64 {
        match (self.rate, self.cut.as_ref().and_then(|cut| cut.share_before)) {
            (None, _) => MANY_ANSWERS,
            (Some(_), Some(share)) => f64::from(REFUSALS) / share,
            (Some(_), None) => FEW_ANSWERS,
        }
    }

    fn conclude(&mut self, seconds: f64) {
        let Window { passed, refused, .. } = self.window;
        let share = f64::from(refused) / f64::from(passed + refused);
        let is_too_fast = refused >= FEWEST_REFUSALS && share > self.unavoidable * 2.0 + TOLERATED;
        let cut = self.cut.take();
        match cut {
            Some(cut) if cut.is_useless(share) && (cut.is_second_trial || share < BURST) => {
                tracing::info!("refused requests do not depend on the request rate");
                self.unavoidable = share;
                self.rate = None;
            }
            _ if is_too_fast => {
                let last_good = self.last_good.take();
                let share_before = last_good.is_none().then_some(share);
                let least = self.rate.map_or(0.0, |rate| rate / 10.0);
                let rate = last_good.unwrap_or(f64::from(passed) / seconds).max(least) * CUT_TO;
                tracing::info!("request rate lowered to {rate:.1} per second: the service refuses more");
                self.step = if last_good.is_some() { SLOW_STEP } else { FIRST_STEP };
                self.rate = Some(if share_before.is_some() { rate * TRIAL } else { rate });
                let is_second_trial = cut.is_some_and(|cut| cut.is_useless(share));
                self.cut = Some(Cut { rate, share_before, is_second_trial });
            }
            Some(Cut { rate, share_before: Some(_), .. }) => self.rate = Some(rate),
            _ => {
                self.unavoidable *= 0.98;
                let sent = f64::from(passed + refused) / seconds;
                if let Some(rate) = self.rate.as_mut().filter(|rate| sent > **rate * IN_USE) {
                    self.last_good = Some(*rate);
                    *rate *= 1.0 + self.step;
                    self.step = (self.step * STEP_GROWTH).min(MAX_STEP);
                }
            }
        }
    }

    /// The deployment was down, and its refusals say nothing about the rate.
    pub(super) fn forget_window(&mut self, now: Instant) {
        if self.cut.take().is_some() {
            self.rate = None;
        }
        self.window = Window::new(now);
    }
}

impl Cut {
    /// Whether as many are refused after it as before, by a share of `share`.
    fn is_useless(&self, share: f64) -> bool {
        self.share_before.is_some_and(|before| share > before * 0.5)
    }
}

impl Window {
    fn new(began: Instant) -> Self {
        Self { began, passed: 0, refused: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use super::*;

    /// A gateway that takes so many requests a second after a first burst, in front of a deployment.
    struct Gateway {
        rate: f64,
        burst: f64,
        tokens: f64,
        seen: f64,
    }

    impl Gateway {
        fn takes(&mut self, at: f64) -> bool {
            self.tokens = (self.tokens + (at - self.seen) * self.rate).min(self.burst + 1.0);
            self.seen = at;
            let takes = self.tokens >= 1.0;
            self.tokens -= f64::from(u8::from(takes));
            takes
        }
    }

    /// Requests refused, and all, in each second: sent as fast as the rate and 16 in flight allow, answered after
    /// `latency` seconds; of 100 users `own_failures` are always refused.
    fn simulate(mut gateway: Gateway, latency: f64, own_failures: u64, seconds: usize) -> Vec<(u32, u32)> {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut learned = LearnedRate::new(start);
        let mut counts = vec![(0, 0); seconds];
        let mut in_flight: BinaryHeap<Reverse<(Instant, bool)>> = BinaryHeap::new();
        let (mut now, mut next_slot, mut rng) = (0.0_f64, 0.0_f64, fastrand::Rng::with_seed(1));
        loop {
            while in_flight.len() == 16
                || in_flight.peek().is_some_and(|Reverse((answered, _))| *answered <= at(next_slot))
            {
                let Some(Reverse((answered, is_refused))) = in_flight.pop() else { break };
                learned.record(
                    &Answer { latency: Duration::from_secs_f64(latency), is_first_attempt: true, is_refused },
                    answered,
                );
                now = now.max((answered - start).as_secs_f64());
            }
            let sent = next_slot.max(now);
            let second = usize::try_from(Duration::from_secs_f64(sent).as_secs()).unwrap();
            let Some(count) = counts.get_mut(second) else { return counts };
            next_slot = sent + learned.interval().unwrap_or_default().as_secs_f64();
            let is_refused = rng.u64(..100) < own_failures || !gateway.takes(sent);
            *count = (count.0 + u32::from(is_refused), count.1 + 1);
            in_flight.push(Reverse((at(sent + latency), is_refused)));
        }
    }

    #[test]
    fn the_rate_of_a_gateway_is_learned_and_kept() {
        for (rate, burst, most) in [(100.0, 3.0, 5), (100.0, 0.0, 6), (100.0, 100.0, 6), (20.0, 3.0, 5)] {
            for latency in [0.001, 0.02] {
                let gateway = Gateway { rate, burst, tokens: burst + 1.0, seen: 0.0 };
                let counts = simulate(gateway, latency, 0, 120);
                let (refused, all) = counts[10..].iter().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
                let passed = f64::from(all - refused) / 110.0;
                let case = format!("{rate} a second, burst {burst}, {latency} s: {refused} of {all}");
                assert!(refused * 100 <= all * most && passed >= rate * 0.9, "{case}");
            }
        }
    }

    #[test]
    fn a_challenge_takes_its_share_of_the_rate() {
        let start = Instant::now();
        let mut learned = LearnedRate { rate: Some(100.0), ..LearnedRate::new(start) };
        for request in 1..=50 {
            learned.record_challenge();
            let answer = Answer { latency: Duration::ZERO, is_first_attempt: true, is_refused: false };
            learned.record(&answer, start + Duration::from_millis(20) * request);
        }
        assert!(learned.rate > Some(100.0), "all of it is in use: {:?}", learned.rate);
    }

    #[test]
    fn lasting_failures_of_single_users_teach_no_rate() {
        let open = || Gateway { rate: f64::INFINITY, burst: f64::INFINITY, tokens: f64::INFINITY, seen: 0.0 };
        for latency in [0.005, 0.1] {
            let all =
                |own| simulate(open(), latency, own, 60).iter().map(|(_, all)| f64::from(*all)).sum::<f64>();
            let without = all(0);
            for (own, least) in [(1, 0.9), (5, 0.9), (30, 0.7)] {
                assert!(all(own) >= without * least, "{own} % fail, {latency} s: {} of {without}", all(own));
            }
        }
    }
}
