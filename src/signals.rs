//! Ctrl-C and SIGTERM, as something to wait for.

use crate::exit::{Error, Signal};

/// The signals that end a run. Once it listens they no longer end the process.
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// A system that does not let it.
    pub fn listen() -> Result<Self, Error> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let wrong = |why| Error::input(format!("can't wait for a signal: {why}"));
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
            signal = self.next() => Err(Error::interrupted(signal, "interrupted: nothing was read yet")),
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
            // Without it there is nothing to wait for, and Ctrl-C ends the process by itself.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Signal::Interrupt
        }
    }
}
