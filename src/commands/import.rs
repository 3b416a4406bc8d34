//! `keysunset import`: answers that somebody saved, as a run like any other.

use std::collections::BTreeSet;
use std::io;

use url::Url;

use super::{OPENING, WholeRun, baseline, half_upgraded, reported};
use crate::cli;
use crate::client::product;
use crate::config::{ACTIVE_WITHIN, CUTOFF, ImportSettings};
use crate::console::warn;
use crate::context::{Clock, Context};
use crate::exit::{Error, Exit};
use crate::import::SavedAnswers;
use crate::model::Product;
use crate::report::text::printable;
use crate::signals::{Interruption, Signals};
use crate::store::{JournalHandle, NewRun, Store};
use crate::v1::{RequestSettings, RunSettings};

/// What the reports call a deployment that nothing names.
const UNNAMED: &str = "saved answers";
/// Files that are named when no user was found in any; the rest are counted.
const NAMED_FILES: usize = 20;

pub(crate) async fn run(args: cli::Import, context: &Context<'_>) -> Result<Exit, Error> {
    let clock = context.clock;
    let import = ImportSettings::resolve(args, context.env)?;
    let waivers = super::waivers(&import.report, clock)?;
    let mut saved = SavedAnswers::read(&import.inputs)?;
    let new_run = new_run(&import, &saved, clock);
    if !saved.has_users() {
        return Err(no_users(&mut saved, &new_run));
    }
    super::outputs::check_reports(&import.report.store, &import.report)?;
    crate::report::prepare(&import.report.output)?;
    let out = super::output_folder(&import.report)?;
    let parts = super::manifest_parts(&import.report)?;
    baseline::check(&import.report, &new_run.deployment)?;
    let mut signals = Signals::listen()?;
    let product = new_run.product;
    let journal =
        signals.unless(OPENING, || Store::open_for_run(&import.report.store)?.begin(&new_run))??;
    let (run, handle) = (journal.run(), journal.handle());
    let version = saved.service_version();
    let end = tokio::select! {
        biased;
        signal = signals.next() => {
            let interrupted = Error::interrupted(signal, "interrupted; nothing was stored");
            Err(interrupted.help("run the same command again"))
        }
        recorded = record(saved, product, handle) => recorded.map_err(|why| Error::no_temporary_file(&why)),
    };
    let store = journal.close()?;
    if let Err(why) = end {
        store.discard(run)?;
        return Err(why);
    }
    store.add_service_versions(run, version.as_deref())?;
    half_upgraded::record(&store, run)?;
    store.finish(run, clock.now())?;
    let interruption = Interruption {
        message: "interrupted while writing the reports; all responses were read and stored",
        help: Some("run `keysunset report` to write the reports"),
    };
    let whole = WholeRun { store, run, out, parts };
    reported(whole, &import.report, &waivers, context.quiet, &mut signals, interruption)
}

/// Records what could not be understood, and then user by user.
///
/// # Errors
/// The temporary file can't be read. Closing the journal says why that stopped.
async fn record(mut saved: SavedAnswers, product: Product, handle: JournalHandle) -> io::Result<()> {
    while let Some(list) = saved.next_incomplete_list()? {
        if handle.record_list(list).await.is_err() {
            return Ok(());
        }
    }
    while let Some(result) = saved.next_user_result(product)? {
        if handle.record(result).await.is_err() {
            return Ok(());
        }
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
            lists: vec![saved.fingerprint().to_owned()],
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
fn no_users(saved: &mut SavedAnswers, run: &NewRun) -> Error {
    let (mut why, mut more) = (Vec::new(), 0_u64);
    loop {
        match saved.next_incomplete_list() {
            Ok(Some(list)) if why.len() < NAMED_FILES => {
                let detail = list.outcome.detail.unwrap_or_default();
                why.push(printable(&format!("{}: {detail}", list.source)));
            }
            Ok(Some(_)) => more += 1,
            Ok(None) => break,
            Err(why) => return Error::no_temporary_file(&why),
        }
    }
    why.extend((more > 0).then(|| format!("and {more} more")));
    Error::input(format!("no users in {}", run.settings.sources.join(", ")))
        .details(why)
        .help("save unchanged responses of GET /users/{id}/keys in files named by the user ID")
}
