//! `keysunset sandbox`: the service itself, until it is interrupted.

use super::say;
use crate::cli;
use crate::config::Clock;
use crate::exit::{Error, Exit};
use crate::sandbox::{Options, Sandbox};

/// Runs the command.
///
/// # Errors
/// An address that can't be listened on, or a world that can't be read.
pub async fn run(typed: cli::Sandbox, clock: Clock) -> Result<Exit, Error> {
    let default = Options::default();
    let sandbox = Sandbox::start(Options {
        listen: typed.listen.unwrap_or(default.listen),
        product: typed.product.unwrap_or(default.product),
        service_version: typed.service_version.unwrap_or(default.service_version),
        users: typed.users.unwrap_or(default.users),
        seed: typed.seed.unwrap_or(default.seed),
        world: typed.world,
        challenge: typed.challenge.unwrap_or(default.challenge),
        nonce: typed.nonce.unwrap_or(default.nonce),
        nonce_life: typed.nonce_life.unwrap_or(default.nonce_life),
        nonce_uses: typed.nonce_uses.unwrap_or(default.nonce_uses),
        clock: typed.clock.or(clock.fixed()),
        faults: typed.fault,
    })
    .map_err(Error::input)?;
    let announcement = serde_json::to_string(sandbox.announcement()).map_err(Error::bug)?;
    say(&format!("{announcement}\n"))?;
    let exit = interrupted().await?;
    sandbox.stop();
    Ok(exit)
}

/// Ending it is how it is meant to end.
async fn interrupted() -> Result<Exit, Error> {
    let wrong = |why| Error::input(format!("can't wait for a signal: {why}"));
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(wrong)?;
        tokio::select! {
            ended = tokio::signal::ctrl_c() => ended.map_err(wrong)?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.map_err(wrong)?;
    Ok(Exit::Clean)
}
