//! A world from a file: its format. `docs/sandbox.md` explains it to its users.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::access_list::{AccessEntry, GlobalEntry, ListOwner, Network};
use super::event::{Author, Event, Target};
use super::file_check::Check;
use super::members::Members;
use super::model::{Group, Organization, PersonalKey, ProgrammaticKey, Role, Scope, Team, User};
use super::world::{UsersOf, World};
use crate::Error;

/// A whole world. Unknown fields are refused, here and below, so that a misspelt one is not a field left out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FileWorld {
    pub(super) organizations: Vec<Organization>,
    #[serde(default)]
    pub(super) projects: Vec<Group>,
    #[serde(default)]
    pub(super) teams: Vec<Team>,
    pub(super) users: Vec<FileUser>,
    #[serde(default)]
    pub(super) programmatic_keys: Vec<FileProgrammaticKey>,
    #[serde(default)]
    pub(super) global_access_list: Vec<GlobalEntry>,
    #[serde(default)]
    pub(super) events: Vec<FileEvent>,
    #[serde(skip)]
    pub(super) by_id: HashMap<String, u64>,
    #[serde(skip)]
    pub(super) by_name: HashMap<String, u64>,
}

/// A [`User`] with all that is its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FileUser {
    pub(super) id: String,
    pub(super) username: String,
    #[serde(default)]
    pub(super) first_name: String,
    #[serde(default)]
    pub(super) last_name: String,
    #[serde(default)]
    pub(super) roles: Vec<Role>,
    #[serde(default)]
    pub(super) team_ids: Vec<String>,
    #[serde(default)]
    pub(super) keys: Vec<PersonalKey>,
    #[serde(default)]
    pub(super) access_list: Vec<AccessEntry>,
}

/// A [`ProgrammaticKey`] with its access list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FileProgrammaticKey {
    pub(super) id: String,
    pub(super) desc: String,
    pub(super) public_key: String,
    pub(super) private_key: String,
    pub(super) made_by: String,
    pub(super) roles: Vec<Role>,
    #[serde(default)]
    pub(super) access_list: Vec<AccessEntry>,
}

/// An [`Event`], whose author is a user or a programmatic key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FileEvent {
    pub(super) id: String,
    pub(super) created: DateTime<Utc>,
    #[serde(rename = "eventTypeName")]
    pub(super) type_name: String,
    pub(super) org_id: String,
    pub(super) group_id: Option<String>,
    pub(super) username: Option<String>,
    pub(super) public_key: Option<String>,
    pub(super) remote_address: IpAddr,
    pub(super) target_public_key: Option<String>,
    pub(super) target_username: Option<String>,
    pub(super) team_id: Option<String>,
    #[serde(rename = "whitelistEntry")]
    pub(super) network: Option<Network>,
}

impl FileWorld {
    /// # Errors
    /// A file that can't be read, is not a world, or contradicts itself; all contradictions are reported together.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |what| Error::World { path: path.to_owned(), what };
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::ReadWorld { path: path.to_owned(), source })?;
        let mut world: Self = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let problems = Check::problems(&world);
        if !problems.is_empty() {
            return Err(wrong(problems.join("; ")));
        }
        let index =
            |field: fn(&FileUser) -> &String| world.users.iter().map(field).cloned().zip(0..).collect();
        (world.by_id, world.by_name) = (index(|user| &user.id), index(|user| &user.username));
        Ok(world)
    }

    fn file_user(&self, index: u64) -> &FileUser {
        &self.users[usize::try_from(index).unwrap_or(usize::MAX)]
    }

    fn file_key(&self, index: u64) -> &FileProgrammaticKey {
        &self.programmatic_keys[usize::try_from(index).unwrap_or(usize::MAX)]
    }

    /// The author that the file names, which [`Check`] found to be there.
    fn author(&self, event: &FileEvent) -> Option<(Author, bool)> {
        if let Some(username) = &event.username {
            let user = self.users.iter().find(|user| user.username == *username)?;
            let author = Author::User { id: user.id.clone(), username: username.clone() };
            return Some((author, user.roles.iter().any(Role::is_global_owner)));
        }
        let public_key = event.public_key.as_ref()?;
        let key = self.programmatic_keys.iter().find(|key| key.public_key == *public_key)?;
        let author = Author::ProgrammaticKey { id: key.id.clone(), public_key: public_key.clone() };
        Some((author, key.roles.iter().any(Role::is_global_owner)))
    }

    fn event(&self, event: &FileEvent) -> Option<Event> {
        let (author, is_global_admin) = self.author(event)?;
        Some(Event {
            id: event.id.clone(),
            created: event.created,
            type_name: event.type_name.clone(),
            org_id: event.org_id.clone(),
            group_id: event.group_id.clone(),
            author,
            is_global_admin,
            remote_address: event.remote_address,
            target: Target {
                public_key: event.target_public_key.clone(),
                username: event.target_username.clone(),
                team_id: event.team_id.clone(),
                network: event.network,
            },
        })
    }

    fn users_with(&self, wanted: impl Fn(&FileUser) -> bool) -> Members {
        Members::from_indices(
            (0..).zip(&self.users).filter(|(_, user)| wanted(user)).map(|(at, _)| at).collect(),
        )
    }

    fn key_with(&self, wanted: impl Fn(&FileProgrammaticKey) -> bool) -> Option<u64> {
        (0..).zip(&self.programmatic_keys).find(|(_, key)| wanted(key)).map(|(at, _)| at)
    }
}

