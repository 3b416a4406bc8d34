//! The middle of an audit. Users go one way: discovery finds them, the journal separates the new ones from repeats, the client
//! reads their keys, and the journal takes the results.
//!
//! All of it runs in one task, which also listens to signals and shows the progress, so that there is one place that
//! decides when a run ends.

mod inventory;

use std::num::NonZeroUsize;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use tokio::sync::{mpsc, oneshot};

use self::inventory::InventoryReader;
use crate::client::Client;
use crate::exit::{Error, Signal};
use crate::model::{PersonalKey, User, UserResult};
use crate::progress::Progress;
use crate::signals::Signals;
use crate::sources::{self, CheckedSource, DiscoveryEvent, Events};
use crate::store::{Journal, JournalHandle, WriterStopped};

/// Pages of lists of users that are requested at once, at most, since they are in memory.
const PAGES_AHEAD: usize = 4;
/// The part of the requests in flight, a quarter, that such pages may have, and the lists of a migration plan: they may be
/// slow, and must not keep users waiting.
const SHARE: usize = 4;
/// Events that may wait besides those of the pages under way; fewer than those of a page.
const AHEAD: usize = 250;
/// Users entered into the journal at once.
const BATCH: usize = 512;
/// How long requests in flight may take to end after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// Whose keys to read, and how many users at a time.
pub(crate) struct Work {
    /// Users of a run that was cut short, requested and not read.
    pub missing: Vec<User>,
    /// Where to find all others.
    pub sources: Vec<CheckedSource>,
    /// Users in flight.
    pub concurrency: NonZeroUsize,
}

/// How it ended.
pub(crate) enum End {
    /// All users were asked for, and the lists that a migration plan needs.
    Complete,
    /// A signal came.
    Interrupted(Signal),
    /// The deployment was down for longer than patience.
    Outage(Error),
    /// What is in the run database can't be used, but stays there.
    Failed(Error),
    /// The journal ended before; closing it says why.
    WriterStopped,
}

