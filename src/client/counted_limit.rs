//! A limit that counts the requests of some seconds: above it a gateway refuses all for a while, and may count what it
//! refuses. Neither the limit nor the seconds are known, and what came through before and after such a while shows both.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The longest and the shortest time for which a gateway is thought to count.
const MAX_COUNTING_TIME: Duration = Duration::from_secs(60);
const MIN_COUNTING_TIME: Duration = Duration::from_millis(500);
/// A burst before the counting time may still fill it where a gateway counts roughly, so more than one such time is looked at.
const COUNTING_TIMES: u32 = 4;
/// The parts in which what came through is kept.
const PART: Duration = Duration::from_millis(50);
/// The first further pause, as a share of the counting time, where all was refused again at once.
const FIRST_FURTHER_PAUSE: f64 = 0.0625;
/// Two rates are about the same if they differ by no larger share.
const ABOUT: f64 = 0.15;

/// What is known of the limit.
pub(super) struct CountedLimit {
    began: Instant,
    /// The number of each part in which requests came through, and how many.
    passes: VecDeque<(u128, u32)>,
    last_pass: Instant,
    /// For how long requests are counted, as far as known: rather too long.
    counting_time: Duration,
    /// When requests came through again.
    resumed: Option<Instant>,
    further_pause: Duration,
    /// Which came through at that end.
    rate: f64,
    /// Refusals since then that asked for a pause.
    refused_with_pause: u32,
}

/// The end of a time in which all was refused.
pub(super) struct Resumption {
    /// Requests a second that came through over a long time.
    pub(super) rate: f64,
    /// A rate that the limit can't be below, unless it changed.
    pub(super) least: f64,
    /// For how long requests are counted.
    pub(super) counting_time: Duration,
    /// Whether the rate is about that of the end before, and the most that ever came through.
    pub(super) is_confirmed: bool,
    /// Whether all was refused for a small part of the time of counting alone.
    pub(super) was_short: bool,
    /// For how long to send nothing yet.
    pub(super) further_pause: Duration,
}

impl CountedLimit {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            passes: VecDeque::new(),
            last_pass: now,
            counting_time: MIN_COUNTING_TIME,
            resumed: None,
            further_pause: Duration::ZERO,
            rate: 0.0,
            refused_with_pause: 0,
        }
    }

    /// A request came through.
    pub(super) fn record_pass(&mut self, now: Instant) {
        self.last_pass = now;
        let part = self.part(now);
        match self.passes.back_mut() {
            Some((last, count)) if *last == part => *count += 1,
            Some(_) | None => {
                let oldest =
                    part.saturating_sub((MAX_COUNTING_TIME * COUNTING_TIMES).as_millis() / PART.as_millis());
                while self.passes.front().is_some_and(|(part, _)| *part < oldest) {
                    self.passes.pop_front();
                }
                self.passes.push_back((part, 1));
            }
        }
    }

    /// One was refused that asked for a pause: how many there are since the last pause, and how many came through. `None` for
    /// a refusal of that pause itself.
    pub(super) fn record_refusal_with_pause(&mut self, now: Instant) -> Option<(u32, u32)> {
        if self.resumed.is_some_and(|resumed| now < resumed) {
            return None;
        }
        self.refused_with_pause += 1;
        Some((self.refused_with_pause, self.passed_since(self.resumed.unwrap_or(self.began))))
    }

    /// All was refused, and requests come through again from `from` on.
    pub(super) fn resume(&mut self, from: Instant) -> Resumption {
        // The first time it is not known when the counting began. Later the limit is reached by a few requests, and all is
        // refused for the whole time only if those were the first ones of it.
        let longest = from - if self.resumed.is_some() { self.last_pass } else { self.began };
        self.counting_time = self.counting_time.max(longest).min(MAX_COUNTING_TIME);
        let is_at_once = self.resumed.is_some_and(|resumed| from < resumed + self.counting_time);
        self.further_pause = if is_at_once {
            let first = self.counting_time.mul_f64(FIRST_FURTHER_PAUSE);
            (self.further_pause * 2).max(first).min(self.counting_time)
        } else {
            Duration::ZERO
        };
        self.resumed = Some(from + self.further_pause);
        self.refused_with_pause = 0;
        let rates = (1..=COUNTING_TIMES).filter_map(|times| {
            let since = from.checked_sub(self.counting_time * times)?;
            let seconds = (from - since.max(self.began)).max(MIN_COUNTING_TIME).as_secs_f64();
            Some(f64::from(self.passed_since(since)) / seconds)
        });
        let rate = rates.fold(0.0, f64::max);
        let most = self.most();
        let rate_before = std::mem::replace(&mut self.rate, rate);
        Resumption {
            rate,
            least: most / 2.0,
            counting_time: self.counting_time,
            is_confirmed: rate_before.max(most) * (1.0 - ABOUT) < rate && rate * (1.0 - ABOUT) < rate_before,
            was_short: (from - self.last_pass) * 4 < self.counting_time,
            further_pause: self.further_pause,
        }
    }

    /// For how long nothing came through.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        now - self.last_pass
    }

    /// Requests a second that came through at most in the time of counting, wherever it began.
    pub(super) fn most(&self) -> f64 {
        let parts = self.counting_time.as_millis() / PART.as_millis();
        let (mut first, mut sum, mut most) = (self.passes.iter().peekable(), 0_u32, 0_u32);
        for (part, count) in &self.passes {
            sum += count;
            while let Some((_, old)) = first.next_if(|(first, _)| first + parts <= *part) {
                sum -= old;
            }
            most = most.max(sum);
        }
        f64::from(most) / self.counting_time.as_secs_f64()
    }

    fn passed_since(&self, start: Instant) -> u32 {
        let first = self.part(start);
        self.passes.iter().filter(|(part, _)| *part >= first).map(|(_, count)| count).sum()
    }

    fn part(&self, at: Instant) -> u128 {
        (at - self.began).as_millis() / PART.as_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_what_came_through_pauses_included() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut limit = CountedLimit::new(start);
        for request in 0..6000 {
            limit.record_pass(start + Duration::from_millis(request / 2));
        }
        let first = limit.resume(after(60));
        assert!((99.0..=101.0).contains(&first.rate), "6000 a minute: {}", first.rate);
        assert_eq!((first.counting_time, first.further_pause), (Duration::from_secs(60), Duration::ZERO));
        for further in [3750, 7500, 15_000] {
            let again = limit.resume(after(61));
            assert_eq!(again.further_pause, Duration::from_millis(further), "refused again at once");
        }
        for request in 0..6000 {
            limit.record_pass(after(90) + Duration::from_millis(request * 10));
        }
        let next = limit.resume(after(151));
        assert!(next.is_confirmed && next.was_short && next.further_pause.is_zero());
        assert!((98.0..=101.0).contains(&next.rate), "{}", next.rate);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let start = Instant::now();
        let mut limit = CountedLimit::new(start);
        for second in 0..100_000 {
            limit.record_pass(start + Duration::from_secs(second));
        }
        assert!(limit.passes.len() <= 241, "{}", limit.passes.len());
    }
}
