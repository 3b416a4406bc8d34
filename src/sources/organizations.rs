//! The users of organizations and projects, as the deployment lists them.

use std::num::NonZeroUsize;

use futures::stream::{self, TryStreamExt as _};

use super::{DiscoveryEvent, Events, Room};
use crate::client::{Client, PAGE, UserPage, UsersOf};
use crate::console::warn;
use crate::exit::Error;
use crate::model::{IncompleteList, Organization, Outcome, ReadStatus, object_id};

/// Of a page of users, and how many they are.
pub(crate) const EVENTS_OF_A_PAGE: usize = PAGE + 1;
/// Organizations whose users are listed at the same time, if there is room for the pages.
const AT_ONCE: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// An organization of which only the id is known, as it was typed.
pub(super) fn named(id: &str) -> Organization {
    let id = object_id(id).unwrap_or_else(|| id.to_owned());
    Organization { id, name: None, is_deleted: None }
}

/// The users of one organization that was named, so that it should have some.
pub(super) async fn users_of(
    client: &Client,
    organization: &Organization,
    events: &Events,
) -> Result<(), Error> {
    let (outcome, is_empty) = send_users(client, UsersOf::Organization(&organization.id), events).await?;
    end(organization, empty_is_incomplete(outcome, is_empty), events).await;
    Ok(())
}

/// The users of one project that was named, so that it should have some.
pub(super) async fn project(client: &Client, id: &str, events: &Events) -> Result<(), Error> {
    let (outcome, is_empty) = send_users(client, UsersOf::Project(id), events).await?;
    let list = IncompleteList {
        source: format!("project {id}"),
        org_id: None,
        outcome: empty_is_incomplete(outcome, is_empty),
    };
    report_incomplete(list, events).await;
    Ok(())
}

/// The users of every organization that the credentials see: there is no list of all users.
pub(super) async fn all(client: &Client, events: &Events) -> Result<(), Error> {
    let (organizations, outcome) = client.organizations().await?;
    for organization in &organizations {
        events.send(DiscoveryEvent::Organization(organization.clone())).await;
    }
    let list_users = async |organization: &Organization| {
        let of = UsersOf::Organization(&organization.id);
        let (outcome, is_empty) = send_users(client, of, events).await?;
        if outcome.status.is_complete() && is_empty {
            warn(&format!("{} returned no users", source(organization)), None);
        }
        end(organization, outcome, events).await;
        Ok::<_, Error>(())
    };
    client.fan_out(stream::iter(&organizations), AT_ONCE, list_users).try_collect::<()>().await?;
    let list = IncompleteList { source: "all organizations".to_owned(), org_id: None, outcome };
    report_incomplete(list, events).await;
    Ok(())
}

/// Sends all users of a list. Gives how it ended, and whether it was empty.
async fn send_users(client: &Client, of: UsersOf<'_>, events: &Events) -> Result<(Outcome, bool), Error> {
    let (mut expected, mut is_empty) = (0, true);
    let take = async |mut room: Room<'_>, page: UserPage| {
        // The list's own count, or page by page where it has none.
        let known = page.total.unwrap_or(expected + page.users.len() as u64).max(expected);
        room.send(DiscoveryEvent::Expected(known)).await;
        expected = known;
        is_empty &= page.users.is_empty();
        for user in page.users {
            room.send(DiscoveryEvent::User(user)).await;
        }
    };
    let outcome = client.users(of, async || events.room(EVENTS_OF_A_PAGE).await, take).await?;
    Ok((outcome, is_empty))
}

/// An empty list of what was named is never a clean result.
fn empty_is_incomplete(outcome: Outcome, is_empty: bool) -> Outcome {
    if outcome.status.is_complete() && is_empty {
        Outcome::unread(ReadStatus::NotFound, outcome.http_status, "the list is empty")
    } else {
        outcome
    }
}

async fn end(organization: &Organization, outcome: Outcome, events: &Events) {
    let list = IncompleteList {
        source: source(organization),
        org_id: Some(organization.id.clone()),
        outcome: outcome.clone(),
    };
    events.send(DiscoveryEvent::OrganizationListed { id: organization.id.clone(), outcome }).await;
    report_incomplete(list, events).await;
}

fn source(organization: &Organization) -> String {
    let deleted = if organization.is_deleted == Some(true) { "deleted organization" } else { "organization" };
    format!("{deleted} {}", organization.id)
}

/// It is unknown who is missing from a list that was not read to its end.
async fn report_incomplete(list: IncompleteList, events: &Events) {
    if !list.outcome.status.is_complete() {
        events.send(DiscoveryEvent::IncompleteList(list)).await;
    }
}
