//! How far the run is, on stderr: a bar on a terminal, a line every ten seconds elsewhere or on a CI server, nothing when
//! quiet.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console::{duration, inform};

/// What has been counted so far.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Users of the longest list, repeats included. Lists may overlap, so that their sum is not the number of users.
    longest_list: u64,
    /// Users to read that were found so far, each once.
    found: u64,
    /// Rows of lists that need no reading.
    skipped: u64,
    /// Whether all users are found.
    all_found: bool,
    /// Users asked for.
    users: u64,
    /// Keys found.
    keys: u64,
    /// Keys that are findings.
    findings: u64,
}

/// Where it is shown.
enum Display {
    Nowhere,
    Terminal(ProgressBar),
    Lines,
}

/// The progress of one run.
pub(crate) struct Progress {
    display: Display,
    started: Instant,
    counts: Cell<Counts>,
}

impl Progress {
    /// On stderr, by what that is. A CI server keeps a log: there a bar would be a thousand lines, whatever stderr is.
    #[must_use]
    pub(crate) fn new(quiet: bool, ci: bool) -> Self {
        let display = if quiet {
            Display::Nowhere
        } else if !ci && std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{bar:8} {wide_msg}")
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
    pub(crate) fn interval(&self) -> Duration {
        match self.display {
            Display::Terminal(_) => Duration::from_millis(100),
            Display::Lines | Display::Nowhere => Duration::from_secs(10),
        }
    }

    /// A list says that it has so many users in all.
    pub(crate) fn expect(&self, users: u64) {
        self.count(|counts| counts.longest_list = counts.longest_list.max(users));
    }

    /// Counts more users to read, and rows that need no request: repeated users and unknown names.
    pub(crate) fn found(&self, users: u64, skipped: u64) {
        self.count(|counts| {
            counts.found += users;
            counts.skipped += skipped;
        });
    }

    /// All users are found.
    pub(crate) fn all_found(&self) {
        self.count(|counts| counts.all_found = true);
    }

    /// A user was asked for, who has so many keys, and so many of those are findings.
    pub(crate) fn user_done(&self, keys: u64, findings: u64) {
        self.count(|counts| {
            counts.users += 1;
            counts.keys += keys;
            counts.findings += findings;
        });
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }

    /// Shows how far it is, while all requests are held for `hold`.
    pub(crate) fn show(&self, hold: Duration) {
        let counts = self.counts.get();
        match &self.display {
            Display::Nowhere => {}
            Display::Lines => inform(&line(counts, self.started.elapsed(), hold)),
            Display::Terminal(bar) => {
                bar.set_length(counts.to_read());
                bar.set_position(counts.users);
                bar.set_message(line(counts, self.started.elapsed(), hold));
            }
        }
    }

    /// Clears the bar.
    pub(crate) fn end(&self) {
        match &self.display {
            Display::Terminal(bar) => bar.finish_and_clear(),
            Display::Nowhere | Display::Lines => {}
        }
    }
}

impl Counts {
    /// Users that have been read or are to be, as far as is known.
    fn to_read(self) -> u64 {
        let expected = if self.all_found { 0 } else { self.longest_list.saturating_sub(self.skipped) };
        expected.max(self.found).max(self.users)
    }
}

/// `1200/5000+ users, 2350 keys, 120 findings, 310/s, 3m 20s left`; `+` while more may be found.
#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
fn line(counts: Counts, elapsed: Duration, hold: Duration) -> String {
    let Counts { users, keys, findings, .. } = counts;
    let rate = users as f64 / elapsed.as_secs_f64().max(0.001);
    let to_read = counts.to_read();
    let more = if counts.all_found { "" } else { "+" };
    let left = ((to_read - users) as f64 / rate + hold.as_secs_f64()).round();
    let left = match Duration::try_from_secs_f64(left) {
        Ok(left) if users > 0 => format!(", {} left", duration(left)),
        Ok(_) | Err(_) => String::new(),
    };
    format!("{users}/{to_read}{more} users, {keys} keys, {findings} findings, {rate:.0}/s{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let counts = Counts {
            longest_list: 5010,
            found: 3000,
            skipped: 10,
            all_found: false,
            users: 1000,
            keys: 2350,
            findings: 120,
        };
        let (after, no_hold) = (Duration::from_secs(10), Duration::ZERO);
        assert_eq!(
            line(counts, after, no_hold),
            "1000/5000+ users, 2350 keys, 120 findings, 100/s, 40s left"
        );
        let found = Counts { all_found: true, ..counts };
        assert_eq!(line(found, after, no_hold), "1000/3000 users, 2350 keys, 120 findings, 100/s, 20s left");
        let held = line(found, after, Duration::from_secs(60));
        assert!(held.ends_with(", 1m 20s left"), "a pause is to be waited for as well: {held}");
        assert_eq!(line(Counts::default(), Duration::ZERO, no_hold), "0/0+ users, 0 keys, 0 findings, 0/s");
    }

    #[test]
    fn a_line_fits_a_terminal_beside_its_bar() {
        let many = 999_999;
        let counts =
            Counts { longest_list: many, users: 100_000, keys: many, findings: many, ..Counts::default() };
        let line = line(counts, Duration::from_secs(100), Duration::from_secs(5000));
        assert!(line.len() <= 80 - 9 && line.ends_with(" 1h 38m left"), "{line}");
    }

    #[test]
    fn a_user_of_several_lists_counts_once() {
        let progress = Progress::new(true, true);
        let to_read = || progress.counts.get().to_read();
        progress.expect(3000);
        assert_eq!(to_read(), 3000);
        progress.found(3000, 0);
        for found in [(0, 500), (100, 400), (0, 429)] {
            progress.expect(1429);
            progress.found(found.0, found.1);
            assert!(to_read() <= 3100, "{}", to_read());
        }
        progress.all_found();
        assert_eq!(to_read(), 3100);
    }
}
