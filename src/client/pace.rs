//! How hard the deployment may be asked: how many requests at once, how many a second, and when not at all. An old Ops
//! Manager must not be pushed over by an audit.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::warnings::warn;

/// So many requests at first; more, once it is seen how the deployment takes them.
const FIRST: usize = 4;
/// Beyond this a pause asked for is a mistake, or the audit's end.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// When the deployment says that nothing is left, and not until when.
const SHORT_PAUSE: Duration = Duration::from_secs(1);
/// The first backoff is up to this, each further one up to twice as much.
const BACKOFF: Duration = Duration::from_millis(250);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// The pace of one deployment.
pub(crate) struct Pace {
    spacing: Option<Duration>,
    next: Mutex<Instant>,
    paused_until: Mutex<Instant>,
    places: Semaphore,
    room: Mutex<AdaptiveLimit>,
}

/// The leave to have one request in flight.
pub(crate) struct Permit<'a> {
    pace: &'a Pace,
    place: SemaphorePermit<'a>,
    entered: Instant,
}

/// How the deployment took a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It answered, after so long.
    Fine(Duration),
    /// It has more to do than it can: 429, 503, a timeout.
    Overloaded,
    /// It says nothing about its load.
    Neither,
}

impl Pace {
    /// At most `concurrency` requests in flight, at most `rate` a second (`None` for as fast as it goes).
    pub(crate) fn new(concurrency: usize, rate: Option<f64>) -> Self {
        let now = Instant::now();
        let room = AdaptiveLimit::new(concurrency, now);
        Self {
            spacing: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            next: Mutex::new(now),
            paused_until: Mutex::new(now),
            places: Semaphore::new(room.limit),
            room: Mutex::new(room),
        }
    }

    /// Returns when there is room for one more request.
    pub(crate) async fn enter(&self) -> Option<Permit<'_>> {
        // The semaphore is never closed.
        let place = self.places.acquire().await.ok()?;
        Some(Permit { pace: self, place, entered: Instant::now() })
    }

    /// Returns when it is the turn of the next request.
    pub(crate) async fn turn(&self) {
        let Some(spacing) = self.spacing else { return };
        let turn = take(&mut lock(&self.next), Instant::now(), spacing);
        tokio::time::sleep_until(turn).await;
    }

    /// Returns when the deployment wants to be asked again. Right before sending: a pause may have come meanwhile.
    pub(crate) async fn pause(&self) {
        loop {
            let until = *lock(&self.paused_until);
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// Takes a turn without waiting for it: for the answer to a challenge, which would be stale by then. Those who come
    /// later wait the longer.
    pub(crate) fn turn_at_once(&self) {
        if let Some(spacing) = self.spacing {
            take(&mut lock(&self.next), Instant::now(), spacing);
        }
    }

    /// Reads what an answer says about when to go on, and pauses everybody.
    pub(crate) fn heed(&self, headers: &HeaderMap, now: std::time::SystemTime) {
        let Some(asked) = pause_asked(headers, now) else { return };
        let pause = asked.min(LONGEST_PAUSE);
        if asked > pause {
            let (asked, pause) = (asked.as_secs(), pause.as_secs());
            warn(&format!("the deployment asks for a pause of {asked} s; going on after {pause} s"), None);
        }
        let until = Instant::now() + pause;
        let mut paused_until = lock(&self.paused_until);
        if until > *paused_until {
            *paused_until = until;
            tracing::info!("paused for {} ms, as the deployment asks", pause.as_millis());
        }
    }
}

impl Permit<'_> {
    /// Gives the permit back, and lets the room grow or shrink by what was seen.
    pub(crate) fn finish(self, signal: Signal) {
        let mut room = lock(&self.pace.room);
        match signal {
            Signal::Fine(latency) if room.fine(latency) => {
                tracing::info!("concurrency up to {}", room.limit);
                if room.debt > 0 {
                    room.debt -= 1;
                } else {
                    self.pace.places.add_permits(1);
                }
            }
            Signal::Overloaded => {
                let before = room.limit;
                if room.overloaded(self.entered, Instant::now()) {
                    tracing::info!(
                        "concurrency down from {before} to {}: the deployment is overloaded",
                        room.limit
                    );
                }
            }
            Signal::Fine(_) | Signal::Neither => {}
        }
        // Permits in use can't be taken away; they are swallowed as they come back.
        if room.debt > 0 {
            room.debt -= 1;
            self.place.forget();
        }
    }
}

/// How many requests may be in flight: one more after a round of answers as fast as before, half as many at overload.
struct AdaptiveLimit {
    limit: usize,
    most: usize,
    /// Permits still out that the limit no longer covers.
    debt: usize,
    answers: usize,
    /// Of answers, smoothed; and the least of it ever seen.
    latency: Option<Duration>,
    least: Duration,
    /// A request sent before the last cut says nothing about the limit after it.
    cut: Instant,
}

