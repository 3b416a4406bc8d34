//! `keysunset completions`: what a shell needs to complete the command line.

use clap_complete::Shell;

use super::say;
use crate::exit::{Error, Exit};

/// Runs the command; `typed` is all that can be typed.
///
/// # Errors
/// A standard output that can't be written.
pub fn run(typed: &mut clap::Command, shell: Shell) -> Result<Exit, Error> {
    // By way of memory: written straight to a pipe that somebody closed, it would panic.
    let mut script = Vec::new();
    clap_complete::generate(shell, typed, "keysunset", &mut script);
    say(&String::from_utf8(script).map_err(Error::bug)?)?;
    Ok(Exit::Clean)
}
