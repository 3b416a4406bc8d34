//! `keysunset sandbox`: the service itself, until it is interrupted.

use crate::cli;
use crate::console::print;
use crate::context::{Clock, Context};
use crate::exit::{Error, Exit};
use crate::signals::Signals;
use keysunset_sandbox::{Options, Sandbox};

/// Runs the command.
///
/// # Errors
/// An address that can't be listened on, or a world that can't be read.
pub async fn run(args: cli::Sandbox, context: &Context<'_>) -> Result<Exit, Error> {
    let sandbox = Sandbox::start(options(args, context.clock)).map_err(Error::input)?;
    let announcement = serde_json::to_string(sandbox.announcement()).map_err(Error::bug)?;
    let mut signals = Signals::listen()?;
    print(&format!("{announcement}\n"))?;
    // Ending it is how it is meant to end.
    signals.next().await;
    sandbox.stop();
    Ok(Exit::Clean)
}

/// The service that it is to be.
fn options(args: cli::Sandbox, clock: Clock) -> Options {
    let default = Options::default();
    Options {
        listen: args.listen.unwrap_or(default.listen),
        product: args.product.unwrap_or(default.product),
        service_version: args.service_version.unwrap_or(default.service_version),
        users: args.users.unwrap_or(default.users),
        seed: args.seed.unwrap_or(default.seed),
        world: args.world,
        challenge: args.challenge.unwrap_or(default.challenge),
        nonce: args.nonce.unwrap_or(default.nonce),
        nonce_life: args.nonce_life.unwrap_or(default.nonce_life),
        nonce_uses: args.nonce_uses.unwrap_or(default.nonce_uses),
        clock: args.clock.or(clock.fixed()),
        faults: args.fault,
    }
}
