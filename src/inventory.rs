//! What a deployment has besides users and their personal keys, as far as a migration plan needs it: projects, teams and their
//! roles, programmatic keys. No I/O.

use serde::{Deserialize, Serialize};

use crate::model::{Outcome, Product, Role, Suffix};
use crate::network::Network;

/// A list of the deployment that a migration plan needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum InventoryList {
    /// All projects, as [`Project`].
    Projects,
    /// The teams of an organization, as [`Team`].
    Teams {
        /// Of the organization.
        org_id: String,
    },
    /// The roles that teams have in a project, as [`TeamRoles`].
    TeamRoles {
        /// Of the project.
        project_id: String,
    },
    /// The programmatic keys of an organization that a plan has made, as [`ProgrammaticKey`].
    ProgrammaticKeys {
        /// Of the organization.
        org_id: String,
    },
    /// Those with roles in the whole deployment, as [`ProgrammaticKey`]; Ops Manager alone has them.
    GlobalKeys,
    /// The addresses from which a user may call, as [`AccessEntry`]; the service shows them to that user alone.
    Addresses {
        /// Of the user.
        user_id: String,
        /// What the service calls it.
        name: AccessListName,
    },
}

named! {
    /// The last part of the path of a list of addresses.
    pub enum AccessListName {
        /// Ops Manager up to 4.4
        Whitelist = "whitelist",
        /// All others
        AccessList = "accessList",
    }
}

impl AccessListName {
    /// At a product of these versions, of which the newest counts. No version: Ops Manager up to 4.4, since no later one has
    /// personal keys.
    #[must_use]
    pub fn new(product: Product, versions: Option<&str>) -> Self {
        let major =
            |version: &str| version.split('.').next().and_then(|major| major.trim().parse::<u32>().ok());
        let newest = versions.unwrap_or_default().split(',').filter_map(major).max().unwrap_or_default();
        match product {
            Product::OpsManager if newest < 5 => Self::Whitelist,
            Product::OpsManager | Product::CloudManager | Product::Atlas => Self::AccessList,
        }
    }
}

impl InventoryList {
    /// Its resource, below the base path. The run database has it under this name.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Projects => "groups".to_owned(),
            Self::Teams { org_id } => format!("orgs/{org_id}/teams"),
            Self::TeamRoles { project_id } => format!("groups/{project_id}/teams"),
            Self::ProgrammaticKeys { org_id } => format!("orgs/{org_id}/apiKeys"),
            Self::GlobalKeys => "admin/apiKeys".to_owned(),
            Self::Addresses { user_id, name } => format!("users/{user_id}/{name}"),
        }
    }

    /// The list of this path.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        let parts: Vec<_> = path.split('/').collect();
        Some(match parts[..] {
            ["groups"] => Self::Projects,
            ["orgs", id, "teams"] => Self::Teams { org_id: id.to_owned() },
            ["groups", id, "teams"] => Self::TeamRoles { project_id: id.to_owned() },
            ["orgs", id, "apiKeys"] => Self::ProgrammaticKeys { org_id: id.to_owned() },
            ["admin", "apiKeys"] => Self::GlobalKeys,
            ["users", id, name] => Self::Addresses { user_id: id.to_owned(), name: name.parse().ok()? },
            _ => return None,
        })
    }
}

/// A list as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListResult<T> {
    /// Whether these are all rows.
    pub outcome: Outcome,
    /// In the order of the service.
    pub rows: Vec<T>,
}

/// A project. The run database has the types of this module with these names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// 24 hexadecimal digits.
    pub id: String,
    /// `None` where the service does not say.
    pub name: Option<String>,
    /// `None` where the service does not say.
    pub org_id: Option<String>,
}

/// A team of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// 24 hexadecimal digits.
    pub id: String,
    /// `None` where the service does not say.
    pub name: Option<String>,
}

/// The roles that all users of a team have in a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamRoles {
    /// Of the team.
    pub team_id: String,
    /// Such as `GROUP_READ_ONLY`.
    pub roles: Vec<String>,
}

/// An entry of a list of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// Of one address or more.
    pub block: Network,
}

/// A programmatic key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgrammaticKey {
    /// 24 hexadecimal digits.
    pub id: String,
    /// The user name of the digest, such as `abcdwxyz`.
    pub public_key: Option<String>,
    /// Of the private key; `None` where the service does not show it.
    pub suffix: Option<Suffix>,
    /// Free text, hostile until escaped.
    pub description: String,
    /// `None` where the service does not say.
    pub roles: Option<Vec<Role>>,
}

/// How the description of a programmatic key begins that replaces personal keys by a plan.
pub const TAG: &str = "keysunset:";

/// How the name of a service account begins that replaces personal keys by a plan: its characters are fewer than a key's.
pub const ACCOUNT_TAG: &str = "keysunset-";

/// The name of the service account that replaces the personal keys of an owner, or one of them.
#[must_use]
pub fn account_tag(owner: &str) -> String {
    format!("{ACCOUNT_TAG}{}", owner.replace(':', "-"))
}

/// Whether a programmatic key of this description was made by a plan.
#[must_use]
pub fn is_replacement(description: &str) -> bool {
    description.starts_with(TAG) || description.starts_with(ACCOUNT_TAG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_addresses_have_the_name_of_the_version() {
        for (product, versions, name) in [
            (Product::OpsManager, Some("4.4.12"), "whitelist"),
            (Product::OpsManager, None, "whitelist"),
            (Product::OpsManager, Some("4.4.12, 5.0.2"), "accessList"),
            (Product::Atlas, None, "accessList"),
        ] {
            assert_eq!(AccessListName::new(product, versions).as_str(), name, "{versions:?}");
        }
    }
}
