//! The users of organizations and projects, as the deployment lists them.

use super::{DiscoveryEvent, Events};
use crate::client::{Client, UserPages};
use crate::console::warn;
use crate::exit::Error;
use crate::model::{IncompleteList, Origin, Outcome, ReadStatus, User};

/// The users of one organization. It was named, so that it should have some.
pub(super) async fn organization(client: &Client, id: &str, events: &Events) -> Result<(), Error> {
    let list = UsersOf { source: format!("organization {id}"), organization: Some(id), may_be_empty: false };
    list.send(client.organization_users(id), events).await
}

/// The users of one project. It was named, so that it should have some.
pub(super) async fn project(client: &Client, id: &str, events: &Events) -> Result<(), Error> {
    // A project's list does not say which organization its users are of.
    let list = UsersOf { source: format!("project {id}"), organization: None, may_be_empty: false };
    list.send(client.project_users(id), events).await
}

/// The users of every organization that the credentials see: there is no list of all users.
pub(super) async fn all(client: &Client, events: &Events) -> Result<(), Error> {
    let (ids, outcome) = client.organizations().await?;
    for id in &ids {
        let list =
            UsersOf { source: format!("organization {id}"), organization: Some(id), may_be_empty: true };
        list.send(client.organization_users(id), events).await?;
    }
    report_incomplete("all organizations".to_owned(), outcome, events).await;
    Ok(())
}

/// A list of users that the deployment has.
struct UsersOf<'a> {
    source: String,
    /// Its id, where the list says that the users are of one.
    organization: Option<&'a str>,
    /// An empty list of what was named is never a clean result.
    may_be_empty: bool,
}

impl UsersOf<'_> {
    async fn send(self, mut pages: UserPages<'_>, events: &Events) -> Result<(), Error> {
        let origin = Origin { organization: self.organization.map(Into::into), line: None };
        let (mut expected, mut is_empty) = (0, true);
        let outcome = loop {
            let page = match pages.next().await? {
                Ok(page) => page,
                Err(end) => break end,
            };
            // The list's own count, or page by page where it has none.
            let known = page.total.unwrap_or(expected + page.users.len() as u64).max(expected);
            events.send(DiscoveryEvent::Expected(known - expected)).await;
            expected = known;
            is_empty &= page.users.is_empty();
            for user in page.users {
                events.send(DiscoveryEvent::User(User { origin: origin.clone(), ..user })).await;
            }
        };
        if outcome.status.is_complete() && is_empty && self.may_be_empty {
            warn(&format!("{} returned no users", self.source), None);
        }
        let is_mistake = outcome.status.is_complete() && is_empty && !self.may_be_empty;
        let outcome = if is_mistake {
            Outcome::unread(ReadStatus::NotFound, outcome.http_status, "it has no users")
        } else {
            outcome
        };
        report_incomplete(self.source, outcome, events).await;
        Ok(())
    }
}

/// Nobody knows who is missing from a list that was not read to its end.
async fn report_incomplete(source: String, outcome: Outcome, events: &Events) {
    if !outcome.status.is_complete() {
        events.send(DiscoveryEvent::IncompleteList(IncompleteList { source, outcome })).await;
    }
}
