//! The world file: its format, and what makes a file wrong. `docs/sandbox.md` explains it to people.

use std::collections::HashSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Error;
use super::call::is_id;
use super::keys::MOST;
use super::listed::Listed;
use super::roles::Role;

/// A whole world. Unknown fields are refused, so that a misspelt one is not a field left out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WorldFile {
    pub(super) organizations: Vec<FileOrganization>,
    #[serde(default)]
    pub(super) projects: Vec<FileProject>,
    pub(super) users: Vec<FileUser>,
    #[serde(default)]
    pub(super) programmatic_keys: Vec<FileProgrammaticKey>,
    #[serde(default)]
    pub(super) global_access_list: Vec<FileGlobalEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FileOrganization {
    pub(super) id: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) requires_access_list: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FileProject {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) org_id: String,
    /// The users with this team among their `teamIds` belong to the project through it.
    pub(super) team_id: Option<String>,
    #[serde(default)]
    pub(super) agent_api_key: String,
}

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
    pub(super) keys: Vec<FileKey>,
    #[serde(default)]
    pub(super) access_list: Vec<FileEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FileKey {
    pub(super) id: String,
    #[serde(default)]
    pub(super) description: String,
    pub(super) enabled: bool,
    pub(super) created_at: DateTime<Utc>,
    pub(super) last_used: Option<DateTime<Utc>>,
    pub(super) used_count: Option<u64>,
    /// The whole key, of which the service shows the last 12 digits.
    pub(super) key: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FileProgrammaticKey {
    pub(super) id: String,
    pub(super) desc: String,
    pub(super) public_key: String,
    pub(super) private_key: String,
    /// The username of who made it.
    pub(super) made_by: String,
    pub(super) roles: Vec<Role>,
    #[serde(default)]
    pub(super) access_list: Vec<FileEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FileEntry {
    pub(super) cidr_block: String,
    pub(super) created: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FileGlobalEntry {
    pub(super) id: String,
    pub(super) cidr_block: String,
    #[serde(default)]
    pub(super) description: String,
    pub(super) created: DateTime<Utc>,
}

/// # Errors
/// A file that can't be read, is not a world, or contradicts itself; the error tells all contradictions at once.
pub(super) fn read(path: &Path) -> Result<Listed, Error> {
    let wrong = |what| Error::World { path: path.to_owned(), what };
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::ReadWorld { path: path.to_owned(), source })?;
    let file: WorldFile = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let faults = Check::of(&file);
    if faults.is_empty() { Listed::new(file).map_err(wrong) } else { Err(wrong(faults.join("; "))) }
}

/// What is wrong with a file, gathered while it is walked.
#[derive(Default)]
struct Check<'a> {
    faults: Vec<String>,
    ids: HashSet<&'a str>,
    logins: HashSet<&'a str>,
}

impl<'a> Check<'a> {
    fn of(file: &'a WorldFile) -> Vec<String> {
        let mut check = Self::default();
        check.want(!file.organizations.is_empty(), || "organizations: there is none".to_owned());
        check.want(!file.users.is_empty(), || "users: there is none".to_owned());
        for (at, org) in file.organizations.iter().enumerate() {
            check.id(&org.id, &format!("organizations[{at}].id"));
        }
        for (at, project) in file.projects.iter().enumerate() {
            check.id(&project.id, &format!("projects[{at}].id"));
            check.want(file.has_org(&project.org_id), || {
                format!("projects[{at}].orgId: no organization {}", project.org_id)
            });
        }
        for (at, user) in file.users.iter().enumerate() {
            check.user(file, user, &format!("users[{at}]"));
        }
        for (at, key) in file.programmatic_keys.iter().enumerate() {
            check.programmatic_key(file, key, &format!("programmaticKeys[{at}]"));
        }
        for (at, entry) in file.global_access_list.iter().enumerate() {
            check.id(&entry.id, &format!("globalAccessList[{at}].id"));
        }
        check.faults
    }

    fn want(&mut self, right: bool, fault: impl FnOnce() -> String) {
        if !right {
            self.faults.push(fault());
        }
    }

    fn id(&mut self, id: &'a str, place: &str) {
        let shaped = is_id(id) && !id.contains(|c: char| c.is_ascii_uppercase());
        self.want(shaped, || format!("{place}: `{id}` is not 24 lower-case hexadecimal digits"));
        let new = self.ids.insert(id);
        self.want(new, || format!("{place}: {id} is there twice"));
    }

    fn login(&mut self, name: &'a str, place: &str) {
        let new = self.logins.insert(name);
        self.want(new, || format!("{place}: {name} is there twice"));
    }

    fn user(&mut self, file: &'a WorldFile, user: &'a FileUser, place: &str) {
        self.id(&user.id, &format!("{place}.id"));
        self.login(&user.username, &format!("{place}.username"));
        self.roles(file, &user.roles, place);
        self.want(user.keys.len() <= MOST, || format!("{place}.keys: a user has at most {MOST}"));
        for (at, key) in user.keys.iter().enumerate() {
            self.id(&key.id, &format!("{place}.keys[{at}].id"));
            self.want(is_uuid(&key.key), || format!("{place}.keys[{at}].key: not a UUID in lower case"));
        }
    }

    fn programmatic_key(&mut self, file: &'a WorldFile, key: &'a FileProgrammaticKey, place: &str) {
        self.id(&key.id, &format!("{place}.id"));
        self.login(&key.public_key, &format!("{place}.publicKey"));
        let letters =
            key.public_key.len() == 8 && key.public_key.bytes().all(|byte| byte.is_ascii_lowercase());
        self.want(letters, || format!("{place}.publicKey: not 8 lower-case letters"));
        self.want(is_uuid(&key.private_key), || format!("{place}.privateKey: not a UUID in lower case"));
        let known = file.users.iter().any(|user| user.username == key.made_by);
        self.want(known, || format!("{place}.madeBy: no user {}", key.made_by));
        self.roles(file, &key.roles, place);

        let global = !key.roles.is_empty() && key.roles.iter().all(Role::is_global);
        let org = key.roles.iter().find_map(|role| role.org_id.as_deref());
        let within = |role: &Role| match (&role.org_id, &role.group_id) {
            (Some(id), _) => Some(id.as_str()) == org,
            (None, Some(id)) => {
                file.projects.iter().any(|one| one.id == *id && Some(one.org_id.as_str()) == org)
            }
            (None, None) => false,
        };
        self.want(global || (org.is_some() && key.roles.iter().all(within)), || {
            format!("{place}.roles: a key has global roles, or roles in one organization and in its projects")
        });
    }

    fn roles(&mut self, file: &WorldFile, roles: &[Role], place: &str) {
        for (at, role) in roles.iter().enumerate() {
            self.want(role.is_known(), || format!("{place}.roles[{at}]: {} is no role there", role.name));
            let known = role.org_id.as_ref().is_none_or(|id| file.has_org(id))
                && role.group_id.as_ref().is_none_or(|id| file.projects.iter().any(|one| one.id == *id));
            self.want(known, || format!("{place}.roles[{at}]: no such organization or project"));
        }
    }
}

impl WorldFile {
    fn has_org(&self, id: &str) -> bool {
        self.organizations.iter().any(|org| org.id == id)
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9' | b'a'..=b'f'))
}
