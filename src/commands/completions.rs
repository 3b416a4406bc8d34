//! `keysunset completions`: what a shell needs to complete the command line.

use clap::CommandFactory as _;

use crate::cli::{self, Cli};
use crate::console::print;
use crate::exit::{Error, Exit};

pub(crate) fn run(args: &cli::Completions) -> Result<Exit, Error> {
    // By way of memory: written straight to a pipe that somebody closed, it would panic.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "keysunset", &mut script);
    print(&String::from_utf8(script).map_err(Error::bug)?)?;
    Ok(Exit::Clean)
}
