//! The lists that a migration plan needs, of the organizations whose users have a personal key. They are read beside the users,
//! once a user with a key shows that they are needed. At the end the run database is asked for what only it knows of the users.
//! Some requests an organization, and one an owner whose own credential is known, so that `plan` needs none.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};

use super::Halt;
use crate::client::Client;
use crate::console::warn;
use crate::exit::Error;
use crate::inventory::{AccessListName, InventoryList, ListResult, Project};
use crate::model::{ListScope, Membership, Outcome, Product, ReadStatus, Suffix, User, UserResult};
use crate::store::{self, JournalHandle, Store, WriterStopped};

/// Lists read at once.
const CONCURRENCY: usize = 8;

/// Reads and records them. A list that could not be read is recorded as such, and the summary names it: the audit is about
/// personal keys, and is complete.
pub(super) struct InventoryReader<'a> {
    client: &'a Client,
    journal: JournalHandle,
    needed: NeededLists,
    under_way: FuturesUnordered<LocalBoxFuture<'a, Result<Vec<Project>, Halt>>>,
    /// Why no more are read.
    gave_up: Option<String>,
    /// Whether all users were read.
    is_last: bool,
}

impl<'a> InventoryReader<'a> {
    pub(super) fn new(client: &'a Client, journal: JournalHandle) -> Self {
        let has_global_keys = client.product() == Product::OpsManager;
        let needed = NeededLists { has_global_keys, ..NeededLists::default() };
        Self { client, journal, needed, under_way: FuturesUnordered::new(), gave_up: None, is_last: false }
    }

    /// Takes in what the lists with a user show of the organizations of a key's owner.
    pub(super) fn add(&mut self, result: &UserResult) {
        if !result.keys.is_empty() && self.client.has_default_credential() {
            result.user.origin.memberships.iter().for_each(|membership| self.needed.add(membership));
        }
    }

    /// Whether no list is left to be read, as far as is known.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty() && self.needed.waiting.is_empty()
    }

    /// Whether [`Self::complete`] was called.
    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Returns when one more list was read. To stop waiting for that loses nothing.
    ///
    /// # Errors
    /// What makes the whole run pointless before all users were read.
    pub(super) async fn next(&mut self) -> Result<(), Halt> {
        while self.under_way.len() < CONCURRENCY
            && let Some((list, reader)) = self.needed.waiting.pop_front()
        {
            let (client, journal, gave_up) = (self.client, self.journal.clone(), self.gave_up.clone());
            self.under_way.push(Box::pin(read(client, journal, list, reader, gave_up)));
        }
        match self.under_way.next().await {
            Some(Ok(projects)) => self.needed.add_projects(projects),
            Some(Err(Halt::Failed(why))) if self.is_last || !why.is_interruption() => self.give_up(why),
            Some(Err(halt)) => return Err(halt),
            None => {}
        }
        Ok(())
    }

    fn give_up(&mut self, why: Error) {
        if self.gave_up.is_none() {
            let message = format!("the lists for the migration plan were not all read: {}", why.message);
            warn(&message, None);
            self.gave_up = Some(why.message);
        }
    }

    /// All users were read: asks the run database for what their results did not show, such as an organization in whose list a
    /// user came again.
    ///
    /// # Errors
    /// What the run database says.
    pub(super) async fn complete(&mut self, run: i64) -> Result<(), Halt> {
        self.is_last = true;
        self.journal.complete().await?;
        let client = self.client;
        let name = AccessListName::new(client.product(), client.service_version().as_deref());
        let (by_default, only_auditing) = (client.has_default_credential(), !client.has_own_credentials());
        let mut needed = std::mem::take(&mut self.needed);
        let read = move |store: &Store| {
            let run = store.run(Some(run))?;
            if by_default {
                store.memberships_of_key_owners(&run, |membership| needed.add(&membership))?;
                // The last replacements are seen also when no owner has a personal key any more.
                store.lists_with_replacements(&run)?.into_iter().for_each(|list| needed.want(list, None));
            }
            let mut owners = Vec::new();
            store.key_owners(&run, only_auditing, |owner, is_auditing| owners.push((owner, is_auditing)))?;
            Ok::<_, store::Error>((needed, owners))
        };
        let (needed, owners) = self.journal.ask(read).await?.map_err(Error::from)?;
        self.needed = needed;
        // The service shows the addresses of a user to that user alone.
        for (owner, is_auditing) in owners {
            if let Some(user_id) =
                owner.id.clone().filter(|_| is_auditing || client.has_own_credential(&owner))
            {
                self.needed.want(InventoryList::Addresses { user_id, name }, Some(owner));
            }
        }
        Ok(())
    }
}

