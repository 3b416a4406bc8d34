//! Roles: which names there are, where each belongs, and what a caller may do with them.

use serde::{Deserialize, Serialize};

use super::product::Product;
use super::refusal::Refusal;

/// A role and where it holds: in an organization, in a project, or (with neither) everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Role {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) org_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) group_id: Option<String>,
    #[serde(rename = "roleName")]
    pub(super) name: String,
}

/// Where a programmatic key has its roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Global,
    Org(usize),
    Group(usize),
}

const ORG: [&str; 4] = ["ORG_OWNER", "ORG_MEMBER", "ORG_GROUP_CREATOR", "ORG_READ_ONLY"];
const GROUP: [&str; 10] = [
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
const GLOBAL: [&str; 6] = [
    "GLOBAL_OWNER",
    "GLOBAL_READ_ONLY",
    "GLOBAL_USER_ADMIN",
    "GLOBAL_AUTOMATION_ADMIN",
    "GLOBAL_BACKUP_ADMIN",
    "GLOBAL_MONITORING_ADMIN",
];

impl Role {
    pub(super) fn in_org(id: &str, name: &str) -> Self {
        Self { org_id: Some(id.to_owned()), group_id: None, name: name.to_owned() }
    }

    pub(super) fn in_group(id: &str, name: &str) -> Self {
        Self { org_id: None, group_id: Some(id.to_owned()), name: name.to_owned() }
    }

    pub(super) fn global(name: &str) -> Self {
        Self { org_id: None, group_id: None, name: name.to_owned() }
    }

    pub(super) fn is_in_org(&self, id: &str) -> bool {
        self.org_id.as_deref() == Some(id)
    }

    pub(super) fn is_in_group(&self, id: &str) -> bool {
        self.group_id.as_deref() == Some(id)
    }

    pub(super) fn is_global(&self) -> bool {
        self.org_id.is_none() && self.group_id.is_none()
    }

    /// Whether the name belongs where the role stands, on any product.
    pub(super) fn is_known(&self) -> bool {
        let name = self.name.as_str();
        match (&self.org_id, &self.group_id) {
            (Some(_), None) => ORG.contains(&name) || name == "ORG_BILLING_ADMIN",
            (None, Some(_)) => {
                GROUP.contains(&name) || ["GROUP_CLUSTER_MANAGER", "GROUP_BILLING_ADMIN"].contains(&name)
            }
            (None, None) => GLOBAL.contains(&name),
            (Some(_), Some(_)) => false,
        }
    }
}

/// The roles of a body, for one organization, project, or everywhere.
///
/// # Errors
/// No role at all, a global role where none may be, or a name that is not one of this scope and product.
pub(super) fn grant(
    names: &[String],
    scope: Scope,
    id: &str,
    product: Product,
) -> Result<Vec<Role>, Refusal> {
    if names.is_empty() {
        return Err(Refusal::MissingApiKeyRoles);
    }
    names.iter().map(|name| grant_one(name, scope, id, product)).collect()
}

fn grant_one(name: &str, scope: Scope, id: &str, product: Product) -> Result<Role, Refusal> {
    let cloud = product != Product::OpsManager;
    let (known, refusal) = match scope {
        Scope::Global => (GLOBAL.contains(&name), Refusal::InvalidRoleForGlobalKey(name.to_owned())),
        Scope::Org(_) | Scope::Group(_) if name.starts_with("GLOBAL_") => {
            (false, Refusal::CannotAddGlobalRole)
        }
        Scope::Org(_) => (
            ORG.contains(&name) || (cloud && name == "ORG_BILLING_ADMIN"),
            Refusal::InvalidRoleForOrg(name.to_owned(), id.to_owned()),
        ),
        Scope::Group(_) => (
            GROUP.contains(&name)
                || (cloud && name == "GROUP_BILLING_ADMIN")
                || (product == Product::Atlas && name == "GROUP_CLUSTER_MANAGER"),
            Refusal::InvalidRoleForGroup(name.to_owned(), id.to_owned()),
        ),
    };
    if !known {
        return Err(refusal);
    }
    Ok(match scope {
        Scope::Global => Role::global(name),
        Scope::Org(_) => Role::in_org(id, name),
        Scope::Group(_) => Role::in_group(id, name),
    })
}
