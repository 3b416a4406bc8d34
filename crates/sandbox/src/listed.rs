//! A world that somebody wrote down, held in memory as it was read.

use std::collections::HashMap;

use super::access_list::{Entry, GlobalEntry};
use super::file::{FileEntry, FileGlobalEntry, FileKey, FileProgrammaticKey, FileUser, WorldFile};
use super::groups::Group;
use super::keys::PersonalKey;
use super::members::Members;
use super::orgs::Organization;
use super::programmatic::ProgrammaticKey;
use super::roles::{Role, Scope};
use super::users::User;
use super::world::{Place, World};

/// The world of a file.
pub(super) struct Listed {
    users: Vec<Person>,
    by_id: HashMap<String, u64>,
    by_name: HashMap<String, u64>,
    organizations: Vec<Organization>,
    groups: Vec<Group>,
    /// The team of each project, if it has one.
    teams: Vec<Option<String>>,
    keys: Vec<(ProgrammaticKey, Vec<Entry>)>,
    global_list: Vec<GlobalEntry>,
}

struct Person {
    user: User,
    keys: Vec<PersonalKey>,
    list: Vec<Entry>,
}

impl Listed {
    /// Takes a file that was checked.
    ///
    /// # Errors
    /// An entry of an IP list that is no address.
    pub(super) fn new(file: WorldFile) -> Result<Self, String> {
        let index = |key: fn(&FileUser) -> &String| -> HashMap<String, u64> {
            file.users.iter().map(key).cloned().zip(0..).collect()
        };
        let (by_id, by_name) = (index(|user| &user.id), index(|user| &user.username));
        let organizations: Vec<_> = file
            .organizations
            .into_iter()
            .map(|org| Organization { id: org.id, name: org.name, requires_list: org.requires_access_list })
            .collect();
        let (groups, teams) = file
            .projects
            .into_iter()
            .map(|project| {
                let org = organizations.iter().position(|org| org.id == project.org_id).unwrap_or_default();
                let group = Group {
                    id: project.id,
                    name: project.name,
                    org,
                    org_id: project.org_id,
                    agent_api_key: project.agent_api_key,
                };
                (group, project.team_id)
            })
            .unzip();
        let keys = file.programmatic_keys.into_iter().map(|key| programmatic_key(key, &by_name));
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
            users: file.users.into_iter().map(person).collect::<Result<_, _>>()?,
            global_list: file.global_access_list.into_iter().map(global_entry).collect::<Result<_, _>>()?,
            by_id,
            by_name,
            organizations,
            groups,
            teams,
        })
    }

    fn person(&self, index: u64) -> &Person {
        &self.users[usize::try_from(index).unwrap_or(usize::MAX)]
    }

    fn key(&self, index: u64) -> &(ProgrammaticKey, Vec<Entry>) {
        &self.keys[usize::try_from(index).unwrap_or(usize::MAX)]
    }

    fn users_who(&self, wanted: impl Fn(&User) -> bool) -> Members {
        let users = (0..).zip(&self.users).filter(|(_, person)| wanted(&person.user));
        Members::these(users.map(|(index, _)| index).collect())
    }

    fn key_where(&self, wanted: impl Fn(&ProgrammaticKey) -> bool) -> Option<u64> {
        (0..).zip(&self.keys).find(|(_, (key, _))| wanted(key)).map(|(index, _)| index)
    }

    /// Whether a role is in an organization, be it by one of its projects.
    fn reaches(&self, role: &Role, org: usize) -> bool {
        role.is_in_org(&self.organizations[org].id)
            || self.groups.iter().any(|group| group.org == org && role.is_in_group(&group.id))
    }
}

fn person(user: FileUser) -> Result<Person, String> {
    Ok(Person {
        keys: user.keys.into_iter().map(personal_key).collect(),
        list: entries(user.access_list)?,
        user: User {
            id: user.id,
            username: user.username,
            first_name: user.first_name,
            last_name: user.last_name,
            roles: user.roles,
            team_ids: user.team_ids,
        },
    })
}

