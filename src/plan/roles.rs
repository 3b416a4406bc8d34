//! The roles that the service documents, and which of them a programmatic key should not get without a thought.

use crate::model::Product;

/// Where a role counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoleScope {
    Organization,
    Project,
    /// The whole deployment.
    Global,
}

/// A documented role.
pub(super) struct KnownRole {
    name: &'static str,
    pub(super) scope: RoleScope,
    products: &'static [Product],
    /// For a role that can do more than a script needs: what to try in its place.
    pub(super) narrower: Option<&'static str>,
}

const ALL: &[Product] = Product::ALL;
const CLOUD: &[Product] = &[Product::CloudManager, Product::Atlas];
const ATLAS: &[Product] = &[Product::Atlas];
const OPS_MANAGER: &[Product] = &[Product::OpsManager];

const fn role(
    name: &'static str,
    scope: RoleScope,
    products: &'static [Product],
    narrower: Option<&'static str>,
) -> KnownRole {
    KnownRole { name, scope, products, narrower }
}

use RoleScope::{Global, Organization, Project};

/// By the vendor's list of roles of programmatic keys: the names are those of users' roles.
const ROLES: &[KnownRole] = &[
    role("ORG_OWNER", Organization, ALL, Some("ORG_MEMBER with roles of the projects that the key uses")),
    role("ORG_MEMBER", Organization, ALL, None),
    role("ORG_GROUP_CREATOR", Organization, ALL, None),
    role("ORG_READ_ONLY", Organization, ALL, None),
    role("ORG_BILLING_ADMIN", Organization, CLOUD, None),
    role(
        "GROUP_OWNER",
        Project,
        ALL,
        Some("GROUP_READ_ONLY, and GROUP_AUTOMATION_ADMIN, GROUP_BACKUP_ADMIN or GROUP_MONITORING_ADMIN"),
    ),
    role("GROUP_READ_ONLY", Project, ALL, None),
    role("GROUP_USER_ADMIN", Project, ALL, Some("GROUP_READ_ONLY")),
    role("GROUP_AUTOMATION_ADMIN", Project, ALL, None),
    role("GROUP_BACKUP_ADMIN", Project, ALL, None),
    role("GROUP_MONITORING_ADMIN", Project, ALL, None),
    role("GROUP_DATA_ACCESS_ADMIN", Project, ALL, Some("GROUP_DATA_ACCESS_READ_WRITE")),
    role("GROUP_DATA_ACCESS_READ_ONLY", Project, ALL, None),
    role("GROUP_DATA_ACCESS_READ_WRITE", Project, ALL, None),
    role("GROUP_CHARTS_ADMIN", Project, ALL, None),
    role("GROUP_CLUSTER_MANAGER", Project, ATLAS, None),
    role("GROUP_BILLING_ADMIN", Project, CLOUD, None),
    role("GLOBAL_OWNER", Global, OPS_MANAGER, Some("GLOBAL_READ_ONLY")),
    role("GLOBAL_READ_ONLY", Global, OPS_MANAGER, None),
    role("GLOBAL_USER_ADMIN", Global, OPS_MANAGER, None),
    role("GLOBAL_AUTOMATION_ADMIN", Global, OPS_MANAGER, None),
    role("GLOBAL_BACKUP_ADMIN", Global, OPS_MANAGER, None),
    role("GLOBAL_MONITORING_ADMIN", Global, OPS_MANAGER, None),
];

/// The role of this name; `None` where this product does not have it.
pub(super) fn known(name: &str, product: Product) -> Option<&'static KnownRole> {
    ROLES.iter().find(|role| role.name == name && role.products.contains(&product))
}
