//! The rate that a deployment takes, where it refuses what is more and never says how much that is.
//!
//! Refusals alone do not show a limit: some may be the lasting failures of single users. So after a window of answers with
//! too many of them the rate is cut to that of the answers that came through, and the next window shows whether that
//! helped. If it did, the cut rate is kept, and grows slowly until it is refused again; if not, the cut is undone.
//!
//! Where all is refused for a while ([`super::counted_limit`]), the limit is near what came through, pauses included. The
//! longer a rate was good, the longer it is kept before each further step.

use std::time::Duration;

use tokio::time::Instant;

use super::counted_limit::{CountedLimit, Resumption};

/// The fewest answers, with and without a known limit, or refusals, and the shortest time, from which something is concluded.
const FEW_ANSWERS: f64 = 50.0;
const MANY_ANSWERS: f64 = 200.0;
const REFUSALS: u32 = 10;
/// From fewer that came through no first rate is concluded.
const FEWEST_PASSED: u32 = 10;
/// Fewer are an accident.
const FEWEST_REFUSALS: u32 = 3;
const SHORTEST_WINDOW: Duration = Duration::from_millis(250);
/// A share of refusals that is no reason to be slower.
const TOLERATED: f64 = 0.03;
/// How much of the rate that came through is asked for after a cut.
const CUT_TO: f64 = 0.97;
/// A rate is far below the most that came through if it is a smaller share of it.
const LOW: f64 = 0.4;
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
/// Where a limit is known, so few answers without a refusal are enough for a step.
const ANSWERS_OF_STEP: f64 = 4.0;
/// Between two steps is a quarter of the time between the last two cuts, at most this.
const MAX_STEP_TIME: Duration = Duration::from_secs(10);
/// Between two steps at least, as a share of the time for which requests are counted: after one estimate, and after more.
const STEP_TIME: f64 = 0.125;
const SLOW_STEP_TIME: f64 = 0.25;
/// So many refusals in a row show a limit, in several rows too, between which fewer came through.
const SHORTEST_ROW: u32 = 4;
const FEW_PASSED: u32 = 16;
/// The limit may have been used up by others, so a rate below is not concluded from what came through.
const LEAST_ESTIMATE: f64 = 1.0;

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
    /// Whether all was refused above the limit.
    refuses_all: bool,
    /// In the last rows of refusals that came soon after each other, and what came through since.
    refused_in_rows: u32,
    passed_since_row: u32,
    counted: CountedLimit,
    /// When the rate was last cut; the time between two steps, and when the next one is due.
    last_cut: Instant,
    step_time: Duration,
    next_step: Instant,
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
            refuses_all: false,
            refused_in_rows: 0,
            passed_since_row: 0,
            counted: CountedLimit::new(now),
            last_cut: now,
            step_time: Duration::ZERO,
            next_step: now,
        }
    }

    /// Between two requests; `None` where no limit is known.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_secs_f64(rate.recip()))
    }

    /// The limit, if one is known.
    pub(super) fn limit(&self) -> Option<f64> {
        self.rate.filter(|_| self.cut.is_none())
    }

    /// Takes an answer in.
    pub(super) fn record(&mut self, answer: &Answer, now: Instant) {
        let Answer { latency, is_first_attempt, is_refused } = *answer;
        if !is_refused {
            self.counted.record_pass(now);
            self.passed_since_row += 1;
        }
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
        let passed_needed = if self.rate.is_some() { 1 } else { FEWEST_PASSED };
        if is_enough && window.passed >= passed_needed && elapsed >= SHORTEST_WINDOW {
            self.conclude(elapsed.as_secs_f64(), now);
            self.window = Window::new(now);
        }
    }

    /// Takes a challenge in: an exchange that came through, besides that of the answer.
    pub(super) fn record_challenge(&mut self, now: Instant) {
        self.window.passed += 1;
        self.counted.record_pass(now);
    }

    /// Takes a refusal in that asked for a pause until `until`.
    pub(super) fn record_refusal_with_pause(&mut self, until: Instant, now: Instant) {
        let Some((refused, passed)) = self.counted.record_refusal_with_pause(now) else { return };
        let share = f64::from(refused) / f64::from(passed + refused);
        if refused >= FEWEST_REFUSALS && share > TOLERATED {
            self.resume(until);
        }
    }

    /// So many requests were refused in a row, and others come through again from `from` on: after which further pause to
    /// send the next. A few are no reason to be slower, unless more are refused soon.
    pub(super) fn resume_after(&mut self, refused: u32, from: Instant) -> Duration {
        if self.passed_since_row >= FEW_PASSED {
            self.refused_in_rows = 0;
        }
        self.refused_in_rows += refused;
        self.passed_since_row = 0;
        if self.refused_in_rows < SHORTEST_ROW {
            // What came through, and how fast, without this row.
            self.window.began += self.counted.silence(from).min(from - self.window.began);
            return Duration::ZERO;
        }
        self.refused_in_rows = 0;
        self.resume(from)
    }

    /// All was refused, and requests come through again from `from` on.
    fn resume(&mut self, from: Instant) -> Duration {
        let Resumption { mut rate, least, counting_time, is_confirmed, was_short, further_pause } =
            self.counted.resume(from);
        // While it is not known whether the last cut helps, its rate is none that was refused.
        let refused = self.rate.filter(|_| self.cut.take().is_none());
        let last_good = self.last_good.take();
        let most = last_good.or(refused).unwrap_or(f64::INFINITY);
        // What came through lags behind a rate that grows.
        if let Some(last_good) = last_good.filter(|_| was_short) {
            rate = rate.midpoint(last_good);
        }
        let rate = (rate * CUT_TO).max(least).max(LEAST_ESTIMATE).min(if most > least {
            most * CUT_TO
        } else {
            most
        });
        tracing::info!("request rate lowered to {rate:.1} per second: the service refused all requests");
        (self.rate, self.refuses_all) = (Some(rate), true);
        self.window = Window::new(from + further_pause);
        let share = if is_confirmed { SLOW_STEP_TIME } else { STEP_TIME };
        self.begin_steps(is_confirmed, counting_time.mul_f64(share), from + further_pause);
        further_pause
    }

    /// A cut, whose steps begin at `from`, with so long between two of them at least.
    fn begin_steps(&mut self, is_confirmed: bool, least: Duration, from: Instant) {
        self.step = if is_confirmed { SLOW_STEP } else { FIRST_STEP };
        self.step_time = least;
        if is_confirmed {
            self.step_time = ((from - self.last_cut) / 4).min(MAX_STEP_TIME).max(least);
        }
        self.next_step = from + self.step_time;
        self.last_cut = from;
    }

    /// How many answers make a window. By chance a few of many refusals may all come in one.
    fn answers_needed(&self) -> f64 {
        match (self.rate, self.cut.as_ref().and_then(|cut| cut.share_before)) {
            (None, _) => MANY_ANSWERS,
            (Some(_), None) if self.refuses_all && self.window.refused == 0 => ANSWERS_OF_STEP,
            (Some(_), Some(share)) => f64::from(REFUSALS) / share,
            (Some(_), None) => FEW_ANSWERS,
        }
    }

    fn conclude(&mut self, seconds: f64, now: Instant) {
        let Window { passed, refused, .. } = self.window;
        let share = f64::from(refused) / f64::from(passed + refused);
        let is_too_fast = refused >= FEWEST_REFUSALS && share > self.unavoidable * 2.0 + TOLERATED;
        let cut = self.cut.take();
        match cut {
            Some(cut)
                if !self.refuses_all && cut.is_useless(share) && (cut.is_second_trial || share < BURST) =>
            {
                tracing::info!("refused requests do not depend on the request rate");
                self.unavoidable = share;
                self.rate = None;
            }
            _ if is_too_fast && self.refuses_all => {
                self.resume(now);
            }
            _ if is_too_fast => {
                let last_good = self.last_good.take();
                let share_before = last_good.is_none().then_some(share);
                let least = self.rate.map_or(0.0, |rate| rate / 10.0);
                let rate = last_good.unwrap_or(f64::from(passed) / seconds).max(least) * CUT_TO;
                tracing::info!("request rate lowered to {rate:.1} per second: the service refuses more");
                let is_confirmed = last_good.is_some_and(|rate| rate > self.counted.most() * LOW);
                self.begin_steps(is_confirmed, Duration::ZERO, now);
                self.rate = Some(if share_before.is_some() { rate * TRIAL } else { rate });
                let is_second_trial = cut.is_some_and(|cut| cut.is_useless(share));
                self.cut = Some(Cut { rate, share_before, is_second_trial });
            }
            Some(Cut { rate, share_before: Some(_), .. }) => self.rate = Some(rate),
            _ => {
                self.unavoidable *= 0.98;
                let sent = f64::from(passed + refused) / seconds;
                let rate = self.rate.as_mut().filter(|rate| now >= self.next_step && sent > **rate * IN_USE);
                if let Some(rate) = rate {
                    self.next_step = now + self.step_time;
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
            learned.record_challenge(start);
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

    /// Requests that came through and that were refused in so many seconds, by a gateway that counts all requests of the last
    /// `counting` seconds, those that it refuses too. Without a limit 2,000 are sent a second; after four refusals in a row all
    /// wait, and one probes.
    fn simulate_counted(most: usize, counting: f64, seconds: f64) -> (u32, u32) {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut learned = LearnedRate::new(start);
        let mut counted = std::collections::VecDeque::new();
        let mut takes = |now: f64| {
            counted.push_back(now);
            while counted.front().is_some_and(|sent| *sent <= now - counting) {
                counted.pop_front();
            }
            counted.len() <= most
        };
        let (mut now, mut passed, mut refused, mut row) = (0.0, 0, 0, 0);
        while now < seconds {
            let is_refused = !takes(now);
            let answer = Answer { latency: Duration::ZERO, is_first_attempt: true, is_refused };
            learned.record(&answer, at(now));
            (passed, refused) = (passed + u32::from(!is_refused), refused + u32::from(is_refused));
            row = if is_refused { row + 1 } else { 0 };
            now += learned.interval().map_or(0.0005, |interval| interval.as_secs_f64());
            if row >= 4 {
                let mut interval: f64 = 0.05;
                while !takes(now) {
                    (row, now, interval) = (row + 1, now + interval, (interval * 2.0).min(5.0));
                }
                refused += row - 4;
                now += learned.resume_after(row, at(now)).as_secs_f64();
                row = 0;
            }
        }
        (passed, refused)
    }

    #[test]
    fn a_limit_that_counts_refusals_is_learned_and_kept() {
        for (limit, counting) in [(50_u16, 1_u16), (400, 1), (1500, 1), (50, 10), (400, 10), (100, 60)] {
            let seconds = 240.0;
            let most = usize::from(limit) * usize::from(counting);
            let (passed, refused) = simulate_counted(most, counting.into(), seconds);
            let case =
                format!("{limit} a second, counted for {counting} s: {passed} passed, {refused} refused");
            assert!(f64::from(passed) >= f64::from(limit) * seconds * 0.85, "{case}");
            assert!(refused * 100 <= passed * 3, "{case}");
        }
    }
}
