//! How far a search is, on stderr: a line that is renewed on a terminal, a line every ten seconds elsewhere.

use std::io::IsTerminal as _;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console::inform;
use crate::context::Context;
use crate::locate::Progress;

/// Does the work, and shows its progress meanwhile.
pub(super) fn shown<T: Send>(progress: &Progress, context: &Context, work: impl FnOnce() -> T) -> T {
    if context.quiet {
        return work();
    }
    let is_terminal = !context.is_ci() && std::io::stderr().is_terminal();
    let (end, ended) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || show(progress, is_terminal, || ended.recv_timeout(interval(is_terminal))));
        let done = work();
        drop(end);
        done
    })
}

const fn interval(is_terminal: bool) -> Duration {
    if is_terminal { Duration::from_millis(100) } else { Duration::from_secs(10) }
}

fn show(progress: &Progress, is_terminal: bool, wait: impl Fn() -> Result<(), RecvTimeoutError>) {
    let style =
        ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target).with_style(style);
    while wait() == Err(RecvTimeoutError::Timeout) {
        let count = |of: &std::sync::atomic::AtomicU64| of.load(Ordering::Relaxed);
        let (bytes, files, places) =
            (count(&progress.bytes), count(&progress.files), count(&progress.places));
        let line = format!("{} searched, {files} files, {places} places", HumanBytes(bytes));
        if is_terminal {
            bar.set_message(line);
        } else {
            inform(&line);
        }
        bar.tick();
    }
    bar.finish_and_clear();
}
