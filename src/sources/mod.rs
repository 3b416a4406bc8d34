//! Where the users come from: lists that somebody wrote, and the organizations and projects of the deployment itself.

mod file;
mod org;
mod rows;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::Stream;
use futures::stream::{self, StreamExt as _};
use tokio::sync::mpsc;

pub use file::{BrokenList, List};

use crate::client::{Client, ClientError};
use crate::model::{IncompleteList, Origin, Outcome, User, UserResult};

/// One thing that was asked for on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file of users; `-` is standard input.
    File(PathBuf),
    /// One user, by id or name.
    User(String),
    /// Everybody of a project, by its id.
    Project(String),
    /// Everybody of an organization, by its id.
    Organization(String),
    /// Everybody of every organization that the credentials see.
    AllOrganizations,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) if path.as_os_str() == "-" => f.write_str("users from standard input"),
            Self::File(path) => write!(f, "users from {}", path.display()),
            Self::User(user) => write!(f, "user {user}"),
            Self::Project(id) => write!(f, "project {id}"),
            Self::Organization(id) => write!(f, "organization {id}"),
            Self::AllOrganizations => f.write_str("all organizations"),
        }
    }
}

/// What discovery brings.
pub enum DiscoveryEvent {
    /// Somebody to read; may be known already.
    User(User),
    /// A name that has no id, and why.
    Unresolved(UserResult),
    /// A list that could not be read to its end.
    IncompleteList(IncompleteList),
}

/// A user as a list gives him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRef {
    /// With an id, and perhaps a name.
    Known(User),
    /// By name alone.
    Named(String),
}

/// A source, checked as far as that goes without a request.
pub enum Checked {
    /// A list without a broken line.
    List(List),
    /// One user.
    One(UserRef),
    /// Everybody of a project.
    Project(String),
    /// Everybody of an organization.
    Organization(String),
    /// Everybody.
    AllOrganizations,
}

impl Checked {
    /// What tells a list from another of the same name; `None` for what is asked of the deployment.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        match self {
            Self::List(list) => Some(list.fingerprint()),
            Self::One(_) | Self::Project(_) | Self::Organization(_) | Self::AllOrganizations => None,
        }
    }
}

impl Source {
    /// Reads lists once through, so that a broken line is told before the first request.
    ///
    /// # Errors
    /// Every broken line of the list, or why there is none.
    pub fn check(&self) -> Result<Checked, BrokenList> {
        Ok(match self {
            Self::File(path) => Checked::List(List::check(path)?),
            Self::User(user) => {
                Checked::One(rows::listed(user).map_err(|why| BrokenList::one("--user", why))?)
            }
            Self::Project(id) => Checked::Project(id.clone()),
            Self::Organization(id) => Checked::Organization(id.clone()),
            Self::AllOrganizations => Checked::AllOrganizations,
        })
    }
}

/// How far discovery may run ahead of reading.
const AHEAD: usize = 2048;

/// Discovers the users of all sources, one source after the other, names resolved `concurrency` in flight. Runs as a task of
/// its own, so that the next page is on its way while users are read. `expected` grows by the users that each source says it
/// has, repeats included.
pub fn discover(
    client: Arc<Client>,
    sources: Vec<Checked>,
    concurrency: usize,
    expected: Arc<AtomicU64>,
) -> impl Stream<Item = Result<DiscoveryEvent, ClientError>> + Unpin {
    let (sender, found) = mpsc::channel(AHEAD);
    let sink = Sink { found: sender, expected };
    let task = tokio::spawn(async move {
        for source in sources {
            let end = match source {
                Checked::List(list) => {
                    sink.expect(list.count());
                    names_resolved(&client, list.users(), concurrency, &sink).await
                }
                Checked::One(listed) => {
                    sink.expect(1);
                    names_resolved(&client, stream::iter([Ok((listed, Origin::default()))]), 1, &sink).await
                }
                Checked::Project(id) => org::project(&client, &id, &sink).await,
                Checked::Organization(id) => org::organization(&client, &id, &sink).await,
                Checked::AllOrganizations => org::all(&client, &sink).await,
            };
            if let Err(Stop::ClientError(unusable)) = end {
                // Nobody listens any more: then the run has ended for another reason.
                let _ = sink.found.send(Err(unusable)).await;
                return;
            }
        }
    });
    Box::pin(stream::unfold((found, Some(task)), |(mut found, mut task)| async move {
        if let Some(item) = found.recv().await {
            return Some((item, (found, task)));
        }
        // The end is the end only if the task got there: after a panic nobody knows who is missing.
        if let Err(failed) = task.take()?.await {
            std::panic::resume_unwind(failed.into_panic());
        }
        None
    }))
}

/// Where discovery puts what it finds.
struct Sink {
    found: mpsc::Sender<Result<DiscoveryEvent, ClientError>>,
    expected: Arc<AtomicU64>,
}

impl Sink {
    async fn put(&self, found: DiscoveryEvent) -> Result<(), Stop> {
        self.found.send(Ok(found)).await.map_err(|_| Stop::Unwanted)
    }

    /// So many more users are to come, repeats included.
    fn expect(&self, more: u64) {
        self.expected.fetch_add(more, Ordering::Relaxed);
    }
}

/// Why discovery ends early.
enum Stop {
    ClientError(ClientError),
    /// The run has ended.
    Unwanted,
}

impl From<ClientError> for Stop {
    fn from(unusable: ClientError) -> Self {
        Self::ClientError(unusable)
    }
}

async fn names_resolved(
    client: &Client,
    users: impl Stream<Item = Result<(UserRef, Origin), IncompleteList>>,
    concurrency: usize,
    sink: &Sink,
) -> Result<(), Stop> {
    let mut found = std::pin::pin!(
        users
            .map(|listed| async {
                Ok::<_, ClientError>(match listed {
                    Ok((UserRef::Known(user), origin)) => DiscoveryEvent::User(User { origin, ..user }),
                    Ok((UserRef::Named(name), origin)) => match client.user_by_name(&name).await? {
                        Ok(user) => DiscoveryEvent::User(User { origin, ..user }),
                        Err((outcome, attempts)) => {
                            DiscoveryEvent::Unresolved(nobody(name, origin, outcome, attempts))
                        }
                    },
                    Err(gap) => DiscoveryEvent::IncompleteList(gap),
                })
            })
            .buffer_unordered(concurrency)
    );
    while let Some(item) = found.next().await {
        sink.put(item?).await?;
    }
    Ok(())
}

fn nobody(name: String, origin: Origin, outcome: Outcome, attempts: u32) -> UserResult {
    UserResult {
        user: User { id: String::new(), username: Some(name), origin },
        keys: Vec::new(),
        outcome,
        attempts,
        read_at: None,
    }
}
