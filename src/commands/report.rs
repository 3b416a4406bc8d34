//! `keysunset report`: a stored run, rendered again without a request.

use super::render;
use crate::config::{Clock, ReportSettings};
use crate::exit::{Error, Exit};
use crate::store::Store;

/// Runs the command.
///
/// # Errors
/// Waivers that can't be used, no store, no such run, or a report that can't be written.
pub fn run(view: &ReportSettings, run: Option<i64>, clock: Clock, quiet: bool) -> Result<Exit, Error> {
    let waivers = super::waivers(view, clock)?;
    let store = Store::open(&view.store)?;
    let run = store.run(run)?;
    render(&[(&store, &run)], view, &waivers, quiet)
}
