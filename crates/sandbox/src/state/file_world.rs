//! A world from a file: its format, and what makes a file wrong. `docs/sandbox.md` explains the format to its users.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;

use super::access_list::{AccessEntry, GlobalEntry, ListOwner};
use super::members::Members;
use super::model::{
    Group, MAX_PERSONAL_KEYS, Organization, PersonalKey, ProgrammaticKey, Role, Scope, User, is_id,
};
use super::world::{UsersOf, World};
use crate::Error;

/// A whole world. Unknown fields are refused, here and below, so that a misspelt one is not a field left out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FileWorld {
    organizations: Vec<Organization>,
    #[serde(default)]
    projects: Vec<Group>,
    users: Vec<FileUser>,
    #[serde(default)]
    programmatic_keys: Vec<FileProgrammaticKey>,
    #[serde(default)]
    global_access_list: Vec<GlobalEntry>,
    #[serde(skip)]
    by_id: HashMap<String, u64>,
    #[serde(skip)]
    by_name: HashMap<String, u64>,
}

/// A [`User`] with all that is its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileUser {
    id: String,
    username: String,
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
    #[serde(default)]
    roles: Vec<Role>,
    #[serde(default)]
    team_ids: Vec<String>,
    #[serde(default)]
    keys: Vec<PersonalKey>,
    #[serde(default)]
    access_list: Vec<AccessEntry>,
}

/// A [`ProgrammaticKey`] with its access list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileProgrammaticKey {
    id: String,
    desc: String,
    public_key: String,
    private_key: String,
    made_by: String,
    roles: Vec<Role>,
    #[serde(default)]
    access_list: Vec<AccessEntry>,
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

    fn users_of(&self, set: UsersOf) -> Members {
        let in_group = |user: &FileUser, id: &str| user.roles.iter().any(|role| role.is_in(Scope::Group(id)));
        match set {
            UsersOf::Org(id) => {
                self.users_with(|user| user.roles.iter().any(|role| role.reaches(id, &self.projects)))
            }
            UsersOf::Group(id) => self.users_with(|user| in_group(user, id)),
            UsersOf::Team(id) => {
                let team = self
                    .projects
                    .iter()
                    .find(|project| project.id == id)
                    .and_then(|one| one.team_id.as_ref());
                self.users_with(|user| {
                    team.is_some_and(|team| user.team_ids.contains(team)) && !in_group(user, id)
                })
            }
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
        }
    }

    fn global_access_list(&self) -> Vec<GlobalEntry> {
        self.global_access_list.clone()
    }
}

/// Collects the problems of a file.
struct Check<'a> {
    world: &'a FileWorld,
    problems: Vec<String>,
    ids: HashSet<&'a str>,
    logins: HashSet<&'a str>,
}

impl<'a> Check<'a> {
    fn problems(world: &'a FileWorld) -> Vec<String> {
        // Every field by name, so that a new one does not compile until it is checked.
        let FileWorld {
            organizations,
            projects,
            users,
            programmatic_keys,
            global_access_list,
            by_id: _,
            by_name: _,
        } = world;
        let mut check = Self { world, problems: Vec::new(), ids: HashSet::new(), logins: HashSet::new() };
        check.require(!organizations.is_empty(), || "organizations: there is none".to_owned());
        check.require(!users.is_empty(), || "users: there is none".to_owned());
        for (at, org) in organizations.iter().enumerate() {
            check.id(&org.id, &format!("organizations[{at}].id"));
        }
        for (at, project) in projects.iter().enumerate() {
            check.id(&project.id, &format!("projects[{at}].id"));
            check.require(check.has_org(&project.org_id), || {
                format!("projects[{at}].orgId: no organization {}", project.org_id)
            });
        }
        for (at, user) in users.iter().enumerate() {
            check.user(user, &format!("users[{at}]"));
        }
        for (at, key) in programmatic_keys.iter().enumerate() {
            check.programmatic_key(key, &format!("programmaticKeys[{at}]"));
        }
        for (at, entry) in global_access_list.iter().enumerate() {
            check.id(&entry.id, &format!("globalAccessList[{at}].id"));
        }
        check.problems
    }

    fn require(&mut self, right: bool, problem: impl FnOnce() -> String) {
        if !right {
            self.problems.push(problem());
        }
    }

    fn has_org(&self, id: &str) -> bool {
        self.world.organizations.iter().any(|org| org.id == id)
    }

    fn id(&mut self, id: &'a str, place: &str) {
        let shaped = is_id(id) && !id.contains(|c: char| c.is_ascii_uppercase());
        self.require(shaped, || format!("{place}: `{id}` is not 24 lower-case hexadecimal digits"));
        let new = self.ids.insert(id);
        self.require(new, || format!("{place}: {id} is there twice"));
    }

    fn login(&mut self, name: &'a str, place: &str) {
        let new = self.logins.insert(name);
        self.require(new, || format!("{place}: {name} is there twice"));
    }

    fn user(&mut self, user: &'a FileUser, place: &str) {
        self.id(&user.id, &format!("{place}.id"));
        self.login(&user.username, &format!("{place}.username"));
        self.roles(&user.roles, place);
        self.require(user.keys.len() <= MAX_PERSONAL_KEYS, || {
            format!("{place}.keys: a user has at most {MAX_PERSONAL_KEYS}")
        });
        for (at, key) in user.keys.iter().enumerate() {
            self.id(&key.id, &format!("{place}.keys[{at}].id"));
            self.require(is_uuid(&key.secret), || {
                format!("{place}.keys[{at}].key: not a UUID in lower case")
            });
        }
    }

    fn programmatic_key(&mut self, key: &'a FileProgrammaticKey, place: &str) {
        self.id(&key.id, &format!("{place}.id"));
        self.login(&key.public_key, &format!("{place}.publicKey"));
        let letters =
            key.public_key.len() == 8 && key.public_key.bytes().all(|byte| byte.is_ascii_lowercase());
        self.require(letters, || format!("{place}.publicKey: not 8 lower-case letters"));
        self.require(is_uuid(&key.private_key), || format!("{place}.privateKey: not a UUID in lower case"));
        let known = self.world.users.iter().any(|user| user.username == key.made_by);
        self.require(known, || format!("{place}.madeBy: no user {}", key.made_by));
        self.roles(&key.roles, place);

        let global = !key.roles.is_empty() && key.roles.iter().all(Role::is_global);
        let org = key.roles.iter().find_map(|role| role.org_id.as_deref());
        let one_org =
            org.is_some_and(|org| key.roles.iter().all(|role| role.reaches(org, &self.world.projects)));
        self.require(global || one_org, || {
            format!("{place}.roles: a key has global roles, or roles in one organization and in its projects")
        });
    }

    fn roles(&mut self, roles: &[Role], place: &str) {
        for (at, role) in roles.iter().enumerate() {
            self.require(role.is_known(), || format!("{place}.roles[{at}]: {} is no role there", role.name));
            let has_group = |id: &String| self.world.projects.iter().any(|one| one.id == *id);
            let known = role.org_id.as_ref().is_none_or(|id| self.has_org(id))
                && role.group_id.as_ref().is_none_or(has_group);
            self.require(known, || format!("{place}.roles[{at}]: no such organization or project"));
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9' | b'a'..=b'f'))
}
