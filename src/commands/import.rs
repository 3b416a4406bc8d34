//! `keysunset import`: answers that somebody saved, as a run like any other.

use url::Url;

use super::baseline;
use super::reported;
use crate::cli;
use crate::client::product;
use crate::config::{ACTIVE_WITHIN, CUTOFF, ImportSettings};
use crate::context::{Clock, Context};
use crate::exit::{Error, Exit};
use crate::import::Saved;
use crate::model::Product;
use crate::report::text::printable;
use crate::signals::Signals;
use crate::store::{JournalHandle, NewRun, Store, WriterStopped};
use crate::v1::{RequestSettings, RunSettings};
use crate::warnings::warn;

/// What the reports call a deployment that nothing names.
const UNNAMED: &str = "saved answers";
/// Files that are told at once when nobody was found in any; the rest are counted.
const TOLD: usize = 20;

/// Runs the command.
///
/// # Errors
/// Inputs that aren't there, answers of nobody at all, what can't be written, or the signal that ended it.
pub async fn run(args: cli::Import, context: &Context<'_>) -> Result<Exit, Error> {
    let clock = context.clock;
    let import = ImportSettings::resolve(args, context.env)?;
    let waivers = super::waivers(&import.report, clock)?;
    let saved = Saved::find(&import.inputs)?;
    crate::report::prepare(&import.report.output)?;
    let asked = facts(&import, &saved, clock);
    baseline::check(&import.report, &asked.deployment)?;
    let mut signals = Signals::listen()?;
    let journal = Store::open_for_run(&import.report.store)?.begin(&asked)?;
    let (run, pen) = (journal.run(), journal.handle());
    let version = saved.service_version().map(str::to_owned);
    let end = tokio::select! {
        biased;
        exit = signals.next() => Some(exit),
        // Whoever closed the journal tells why when it is closed.
        _ = enter(saved, asked.product, pen) => None,
    };
    let store = journal.close()?;
    if let Some(signal) = end {
        store.discard(run)?;
        return Err(
            Error::interrupted(signal, "interrupted: nothing was kept").help("the same command begins anew")
        );
    }
    if let Err(why) = somebody(&store, run) {
        return store.discard(run).map_err(Error::from).and(Err(why));
    }
    store.set_service_version(run, version.as_deref())?;
    store.finish(run, clock.now())?;
    let cut_short = (
        "interrupted while the reports were written; all answers were read, and are kept",
        "`keysunset report` writes them",
    );
    reported(store, run, import.report, waivers, context.quiet, &mut signals, cut_short).await
}

/// Enters what could not be understood, and then user by user.
async fn enter(saved: Saved, product: Product, pen: JournalHandle) -> Result<(), WriterStopped> {
    for gap in saved.gaps() {
        pen.record_list(gap.clone()).await?;
    }
    for reading in saved.readings(product) {
        pen.record(reading).await?;
    }
    Ok(())
}

/// What is known of the run.
fn facts(import: &ImportSettings, saved: &Saved, clock: Clock) -> NewRun {
    let bases = saved.bases();
    let address = match (&import.url, bases) {
        (Some(url), _) | (None, [url]) => Some(url),
        (None, _) => None,
    };
    warn_of_others(import.url.as_ref(), bases);
    let product =
        import.product.or_else(|| import.url.as_ref().map(product::guess)).or_else(|| saved.product());
    let name = import.name.clone().or_else(|| address.map(|url| url.origin().ascii_serialization()));
    let view = &import.report;
    NewRun {
        deployment: name.unwrap_or_else(|| UNNAMED.to_owned()),
        address: address.map_or_else(|| UNNAMED.to_owned(), Url::to_string),
        // What the cloud said before it removed them is left as saved answers alone.
        product: product.unwrap_or(Product::Atlas),
        credential: String::new(),
        started_at: clock.now(),
        settings: RunSettings {
            sources: import
                .inputs
                .iter()
                .map(|path| format!("saved answers in {}", path.display()))
                .collect(),
            lists: vec![saved.fingerprint()],
            cutoff: view.cutoff.unwrap_or(CUTOFF),
            active_within: view.active_within.unwrap_or(ACTIVE_WITHIN),
            requests: RequestSettings::none(),
        },
    }
}

/// A run is one deployment; answers of two may be two ways to one, which nobody but the caller knows.
fn warn_of_others(url: Option<&Url>, bases: &[Url]) {
    let others: Vec<_> = match url {
        Some(url) => bases.iter().filter(|base| base.origin() != url.origin()).collect(),
        None if bases.len() > 1 => bases.iter().collect(),
        None => Vec::new(),
    };
    if !others.is_empty() {
        let others: Vec<_> = others.into_iter().map(|base| printable(base.as_str())).collect();
        let why = format!("the answers come from {}", others.join(", "));
        warn(&why, Some("import each deployment by itself, with a --name of its own"));
    }
}

/// Answers of nobody would look clean and prove nothing.
fn somebody(store: &Store, run: i64) -> Result<(), Error> {
    let run = store.run(Some(run))?;
    if store.user_counts(&run)?.requested > 0 {
        return Ok(());
    }
    let gaps = store.incomplete_lists(&run)?;
    let mut why: Vec<_> = gaps
        .iter()
        .take(TOLD)
        .map(|gap| {
            let detail = gap.outcome.detail.as_deref().unwrap_or_default();
            printable(&format!("{}: {detail}", gap.source))
        })
        .collect();
    if gaps.len() > TOLD {
        why.push(format!("and {} more", gaps.len() - TOLD));
    }
    Err(Error::input(format!("there is nobody in {}", run.settings.sources.join(", "))).details(why).help(
        "save answers of GET /users/{id}/keys as they are, in files named by the user's id or e-mail address",
    ))
}
