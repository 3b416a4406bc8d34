//! The middle of an audit: discovery through the journal into the fan-out and back into the journal, watched by progress
//! and ended early by a signal.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

use super::interrupt::Interrupt;
use crate::client::{Client, ClientError};
use crate::collect;
use crate::exit::{Error, Signal};
use crate::model::{User, UserResult};
use crate::policy::{Policy, Severity};
use crate::progress::{Done, Progress};
use crate::sources::{self, Checked, DiscoveryEvent};
use crate::store::{Journal, JournalHandle, WriterStopped};

/// Users admitted to the journal at once.
const CHUNK: usize = 512;
/// How long requests in flight may take to end after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// Whom to read, and how.
pub(super) struct Plan<'a> {
    pub(super) client: Arc<Client>,
    /// Users of a run that was cut short, requested and not read.
    pub(super) missing: Vec<User>,
    pub(super) sources: Vec<Checked>,
    pub(super) concurrency: NonZeroUsize,
    /// To count what is flagged.
    pub(super) policy: &'a Policy,
    pub(super) progress: Progress,
}

/// How it ended.
pub(super) enum End {
    /// Everybody was asked for.
    Complete,
    /// A signal came.
    Interrupted(Signal),
    /// The journal ended before; closing it tells why.
    WriterStopped,
}

/// Why the fan-out stops by itself.
enum Halt {
    ClientError(ClientError),
    WriterStopped,
}

impl From<ClientError> for Halt {
    fn from(unusable: ClientError) -> Self {
        Self::ClientError(unusable)
    }
}

impl From<WriterStopped> for Halt {
    fn from(WriterStopped: WriterStopped) -> Self {
        Self::WriterStopped
    }
}

/// Reads everybody into the journal.
///
/// # Errors
/// What makes the whole run pointless.
pub(super) async fn gather(
    plan: Plan<'_>,
    journal: &Journal,
    now: impl Fn() -> DateTime<Utc> + Copy,
    interrupt: &mut Interrupt,
) -> Result<End, Error> {
    let Plan { client, missing, sources, concurrency, policy, progress } = plan;
    // What the sources say they have, and how many of those need no reading: repeats, and names of nobody.
    let expected = Arc::new(AtomicU64::new(missing.len() as u64));
    let (idle, all_known) = (AtomicU64::new(0), AtomicBool::new(false));
    // No new users once it is dropped.
    let (going_on, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut going_on = Some(going_on);

    let pen = journal.pen();
    let found = sources::discover(Arc::clone(&client), sources, concurrency.get(), Arc::clone(&expected))
        .ready_chunks(CHUNK);
    let missing = stream::once(readmitted(journal.pen(), missing)).try_flatten();
    let users = missing.chain(admitted(found, journal.pen(), now, &idle)).chain(stream::poll_fn(|_| {
        all_known.store(true, Ordering::Relaxed);
        std::task::Poll::Ready(None)
    }));
    let mut readings =
        std::pin::pin!(collect::readings(&client, users.take_until(stopped), concurrency, now));

    let mut ticks = tokio::time::interval(progress.interval());
    ticks.tick().await;
    let mut grace = std::pin::pin!(tokio::time::sleep(Duration::MAX));
    let mut signal = None;
    let mut done = Done::default();
    let end = loop {
        tokio::select! {
            _ = ticks.tick() => {
                done.expected = expected.load(Ordering::Relaxed).saturating_sub(idle.load(Ordering::Relaxed));
                done.all_known = all_known.load(Ordering::Relaxed);
                progress.show(done);
            }
            next = interrupt.next() => {
                if signal.replace(next).is_some() {
                    break Ok(());
                }
                drop(going_on.take());
                grace.as_mut().reset(tokio::time::Instant::now() + GRACE);
            }
            () = &mut grace => break Ok(()),
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
    match (end, signal) {
        (Err(Halt::ClientError(unusable)), _) => Err(unusable.into()),
        (Err(Halt::WriterStopped), _) => Ok(End::WriterStopped),
        (Ok(()), Some(exit)) => Ok(End::Interrupted(exit)),
        (Ok(()), None) => Ok(End::Complete),
    }
}

fn count(done: &mut Done, reading: &UserResult, policy: &Policy) {
    let flagged = reading.keys.iter().filter(|key| policy.severity(key) <= Severity::High);
    done.users += 1;
    done.flagged += flagged.count() as u64;
    done.keys += reading.keys.len() as u64;
}

/// The users of a run that was cut short, entered as under way again.
async fn readmitted(
    pen: JournalHandle,
    missing: Vec<User>,
) -> Result<impl Stream<Item = Result<User, Halt>>, Halt> {
    Ok(stream::iter(pen.admit(missing).await?.into_iter().map(Ok)))
}

/// What discovery brings, entered into the journal; those who have yet to be read go on.
fn admitted<'a>(
    found: impl Stream<Item = Vec<Result<DiscoveryEvent, ClientError>>> + 'a,
    pen: JournalHandle,
    now: impl Fn() -> DateTime<Utc> + Copy + 'a,
    idle: &'a AtomicU64,
) -> impl Stream<Item = Result<User, Halt>> + 'a {
    found
        .then(move |chunk| {
            let pen = pen.clone();
            async move {
                let found_here = chunk.len();
                let mut users = Vec::with_capacity(found_here);
                for found in chunk {
                    match found? {
                        DiscoveryEvent::User(user) => users.push(user),
                        DiscoveryEvent::Unresolved(nobody) => {
                            pen.record(UserResult { read_at: Some(now()), ..nobody }).await?;
                        }
                        DiscoveryEvent::IncompleteList(gap) => pen.gap(gap).await?,
                    }
                }
                let users = pen.admit(users).await?;
                idle.fetch_add((found_here - users.len()) as u64, Ordering::Relaxed);
                Ok::<_, Halt>(stream::iter(users.into_iter().map(Ok)))
            }
        })
        .try_flatten()
}
