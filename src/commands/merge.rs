//! `keysunset merge`: the newest runs of several stores, each of a deployment of its own, in one report.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{manifest_parts, outputs, render, waivers};
use crate::cli;
use crate::config::{ReportSettings, STORE};
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::report::text::printable;
use crate::store::{Run, Store};

/// So many stores stay open; the others are closed between uses. Each takes three file handles.
const STAY_OPEN: usize = 16;

/// A folder means the store in it.
pub(crate) fn run(args: cli::Merge, context: &Context) -> Result<Exit, Error> {
    let settings = ReportSettings::resolve(args.report, context.env)?.checked()?;
    let waivers = waivers(&settings, context.clock)?;
    let path = |path: PathBuf| if path.is_dir() { path.join(STORE) } else { path };
    let paths: Vec<_> = args.stores.into_iter().map(path).collect();
    paths.iter().try_for_each(|path| outputs::check_reports(path, &settings))?;
    let mut opened = Vec::new();
    for path in paths {
        let store = Store::open(&path)?;
        let runs = newest_runs(&store)?;
        if opened.len() >= STAY_OPEN {
            store.rest()?;
        }
        opened.push((store, path, runs));
    }
    let mut newest: BTreeMap<&str, (&Store, &PathBuf, &Run)> = BTreeMap::new();
    for (store, path, runs) in &opened {
        for run in runs {
            let name = run.deployment.as_str();
            if let Some((_, other, _)) = newest.insert(name, (store, path, run)) {
                return Err(twice(name, other, path));
            }
        }
    }
    let runs: Vec<_> = newest.values().map(|(store, _, run)| (*store, *run)).collect();
    if settings.baseline.is_some() && runs.len() > 1 {
        return Err(Error::input("--baseline supports one deployment, but this report has several")
            .help("use --ratchet, which compares each deployment with its earlier run"));
    }
    render(&runs, &settings, &waivers, context.quiet, manifest_parts(&settings)?)
}

/// The newest run of each deployment of a store.
fn newest_runs(store: &Store) -> Result<Vec<Run>, Error> {
    let mut newest: Vec<Run> = Vec::new();
    for run in store.runs()? {
        if newest.iter().all(|other| other.deployment != run.deployment) {
            newest.push(run);
        }
    }
    // A store without a run says so.
    if newest.is_empty() {
        store.run(None)?;
    }
    Ok(newest)
}

fn twice(deployment: &str, one: &std::path::Path, other: &std::path::Path) -> Error {
    let name = printable(deployment);
    Error::input(format!("{} and {} both contain runs of {name}", one.display(), other.display()))
        .help("leave one of them out, since its keys would count twice; if these are two deployments, audit one with another --name")
}