/// Why it ends before all users were asked for, other than by a signal.
enum Halt {
    Failed(Error),
    /// The results so far are kept.
    Kept(Error),
    WriterStopped,
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<WriterStopped> for Halt {
    fn from(WriterStopped: WriterStopped) -> Self {
        Self::WriterStopped
    }
}

/// Reads all users, and the lists that a migration plan needs, into the journal. `is_finding` is for the number of findings
/// that the progress shows.
///
/// # Errors
/// What makes the whole run pointless.
pub(crate) async fn run(
    client: &Client,
    work: Work,
    journal: &Journal,
    is_finding: impl Fn(&PersonalKey) -> bool,
    now: impl Fn() -> DateTime<Utc> + Copy,
    progress: &Progress,
    signals: &mut Signals,
) -> Result<End, Error> {
    let Work { missing, sources, concurrency } = work;
    // A page is requested once there is room for it, so that this is how far discovery may be ahead of reading.
    let pages = (concurrency.get() / SHARE).clamp(1, PAGES_AHEAD);
    let (events, found) = Events::channel(pages * sources::EVENTS_OF_A_PAGE + AHEAD);
    let mut discovery = pin!(async {
        events.send(DiscoveryEvent::Expected(missing.len() as u64)).await;
        for user in missing {
            events.send(DiscoveryEvent::User(user)).await;
        }
        sources::discover(client, sources, concurrency, events).await
    });
    let mut discovering = true;
    // No new users once it is dropped.
    let (going_on, stopped) = oneshot::channel::<()>();
    let mut going_on = Some(going_on);
    let users = new_users(found, journal.handle(), now, progress).take_until(stopped);
    let mut results = pin!(user_results(client, users, concurrency, now));
    let (run, is_resumed) = (journal.run(), journal.is_resumed());
    let journal = journal.handle();
    let mut lists = InventoryReader::new(client, journal.clone(), concurrency);
    let mut reading = true;

    let mut ticks = tokio::time::interval(progress.interval());
    ticks.tick().await;
    let mut grace = pin!(tokio::time::sleep(Duration::MAX));
    let mut signal = None;
    let end = loop {
        tokio::select! {
            _ = ticks.tick() => progress.show(client.pause_left()),
            next = signals.next() => {
                if signal.replace(next).is_some() {
                    break Ok(());
                }
                drop(going_on.take());
                lists.stop();
                grace.as_mut().reset(tokio::time::Instant::now() + GRACE);
            }
            () = &mut grace => break Ok(()),
            found = &mut discovery, if discovering => match found {
                Ok(()) => discovering = false,
                Err(error) => break Err(error.into()),
            },
            read = lists.next(), if lists.has_work() => if let Err(halt) = read {
                break Err(halt);
            },
            result = results.next(), if reading => match result {
                None => {
                    reading = false;
                    if signal.is_none() && let Err(halt) = lists.complete(run, is_resumed).await {
                        break Err(halt);
                    }
                }
                Some(Err(halt)) => break Err(halt),
                Some(Ok(result)) => {
                    lists.add(&result);
                    let findings = result.keys.iter().filter(|key| is_finding(key));
                    progress.user_done(result.keys.len() as u64, findings.count() as u64);
                    if let Err(stopped) = journal.record(result).await {
                        break Err(stopped.into());
                    }
                }
            },
        }
        if !reading && !lists.has_work() {
            break Ok(());
        }
    };
    progress.end();
    client.print_rate_limit();
    match (end, signal) {
        (Err(Halt::Failed(error)), _) if error.is_interruption() => Ok(End::Outage(error)),
        (Err(Halt::Failed(error)), _) => Err(error),
        (Err(Halt::Kept(error)), _) => Ok(End::Failed(error)),
        (Err(Halt::WriterStopped), _) => Ok(End::WriterStopped),
        (Ok(()), Some(signal)) => Ok(End::Interrupted(signal)),
        (Ok(()), None) => Ok(End::Complete),
    }
}

/// Enters what discovery finds into the journal. The users that are new to the run are passed on.
fn new_users<'a>(
    found: mpsc::Receiver<DiscoveryEvent>,
    journal: JournalHandle,
    now: impl Fn() -> DateTime<Utc> + Copy + 'a,
    progress: &'a Progress,
) -> impl Stream<Item = Result<User, Halt>> + 'a {
    let batches = stream::try_unfold((found, journal), move |(mut found, journal)| async move {
        let mut batch = Vec::with_capacity(BATCH);
        if found.recv_many(&mut batch, BATCH).await == 0 {
            progress.all_found();
            return Ok(None);
        }
        let mut users = Vec::with_capacity(batch.len());
        for event in batch {
            match event {
                DiscoveryEvent::Expected(users) => progress.expect(users),
                DiscoveryEvent::User(user) => users.push(user),
                DiscoveryEvent::Unresolved(result) => {
                    journal.record(UserResult { read_at: Some(now()), ..result }).await?;
                    progress.found(0, 1);
                }
                DiscoveryEvent::Organization(organization) => {
                    journal.record_organization(organization).await?;
                }
                DiscoveryEvent::OrganizationListed { id, outcome } => {
                    journal.record_organization_list(id, outcome).await?;
                }
                DiscoveryEvent::IncompleteList(list) => journal.record_list(list).await?,
            }
        }
        let all = users.len();
        let users = journal.admit(users).await?;
        progress.found(users.len() as u64, (all - users.len()) as u64);
        Ok::<_, Halt>(Some((stream::iter(users.into_iter().map(Ok)), (found, journal))))
    });
    // While the users of one batch are read, the journal has the next.
    batches.map(std::future::ready).buffered(2).try_flatten()
}

/// Reads the keys of all users, `concurrency` in flight besides those who wait for a retry; the results come in the order
/// of the answers.
///
/// `now` is the clock for when a result was had. An `Err` is the run's failure; a user's own is in his result.
fn user_results<'a>(
    client: &'a Client,
    users: impl Stream<Item = Result<User, Halt>> + 'a,
    concurrency: NonZeroUsize,
    now: impl Fn() -> DateTime<Utc> + Copy + 'a,
) -> impl Stream<Item = Result<UserResult, Halt>> + 'a {
    client.fan_out(users, concurrency, move |user| async move {
        let user = user?;
        let (keys, outcome, attempts) = client.personal_keys(&user).await?;
        Ok(UserResult { user, keys, outcome, attempts, read_at: Some(now()) })
    })
}
