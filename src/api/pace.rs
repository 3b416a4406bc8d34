//! How fast the deployment may be asked: a ceiling in requests a second, kept by handing out turns.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Hands out turns, evenly spaced. Every request takes one, the digest layer's own included.
pub(crate) struct Pace {
    spacing: Option<Duration>,
    next: Mutex<Instant>,
}

impl Pace {
    /// `rate` in requests a second; `None` for as fast as it goes.
    pub(crate) fn new(rate: Option<f64>) -> Self {
        Self {
            spacing: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Returns when the next request may go out.
    pub(crate) async fn turn(&self) {
        let Some(spacing) = self.spacing else { return };
        let turn = take(&mut *self.next.lock().await, Instant::now(), spacing);
        tokio::time::sleep_until(turn).await;
    }
}

/// The next turn: `spacing` after the last, but never in the past, so that lost time is not made up for in a burst.
fn take(next: &mut Instant, now: Instant, spacing: Duration) -> Instant {
    let turn = (*next).max(now);
    *next = turn + spacing;
    turn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_evenly_spaced_and_never_made_up_for() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut next = start;
        for (now, turn) in [(0, 0), (0, 100), (10, 200), (5000, 5000), (5000, 5100)] {
            assert_eq!(take(&mut next, after(now), Duration::from_millis(100)), after(turn));
        }
    }
}
