//! `keysunset report`: a stored run, rendered again without a request.

use super::render;
use crate::cli;
use crate::config::View;
use crate::exit::{Error, Exit};
use crate::store::Store;

/// Runs the command.
///
/// # Errors
/// No store, no such run, or a report that can't be written.
pub fn run(typed: cli::Report, quiet: bool) -> Result<Exit, Error> {
    let view = View::resolve(typed.shown, typed.config.as_deref())?;
    let store = Store::open(&view.store)?;
    let run = store.run(typed.run)?;
    render(&store, &run, &view, quiet)
}
