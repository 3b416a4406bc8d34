//! After all users were read: the lists that a migration plan needs, of the organizations whose users have a personal key.
//! Some requests an organization, and one an owner whose own credential is known, so that `plan` needs none.

use std::collections::BTreeSet;
use std::pin::pin;

use futures::stream::{self, StreamExt as _};
use serde_json::Value;

use crate::client::Client;
use crate::console::warn;
use crate::exit::Error;
use crate::inventory::{AccessListName, InventoryList, ListResult, Project};
use crate::model::{ListScope, Membership, Outcome, Product, ReadStatus, Suffix, User};
use crate::store::{Run, Store};

/// Lists read at once.
const CONCURRENCY: usize = 8;

/// Reads and records them. A list that could not be read is recorded as such, and the summary names it: the audit is about
/// personal keys, and is complete.
///
/// # Errors
/// What the run database says.
pub(crate) async fn read(client: &Client, store: &Store, run: &Run) -> Result<(), Error> {
    let by_default = |lists: Vec<InventoryList>| lists.into_iter().map(|list| (list, None)).collect();
    if client.has_default_credential() {
        let owners = Owners::new(store, run)?;
        let mut first = owners.first_lists(client.product());
        // The last replacements are seen also when no owner has a personal key any more.
        let earlier = store.lists_with_replacements(run)?;
        first.extend(earlier.into_iter().filter(|list| !first.contains(list)).collect::<Vec<_>>());
        let first = read_lists(client, store, run, by_default(first)).await?;
        read_lists(client, store, run, by_default(owners.team_lists(&projects(&first)))).await?;
    }
    read_lists(client, store, run, address_lists(client, store, run)?).await.map(drop)
}

/// The addresses of each owner of a key whose own credential the audit has: the service shows them to the owner alone.
fn address_lists(client: &Client, store: &Store, run: &Run) -> Result<Vec<Wanted>, Error> {
    let name = AccessListName::new(client.product(), client.service_version().as_deref());
    let mut lists = Vec::new();
    store.key_owners(run, !client.has_own_credentials(), |owner, is_auditing| {
        if is_auditing || client.has_own_credential(&owner) {
            lists.extend(
                owner.id.clone().map(|user_id| (InventoryList::Addresses { user_id, name }, Some(owner))),
            );
        }
    })?;
    Ok(lists)
}

/// A list, and the user whose credential reads it; `None`: the default one.
type Wanted = (InventoryList, Option<User>);

type Lists = Vec<(InventoryList, ListResult<Value>)>;

async fn read_lists(client: &Client, store: &Store, run: &Run, lists: Vec<Wanted>) -> Result<Lists, Error> {
    let mut open: Vec<_> = lists.iter().map(|(list, _)| list.clone()).collect();
    let keep = |suffixes: &[Suffix]| Ok(store.add_programmatic_keys(run, suffixes)?);
    let results = stream::iter(lists).map(async |(list, reader): Wanted| {
        (client.inventory_list(&list, reader.as_ref(), keep).await, list)
    });
    let mut results = pin!(results.buffered(CONCURRENCY));
    let mut read = Vec::new();
    while let Some((result, list)) = results.next().await {
        match result {
            Ok(result) => {
                store.record_inventory(run, &list, &result)?;
                open.retain(|it| *it != list);
                read.push((list, result));
            }
            Err(why) => {
                let message = format!("the lists for the migration plan were not all read: {}", why.message);
                warn(&message, None);
                let outcome = Outcome::unread(ReadStatus::Error, None, why.message);
                let unread = ListResult { outcome, rows: Vec::new() };
                open.iter().try_for_each(|list| store.record_inventory(run, list, &unread))?;
                break;
            }
        }
    }
    Ok(read)
}

fn projects(lists: &Lists) -> Vec<Project> {
    let rows = lists.iter().filter(|(list, _)| *list == InventoryList::Projects).flat_map(|(_, it)| &it.rows);
    rows.filter_map(|row| serde_json::from_value(row.clone()).ok()).collect()
}

/// What the owners of personal keys have in common.
#[derive(Default)]
struct Owners {
    /// The ids of their organizations.
    organizations: BTreeSet<String>,
    /// The ids of those in which one of them is in a team.
    with_teams: BTreeSet<String>,
    /// Whether one of them has a role in the whole deployment.
    has_global_role: bool,
}

impl Owners {
    fn new(store: &Store, run: &Run) -> Result<Self, Error> {
        let mut owners = Self::default();
        store.memberships_of_key_owners(run, |membership| owners.add(membership))?;
        Ok(owners)
    }

    fn add(&mut self, membership: Membership) {
        let Membership { scope, id, roles, team_ids } = membership;
        for role in roles.into_iter().flatten() {
            self.has_global_role |= role.org_id.is_none() && role.project_id.is_none();
            self.organizations.extend(role.org_id);
        }
        if scope == ListScope::Organization {
            if team_ids.is_some_and(|ids| !ids.is_empty()) {
                self.with_teams.insert(id.clone());
            }
            self.organizations.insert(id);
        }
    }

    fn first_lists(&self, product: Product) -> Vec<InventoryList> {
        let keys = self.organizations.iter().map(|id| InventoryList::ProgrammaticKeys { org_id: id.clone() });
        let teams = self.with_teams.iter().map(|id| InventoryList::Teams { org_id: id.clone() });
        let global = self.has_global_role && product == Product::OpsManager;
        let projects = (!self.organizations.is_empty()).then_some(InventoryList::Projects);
        let global = global.then_some(InventoryList::GlobalKeys);
        projects.into_iter().chain(keys).chain(teams).chain(global).collect()
    }

    /// The service shows the roles of a team by project alone.
    fn team_lists(&self, projects: &[Project]) -> Vec<InventoryList> {
        let has_teams = |it: &&Project| it.org_id.as_ref().is_some_and(|id| self.with_teams.contains(id));
        let lists = projects.iter().filter(has_teams);
        lists.map(|project| InventoryList::TeamRoles { project_id: project.id.clone() }).collect()
    }
}
