//! `keysunset audit`: discover, read, journal; then the report of it all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

use super::render;
use crate::api::{Client, Connection, Unusable};
use crate::collect;
use crate::config::{ACTIVE_WITHIN, CUTOFF, Clock, Settings};
use crate::exit::{Error, Exit};
use crate::model::{Reading, User};
use crate::policy::{Policy, Severity};
use crate::progress::{Done, Progress};
use crate::source::{self, Checked, Found, Source};
use crate::store::{Closed, Journal, Pen, Run, RunSettings, Store};

/// Users admitted to the journal at once.
const CHUNK: usize = 512;

/// Runs the command. `address` is what the reports say about where the deployment is.
///
/// # Errors
/// What makes the whole run pointless, or what can't be written.
pub async fn run(settings: Settings, address: String, clock: Clock, quiet: bool) -> Result<Exit, Error> {
    let sources = settings.sources.iter().map(Source::check).collect::<Result<Vec<_>, _>>()?;
    crate::report::prepare(&settings.view.output)?;
    let store = Store::open_or_create(&settings.view.store)?;
    let policy = Policy {
        now: clock.now(),
        cutoff: settings.view.cutoff.unwrap_or(CUTOFF),
        active_within: settings.view.active_within.unwrap_or(ACTIVE_WITHIN),
    };
    let journal = store.begin(&facts(&settings, address, &policy))?;
    let (view, at_once) = (settings.view, settings.concurrency);
    let client = Arc::new(Client::new(Connection {
        url: settings.url,
        product: settings.product,
        credential: settings.credential,
        at_once: at_once.get(),
        rate: settings.rate,
        timeout: settings.timeout,
        retries: settings.retries,
        ca_cert: settings.ca_cert,
    })?);
    let run = journal.run();
    let collected = collect_all(&client, sources, &journal, &policy, at_once, clock, quiet).await;
    let store = journal.close()?;
    if let Err(why) = collected.and_then(|()| somebody(&store, run)) {
        store.discard(run)?;
        return Err(why);
    }
    store.finish(run, clock.now(), client.service_version())?;
    render(&store, &store.run(Some(run))?, &view, quiet)
}

/// What is known of the run before its first request.
fn facts(settings: &Settings, address: String, policy: &Policy) -> Run {
    Run {
        id: 0,
        deployment: settings.name.clone(),
        address,
        product: settings.product,
        service_version: None,
        credential: settings.credential.public.clone(),
        started_at: policy.now,
        finished_at: None,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: RunSettings {
            sources: settings.sources.iter().map(Source::to_string).collect(),
            cutoff: policy.cutoff,
            active_within: policy.active_within,
            concurrency: settings.concurrency.get(),
            rate: settings.rate,
            timeout: settings.timeout.as_secs(),
            retries: settings.retries,
        },
    }
}

/// Why the fan-out ends early.
enum Halt {
    Unusable(Unusable),
    /// The journal has ended; closing it tells why.
    Closed,
}

impl From<Unusable> for Halt {
    fn from(unusable: Unusable) -> Self {
        Self::Unusable(unusable)
    }
}

impl From<Closed> for Halt {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

async fn collect_all(
    client: &Arc<Client>,
    sources: Vec<Checked>,
    journal: &Journal,
    policy: &Policy,
    at_once: std::num::NonZeroUsize,
    clock: Clock,
    quiet: bool,
) -> Result<(), Error> {
    let now = move || clock.now();
    let (known, all_known) = (AtomicU64::new(0), AtomicBool::new(false));
    let found = source::discover(Arc::clone(client), sources, at_once.get()).ready_chunks(CHUNK);
    let users = admitted(found, journal.pen(), now, &known).chain(stream::poll_fn(|_| {
        all_known.store(true, Ordering::Relaxed);
        std::task::Poll::Ready(None)
    }));
    let mut readings = std::pin::pin!(collect::readings(client, users, at_once, now));
    let progress = Progress::new(quiet);
    let mut ticks = tokio::time::interval(progress.interval());
    ticks.tick().await;
    let mut done = Done::default();
    let pen = journal.pen();
    let end = loop {
        tokio::select! {
            _ = ticks.tick() => {
                done.known = known.load(Ordering::Relaxed);
                done.all_known = all_known.load(Ordering::Relaxed);
                progress.show(done);
            }
            reading = readings.next() => match reading {
                None => break Ok(()),
                Some(Err(halt)) => break Err(halt),
                Some(Ok(reading)) => {
                    count(&mut done, &reading, policy);
                    if let Err(closed) = pen.record(reading).await {
                        break Err(closed.into());
                    }
                }
            },
        }
    };
    progress.end();
    match end {
        Err(Halt::Unusable(unusable)) => Err(unusable.into()),
        // A journal that ended early tells why when it is closed.
        Ok(()) | Err(Halt::Closed) => Ok(()),
    }
}

fn count(done: &mut Done, reading: &Reading, policy: &Policy) {
    let flagged = reading.keys.iter().filter(|key| policy.severity(key) <= Severity::High);
    done.users += 1;
    done.flagged += flagged.count() as u64;
    done.keys += reading.keys.len() as u64;
}

/// What discovery brings, entered into the journal; those who are new to the run go on to be read.
fn admitted<'a>(
    found: impl Stream<Item = Vec<Result<Found, Unusable>>> + 'a,
    pen: Pen,
    now: impl Fn() -> chrono::DateTime<chrono::Utc> + Copy + 'a,
    known: &'a AtomicU64,
) -> impl Stream<Item = Result<User, Halt>> + 'a {
    found
        .then(move |chunk| {
            let pen = pen.clone();
            async move {
                let mut users = Vec::with_capacity(chunk.len());
                for found in chunk {
                    match found? {
                        Found::User(user) => users.push(user),
                        Found::Nobody(nobody) => {
                            pen.record(Reading { read_at: Some(now()), ..nobody }).await?;
                        }
                        Found::Gap(gap) => pen.gap(gap).await?,
                    }
                }
                let users = pen.admit(users).await?;
                known.fetch_add(users.len() as u64, Ordering::Relaxed);
                Ok::<_, Halt>(stream::iter(users.into_iter().map(Ok)))
            }
        })
        .try_flatten()
}

/// An empty list of users is a mistake, never a clean result.
fn somebody(store: &Store, run: i64) -> Result<(), Error> {
    let run = store.run(Some(run))?;
    if store.counts(&run)?.0 > 0 {
        return Ok(());
    }
    let gaps = store.gaps(&run)?;
    let why: Vec<_> = gaps
        .iter()
        .map(|gap| {
            let code = gap.outcome.error_code.as_deref().map_or_else(String::new, |code| format!(" {code}"));
            let detail = gap.outcome.detail.as_deref().unwrap_or_default();
            crate::report::text::printable(&format!(
                "\n{}: {}{code}: {detail}",
                gap.source, gap.outcome.status
            ))
        })
        .collect();
    let sources = run.settings.sources.join(", ");
    Err(Error::input(format!("nobody to audit: {sources} gave no user{}", why.join("")))
        .help("an audit of nobody would look clean and prove nothing; check the list, the ids and what the key may see"))
}
