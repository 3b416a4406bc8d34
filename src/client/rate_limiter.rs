//! When the deployment may be asked: so many requests a second, and not at all while it wants a pause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};
use tokio::time::Instant;

use super::learned_rate::{Answer, LearnedRate};
use crate::console::{duration, inform, warn};

static RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
static RATELIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
/// A longer pause is taken for a mistake, or it would be the audit's end.
const MAX_PAUSE: Duration = Duration::from_secs(120);
/// A longer pause is printed, or the run would look stuck.
const SHORT_PAUSE: Duration = Duration::from_secs(5);
/// When the deployment says that nothing is left, and not until when.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);
/// How late a task may wake up: timers have a resolution of a millisecond, and the processor other work.
const TIMER_DELAY: Duration = Duration::from_millis(20);
/// The first backoff is up to this, each further one up to three times as much: most failures are over at once, and the others
/// last for seconds.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// The rate limiter of one deployment.
pub(super) struct RateLimiter {
    /// Between two requests, as the user wants it; `None` where they come as fast as they can.
    interval: Option<Duration>,
    learned: Mutex<LearnedRate>,
    /// Requests that were refused as too fast.
    refused: AtomicU64,
    /// Held by the request whose slot is next, so that those behind it have theirs at the rate of then.
    turn: tokio::sync::Mutex<()>,
    next_slot: Mutex<Instant>,
    paused_until: Mutex<Instant>,
    /// The end of the last wait that was printed.
    printed_until: Mutex<Instant>,
}

impl RateLimiter {
    /// At most `rate` requests a second; `None` for as many as there are.
    pub(super) fn new(rate: Option<f64>) -> Self {
        let now = Instant::now();
        Self {
            interval: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            learned: Mutex::new(LearnedRate::new(now)),
            refused: AtomicU64::new(0),
            turn: tokio::sync::Mutex::new(()),
            next_slot: Mutex::new(now),
            paused_until: Mutex::new(now),
            printed_until: Mutex::new(now),
        }
    }

    /// Returns when it is time for the next request.
    pub(super) async fn wait_for_slot(&self) {
        if self.interval().is_none() {
            return;
        }
        let _turn = self.turn.lock().await;
        if let Some(slot) = self.next_slot() {
            let interval = self.interval().unwrap_or_default();
            if slot > Instant::now() && self.is_to_print(interval, Instant::now()) {
                inform(&format!("next request in {} (rate limit)", duration(interval)));
            }
            tokio::time::sleep_until(slot).await;
        }
    }

    /// Sleeps before attempt `attempt + 1` of a request.
    pub(super) async fn back_off(&self, attempt: u32) {
        let wait = backoff(attempt);
        if self.is_to_print(wait, Instant::now()) {
            inform(&format!("a request failed {attempt} times; retry in {}", duration(wait)));
        }
        tokio::time::sleep(wait).await;
    }

    /// Whether a wait is long, and no other that was printed is still in progress: users wait side by side.
    fn is_to_print(&self, wait: Duration, now: Instant) -> bool {
        let mut printed_until = lock(&self.printed_until);
        let is_to_print = wait > SHORT_PAUSE && *printed_until <= now;
        if is_to_print {
            *printed_until = now + wait;
        }
        is_to_print
    }

    /// How long all requests are held yet.
    pub(super) fn pause_left(&self) -> Duration {
        lock(&self.paused_until).saturating_duration_since(Instant::now())
    }

    /// Takes a slot without waiting for it: for the answer to a challenge, which would be stale by then. Those who come
    /// later wait the longer.
    pub(super) fn take_slot(&self) {
        lock(&self.learned).record_challenge(Instant::now());
        self.next_slot();
    }

    fn next_slot(&self) -> Option<Instant> {
        Some(advance(&mut lock(&self.next_slot), Instant::now(), self.interval()?))
    }

    fn interval(&self) -> Option<Duration> {
        self.interval.max(lock(&self.learned).interval())
    }

    /// Whether a refusal is likelier one of the rate than one of the request.
    pub(super) fn knows_limit(&self) -> bool {
        lock(&self.learned).limit().is_some()
    }

    /// Prints the limit of the rate that was found, if there is one.
    pub(super) fn print_limit(&self) {
        let refused = self.refused.load(Ordering::Relaxed);
        if let Some(rate) = lock(&self.learned).limit().filter(|_| refused > 0) {
            inform(&format!(
                "the service limits the request rate: {refused} requests were refused and sent again; about {rate:.0} \
                 per second were accepted (--rate {rate:.0} avoids refusals)"
            ));
        }
    }

    /// Learns from an answer that asks for no pause.
    pub(super) fn record(&self, answer: &Answer) {
        self.refused.fetch_add(u64::from(answer.is_refused), Ordering::Relaxed);
        lock(&self.learned).record(answer, Instant::now());
    }

    /// The deployment was down; what it refused then says nothing about the rate.
    pub(super) fn forget_refusals(&self) {
        lock(&self.learned).forget_window(Instant::now());
    }

