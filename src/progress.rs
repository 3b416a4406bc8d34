//! How far the run is, on stderr: a bar on a terminal, a line every ten seconds elsewhere or on a CI server, nothing when
//! quiet.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console::inform;

/// What has been counted so far.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Users that the sources say there are, repeats included.
    expected: u64,
    /// Those of them that need no reading.
    skipped: u64,
    /// Whether all sources have said how many there are.
    all_expected: bool,
    /// Users asked for.
    users: u64,
    /// Keys found.
    keys: u64,
    /// Keys that are critical or high.
    flagged: u64,
}

/// Where it is shown.
enum Display {
    Nowhere,
    Terminal(ProgressBar),
    Lines,
}

/// The progress of one run.
pub struct Progress {
    display: Display,
    started: Instant,
    counts: Cell<Counts>,
}

impl Progress {
    /// On stderr, by what that is. A CI server keeps a log: there a bar would be a thousand lines, whatever stderr is.
    #[must_use]
    pub fn new(quiet: bool, ci: bool) -> Self {
        let display = if quiet {
            Display::Nowhere
        } else if !ci && std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{bar:16} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            Display::Terminal(
                ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr()).with_style(style),
            )
        } else {
            Display::Lines
        };
        Self { display, started: Instant::now(), counts: Cell::default() }
    }

    /// How often [`Progress::show`] wants to be called.
    #[must_use]
    pub fn interval(&self) -> Duration {
        match self.display {
            Display::Terminal(_) => Duration::from_millis(100),
            Display::Lines | Display::Nowhere => Duration::from_secs(10),
        }
    }

    /// A source says that so many more users are to come.
    pub fn expect(&self, users: u64) {
        self.count(|counts| counts.expected += users);
    }

    /// So many of the expected users need no reading, being repeats or names of nobody.
    pub fn skip(&self, users: u64) {
        self.count(|counts| counts.skipped += users);
    }

    /// All sources have said how many users there are.
    pub fn all_expected(&self) {
        self.count(|counts| counts.all_expected = true);
    }

    /// A user was asked for, who has so many keys, and so many of those are critical or high.
    pub fn user_done(&self, keys: u64, flagged: u64) {
        self.count(|counts| {
            counts.users += 1;
            counts.keys += keys;
            counts.flagged += flagged;
        });
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }

    /// Shows how far it is.
    pub fn show(&self) {
        let counts = self.counts.get();
        match &self.display {
            Display::Nowhere => {}
            Display::Lines => inform(&line(counts, self.started.elapsed())),
            Display::Terminal(bar) => {
                bar.set_length(counts.to_read());
                bar.set_position(counts.users);
                bar.set_message(line(counts, self.started.elapsed()));
            }
        }
    }

    /// Clears the bar.
    pub fn end(&self) {
        match &self.display {
            Display::Terminal(bar) => bar.finish_and_clear(),
            Display::Nowhere | Display::Lines => {}
        }
    }
}

impl Counts {
    /// Users that have been read or are to be, as far as is known.
    fn to_read(self) -> u64 {
        self.expected.saturating_sub(self.skipped).max(self.users)
    }
}

/// `1200/5000+ users, 2350 keys, 120 flagged, 310/s, 12s left`; `+` while more may come to light.
#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
fn line(counts: Counts, elapsed: Duration) -> String {
    let Counts { users, keys, flagged, .. } = counts;
    let rate = users as f64 / elapsed.as_secs_f64().max(0.001);
    let to_read = counts.to_read();
    let more = if counts.all_expected { "" } else { "+" };
    let left =
        if users > 0 { format!(", {:.0}s left", (to_read - users) as f64 / rate) } else { String::new() };
    format!("{users}/{to_read}{more} users, {keys} keys, {flagged} flagged, {rate:.0}/s{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let counts =
            Counts { expected: 5010, skipped: 10, all_expected: true, users: 1000, keys: 2350, flagged: 120 };
        let after = Duration::from_secs(10);
        assert_eq!(line(counts, after), "1000/5000 users, 2350 keys, 120 flagged, 100/s, 40s left");
        let discovering = Counts { all_expected: false, ..counts };
        assert_eq!(line(discovering, after), "1000/5000+ users, 2350 keys, 120 flagged, 100/s, 40s left");
        assert_eq!(line(Counts::default(), Duration::ZERO), "0/0+ users, 0 keys, 0 flagged, 0/s");
    }
}
