//! The lists of the deployment that a run recorded for the plan, ready to be asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::de::DeserializeOwned;

use super::Unknown;
use crate::inventory::{AccessEntry, InventoryList, ProgrammaticKey, Project, Team, TeamRoles};
use crate::model::{Organization, Outcome, Product};
use crate::network::Network;
use crate::store::{Error, Run, Store};

/// The rows of a list, or why not all of them are known.
type Rows<T> = Result<Vec<T>, String>;

/// What the deployment has besides users and personal keys.
pub(crate) struct Inventory {
    product: Product,
    /// By id.
    organizations: BTreeMap<String, Organization>,
    /// By id.
    projects: Result<BTreeMap<String, Project>, String>,
    /// By organization.
    teams: HashMap<String, Rows<Team>>,
    /// By project.
    team_roles: HashMap<String, Rows<TeamRoles>>,
    /// By user.
    addresses: HashMap<String, Rows<AccessEntry>>,
    /// The ids of programmatic keys by their organization, if they have one, and the first word of their description.
    keys_by_tag: HashMap<(Option<String>, String), BTreeSet<String>>,
    /// The lists of programmatic keys by their organization, if they have one: whether all of the list was read.
    key_lists: HashMap<Option<String>, bool>,
}

impl Inventory {
    /// # Errors
    /// What the run database says.
    pub(crate) fn read(store: &Store, run: &Run) -> Result<Self, Error> {
        let organizations = store.organizations(run)?.unwrap_or_default().into_iter();
        let mut inventory = Self {
            product: run.product,
            organizations: organizations.map(|it| (it.organization.id.clone(), it.organization)).collect(),
            projects: Err(not_read(&InventoryList::Projects)),
            teams: HashMap::new(),
            team_roles: HashMap::new(),
            addresses: HashMap::new(),
            keys_by_tag: HashMap::new(),
            key_lists: HashMap::new(),
        };
        for (list, outcome, rows) in store.inventory(run)? {
            inventory.add(&list, &outcome, &rows);
        }
        Ok(inventory)
    }

    fn add(&mut self, list: &InventoryList, outcome: &Outcome, json: &str) {
        match list {
            InventoryList::Projects => {
                let projects = rows::<Project>(list, outcome, json);
                self.projects = projects.map(|rows| rows.into_iter().map(|it| (it.id.clone(), it)).collect());
            }
            InventoryList::Teams { org_id } => {
                self.teams.insert(org_id.clone(), rows(list, outcome, json));
            }
            InventoryList::TeamRoles { project_id } => {
                self.team_roles.insert(project_id.clone(), rows(list, outcome, json));
            }
            InventoryList::ProgrammaticKeys { org_id } => {
                self.add_keys(Some(org_id), rows(list, outcome, json));
            }
            InventoryList::GlobalKeys => self.add_keys(None, rows(list, outcome, json)),
            InventoryList::Addresses { user_id, .. } => {
                self.addresses.insert(user_id.clone(), rows(list, outcome, json));
            }
        }
    }

    /// Of a list that was not read to its end no key is known, and a script looks again before it makes one.
    fn add_keys(&mut self, org_id: Option<&String>, keys: Rows<ProgrammaticKey>) {
        self.key_lists.insert(org_id.cloned(), keys.is_ok());
        for key in keys.into_iter().flatten() {
            let tag = key.description.split(' ').next().unwrap_or_default().to_owned();
            self.keys_by_tag.entry((org_id.cloned(), tag)).or_default().insert(key.id);
        }
    }

    pub(super) fn product(&self) -> Product {
        self.product
    }

    /// An organization of the run.
    pub(crate) fn organization(&self, id: &str) -> Option<&Organization> {
        self.organizations.get(id)
    }

    /// Whether the service marks an organization as deleted.
    pub(super) fn is_deleted(&self, org_id: &str) -> bool {
        self.organization(org_id).is_some_and(|organization| organization.is_deleted == Some(true))
    }

    /// A project and its organization.
    pub(super) fn project(&self, id: &str) -> Result<(&Project, &str), Unknown> {
        let projects = self.projects.as_ref().map_err(Clone::clone)?;
        let unlisted = || format!("the list of projects does not have project {id}");
        let project = projects.get(id).ok_or_else(unlisted)?;
        let without = || format!("the organization of project {id} is unknown");
        Ok((project, project.org_id.as_deref().ok_or_else(without)?))
    }

    /// The projects of an organization, by id.
    pub(super) fn projects_of(&self, org_id: &str) -> Result<impl Iterator<Item = &Project>, Unknown> {
        let projects = self.projects.as_ref().map_err(Clone::clone)?;
        Ok(projects.values().filter(move |project| project.org_id.as_deref() == Some(org_id)))
    }

    pub(super) fn teams(&self, org_id: &str) -> Result<&[Team], Unknown> {
        known(self.teams.get(org_id), || InventoryList::Teams { org_id: org_id.to_owned() })
    }

    pub(super) fn team_roles(&self, project_id: &str) -> Result<&[TeamRoles], Unknown> {
        known(self.team_roles.get(project_id), || InventoryList::TeamRoles {
            project_id: project_id.to_owned(),
        })
    }

    /// The addresses from which a user may call, as the user's own list has them; `None` where that was not read in full.
    pub(super) fn addresses(&self, user_id: &str) -> Option<BTreeSet<Network>> {
        let rows = self.addresses.get(user_id)?.as_ref().ok()?;
        Some(rows.iter().map(|entry| entry.block).collect())
    }

    /// Whether the run asked for a list of programmatic keys.
    pub(super) fn has_key_lists(&self) -> bool {
        !self.key_lists.is_empty()
    }

    /// Whether all replacements of an organization, or of the whole deployment, are known.
    pub(super) fn knows_all_replacements(&self, org_id: Option<&str>) -> bool {
        // On Atlas a replacement may be a service account, and an audit does not list them.
        self.product != Product::Atlas
            && self.key_lists.get(&org_id.map(str::to_owned)).copied().unwrap_or_default()
    }

    /// The tags of the replacements that are created, each with its organization, if it has one.
    pub(super) fn tags(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        self.keys_by_tag.keys().map(|(org_id, tag)| (org_id.as_deref(), tag.as_str()))
    }

    /// The name of a project.
    pub(crate) fn project_name(&self, id: &str) -> Option<&str> {
        self.projects.as_ref().ok()?.get(id)?.name.as_deref()
    }

    /// The ids of the programmatic keys whose description begins with this word, sorted.
    pub(super) fn keys_with_tag(&self, org_id: Option<&str>, tag: &str) -> impl Iterator<Item = &str> {
        let keys = self.keys_by_tag.get(&(org_id.map(str::to_owned), tag.to_owned()));
        keys.into_iter().flatten().map(String::as_str)
    }
}

fn known<T>(rows: Option<&Rows<T>>, list: impl Fn() -> InventoryList) -> Result<&[T], Unknown> {
    match rows {
        Some(Ok(rows)) => Ok(rows),
        Some(Err(why)) => Err(why.clone().into()),
        None => Err(not_read(&list()).into()),
    }
}

fn not_read(list: &InventoryList) -> String {
    format!("the run did not read the list {}", list.path())
}

fn rows<T: DeserializeOwned>(list: &InventoryList, outcome: &Outcome, json: &str) -> Rows<T> {
    if !outcome.status.is_complete() {
        return Err(format!("the list {} was not read: {}", list.path(), outcome.status));
    }
    serde_json::from_str(json)
        .map_err(|why| format!("the list {} is not what keysunset writes: {why}", list.path()))
}
