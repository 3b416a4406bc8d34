//! `keysunset report`: a stored run, rendered again without a request.

use super::render;
use crate::config::View;
use crate::exit::{Error, Exit};
use crate::store::Store;

/// Runs the command.
///
/// # Errors
/// No store, no such run, or a report that can't be written.
pub fn run(view: &View, run: Option<i64>, quiet: bool) -> Result<Exit, Error> {
    let store = Store::open(&view.store)?;
    let run = store.run(run)?;
    render(&store, &run, view, quiet)
}
