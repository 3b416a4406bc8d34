//! `keysunset prune`: deletes old runs, and gives their disk space back.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use super::history::numbered;
use crate::cli::{self, PolicyArgs};
use crate::config::ReportSettings;
use crate::console::{Page, Text, print};
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::history::prunable;
use crate::model::rfc3339;
use crate::report::text::printable;
use crate::store::{self, Removed, Run, Store};

/// Each deployment keeps its newest runs, and its last complete one in any case.
pub(crate) fn run(args: cli::Prune, context: &Context) -> Result<Exit, Error> {
    let cli::Prune { keep, dry_run, store } = args;
    let settings = ReportSettings::for_store(store, PolicyArgs::default(), context.env)?;
    let path = settings.store.as_path();
    let store = if dry_run {
        Store::open(path)?
    } else {
        Store::open_to_prune(path).map_err(|why| busy(why, path))?
    };
    let prunable = prunable(&store, keep)?;
    let mut page = list(&store, &prunable, keep)?;
    if dry_run {
        page.text("  no runs were deleted: --dry-run");
        return print(&page.into_text()).map(|()| Exit::Clean);
    }
    let before = size(path);
    let Removed { users, keys } = store.remove(&prunable)?;
    // Even where no run was deleted: disk space of runs that were deleted earlier may still be in use.
    let shrunk = store.shrink().map_err(|why| {
        Error::output(format!("old runs were deleted, but the file was not compacted: {why}"))
            .help("free disk space for a second copy of the file, then run the command again")
    })?;
    drop(store);
    let later = if shrunk { "" } else { "; disk space is freed when no other program reads the file" };
    page.line("deleted", format!("{users} users and {keys} keys of {} runs", prunable.len()));
    let sizes = format!(": {} bytes, before {before} bytes{later}", size(path));
    page.line("database", Text::default().unbroken(&path.to_string_lossy()).plain(&sizes));
    if !context.quiet {
        print(&page.into_text())?;
    }
    Ok(Exit::Clean)
}

fn busy(why: store::Error, path: &Path) -> Error {
    match why {
        store::Error::Busy(_) => {
            Error::input(format!("an audit is writing to {}; nothing was deleted", path.display()))
                .help("run the command again when the audit has ended")
        }
        other => other.into(),
    }
}

/// Which runs are kept and which are deleted, deployment by deployment.
fn list(store: &Store, prunable: &[Run], keep: NonZeroUsize) -> Result<Page, Error> {
    let mut sides: BTreeMap<String, (Vec<Run>, Vec<Run>)> = BTreeMap::new();
    for run in store.runs()?.into_iter().rev() {
        let (stays, goes) = sides.entry(run.deployment.clone()).or_default();
        if prunable.iter().any(|it| it.id == run.id) { goes.push(run) } else { stays.push(run) }
    }
    let mut page = Page::default();
    for (deployment, (stays, goes)) in sides {
        page.text(printable(&deployment));
        let complete = if stays.len() > keep.get() { "; the first is the last complete run" } else { "" };
        page.line("keep", format!("{}{complete}", runs(&stays)));
        page.line("delete", runs(&goes));
    }
    Ok(page)
}

fn runs(runs: &[Run]) -> String {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return "no run".to_owned() };
    let (from, to) = (rfc3339(first.started_at), rfc3339(last.started_at));
    let when = if first.id == last.id { format!("of {from}") } else { format!("from {from} to {to}") };
    format!("{} {when}", numbered(runs))
}

/// In bytes; what can't be asked is 0.
fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |file| file.len())
}
