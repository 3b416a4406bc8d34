//! What a deployment holds. A world file is read straight into these types, so their names and attributes are its format.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event::Author;
use crate::product::Product;

/// How many personal keys a user may have.
pub(crate) const MAX_PERSONAL_KEYS: usize = 10;

/// An account; its personal keys and its access list are apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: String,
    /// What the user logs in with; an e-mail address on most deployments.
    pub(crate) username: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) team_ids: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Whether its programmatic keys are refused as long as they have no access list.
    #[serde(default)]
    pub(crate) requires_access_list: bool,
    /// Whether it is deleted: it is still listed, and its users no longer are.
    #[serde(default)]
    pub(crate) is_deleted: bool,
}

/// A project: the service says group where people say project.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) org_id: String,
    /// The teams of its organization that have roles in it.
    #[serde(default)]
    pub(crate) teams: Vec<TeamRoles>,
    /// A live secret on a real deployment, and so served here too: a client must not keep it.
    #[serde(default)]
    pub(crate) agent_api_key: String,
}

/// A team of an organization. Its members are the users who have its id among their `team_ids`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Team {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) org_id: String,
}

/// The roles that the members of a team have in a project.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TeamRoles {
    pub(crate) team_id: String,
    pub(crate) role_names: Vec<String>,
}

/// A personal key, with its secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PersonalKey {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) enabled: bool,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_used: Option<DateTime<Utc>>,
    /// `None` where the service does not know, as on old servers.
    pub(crate) used_count: Option<u64>,
    /// A UUID: five groups of lower-case hexadecimal digits.
    #[serde(rename = "key")]
    pub(crate) secret: String,
}

impl Group {
    /// When it was made: an id begins with that second, in hexadecimal digits.
    pub(crate) fn created(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(i64::from_str_radix(self.id.get(..8)?, 16).ok()?, 0)
    }

    /// The roles in this project of a user who is in these teams.
    fn roles_through(&self, team_ids: &[String]) -> impl Iterator<Item = Role> {
        let teams = self.teams.iter().filter(|team| team_ids.contains(&team.team_id));
        teams.flat_map(|team| &team.role_names).map(|name| Role::new(Scope::Group(&self.id), name))
    }
}

impl User {
    /// The user's own roles, and then those through teams.
    pub(crate) fn effective_roles(&self, groups: &[Group]) -> Vec<Role> {
        let through_teams = groups.iter().flat_map(|group| group.roles_through(&self.team_ids));
        self.roles.iter().cloned().chain(through_teams).collect()
    }
}

impl PersonalKey {
    pub(crate) fn record_use(&mut self, now: DateTime<Utc>) {
        self.last_used = Some(now);
        self.used_count = self.used_count.map(|count| count.saturating_add(1));
    }
}

/// Whether a text has the shape of an id: 24 hexadecimal digits.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// The last 12 digits of a UUID, which every mask leaves visible.
pub(crate) fn suffix(secret: &str) -> &str {
    secret.get(24..).unwrap_or(secret)
}

/// A programmatic key, with its secret; its access list is apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProgrammaticKey {
    pub(crate) id: String,
    pub(crate) description: String,
    /// 8 lower-case letters: the digest user.
    pub(crate) public_key: String,
    /// A UUID: the digest password.
    pub(crate) private_key: String,
    /// The username of the user who made it, whom it counts as.
    pub(crate) made_by: String,
    /// Of one organization and its projects, or global ones.
    pub(crate) roles: Vec<Role>,
}

impl ProgrammaticKey {
    pub(crate) fn org_id(&self) -> Option<&str> {
        self.roles.iter().find_map(|role| role.org_id.as_deref())
    }

    pub(crate) fn has_role_in(&self, scope: Scope) -> bool {
        self.roles.iter().any(|role| role.is_in(scope))
    }
}

/// Who calls: a programmatic key or a service account counts as the user who made it, but has its own roles.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) user: u64,
    pub(crate) key: CallerKey,
    pub(crate) roles: Vec<Role>,
    /// As events name the caller.
    pub(crate) author: Author,
}

/// The key behind the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallerKey {
    /// By its id.
    Personal(String),
    /// By its index.
    Programmatic(u64),
    /// By its index.
    ServiceAccount(u64),
}

/// A role and where it holds: in an organization, in a project, or (with neither) everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Role {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) org_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group_id: Option<String>,
    #[serde(rename = "roleName")]
    pub(crate) name: String,
}

