//! What makes a world file wrong.

use std::collections::HashSet;

use super::file_world::{FileEvent, FileProgrammaticKey, FileUser, FileWorld};
use super::model::{Group, MAX_PERSONAL_KEYS, Role, Scope, Team, TeamRoles, is_id};

/// Collects the problems of a file.
pub(super) struct Check<'a> {
    world: &'a FileWorld,
    problems: Vec<String>,
    ids: HashSet<&'a str>,
    logins: HashSet<&'a str>,
}

impl<'a> Check<'a> {
    pub(super) fn problems(world: &'a FileWorld) -> Vec<String> {
        // Every field by name, so that a new one does not compile until it is checked.
        let FileWorld {
            organizations,
            projects,
            teams,
            users,
            programmatic_keys,
            global_access_list,
            events,
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
            check.team_roles(project, &format!("projects[{at}]"));
        }
        for (at, team) in teams.iter().enumerate() {
            check.id(&team.id, &format!("teams[{at}].id"));
            check.require(check.has_org(&team.org_id), || {
                format!("teams[{at}].orgId: no organization {}", team.org_id)
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
        for (at, event) in events.iter().enumerate() {
            check.event(event, &format!("events[{at}]"));
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
        self.roles(&user.roles, &format!("{place}.roles"));
        for (at, id) in user.team_ids.iter().enumerate() {
            let team = self.world.teams.iter().find(|team| team.id == *id);
            let is_in =
                |team: &Team| user.roles.iter().any(|role| role.reaches(&team.org_id, &self.world.projects));
            self.require(team.is_some_and(is_in), || {
                format!("{place}.teamIds[{at}]: no team {id} in an organization of this user")
            });
        }
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
        self.roles(&key.roles, &format!("{place}.roles"));

        let global = !key.roles.is_empty() && key.roles.iter().all(Role::is_global);
        let org = key.roles.iter().find_map(|role| role.org_id.as_deref());
        let one_org =
            org.is_some_and(|org| key.roles.iter().all(|role| role.reaches(org, &self.world.projects)));
        self.require(global || one_org, || {
            format!("{place}.roles: a key has global roles, or roles in one organization and in its projects")
        });
    }

    fn event(&mut self, event: &'a FileEvent, place: &str) {
        self.id(&event.id, &format!("{place}.id"));
        self.require(self.has_org(&event.org_id), || {
            format!("{place}.orgId: no organization {}", event.org_id)
        });
        if let Some(id) = &event.group_id {
            let is_group = |group: &Group| group.id == *id && group.org_id == event.org_id;
            let known = self.world.projects.iter().any(is_group);
            self.require(known, || format!("{place}.groupId: no project {id} in that organization"));
        }
        let author = match (&event.username, &event.public_key) {
            (Some(name), None) => self.world.users.iter().any(|user| user.username == *name),
            (None, Some(key)) => self.world.programmatic_keys.iter().any(|one| one.public_key == *key),
            (Some(_), Some(_)) | (None, None) => false,
        };
        self.require(author, || {
            format!(
                "{place}: an event needs the `username` of a user or the `publicKey` of a programmatic key"
            )
        });
    }

    fn team_roles(&mut self, project: &Group, place: &str) {
        for (at, TeamRoles { team_id, role_names }) in project.teams.iter().enumerate() {
            let mut teams = self.world.teams.iter();
            let known = teams.any(|team| team.id == *team_id && team.org_id == project.org_id);
            self.require(known, || {
                format!("{place}.teams[{at}].teamId: no team {team_id} in the project's organization")
            });
            let scope = Scope::Group(&project.id);
            let roles: Vec<_> = role_names.iter().map(|name| Role::new(scope, name)).collect();
            self.roles(&roles, &format!("{place}.teams[{at}].roleNames"));
        }
    }

    fn roles(&mut self, roles: &[Role], place: &str) {
        for (at, role) in roles.iter().enumerate() {
            self.require(role.is_known(), || format!("{place}[{at}]: {} is no role there", role.name));
            let has_group = |id: &String| self.world.projects.iter().any(|one| one.id == *id);
            let known = role.org_id.as_ref().is_none_or(|id| self.has_org(id))
                && role.group_id.as_ref().is_none_or(has_group);
            self.require(known, || format!("{place}[{at}]: no such organization or project"));
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9' | b'a'..=b'f'))
}
