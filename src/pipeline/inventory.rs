//! The lists that a migration plan needs, of the organizations whose users have a personal key. They are read beside the users,
//! once a user with a key shows that they are needed. At the end the run database is asked for what only it knows of the users.
//! Some requests an organization, and one an owner whose own credential is known, so that `plan` needs none.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroUsize;

use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;

use super::{Halt, SHARE};
use crate::client::Client;
use crate::console::warn;
use crate::exit::Error;
use crate::inventory::{AccessListName, InventoryList, ListResult, Project};
use crate::model::{ListScope, Membership, Outcome, Product, ReadStatus, Suffix, User, UserResult};
use crate::store::{self, JournalHandle, Store};

/// Lists read at once, and pages of each, where nothing else is in flight.
const LISTS: usize = 8;
const PAGES: usize = 8;
/// Owners that the run database hands over at once.
const OWNERS: usize = 256;

/// A list that was read, and the projects in it, if those it has.
type ReadList = (InventoryList, Result<Vec<Project>, Halt>);

/// Reads and records them. A list that could not be read is recorded as such, and the summary names it: the audit is about
/// personal keys, and is complete.
pub(super) struct InventoryReader<'a> {
    client: &'a Client,
    journal: JournalHandle,
    /// Requests in flight beside users.
    beside: usize,
    needed: NeededLists,
    under_way: FuturesUnordered<LocalBoxFuture<'a, ReadList>>,
    /// The lists under way.
    open: BTreeSet<InventoryList>,
    /// Why no more are read.
    gave_up: Option<String>,
    /// Whether a user was asked for.
    has_results: bool,
    /// Whether all users were read.
    is_last: bool,
}

impl<'a> InventoryReader<'a> {
    /// `concurrency` is how many requests are in flight.
    pub(super) fn new(client: &'a Client, journal: JournalHandle, concurrency: NonZeroUsize) -> Self {
        let has_global_keys = client.product() == Product::OpsManager;
        Self {
            client,
            journal,
            beside: concurrency.get() / SHARE,
            needed: NeededLists { has_global_keys, ..NeededLists::default() },
            under_way: FuturesUnordered::new(),
            open: BTreeSet::new(),
            gave_up: None,
            has_results: false,
            is_last: false,
        }
    }

    /// Takes in what the lists with a user show of the organizations of a key's owner.
    pub(super) fn add(&mut self, result: &UserResult) {
        self.has_results = true;
        if !result.keys.is_empty() && self.client.has_default_credential() {
            result.user.origin.memberships.iter().for_each(|membership| self.needed.add(membership));
        }
    }

    /// How many lists, and how many pages of each, may be read at once.
    fn at_once(&self) -> (usize, usize) {
        if self.is_last {
            return (LISTS, PAGES);
        }
        (self.beside.min(LISTS), (self.beside / LISTS).clamp(1, PAGES))
    }

    /// Whether a list is being read, or may be.
    pub(super) fn has_work(&self) -> bool {
        !self.under_way.is_empty() || !self.needed.waiting.is_empty() && self.at_once().0 > 0
    }

    /// Reads no more: the run is interrupted, and what is not polled must not keep its place in flight.
    pub(super) fn stop(&mut self) {
        self.under_way.clear();
        self.needed.waiting.clear();
        self.beside = 0;
    }

    /// Returns when one more list was read. To stop waiting for that loses nothing.
    ///
    /// # Errors
    /// What makes the whole run pointless before all users were read.
    pub(super) async fn next(&mut self) -> Result<(), Halt> {
        let (lists, pages) = self.at_once();
        while self.under_way.len() < lists
            && let Some((list, reader)) = self.needed.waiting.pop_front()
        {
            let (client, journal, gave_up) = (self.client, self.journal.clone(), self.gave_up.clone());
            self.open.insert(list.clone());
            self.under_way.push(Box::pin(read(client, journal, (list, reader), pages, gave_up)));
        }
        let Some((list, read)) = self.under_way.next().await else { return Ok(()) };
        self.open.remove(&list);
        match read {
            Ok(projects) => self.needed.add_projects(projects),
            Err(Halt::Failed(why)) if self.is_last || !why.is_interruption() => self.give_up(why),
            Err(halt) => return Err(halt),
        }
        Ok(())
    }