/// Where a role holds: everywhere, or in the organization or project with this id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope<'a> {
    Global,
    Org(&'a str),
    Group(&'a str),
}

impl Role {
    pub(crate) fn new(scope: Scope, name: &str) -> Self {
        let (org_id, group_id) = match scope {
            Scope::Global => (None, None),
            Scope::Org(id) => (Some(id.to_owned()), None),
            Scope::Group(id) => (None, Some(id.to_owned())),
        };
        Self { org_id, group_id, name: name.to_owned() }
    }

    pub(crate) fn is_in(&self, scope: Scope) -> bool {
        match scope {
            Scope::Global => self.org_id.is_none() && self.group_id.is_none(),
            Scope::Org(id) => self.org_id.as_deref() == Some(id),
            Scope::Group(id) => self.group_id.as_deref() == Some(id),
        }
    }

    pub(crate) fn is_global(&self) -> bool {
        self.is_in(Scope::Global)
    }

    pub(crate) fn is_global_owner(&self) -> bool {
        self.is_global() && self.name == "GLOBAL_OWNER"
    }

    /// Whether it is in an organization, directly or in one of its projects.
    pub(crate) fn reaches(&self, org_id: &str, groups: &[Group]) -> bool {
        self.is_in(Scope::Org(org_id))
            || groups.iter().any(|group| group.org_id == org_id && self.is_in(Scope::Group(&group.id)))
    }

    /// Whether the name fits where the role holds, on any product.
    pub(crate) fn is_known(&self) -> bool {
        match (&self.org_id, &self.group_id) {
            (Some(_), Some(_)) => false,
            (Some(id), None) => is_role_name(&self.name, Scope::Org(id), None),
            (None, Some(id)) => is_role_name(&self.name, Scope::Group(id), None),
            (None, None) => is_role_name(&self.name, Scope::Global, None),
        }
    }
}

const ORG_ROLES: [&str; 4] = ["ORG_OWNER", "ORG_MEMBER", "ORG_GROUP_CREATOR", "ORG_READ_ONLY"];
const GROUP_ROLES: [&str; 10] = [
    "GROUP_OWNER",
    "GROUP_READ_ONLY",
    "GROUP_USER_ADMIN",
    "GROUP_AUTOMATION_ADMIN",
    "GROUP_BACKUP_ADMIN",
    "GROUP_MONITORING_ADMIN",
    "GROUP_DATA_ACCESS_ADMIN",
    "GROUP_DATA_ACCESS_READ_ONLY",
    "GROUP_DATA_ACCESS_READ_WRITE",
    "GROUP_CHARTS_ADMIN",
];
pub(crate) const GLOBAL_ROLES: [&str; 6] = [
    "GLOBAL_OWNER",
    "GLOBAL_READ_ONLY",
    "GLOBAL_USER_ADMIN",
    "GLOBAL_AUTOMATION_ADMIN",
    "GLOBAL_BACKUP_ADMIN",
    "GLOBAL_MONITORING_ADMIN",
];

/// Whether a role of this name can hold in this scope, on one product or (with `None`) on any.
pub(crate) fn is_role_name(name: &str, scope: Scope, product: Option<Product>) -> bool {
    let (cloud, atlas) =
        (product != Some(Product::OpsManager), product.is_none_or(|product| product == Product::Atlas));
    match scope {
        Scope::Global => GLOBAL_ROLES.contains(&name),
        Scope::Org(_) => ORG_ROLES.contains(&name) || (cloud && name == "ORG_BILLING_ADMIN"),
        Scope::Group(_) => {
            GROUP_ROLES.contains(&name)
                || (cloud && name == "GROUP_BILLING_ADMIN")
                || (atlas && name == "GROUP_CLUSTER_MANAGER")
        }
    }
}

/// Those of the roles of service accounts in a project that this sandbox has for users and keys too.
const SERVICE_ACCOUNT_GROUP_ROLES: [&str; 6] = [
    "GROUP_OWNER",
    "GROUP_READ_ONLY",
    "GROUP_DATA_ACCESS_ADMIN",
    "GROUP_DATA_ACCESS_READ_ONLY",
    "GROUP_DATA_ACCESS_READ_WRITE",
    "GROUP_CLUSTER_MANAGER",
];

/// Whether a service account can have a role of this name in this scope.
pub(crate) fn is_service_account_role(name: &str, scope: Scope) -> bool {
    match scope {
        Scope::Global => false,
        Scope::Org(_) => is_role_name(name, scope, Some(Product::Atlas)),
        Scope::Group(_) => SERVICE_ACCOUNT_GROUP_ROLES.contains(&name),
    }
}
