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
        let turn = {
            let mut next = self.next.lock().await;
            let turn = (*next).max(Instant::now());
            *next = turn + spacing;
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_evenly_spaced_and_never_made_up_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            tokio::time::pause();
            let start = Instant::now();
            let pace = Pace::new(Some(10.0));
            for expected in [0, 100, 200] {
                pace.turn().await;
                assert_eq!(start.elapsed().as_millis(), expected);
            }
            tokio::time::advance(Duration::from_secs(5)).await;
            let late = Instant::now();
            pace.turn().await;
            pace.turn().await;
            assert_eq!(late.elapsed().as_millis(), 100);
        });
    }
}
