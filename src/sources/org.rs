//! Discovery: the users of organizations and projects, as the deployment lists them.

use futures::{Stream, StreamExt as _};

use super::{DiscoveryEvent, Sink, Stop};
use crate::client::{Client, ClientError, UserListEvent};
use crate::model::{IncompleteList, Origin, Outcome, ReadStatus, User};

/// Everybody of one organization, which was named and so has somebody.
pub(super) async fn organization(client: &Client, id: &str, sink: &Sink) -> Result<(), Stop> {
    drain(client.organization_users(id), Scope::Organization(id), Unresolved::IsAMistake, sink).await
}

/// Everybody of one project, which was named and so has somebody.
pub(super) async fn project(client: &Client, id: &str, sink: &Sink) -> Result<(), Stop> {
    drain(client.project_users(id), Scope::Project(id), Unresolved::IsAMistake, sink).await
}

/// Whose list it is, by id.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Organization(&'a str),
    Project(&'a str),
}

impl Scope<'_> {
    fn source(self) -> String {
        match self {
            Self::Organization(id) => format!("organization {id}"),
            Self::Project(id) => format!("project {id}"),
        }
    }

    /// A project's list does not say which organization its users are of.
    fn origin(self) -> Origin {
        let organization = match self {
            Self::Organization(id) => Some(id.into()),
            Self::Project(_) => None,
        };
        Origin { organization, line: None }
    }
}

/// What a list of nobody means.
#[derive(Clone, Copy)]
enum Unresolved {
    /// Of what was named: an empty list is never a clean result.
    IsAMistake,
    /// Of one of all organizations.
    IsFine,
}

/// Everybody of every organization that the credentials see: there is no list of all users.
pub(super) async fn all(client: &Client, sink: &Sink) -> Result<(), Stop> {
    let (ids, outcome) = client.organizations().await?;
    for id in &ids {
        drain(client.organization_users(id), Scope::Organization(id), Unresolved::IsFine, sink).await?;
    }
    unless_complete("all organizations".to_owned(), outcome, sink).await
}

async fn drain(
    users: impl Stream<Item = Result<UserListEvent, ClientError>>,
    scope: Scope<'_>,
    nobody: Unresolved,
    sink: &Sink,
) -> Result<(), Stop> {
    let mut users = std::pin::pin!(users);
    let origin = scope.origin();
    let (mut expected, mut empty) = (0, true);
    while let Some(listed) = users.next().await {
        match listed? {
            UserListEvent::Users(users, total) => {
                // The list's own count, or page by page where it has none.
                let known = total.unwrap_or(expected + users.len() as u64);
                sink.expect(known.saturating_sub(expected));
                expected = expected.max(known);
                empty &= users.is_empty();
                for user in users {
                    sink.put(DiscoveryEvent::User(User { origin: origin.clone(), ..user })).await?;
                }
            }
            UserListEvent::End(outcome) => {
                let mistake =
                    outcome.status.is_complete() && empty && matches!(nobody, Unresolved::IsAMistake);
                let outcome = if mistake {
                    Outcome::unread(ReadStatus::NotFound, outcome.http_status, "it has no users")
                } else {
                    outcome
                };
                return unless_complete(scope.source(), outcome, sink).await;
            }
        }
    }
    Ok(())
}

/// A list that was not read to its end is told: nobody knows who is missing.
async fn unless_complete(source: String, outcome: Outcome, sink: &Sink) -> Result<(), Stop> {
    if outcome.status.is_complete() {
        return Ok(());
    }
    sink.put(DiscoveryEvent::IncompleteList(IncompleteList { source, outcome })).await
}
