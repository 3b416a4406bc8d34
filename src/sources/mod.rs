//! Where the users come from: lists that somebody wrote, and the organizations and projects of the deployment itself.

mod formats;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod list;
mod organizations;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use futures::stream::{self, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::sync::mpsc::PermitIterator;

pub(crate) use list::UserList;
pub(crate) use organizations::EVENTS_OF_A_PAGE;

use crate::client::Client;
use crate::exit::Error;
use crate::input::Problems;
use crate::model::{IncompleteList, Organization, Origin, Outcome, User, UserResult};
use crate::v1::ListFingerprint;

/// One thing that was asked for on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file of users; `-` is standard input.
    File(PathBuf),
    /// One user, by id or name.
    User(String),
    /// All users of a project, by its id.
    Project(String),
    /// All users of an organization, by its id.
    Organization(String),
    /// All users of every organization that the credentials see.
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

/// A user as a list gives him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum UserRef {
    /// By id, and perhaps with a name.
    Id {
        /// 24 hexadecimal digits, in lower case.
        id: String,
        /// As the list writes it.
        username: Option<String>,
    },
    /// By name alone: the deployment has to be asked for the id.
    Name(String),
}

/// A source, checked as far as that goes without a request.
pub(crate) enum CheckedSource {
    /// A list without a broken line.
    List(UserList),
    /// One user.
    User(UserRef),
    /// All users of a project.
    Project(String),
    /// All users of an organization.
    Organization(String),
    /// All users of every organization.
    AllOrganizations,
}

impl CheckedSource {
    /// What distinguishes a list from another of the same name; `None` for what is asked of the deployment.
    pub(crate) fn fingerprint(&self) -> Option<ListFingerprint> {
        match self {
            Self::List(list) => Some(list.fingerprint()),
            Self::User(_) | Self::Project(_) | Self::Organization(_) | Self::AllOrganizations => None,
        }
    }
}

impl Source {
    /// Reads lists through, so that a broken line is reported before the first request.
    ///
    /// # Errors
    /// Every broken line of the list, or why it can't be read.
    pub(crate) fn check(&self) -> Result<CheckedSource, Error> {
        Ok(match self {
            Self::File(path) => CheckedSource::List(UserList::read(path)?),
            Self::User(user) => CheckedSource::User(
                formats::id_or_name(user).map_err(|why| list::invalid(Problems::one("--user", why)))?,
            ),
            Self::Project(id) => CheckedSource::Project(checked_id("--project", id)?),
            Self::Organization(id) => CheckedSource::Organization(checked_id("--org", id)?),
            Self::AllOrganizations => CheckedSource::AllOrganizations,
        })
    }
}

/// An id that was typed, if it can be one.
fn checked_id(flag: &str, id: &str) -> Result<String, Error> {
    let why = match formats::not_a_key(id) {
        _ if id.trim().is_empty() => "is empty".to_owned(),
        Err(why) => why,
        Ok(()) => return Ok(id.to_owned()),
    };
    Err(Error::input(format!("{flag}: {why}")).help("give the ID of 24 hexadecimal digits"))
}

impl Source {
    /// What is wrong with a list that is a file.
    pub(crate) fn file_error(&self) -> Option<Error> {
        match self {
            Self::File(path) if path.as_os_str() != "-" => UserList::read(path).err(),
            Self::File(_)
            | Self::User(_)
            | Self::Project(_)
            | Self::Organization(_)
            | Self::AllOrganizations => None,
        }
    }
}

/// What discovery brings.
pub(crate) enum DiscoveryEvent {
    /// A list has so many users in all, repeats included, as far as it says.
    Expected(u64),
    /// A user to read; may have come before.
    User(User),
    /// A name that has no id, and why.
    Unresolved(UserResult),
    /// An organization whose users are to be listed.
    Organization(Organization),
    /// How the list of its users ended.
    OrganizationListed {
        /// The id of the organization.
        id: String,
        /// Whether that was all of them.
        outcome: Outcome,
    },
    /// A list that could not be read to its end.
    IncompleteList(IncompleteList),
}

/// Where discovery sends what it finds. Waits while the receiver is behind. The receiver is only dropped when the run ends,
/// and then nothing that is still found matters.
#[derive(Clone)]
pub(crate) struct Events(mpsc::Sender<DiscoveryEvent>);

impl Events {
    /// A channel that holds at most `ahead` events that were not received yet.
    pub(crate) fn channel(ahead: usize) -> (Self, mpsc::Receiver<DiscoveryEvent>) {
        let (sender, receiver) = mpsc::channel(ahead);
        (Self(sender), receiver)
    }

    /// Sends one.
    pub(crate) async fn send(&self, event: DiscoveryEvent) {
        let _ = self.0.send(event).await;
    }

    /// Returns when there is room for so many: fewer than the channel holds.
    async fn room(&self, events: usize) -> Room<'_> {
        Room { reserved: self.0.reserve_many(events).await.ok(), events: self }
    }
}

/// Room for some events. To send them takes no time.
struct Room<'a> {
    reserved: Option<PermitIterator<'a, DiscoveryEvent>>,
    events: &'a Events,
}

impl Room<'_> {
    /// Sends one; waits if it is one more than there is room for.
    async fn send(&mut self, event: DiscoveryEvent) {
        match self.reserved.as_mut().and_then(Iterator::next) {
            Some(permit) => permit.send(event),
            None => self.events.send(event).await,
        }
    }
}

