//! `keysunset import`: answers that somebody saved, as a run like any other.

use std::collections::BTreeSet;

use url::Url;

use super::{WholeRun, baseline, half_upgraded, reported};
use crate::cli;
use crate::client::product;
use crate::config::{ACTIVE_WITHIN, CUTOFF, ImportSettings};
use crate::console::warn;
use crate::context::{Clock, Context};
use crate::exit::{Error, Exit};
use crate::import::SavedAnswers;
use crate::model::Product;
use crate::report::text::printable;
use crate::signals::Signals;
use crate::store::{JournalHandle, NewRun, Store, WriterStopped};
use crate::v1::{RequestSettings, RunSettings};

/// What the reports call a deployment that nothing names.
const UNNAMED: &str = "saved answers";
/// Files that are named when no user was found in any; the rest are counted.
const NAMED_FILES: usize = 20;

pub(crate) async fn run(args: cli::Import, context: &Context<'_>) -> Result<Exit, Error> {
    let clock = context.clock;
    let import = ImportSettings::resolve(args, context.env)?;
    let waivers = super::waivers(&import.report, clock)?;
    let saved = SavedAnswers::read(&import.inputs)?;
    let new_run = new_run(&import, &saved, clock);
    if !saved.has_users() {
        return Err(no_users(&saved, &new_run));
    }
    crate::report::prepare(&import.report.output)?;
    let out = super::output_folder(&import.report)?;
    baseline::check(&import.report, &new_run.deployment)?;
    let mut signals = Signals::listen()?;
    let (path, product) = (import.report.store.clone(), new_run.product);
    let begin = move || Store::open_for_run(&path)?.begin(&new_run);
    let journal = signals.unless(begin).await??;
    let (run, handle) = (journal.run(), journal.handle());
    let version = saved.service_version();
    let end = tokio::select! {
        biased;
        signal = signals.next() => Some(signal),
        // Closing the journal says why it stopped.
        _ = record(saved, product, handle) => None,
    };
    let store = journal.close()?;
    if let Some(signal) = end {
        store.discard(run)?;
        return Err(
            Error::interrupted(signal, "interrupted; nothing was stored").help("run the same command again")
        );
    }
    store.add_service_versions(run, version.as_deref())?;
    half_upgraded::record(&store, run)?;
    store.finish(run, clock.now())?;
    let cut_short = (
        "interrupted while writing the reports; all responses were read and stored",
        "run `keysunset report` to write the reports",
    );
    reported(WholeRun { store, run, out }, import.report, waivers, context.quiet, &mut signals, cut_short)
        .await
}

/// Records what could not be understood, and then user by user.
async fn record(saved: SavedAnswers, product: Product, handle: JournalHandle) -> Result<(), WriterStopped> {
    for list in saved.incomplete_lists() {
        handle.record_list(list).await?;
    }
    for result in saved.user_results(product) {
        handle.record(result).await?;
    }
    Ok(())
}

/// What is known of the run.
fn new_run(import: &ImportSettings, saved: &SavedAnswers, clock: Clock) -> NewRun {
    let bases = saved.bases();
    let address = import.url.as_ref().or(bases.first().filter(|_| bases.len() == 1));
    warn_of_others(import.url.as_ref(), bases);
    let product =
        import.product.or_else(|| import.url.as_ref().map(product::guess)).or_else(|| saved.product());
    let name = import.name.clone().or_else(|| address.map(|url| url.origin().ascii_serialization()));
    let sources = import.inputs.iter().map(|path| format!("saved answers in {}", path.display()));
    NewRun {
        deployment: name.unwrap_or_else(|| UNNAMED.to_owned()),
        address: address.map_or_else(|| UNNAMED.to_owned(), Url::to_string),
        // What the cloud said before it removed them is left as saved answers alone.
        product: product.unwrap_or(Product::Atlas),
        credential: String::new(),
        started_at: clock.now(),
        // Saved answers of users say nothing of the organizations that the users are in.
        has_organizations: false,
        settings: RunSettings {
            sources: sources.collect(),
            lists: vec![saved.fingerprint()],
            cutoff: import.report.cutoff.unwrap_or(CUTOFF),
            active_within: import.report.active_within.unwrap_or(ACTIVE_WITHIN),
            requests: RequestSettings::none(),
        },
    }
}

/// A run is one deployment; answers of two may be two ways to one, which only the caller knows.
fn warn_of_others(url: Option<&Url>, bases: &BTreeSet<Url>) {
    let is_other = |base: &&Url| url.map_or(bases.len() > 1, |url| base.origin() != url.origin());
    let others: Vec<_> = bases.iter().filter(is_other).map(|base| printable(base.as_str())).collect();
    if !others.is_empty() {
        let why = format!("the responses come from {}", others.join(", "));
        warn(&why, Some("import each deployment separately, with its own --name"));
    }
}

/// An import without users would look clean and prove nothing.
fn no_users(saved: &SavedAnswers, run: &NewRun) -> Error {
    let mut lists = saved.incomplete_lists();
    let why = lists.by_ref().take(NAMED_FILES).map(|list| {
        let detail = list.outcome.detail.unwrap_or_default();
        printable(&format!("{}: {detail}", list.source))
    });
    let mut why: Vec<_> = why.collect();
    let more = lists.count();
    why.extend((more > 0).then(|| format!("and {more} more")));
    Error::input(format!("no users in {}", run.settings.sources.join(", ")))
        .details(why)
        .help("save unchanged responses of GET /users/{id}/keys in files named by the user ID")
}
