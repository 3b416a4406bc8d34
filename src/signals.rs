//! Ctrl-C and SIGTERM, as something to wait for.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::{Error, Signal};

/// Whether a command waits for signals itself.
static IS_LISTENED_TO: AtomicBool = AtomicBool::new(false);

/// Waits, on a thread of its own, for a signal while no command does so itself: it may be blocked by a pipe, a prompt or
/// another program. The terminal is then given back as it was found.
pub fn watch(on_signal: impl FnOnce(Signal) + Send + 'static) {
    let terminal = Terminal::save();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let signals = runtime.block_on(async {
        catch_size_limit();
        Signals::new()
    });
    let Ok(mut signals) = signals else { return };
    std::thread::spawn(move || {
        let signal = runtime.block_on(async {
            loop {
                let signal = signals.next().await;
                if !IS_LISTENED_TO.load(Ordering::Relaxed) {
                    return signal;
                }
            }
        });
        terminal.restore();
        on_signal(signal);
    });
}

/// A write beyond the limit on file sizes fails then like any other write. Otherwise the system ends the process.
fn catch_size_limit() {
    #[cfg(unix)]
    let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(libc::SIGXFSZ));
}

/// The mode of the terminal, which a prompt changes.
struct Terminal(#[cfg(unix)] Option<nix::sys::termios::Termios>);

#[cfg(unix)]
impl Terminal {
    fn save() -> Self {
        Self(nix::sys::termios::tcgetattr(std::io::stdin()).ok())
    }

    fn restore(&self) {
        if let Some(mode) = &self.0 {
            let _ = nix::sys::termios::tcsetattr(std::io::stdin(), nix::sys::termios::SetArg::TCSANOW, mode);
        }
    }
}

#[cfg(not(unix))]
impl Terminal {
    fn save() -> Self {
        Self()
    }

    #[expect(clippy::unused_self, reason = "other systems have a mode to restore")]
    fn restore(&self) {}
}

/// The signals that end a run. Once a command listens they no longer end the process.
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Begins to listen in place of [`watch`].
    ///
    /// # Errors
    /// A system that does not let it.
    pub fn listen() -> Result<Self, Error> {
        let signals = Self::new()?;
        IS_LISTENED_TO.store(true, Ordering::Relaxed);
        Ok(signals)
    }

    fn new() -> Result<Self, Error> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let wrong = |why| Error::bug(format!("can't wait for signals: {why}"));
            Ok(Self {
                interrupt: signal(SignalKind::interrupt()).map_err(wrong)?,
                terminate: signal(SignalKind::terminate()).map_err(wrong)?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Does what may wait, such as for another program's lock, on a thread of its own, so that a signal ends the wait.
    ///
    /// # Errors
    /// The signal that came first.
    pub async fn unless<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        tokio::select! {
            done = tokio::task::spawn_blocking(work) => {
                Ok(done.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic())))
            }
            signal = self.next() => Err(Error::interrupted(signal, "interrupted before the first request")),
        }
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
        #[cfg(not(unix))]
        {
            // Without it there is nothing to wait for, and Ctrl-C ends the process.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Signal::Interrupt
        }
    }
}
