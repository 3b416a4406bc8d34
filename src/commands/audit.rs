//! `keysunset audit`: check what was asked, read everybody into the journal, and report.

use std::sync::Arc;

use super::compared;
use super::gather::{End, Plan, gather};
use super::interrupt::Interrupt;
use super::reported;
use crate::client::{Client, Connection};
use crate::config::{ACTIVE_WITHIN, CUTOFF, Clock, Settings};
use crate::exit::{Error, Exit, Signal};
use crate::model::{User, rfc3339};
use crate::policy::{Policy, day_or_instant};
use crate::progress::Progress;
use crate::report::text::printable;
use crate::sources::{Checked, Source};
use crate::store::{Journal, Run, RunSettings, Store};

/// Runs the command. `address` is what the reports say about where the deployment is.
///
/// # Errors
/// What makes the whole run pointless, what can't be written, or the signal that ended it.
pub async fn run(
    settings: Settings,
    address: String,
    resume: bool,
    clock: Clock,
    quiet: bool,
) -> Result<Exit, Error> {
    let waivers = super::waivers(&settings.view, clock)?;
    compared::check(&settings.view, &settings.name)?;
    let sources = settings.sources.iter().map(Source::check).collect::<Result<Vec<_>, _>>()?;
    crate::report::prepare(&settings.view.output)?;
    let policy = Policy {
        now: clock.now(),
        cutoff: settings.view.cutoff.unwrap_or(CUTOFF),
        active_within: settings.view.active_within.unwrap_or(ACTIVE_WITHIN),
    };
    let asked = facts(&settings, &sources, address, &policy);
    let (view, concurrency, ci) = (settings.view, settings.concurrency, settings.ci);
    let client = Arc::new(Client::new(Connection {
        url: settings.url,
        product: settings.product,
        credentials: settings.credentials,
        concurrency: concurrency.get(),
        rate: settings.rate,
        timeout: settings.timeout,
        retries: settings.retries,
        ca_cert: settings.ca_cert,
        insecure_skip_verify: settings.insecure_skip_verify,
    })?);

    let mut interrupt = Interrupt::listen()?;
    let (store, run) = match begin(Store::open_for_run(&view.store)?, &asked, resume)? {
        Begun::Read(store, run) => (store, run),
        Begun::Open { journal, missing, resumed } => {
            let run = journal.run();
            let progress = Progress::new(quiet, ci);
            let plan = Plan {
                client: Arc::clone(&client),
                missing,
                sources,
                concurrency,
                policy: &policy,
                progress,
            };
            let end = gather(plan, &journal, move || clock.now(), &mut interrupt).await;
            let store = journal.close()?;
            let end = end.and_then(|end| {
                somebody(&store, run, &end)?;
                let answered = resumed || client.is_proven() || !matches!(end, End::Complete);
                if answered { Ok(end) } else { Err(all_refused()) }
            });
            match end {
                // A run that came to nothing is not kept; one that had begun before is.
                Err(why) if !resumed => return store.discard(run).map_err(Error::from).and(Err(why)),
                Err(why) => return Err(why),
                Ok(end) => {
                    store.note_version(run, client.service_version())?;
                    // A fixed clock says nothing about the deployment's.
                    store.note_clock_skew(run, client.clock_skew().filter(|_| clock.fixed().is_none()))?;
                    if let End::Interrupted(signal) = end {
                        return Err(interrupted(&store, run, signal));
                    }
                }
            }
            store.finish(run, clock.now())?;
            (store, run)
        }
    };
    let cut_short = (
        "interrupted while the reports were written; everybody was read, and is kept",
        "the same command with --resume writes them",
    );
    reported(store, run, view, waivers, quiet, &mut interrupt, cut_short).await
}

/// Where a run stands when it begins.
enum Begun {
    /// Users have yet to be read.
    Open { journal: Journal, missing: Vec<User>, resumed: bool },
    /// A run that was cut short after everybody was read: only its reports are missing.
    Read(Store, i64),
}