fn personal_key(key: FileKey) -> PersonalKey {
    PersonalKey {
        id: key.id,
        description: key.description,
        enabled: key.enabled,
        created: key.created_at,
        last_used: key.last_used,
        used_count: key.used_count,
        secret: key.key,
    }
}

fn programmatic_key(
    key: FileProgrammaticKey,
    by_name: &HashMap<String, u64>,
) -> Result<(ProgrammaticKey, Vec<Entry>), String> {
    let list = entries(key.access_list)?;
    let key = ProgrammaticKey {
        id: key.id,
        description: key.desc,
        public: key.public_key,
        private: key.private_key,
        maker: by_name.get(&key.made_by).copied().unwrap_or_default(),
        roles: key.roles,
    };
    Ok((key, list))
}

fn entries(entries: Vec<FileEntry>) -> Result<Vec<Entry>, String> {
    let entry = |entry: FileEntry| match entry.cidr_block.parse() {
        Ok(network) => Ok(Entry::new(network, entry.created)),
        Err(_) => Err(no_address(&entry.cidr_block)),
    };
    entries.into_iter().map(entry).collect()
}

fn global_entry(entry: FileGlobalEntry) -> Result<GlobalEntry, String> {
    let network = entry.cidr_block.parse().map_err(|_| no_address(&entry.cidr_block))?;
    Ok(GlobalEntry { id: entry.id, network, description: entry.description, created: entry.created })
}

fn no_address(text: &str) -> String {
    format!("cidrBlock: `{text}` is neither an IP address nor a CIDR block")
}

impl World for Listed {
    fn users(&self) -> u64 {
        self.users.len() as u64
    }

    fn user(&self, index: u64) -> User {
        self.person(index).user.clone()
    }

    fn user_by_id(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    fn user_by_name(&self, name: &str) -> Option<u64> {
        self.by_name.get(name).copied()
    }

    fn personal_keys(&self, user: u64) -> Vec<PersonalKey> {
        self.person(user).keys.clone()
    }

    fn user_list(&self, user: u64) -> Vec<Entry> {
        self.person(user).list.clone()
    }

    fn organizations(&self) -> &[Organization] {
        &self.organizations
    }

    fn groups(&self) -> &[Group] {
        &self.groups
    }

    fn members(&self, place: Place) -> Members {
        let in_group = |user: &User, group: usize| {
            user.roles.iter().any(|role| role.is_in_group(&self.groups[group].id))
        };
        match place {
            Place::Org(org) => self.users_who(|user| user.roles.iter().any(|role| self.reaches(role, org))),
            Place::Group(group) => self.users_who(|user| in_group(user, group)),
            Place::Team(group) => self.users_who(|user| {
                self.teams[group].as_ref().is_some_and(|team| user.team_ids.contains(team))
                    && !in_group(user, group)
            }),
        }
    }

    fn programmatic_keys(&self) -> u64 {
        self.keys.len() as u64
    }

    fn programmatic_key(&self, index: u64) -> ProgrammaticKey {
        self.key(index).0.clone()
    }

    fn programmatic_by_id(&self, id: &str) -> Option<u64> {
        self.key_where(|key| key.id == id)
    }

    fn programmatic_by_public(&self, public: &str) -> Option<u64> {
        self.key_where(|key| key.public == public)
    }

    fn keys_in(&self, scope: Scope) -> Members {
        let is_in = |role: &Role| match scope {
            Scope::Global => role.is_global(),
            Scope::Org(org) => role.is_in_org(&self.organizations[org].id),
            Scope::Group(group) => role.is_in_group(&self.groups[group].id),
        };
        let keys = (0..).zip(&self.keys).filter(|(_, (key, _))| key.roles.iter().any(is_in));
        Members::these(keys.map(|(index, _)| index).collect())
    }

    fn key_list(&self, key: u64) -> Vec<Entry> {
        self.key(key).1.clone()
    }

    fn global_list(&self) -> Vec<GlobalEntry> {
        self.global_list.clone()
    }

    fn key_made_by(&self, user: u64) -> Option<u64> {
        self.key_where(|key| key.maker == user)
    }
}