impl AdaptiveLimit {
    fn new(concurrency: usize, now: Instant) -> Self {
        let most = concurrency.max(1);
        Self {
            limit: most.min(FIRST),
            most,
            debt: 0,
            answers: 0,
            latency: None,
            least: Duration::MAX,
            cut: now,
        }
    }

    /// Takes an answer in; whether the limit rose.
    fn fine(&mut self, latency: Duration) -> bool {
        let smoothed = self.latency.map_or(latency, |before| (before * 7 + latency) / 8);
        self.latency = Some(smoothed);
        self.least = self.least.min(smoothed);
        self.answers += 1;
        if self.answers < self.limit || self.limit == self.most {
            return false;
        }
        self.answers = 0;
        let holds = smoothed <= self.least * 2 + Duration::from_millis(10);
        self.limit += usize::from(holds);
        holds
    }

    /// Takes an overload in, seen by a request sent at `entered`; whether the limit fell.
    fn overloaded(&mut self, entered: Instant, now: Instant) -> bool {
        if entered < self.cut || self.limit == 1 {
            return false;
        }
        let half = (self.limit / 2).max(1);
        self.debt += self.limit - half;
        self.limit = half;
        self.answers = 0;
        self.cut = now;
        true
    }
}

/// How long to wait before attempt `attempt + 1`: exponential, with full jitter, so that those who failed together do not
/// come back together.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let most = BACKOFF.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(LONGEST_BACKOFF);
    most.mul_f64(fastrand::f64())
}

/// The pause that an answer asks for.
fn pause_asked(headers: &HeaderMap, now: std::time::SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(after) = text(RETRY_AFTER.as_str()) {
        return retry_after(after, now);
    }
    let nothing_left = text("ratelimit-remaining") == Some("0");
    let reset = || text("ratelimit-reset").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    nothing_left.then(|| reset().unwrap_or(SHORT_PAUSE))
}

/// Seconds, or an HTTP date; anything else asks for nothing.
fn retry_after(text: &str, now: std::time::SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The next turn: `spacing` after the last, but never in the past, so that lost time is not made up for in a burst.
fn take(next: &mut Instant, now: Instant, spacing: Duration) -> Instant {
    let turn = (*next).max(now);
    *next = turn + spacing;
    turn
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn turns_are_evenly_spaced_and_never_made_up_for() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut next = start;
        for (now, turn) in [(0, 0), (0, 100), (10, 200), (5000, 5000), (5000, 5100)] {
            assert_eq!(take(&mut next, after(now), Duration::from_millis(100)), after(turn));
        }
    }

    #[test]
    fn concurrency_rises_by_one_a_round_while_latency_holds() {
        let mut room = AdaptiveLimit::new(6, Instant::now());
        let mut rises = Vec::new();
        for answer in 1..=20 {
            if room.fine(MILLISECOND) {
                rises.push((answer, room.limit));
            }
        }
        assert_eq!(
            rises,
            [(4, 5), (9, 6)],
            "a round is as many answers as may be in flight, and 6 is the most"
        );
        let mut slow = AdaptiveLimit::new(6, Instant::now());
        slow.fine(MILLISECOND);
        assert!(
            (0..100).all(|_| !slow.fine(Duration::from_secs(1))),
            "not while answers take longer and longer"
        );
    }

    #[test]
    fn concurrency_halves_once_for_all_who_were_in_flight_and_never_below_one() {
        let start = Instant::now();
        let mut room = AdaptiveLimit::new(4, start);
        assert!(room.overloaded(start, start + MILLISECOND));
        assert_eq!((room.limit, room.debt), (2, 2));
        assert!(!room.overloaded(start, start + 2 * MILLISECOND), "sent before the cut");
        assert!(room.overloaded(start + 2 * MILLISECOND, start + 3 * MILLISECOND));
        assert!(!room.overloaded(start + 4 * MILLISECOND, start + 5 * MILLISECOND));
        assert_eq!(room.limit, 1);
    }

    #[test]
    fn the_deployments_own_word_on_pauses_is_understood() {
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
    fn backoff_grows_and_stays_bounded() {
        for (attempt, most) in [(1, 250), (2, 500), (3, 1000), (8, 30_000), (u32::MAX, 30_000)] {
            let longest = (0..1000).map(|_| backoff(attempt)).max().unwrap_or_default();
            assert!(
                longest <= Duration::from_millis(most) && longest >= Duration::from_millis(most / 2),
                "{attempt}"
            );
        }
    }

    proptest::proptest! {
        /// Foreign bytes: whatever the header says, it asks for a pause or for none.
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
