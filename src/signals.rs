//! Ctrl-C and SIGTERM, as something to wait for.

use std::sync::{Mutex, PoisonError};

use futures::FutureExt as _;

use crate::exit::{Error, Signal};

/// What a signal interrupts, and what to do next.
#[derive(Clone, Copy)]
pub struct Interruption {
    /// What happened.
    pub message: &'static str,
    /// What to do next.
    pub help: Option<&'static str>,
}

/// What a signal interrupts now; `None` while a command waits for signals itself.
static CURRENT: Mutex<Option<Interruption>> =
    Mutex::new(Some(Interruption { message: "interrupted", help: None }));

impl Interruption {
    fn current() -> Option<Self> {
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_current(current: Option<Self>) {
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = current;
    }

    fn error(self, signal: Signal) -> Error {
        let error = Error::interrupted(signal, self.message);
        match self.help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}

/// Waits, on a thread of its own, for a signal while no command does so itself: it may be blocked by a pipe, a prompt or
/// another program. The terminal is then given back as it was found.
pub fn watch(on_signal: impl FnOnce(Error) + Send + 'static) {
    let terminal = Terminal::save();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let signals = runtime.block_on(async {
        catch_size_limit();
        Signals::new()
    });
    let Ok(mut signals) = signals else { return };
    std::thread::spawn(move || {
        let error = runtime.block_on(async {
            loop {
                let signal = signals.next().await;
                if let Some(interruption) = Interruption::current() {
                    return interruption.error(signal);
                }
            }
        });
        terminal.restore();
        on_signal(error);
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
        Interruption::set_current(None);
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

    /// Does what takes long or may wait, such as for another program's lock. Until it is done, [`watch`] waits again, and a
    /// signal ends the process.
    ///
    /// # Errors
    /// A signal that came before.
    pub fn unless<T>(&mut self, interruption: Interruption, work: impl FnOnce() -> T) -> Result<T, Error> {
        Interruption::set_current(Some(interruption));
        // One that came earlier was left to this command.
        if let Some(signal) = tokio::task::unconstrained(self.next()).now_or_never() {
            return Err(interruption.error(signal));
        }
        let done = work();
        Interruption::set_current(None);
        Ok(done)
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
