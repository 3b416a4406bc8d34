//! `keysunset report`: a stored run, rendered again without a request.

use super::{manifest_parts, render};
use crate::cli;
use crate::config::ReportSettings;
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::store::Store;

pub(crate) fn run(args: cli::Report, context: &Context) -> Result<Exit, Error> {
    let settings = ReportSettings::resolve(args.report, context.env)?.checked()?;
    super::outputs::check_reports(&settings.store, &settings)?;
    let waivers = super::waivers(&settings, context.clock)?;
    let store = Store::open(&settings.store)?;
    let run = store.run(args.run)?;
    render(&[(&store, &run)], &settings, &waivers, context.quiet, manifest_parts(&settings)?)
}