/// Discovers the users of all sources, one source after the other, names resolved `concurrency` in flight.
///
/// # Errors
/// What makes the whole run pointless; a list that can't be read to its end is an event.
pub(crate) async fn discover(
    client: &Client,
    sources: Vec<CheckedSource>,
    concurrency: NonZeroUsize,
    events: Events,
) -> Result<(), Error> {
    for source in &sources {
        // Each of them is seen, also where the run ends before its list begins.
        if let CheckedSource::Organization(id) = source {
            events.send(DiscoveryEvent::Organization(organizations::named(id))).await;
        }
    }
    for source in sources {
        match source {
            CheckedSource::List(list) => {
                events.send(DiscoveryEvent::Expected(list.count())).await;
                resolve_names(client, list.users(), concurrency, &events).await?;
            }
            CheckedSource::User(user) => {
                events.send(DiscoveryEvent::Expected(1)).await;
                resolve_names(client, [Ok((user, Origin::default()))], concurrency, &events).await?;
            }
            CheckedSource::Project(id) => organizations::project(client, &id, &events).await?,
            CheckedSource::Organization(id) => {
                organizations::users_of(client, &organizations::named(&id), &events).await?;
            }
            CheckedSource::AllOrganizations => organizations::all(client, &events).await?,
        }
    }
    Ok(())
}

/// Sends the users of a list, after asking the deployment for the ids of those that are given by name alone.
async fn resolve_names(
    client: &Client,
    users: impl IntoIterator<Item = Result<(UserRef, Origin), IncompleteList>>,
    concurrency: NonZeroUsize,
    events: &Events,
) -> Result<(), Error> {
    let resolve = |listed: Result<(UserRef, Origin), IncompleteList>| async {
        // A lookup starts only when there is room for its result. One that finished and had to wait would keep the
        // others from being polled, and with them the places that they have among the requests in flight.
        let Ok(room) = events.0.reserve().await else { return Ok(()) };
        room.send(match listed {
            Ok((UserRef::Id { id, username }, origin)) => {
                DiscoveryEvent::User(User { id: Some(id), username, origin })
            }
            Ok((UserRef::Name(name), origin)) => match client.user_by_name(&name).await? {
                Ok(user) => DiscoveryEvent::User(User {
                    origin: Origin { memberships: user.origin.memberships, ..origin },
                    ..user
                }),
                Err((outcome, attempts)) => DiscoveryEvent::Unresolved(UserResult {
                    user: User { id: None, username: Some(name), origin },
                    keys: Vec::new(),
                    outcome,
                    attempts,
                    read_at: None,
                }),
            },
            Err(list) => DiscoveryEvent::IncompleteList(list),
        });
        Ok(())
    };
    client.fan_out(stream::iter(users), concurrency, resolve).try_collect().await
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use keysunset_sandbox::{Options, Sandbox};

    use super::*;
    use crate::client::{Connection, Credential, Credentials, PAGE};
    use crate::model::Product;

    fn client(sandbox: &Sandbox) -> Client {
        let announced = sandbox.announcement();
        let credential = Credential {
            public: announced.public_key.clone(),
            private: announced.private_key.clone().into(),
        };
        let connection = Connection {
            url: announced.url.parse().unwrap(),
            product: Product::OpsManager,
            credentials: Credentials { default: Some(credential), ..Credentials::default() },
            concurrency: NonZeroUsize::new(4).unwrap(),
            rate: None,
            timeout: Duration::from_secs(30),
            retries: 0,
            patience: Duration::ZERO,
            ca_cert: None,
            client_cert: None,
            insecure_skip_verify: false,
        };
        Client::new(connection).unwrap()
    }

    #[tokio::test]
    async fn pages_are_requested_no_faster_than_their_users_are_read() {
        let sandbox = Sandbox::start(Options { users: 4000, ..Options::default() }).unwrap();
        let client = client(&sandbox);
        let (events, mut found) = Events::channel(3 * PAGE);
        let discovery = async {
            let events = events;
            organizations::all(&client, &events).await.unwrap();
        };
        let reading = async {
            let mut read = HashSet::new();
            while let Some(event) = found.recv().await {
                if let DiscoveryEvent::User(user) = event
                    && read.insert(user.id.clone())
                {
                    client.personal_keys(&user).await.unwrap();
                }
            }
            read.len()
        };
        let both = futures::future::join(discovery, reading);
        let ((), read) =
            tokio::time::timeout(Duration::from_secs(120), both).await.expect("they don't block each other");
        assert_eq!(read, 4000);
    }

    #[tokio::test]
    async fn names_are_looked_up_no_faster_than_their_users_are_read() {
        let sandbox = Sandbox::start(Options { users: 40, ..Options::default() }).unwrap();
        let client = client(&sandbox);
        let names = (0..40).map(|index| sandbox.expected_user(index).unwrap().username);
        let users = names.map(|name| Ok((UserRef::Name(name), Origin::default())));
        let (events, mut found) = Events::channel(1);
        let concurrency = NonZeroUsize::new(16).unwrap();
        let discovery = async {
            let events = events;
            resolve_names(&client, users, concurrency, &events).await.unwrap();
        };
        let reading = async {
            let mut read = 0;
            while let Some(DiscoveryEvent::User(user)) = found.recv().await {
                client.personal_keys(&user).await.unwrap();
                read += 1;
            }
            read
        };
        let both = futures::future::join(discovery, reading);
        let ((), read) =
            tokio::time::timeout(Duration::from_secs(60), both).await.expect("they don't block each other");
        assert_eq!(read, 40);
    }
}
