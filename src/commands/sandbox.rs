//! `keysunset sandbox`: the service itself, until it is interrupted.

use crate::cli;
use crate::console::print;
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::signals::Signals;
use keysunset_sandbox::{Options, Sandbox};

pub(crate) async fn run(args: cli::Sandbox, context: &Context<'_>) -> Result<Exit, Error> {
    let clock = args.options.clock.or(context.clock.fixed());
    let sandbox = Sandbox::start(Options { clock, ..args.options }).map_err(Error::input)?;
    let announcement = serde_json::to_string(sandbox.announcement()).map_err(Error::bug)?;
    let mut signals = Signals::listen()?;
    print(&format!("{announcement}\n"))?;
    // Ending it is how it is meant to end.
    signals.next().await;
    sandbox.stop();
    Ok(Exit::Clean)
}
