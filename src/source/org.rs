//! Discovery: the users of organizations and projects, as the deployment lists them.

use futures::{Stream, StreamExt as _};

use super::{Found, Sink, Stop};
use crate::api::{Client, Listed, Unusable};
use crate::model::{Gap, Outcome};

/// Everybody of one organization.
pub(super) async fn organization(client: &Client, id: &str, sink: &Sink) -> Result<(), Stop> {
    drain(client.organization_users(id), format!("organization {id}"), sink).await
}

/// Everybody of one project.
pub(super) async fn project(client: &Client, id: &str, sink: &Sink) -> Result<(), Stop> {
    drain(client.project_users(id), format!("project {id}"), sink).await
}

/// Everybody of every organization that the credentials see: there is no list of all users.
pub(super) async fn all(client: &Client, sink: &Sink) -> Result<(), Stop> {
    let (ids, outcome) = client.organizations().await?;
    for id in &ids {
        organization(client, id, sink).await?;
    }
    unless_complete("all organizations".to_owned(), outcome, sink).await
}

async fn drain(
    users: impl Stream<Item = Result<Listed, Unusable>>,
    source: String,
    sink: &Sink,
) -> Result<(), Stop> {
    let mut users = std::pin::pin!(users);
    let mut expected = 0;
    while let Some(listed) = users.next().await {
        match listed? {
            Listed::Users(users, total) => {
                // The list's own count, or page by page where it has none.
                let known = total.unwrap_or(expected + users.len() as u64);
                sink.expect(known.saturating_sub(expected));
                expected = expected.max(known);
                for user in users {
                    sink.put(Found::User(user)).await?;
                }
            }
            Listed::End(outcome) => return unless_complete(source, outcome, sink).await,
        }
    }
    Ok(())
}

/// A list that was not read to its end is told: nobody knows who is missing.
async fn unless_complete(source: String, outcome: Outcome, sink: &Sink) -> Result<(), Stop> {
    if outcome.status.is_complete() {
        return Ok(());
    }
    sink.put(Found::Gap(Gap { source, outcome })).await
}