    /// The deployment refused all requests since they were too fast, and takes them again after it refused so many in a row.
    pub(super) fn resume(&self, refused: u32) {
        let now = Instant::now();
        let further_pause = lock(&self.learned).resume_after(refused, now);
        let mut paused_until = lock(&self.paused_until);
        *paused_until = (*paused_until).max(now + further_pause);
    }

    /// Learns from a refusal that asked for a pause, which is in progress.
    pub(super) fn record_refusal_with_pause(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let until = *lock(&self.paused_until);
        lock(&self.learned).record_refusal_with_pause(until, Instant::now());
    }

    /// Returns when the deployment wants to be asked again. Right before sending: a pause may have come meanwhile.
    pub(super) async fn wait_while_paused(&self) {
        loop {
            let until = *lock(&self.paused_until);
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// Reads what an answer says about when to continue, and pauses all requests until then.
    pub(super) fn pause_as_asked(&self, headers: &HeaderMap, now: SystemTime) {
        let Some(asked) = pause_asked(headers, now) else { return };
        let pause = asked.min(MAX_PAUSE);
        let until = Instant::now() + pause;
        let mut paused_until = lock(&self.paused_until);
        if until > *paused_until {
            let longer = until - (*paused_until).max(Instant::now());
            *paused_until = until;
            // Every answer to the requests in flight may ask for the same pause.
            if longer > SHORT_PAUSE {
                let (asked, pause) = (duration(asked), duration(pause));
                warn(
                    &format!("the service requested a pause of {asked}; the run continues after {pause}"),
                    None,
                );
            }
            tracing::info!("paused for {} ms (requested by the service)", pause.as_millis());
        }
    }
}

/// How long to wait before attempt `attempt + 1`: exponential, half of it by chance, so that those who failed together do not
/// come back together.
fn backoff(attempt: u32) -> Duration {
    let longest =
        FIRST_BACKOFF.saturating_mul(3_u32.saturating_pow(attempt.saturating_sub(1))).min(MAX_BACKOFF);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// The pause that an answer asks for.
pub(super) fn pause_asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(after) = text(&RETRY_AFTER) {
        return retry_after(after, now);
    }
    let nothing_left = text(&RATELIMIT_REMAINING) == Some("0");
    let reset = || text(&RATELIMIT_RESET).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    nothing_left.then(|| reset().unwrap_or(DEFAULT_PAUSE))
}

/// Seconds, or an HTTP date; anything else asks for nothing.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The next slot: `interval` after the last. Of lost time only as much is made up for as timers are late by, so that there
/// is no burst.
fn advance(next: &mut Instant, now: Instant, interval: Duration) -> Instant {
    let slot = (*next).max(now.checked_sub(TIMER_DELAY).unwrap_or(now));
    *next = slot + interval;
    slot
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn slots_are_evenly_spaced_and_never_made_up_for() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut next = start;
        for (now, slot) in [(0, 0), (0, 100), (10, 200), (5000, 4980), (5000, 5080)] {
            assert_eq!(advance(&mut next, after(now), Duration::from_millis(100)), after(slot));
        }
    }

    #[test]
    fn a_pause_asked_for_in_headers_is_understood() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (name, value, seconds) in [
            ("retry-after", "7", Some(7)),
            ("retry-after", " 0 ", Some(0)),
            ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("retry-after", "Sunday, 06-Nov-94 08:50:07 GMT", Some(30)),
            ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
            ("retry-after", "99999999999999999999", None),
            ("ratelimit-remaining", "0", Some(1)),
            ("ratelimit-remaining", "5", None),
        ] {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            assert_eq!(pause_asked(&headers, now).map(|pause| pause.as_secs()), seconds, "{name}: {value}");
        }
    }

    #[test]
    fn a_long_wait_is_printed_once_until_it_ends() {
        let (limiter, start) = (RateLimiter::new(None), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let waits =
            [(1, 5, false), (1, 8, true), (2, 30, false), (8, 20, false), (9, 20, true), (30, 6, true)];
        for (now, wait, is_printed) in waits {
            assert_eq!(
                limiter.is_to_print(Duration::from_secs(wait), after(now)),
                is_printed,
                "after {now} s"
            );
        }
    }

    #[test]
    fn backoff_grows_and_stays_bounded() {
        for (attempt, most) in [(1, 100), (2, 300), (3, 900), (4, 2700), (7, 30_000), (u32::MAX, 30_000)] {
            let longest = (0..1000).map(|_| backoff(attempt)).max().unwrap_or_default();
            assert!(
                longest <= Duration::from_millis(most) && longest >= Duration::from_millis(most / 2),
                "{attempt}"
            );
        }
    }

    proptest::proptest! {
        /// Whatever the header says, it asks for a pause or for none.
        #[test]
        fn any_retry_after_is_a_pause_or_none(text in "\\PC*") {
            let _ = retry_after(&text, std::time::UNIX_EPOCH);
        }

        #[test]
        fn seconds_and_dates_ask_for_the_same_pause(seconds in 0_u64..1_000_000) {
            let now = std::time::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
            let date = httpdate::fmt_http_date(now + Duration::from_secs(seconds));
            proptest::prop_assert_eq!(retry_after(&date, now), retry_after(&seconds.to_string(), now));
        }
    }
}