/// Reads and records one list: the projects in it, if those it has. `reader` is the user whose credential reads it; `None`:
/// the default one.
///
/// # Errors
/// What makes the whole run pointless; then the list is recorded as not read.
async fn read(
    client: &Client,
    journal: JournalHandle,
    list: InventoryList,
    reader: Option<User>,
    gave_up: Option<String>,
) -> Result<Vec<Project>, Halt> {
    let keep = async |suffixes: Vec<Suffix>| Ok(journal.record_programmatic_keys(suffixes).await?);
    let result = match gave_up {
        Some(why) => Ok(unread(why)),
        None => client.inventory_list::<Halt>(&list, reader.as_ref(), keep).await,
    };
    match result {
        Ok(result) => {
            let rows = result.rows.iter().filter(|_| list == InventoryList::Projects);
            let projects = rows.filter_map(|row| serde_json::from_value(row.clone()).ok()).collect();
            journal.record_inventory(list, result).await?;
            Ok(projects)
        }
        Err(Halt::Failed(why)) => {
            journal.record_inventory(list, unread(why.message.clone())).await?;
            Err(Halt::Failed(why))
        }
        Err(Halt::WriterStopped) => Err(WriterStopped.into()),
    }
}

fn unread<T>(why: String) -> ListResult<T> {
    ListResult { outcome: Outcome::unread(ReadStatus::Error, None, why), rows: Vec::new() }
}

/// The lists that are needed, by what the owners of personal keys have in common.
#[derive(Default)]
struct NeededLists {
    has_global_keys: bool,
    /// The ids of the organizations of the owners.
    organizations: BTreeSet<String>,
    /// The ids of those in which one of them is in a team.
    with_teams: BTreeSet<String>,
    /// The ids of the projects of each organization, once they were read.
    projects: BTreeMap<String, Vec<String>>,
    /// All that are needed.
    known: BTreeSet<InventoryList>,
    /// Those that are not yet read, and the user whose credential reads each; `None`: the default one.
    waiting: VecDeque<(InventoryList, Option<User>)>,
}

impl NeededLists {
    fn want(&mut self, list: InventoryList, reader: Option<User>) {
        if self.known.insert(list.clone()) {
            self.waiting.push_back((list, reader));
        }
    }

    /// Takes in what one list shows of the owner of a key.
    fn add(&mut self, membership: &Membership) {
        let Membership { scope, id, roles, team_ids } = membership;
        for role in roles.iter().flatten() {
            match &role.org_id {
                Some(id) => self.add_organization(id),
                None if role.project_id.is_none() && self.has_global_keys => {
                    self.want(InventoryList::GlobalKeys, None);
                }
                None => {}
            }
        }
        if *scope == ListScope::Organization {
            self.add_organization(id);
            if team_ids.as_ref().is_some_and(|ids| !ids.is_empty()) && !self.with_teams.contains(id) {
                self.with_teams.insert(id.clone());
                self.want(InventoryList::Teams { org_id: id.clone() }, None);
                self.want_team_roles(id);
            }
        }
    }

    fn add_organization(&mut self, id: &str) {
        if !self.organizations.contains(id) {
            self.organizations.insert(id.to_owned());
            self.want(InventoryList::Projects, None);
            self.want(InventoryList::ProgrammaticKeys { org_id: id.to_owned() }, None);
        }
    }

    fn add_projects(&mut self, projects: Vec<Project>) {
        let mut with_teams = BTreeSet::new();
        for Project { id, org_id, .. } in projects {
            let Some(org_id) = org_id else { continue };
            if self.with_teams.contains(&org_id) {
                with_teams.insert(org_id.clone());
            }
            self.projects.entry(org_id).or_default().push(id);
        }
        for org_id in with_teams {
            self.want_team_roles(&org_id);
        }
    }

    /// The service shows the roles of a team by project alone.
    fn want_team_roles(&mut self, org_id: &str) {
        for project_id in self.projects.get(org_id).cloned().unwrap_or_default() {
            self.want(InventoryList::TeamRoles { project_id }, None);
        }
    }
}