fn begin(store: Store, asked: &Run, resume: bool) -> Result<Begun, Error> {
    if !resume {
        return Ok(Begun::Open { journal: store.begin(asked)?, missing: Vec::new(), resumed: false });
    }
    let runs = store.runs()?;
    // A run that was cut short before a later one of the same settings was whole is history.
    if let Some((run, reported)) = runs.iter().find(|(run, _)| changes(run, asked).is_empty()) {
        if !reported {
            tracing::info!("resuming run {} of {}", run.id, rfc3339(run.started_at));
            if run.finished_at.is_some() {
                return Ok(Begun::Read(store, run.id));
            }
            let (journal, missing) = store.resume(run)?;
            return Ok(Begun::Open { journal, missing, resumed: true });
        }
    } else if let Some((newest, _)) = runs.iter().find(|(_, reported)| !reported) {
        let changed = changes(newest, asked);
        return Err(Error::input(format!("run {} can't be resumed with other settings", newest.id))
            .details(changed)
            .help("resume it with its own settings, or leave out --resume for a new run"));
    }
    tracing::info!("nothing to resume: this is a new run");
    Ok(Begun::Open { journal: store.begin(asked)?, missing: Vec::new(), resumed: false })
}

/// Which settings of those that shape the result differ. How hard to ask may change between the two halves of a run.
fn changes(run: &Run, asked: &Run) -> Vec<String> {
    let rules = |run: &Run| {
        format!("{} and {} days", day_or_instant(run.settings.cutoff), run.settings.active_within)
    };
    let trust = |run: &Run| {
        if run.settings.certificates_not_verified { "not verified" } else { "verified" }.to_owned()
    };
    let pairs = [
        ("deployment", run.deployment.clone(), asked.deployment.clone()),
        ("url", run.address.clone(), asked.address.clone()),
        ("product", run.product.to_string(), asked.product.to_string()),
        ("credential", run.credential.clone(), asked.credential.clone()),
        ("whom to audit", run.settings.sources.join(", "), asked.settings.sources.join(", ")),
        ("lists of users", run.settings.lists.join("; "), asked.settings.lists.join("; ")),
        ("certificates", trust(run), trust(asked)),
        ("cutoff and activity", rules(run), rules(asked)),
    ];
    let differs = pairs.into_iter().filter(|(_, was, is)| was != is);
    differs.map(|(what, was, is)| printable(&format!("{what}: it was {was}, now it is {is}"))).collect()
}

/// What is known of the run before its first request.
fn facts(settings: &Settings, checked: &[Checked], address: String, policy: &Policy) -> Run {
    Run {
        id: 0,
        deployment: settings.name.clone(),
        address,
        product: settings.product,
        service_version: None,
        credential: settings.credentials.told(),
        clock_skew: None,
        started_at: policy.now,
        finished_at: None,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: RunSettings {
            sources: settings.sources.iter().map(Source::to_string).collect(),
            lists: checked.iter().filter_map(Checked::fingerprint).collect(),
            cutoff: policy.cutoff,
            active_within: policy.active_within,
            concurrency: settings.concurrency.get(),
            rate: settings.rate,
            timeout: settings.timeout.as_secs(),
            retries: settings.retries,
            certificates_not_verified: settings.insecure_skip_verify,
            in_the_clear: settings.is_in_the_clear(),
        },
    }
}

fn interrupted(store: &Store, run: i64, signal: Signal) -> Error {
    let counted = store.run(Some(run)).and_then(|run| store.progress(&run));
    let so_far = match counted {
        Ok((requested, read)) => {
            format!("{read} of the {requested} users known so far were read, and are kept")
        }
        Err(why) => why.to_string(),
    };
    Error::interrupted(signal, format!("interrupted: {so_far}; no report was written")).help(
        "the same command with --resume goes on; `keysunset report` shows what there is, marked INCOMPLETE",
    )
}

/// Several credentials, and not one of them works.
fn all_refused() -> Error {
    Error::input("the deployment refused every credential, so nobody was read")
        .help("check the file of credentials; programmatic keys also need this machine's address on their access lists")
}

/// An empty list of users is a mistake, never a clean result; unless nobody waited for the list.
fn somebody(store: &Store, run: i64, end: &End) -> Result<(), Error> {
    let run = store.run(Some(run))?;
    if !matches!(end, End::Complete) || store.counts(&run)?.0 > 0 {
        return Ok(());
    }
    let gaps = store.gaps(&run)?;
    let why = gaps.iter().map(|gap| {
        let code = gap.outcome.error_code.as_deref().map_or_else(String::new, |code| format!(" {code}"));
        let detail = gap.outcome.detail.as_deref().unwrap_or_default();
        printable(&format!("{}: {}{code}: {detail}", gap.source, gap.outcome.status))
    });
    let sources = run.settings.sources.join(", ");
    Err(Error::input(format!("nobody to audit: {sources} gave no user"))
        .details(why)
        .help("an audit of nobody would look clean and prove nothing; check the list, the ids and what the key may see"))
}