impl World for FileWorld {
    fn user_count(&self) -> u64 {
        self.users.len() as u64
    }

    fn user(&self, index: u64) -> User {
        let user = self.file_user(index);
        User {
            id: user.id.clone(),
            username: user.username.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            roles: user.roles.clone(),
            team_ids: user.team_ids.clone(),
        }
    }

    fn user_by_id(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    fn user_by_name(&self, name: &str) -> Option<u64> {
        self.by_name.get(name).copied()
    }

    fn personal_keys(&self, user: u64) -> Vec<PersonalKey> {
        self.file_user(user).keys.clone()
    }

    fn organizations(&self) -> &[Organization] {
        &self.organizations
    }

    fn groups(&self) -> &[Group] {
        &self.projects
    }

    fn teams(&self) -> &[Team] {
        &self.teams
    }

    fn users_of(&self, set: UsersOf) -> Members {
        let in_group = |user: &FileUser, id: &str| user.roles.iter().any(|role| role.is_in(Scope::Group(id)));
        match set {
            UsersOf::Org(id) => {
                self.users_with(|user| user.roles.iter().any(|role| role.reaches(id, &self.projects)))
            }
            UsersOf::Group(id) => self.users_with(|user| in_group(user, id)),
            UsersOf::GroupWithTeams(id) => {
                let project = self.projects.iter().find(|project| project.id == id);
                let teams = project.map(|project| project.teams.as_slice()).unwrap_or_default();
                let in_team =
                    |user: &FileUser| teams.iter().any(|team| user.team_ids.contains(&team.team_id));
                let through_teams = self.users_with(|user| in_team(user) && !in_group(user, id));
                self.users_of(UsersOf::Group(id)).then(through_teams)
            }
            UsersOf::Team(id) => self.users_with(|user| user.team_ids.iter().any(|team| team == id)),
        }
    }

    fn programmatic_key_count(&self) -> u64 {
        self.programmatic_keys.len() as u64
    }

    fn programmatic_key(&self, index: u64) -> ProgrammaticKey {
        let key = self.file_key(index);
        ProgrammaticKey {
            id: key.id.clone(),
            description: key.desc.clone(),
            public_key: key.public_key.clone(),
            private_key: key.private_key.clone(),
            made_by: key.made_by.clone(),
            roles: key.roles.clone(),
        }
    }

    fn programmatic_key_by_id(&self, id: &str) -> Option<u64> {
        self.key_with(|key| key.id == id)
    }

    fn programmatic_key_by_public_key(&self, public_key: &str) -> Option<u64> {
        self.key_with(|key| key.public_key == public_key)
    }

    fn programmatic_key_made_by(&self, user: u64) -> Option<u64> {
        self.key_with(|key| key.made_by == self.file_user(user).username)
    }

    fn programmatic_keys_in(&self, scope: Scope) -> Members {
        let keys = (0..).zip(&self.programmatic_keys);
        let within = keys.filter(|(_, key)| key.roles.iter().any(|role| role.is_in(scope)));
        Members::from_indices(within.map(|(at, _)| at).collect())
    }

    fn access_list(&self, owner: ListOwner) -> Vec<AccessEntry> {
        match owner {
            ListOwner::User(user) => self.file_user(user).access_list.clone(),
            ListOwner::ProgrammaticKey(key) => self.file_key(key).access_list.clone(),
            ListOwner::ServiceAccount(_) => Vec::new(),
        }
    }

    fn global_access_list(&self) -> Vec<GlobalEntry> {
        self.global_access_list.clone()
    }

    fn events(&self) -> Vec<Event> {
        let mut events: Vec<_> = self.events.iter().filter_map(|event| self.event(event)).collect();
        events.sort_by_key(|event| event.created);
        events
    }
}