    /// All others are recorded as not read, without a request.
    fn give_up(&mut self, why: Error) {
        if self.gave_up.is_some() {
            return;
        }
        let message = format!("the lists for the migration plan were not all read: {}", why.message);
        warn(&message, None);
        self.gave_up = Some(why.message);
        self.under_way.clear();
        let open = std::mem::take(&mut self.open);
        self.needed.waiting.extend(open.into_iter().map(|list| (list, None)));
    }

    /// All users were read: asks the run database for what their results did not show. That is an organization in whose list a
    /// user came again, and all of what was read before the run was resumed.
    ///
    /// # Errors
    /// What the run database says.
    pub(super) async fn complete(&mut self, run: i64, is_resumed: bool) -> Result<(), Halt> {
        self.is_last = true;
        self.journal.complete().await?;
        let client = self.client;
        if self.has_results && !client.has_answered() {
            // All credentials were refused, and the run ends with that.
            return Ok(());
        }
        let name = AccessListName::new(client.product(), client.service_version().as_deref());
        let (by_default, only_auditing) = (client.has_default_credential(), !client.has_own_credentials());
        let mut needed = std::mem::take(&mut self.needed);
        // Not all owners at once: the memory does not grow with them.
        let (owners, mut each_owner) = mpsc::channel(OWNERS);
        let read = move |store: &Store| {
            let run = store.run(Some(run))?;
            if !store.has_users(&run)? {
                return Ok(needed);
            }
            if by_default {
                store.memberships_of_key_owners(&run, !is_resumed, |membership| needed.add(&membership))?;
                // The last replacements are seen also when no owner has a personal key any more.
                store.lists_with_replacements(&run)?.into_iter().for_each(|list| needed.want(list, None));
            }
            store.key_owners(&run, only_auditing, |owner, is_auditing| {
                // Without a receiver the run ends.
                let _ = owners.blocking_send((owner, is_auditing));
            })?;
            Ok::<_, store::Error>(needed)
        };
        let addresses = async {
            let mut addresses = Vec::new();
            while let Some((owner, is_auditing)) = each_owner.recv().await {
                // The service shows the addresses of a user to that user alone.
                if let Some(user_id) = owner.id.clone()
                    && (is_auditing || client.has_own_credential(&owner))
                {
                    addresses.push((InventoryList::Addresses { user_id, name }, owner));
                }
            }
            addresses
        };
        let (needed, addresses) = futures::future::join(self.journal.ask(read), addresses).await;
        self.needed = needed?.map_err(|why| Halt::Kept(why.into()))?;
        for (list, owner) in addresses {
            self.needed.want(list, Some(owner));
        }
        Ok(())
    }
}

/// Reads and records one list, so many pages at once. `reader` is the user whose credential reads it; `None`: the default one.
///
/// # Errors
/// What makes the whole run pointless; then the list is recorded as not read.
async fn read(
    client: &Client,
    journal: JournalHandle,
    (list, reader): (InventoryList, Option<User>),
    pages_at_once: usize,
    gave_up: Option<String>,
) -> ReadList {
    let keep = async |suffixes: Vec<Suffix>| Ok(journal.record_programmatic_keys(suffixes).await?);
    let result = match gave_up {
        Some(why) => Ok(unread(why)),
        None => client.inventory_list::<Halt>(&list, reader.as_ref(), pages_at_once, keep).await,
    };
    let (result, failed) = match result {
        Ok(result) => (result, None),
        Err(Halt::Failed(why)) => (unread(why.message.clone()), Some(Halt::Failed(why))),
        Err(halt) => return (list, Err(halt)),
    };
    let rows = result.rows.iter().filter(|_| list == InventoryList::Projects);
    let projects = rows.filter_map(|row| serde_json::from_value(row.clone()).ok()).collect();
    let recorded = journal.record_inventory(list.clone(), result).await.map_err(Halt::from);
    (list, recorded.and_then(|()| failed.map_or(Ok(projects), Err)))
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
