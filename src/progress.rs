//! How far the run is, on stderr: a bar on a terminal, a line every ten seconds elsewhere or on a CI server, nothing when
//! quiet.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What has been done so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Done {
    /// Users that there are to read, as far as the sources have told.
    pub expected: u64,
    /// Whether all sources have told.
    pub all_known: bool,
    /// Users asked for.
    pub users: u64,
    /// Keys found.
    pub keys: u64,
    /// Keys that are critical or high.
    pub flagged: u64,
}

/// Where it is shown.
enum Place {
    Nowhere,
    Terminal(ProgressBar),
    Lines,
}

/// The progress of one run.
pub struct Progress {
    place: Place,
    started: Instant,
}

impl Progress {
    /// On stderr, by what that is. A CI server keeps a log: there a bar would be a thousand lines, whatever stderr is.
    #[must_use]
    pub fn new(quiet: bool, ci: bool) -> Self {
        let place = if quiet {
            Place::Nowhere
        } else if !ci && std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{bar:16} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            Place::Terminal(
                ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr()).with_style(style),
            )
        } else {
            Place::Lines
        };
        Self { place, started: Instant::now() }
    }

    /// How often [`Progress::show`] wants to be called.
    #[must_use]
    pub fn interval(&self) -> Duration {
        match self.place {
            Place::Terminal(_) => Duration::from_millis(100),
            Place::Lines | Place::Nowhere => Duration::from_secs(10),
        }
    }

    /// Shows how far it is.
    pub fn show(&self, done: Done) {
        match &self.place {
            Place::Nowhere => {}
            Place::Lines => tell(&line(done, self.started.elapsed())),
            Place::Terminal(bar) => {
                bar.set_length(done.expected.max(done.users));
                bar.set_position(done.users);
                bar.set_message(line(done, self.started.elapsed()));
            }
        }
    }

    /// Clears the bar.
    pub fn end(self) {
        match self.place {
            Place::Terminal(bar) => bar.finish_and_clear(),
            Place::Nowhere | Place::Lines => {}
        }
    }
}

#[expect(clippy::print_stderr, reason = "progress is what stderr is for")]
fn tell(line: &str) {
    eprintln!("{line}");
}

/// `1200/5000+ users, 2350 keys, 120 flagged, 310/s, 12s left`; `+` while more may come to light.
#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
fn line(done: Done, elapsed: Duration) -> String {
    let rate = done.users as f64 / elapsed.as_secs_f64().max(0.001);
    let Done { expected, all_known, users, keys, flagged } = done;
    let expected = expected.max(users);
    let more = if all_known { "" } else { "+" };
    let left =
        if users > 0 { format!(", {:.0}s left", (expected - users) as f64 / rate) } else { String::new() };
    format!("{users}/{expected}{more} users, {keys} keys, {flagged} flagged, {rate:.0}/s{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let done = Done { expected: 5000, all_known: true, users: 1000, keys: 2350, flagged: 120 };
        let after = Duration::from_secs(10);
        assert_eq!(line(done, after), "1000/5000 users, 2350 keys, 120 flagged, 100/s, 40s left");
        let discovering = Done { all_known: false, ..done };
        assert_eq!(line(discovering, after), "1000/5000+ users, 2350 keys, 120 flagged, 100/s, 40s left");
        assert_eq!(line(Done::default(), Duration::ZERO), "0/0+ users, 0 keys, 0 flagged, 0/s");
    }
}
