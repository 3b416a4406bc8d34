//! What a user may do, by organization: the roles that a replacement gets. Unknown roles are an error, never "none".

use std::collections::{BTreeMap, BTreeSet};

use super::Unknown;
use super::inventory::Inventory;
use super::roles::{KnownRole, RoleScope, known};
use crate::model::{ListScope, Membership, Role, User};

/// A role that a replacement gets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grant {
    /// The project in which it counts; `None`: in the organization, or in the whole deployment.
    pub(crate) project_id: Option<String>,
    /// Such as `GROUP_READ_ONLY`.
    pub(crate) role: String,
    /// The name of the team from which the user has it; `None` where it is the user's own.
    pub(crate) team: Option<String>,
    /// Where a person should look at it: which roles to try in its place.
    pub(crate) narrower: Option<&'static str>,
}

/// All roles of a user.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    /// By the id of the organization, each with at least one.
    pub(crate) organizations: BTreeMap<String, BTreeSet<Grant>>,
    /// In the whole deployment.
    pub(crate) global: BTreeSet<Grant>,
    /// The ids of deleted organizations in which the user has a role. Nothing can be called or made there.
    pub(crate) deleted: BTreeSet<String>,
}

/// A role that a user has.
struct UserRole<'a> {
    /// `None`: in the whole deployment.
    org_id: Option<&'a str>,
    project_id: Option<&'a str>,
    name: &'a str,
    /// The name of the team from which the user has it.
    team: Option<&'a str>,
    narrower: Option<&'static str>,
}

/// Whether a user has roles: what a decision about a key needs of them.
#[derive(Debug, Default)]
pub(super) struct RoleCheck {
    /// Whether there is one that a replacement could get.
    pub(super) has_role: bool,
    /// As in [`Rights`].
    pub(super) deleted: BTreeSet<String>,
}

impl RoleCheck {
    /// Of a user.
    ///
    /// # Errors
    /// As [`Rights::of`].
    pub(super) fn of(user: &User, inventory: &Inventory) -> Result<Self, Unknown> {
        let targets = RoleTargets::of(user, inventory)?;
        Ok(Self {
            has_role: targets.is_global || !targets.organizations.is_empty(),
            deleted: targets.deleted.into_iter().map(str::to_owned).collect(),
        })
    }
}

/// Where a user has roles.
#[derive(Debug, Default)]
pub(super) struct RoleTargets<'a> {
    /// The ids of organizations.
    pub(super) organizations: BTreeSet<&'a str>,
    /// As in [`Rights`].
    pub(super) deleted: BTreeSet<&'a str>,
    /// Whether there is a role in the whole deployment.
    pub(super) is_global: bool,
}

impl<'a> RoleTargets<'a> {
    /// Of a user.
    ///
    /// # Errors
    /// As [`Rights::of`].
    pub(super) fn of(user: &'a User, inventory: &'a Inventory) -> Result<Self, Unknown> {
        let mut targets = Self::default();
        each_role(user, inventory, &mut |role| match role.org_id {
            Some(id) if inventory.is_deleted(id) => drop(targets.deleted.insert(id)),
            Some(id) => drop(targets.organizations.insert(id)),
            None => targets.is_global = true,
        })?;
        Ok(targets)
    }
}

impl Rights {
    /// Of a user.
    ///
    /// # Errors
    /// Why they are not known.
    pub(crate) fn of(user: &User, inventory: &Inventory) -> Result<Self, Unknown> {
        let mut rights = Self::default();
        each_role(user, inventory, &mut |role| rights.add(&role, inventory))?;
        Ok(rights)
    }

    /// What a decision needs of them.
    pub(super) fn check(&self) -> RoleCheck {
        let has_role = !self.organizations.is_empty() || !self.global.is_empty();
        RoleCheck { has_role, deleted: self.deleted.clone() }
    }

    /// A role of the user's own hides the same one through a team, and of several teams the first by name counts, in whichever
    /// order the service lists them.
    fn add(&mut self, role: &UserRole, inventory: &Inventory) {
        let UserRole { org_id, project_id, name, team, narrower } = *role;
        let grant = Grant {
            project_id: project_id.map(str::to_owned),
            role: name.to_owned(),
            team: team.map(str::to_owned),
            narrower,
        };
        let Some(org_id) = org_id else {
            self.global.insert(grant);
            return;
        };
        if inventory.is_deleted(org_id) {
            self.deleted.insert(org_id.to_owned());
            return;
        }
        let grants = self.organizations.entry(org_id.to_owned()).or_default();
        let is_same = |it: &&Grant| (&it.project_id, &it.role) == (&grant.project_id, &grant.role);
        match grants.iter().find(is_same).cloned() {
            Some(known) if known.team <= grant.team => {}
            known => {
                if let Some(known) = known {
                    grants.remove(&known);
                }
                grants.insert(grant);
            }
        }
    }
}

/// Calls `add` with every role of a user: first the user's own, then those of the user's teams.
fn each_role<'a>(
    user: &'a User,
    inventory: &'a Inventory,
    add: &mut impl FnMut(UserRole<'a>),
) -> Result<(), Unknown> {
    let memberships = &user.origin.memberships;
    if memberships.is_empty() {
        return Err("no list of an organization or project shows the user and the roles".to_owned().into());
    }
    for Membership { scope, id, roles, .. } in memberships {
        let hidden = || format!("the list of {scope} {id} does not show the user's roles");
        for Role { org_id, project_id, name } in roles.as_ref().ok_or_else(hidden)? {
            add(user_role(name, (org_id.as_deref(), project_id.as_deref()), None, inventory)?);
        }
    }
    each_team_role(memberships, inventory, add)
}

/// A team belongs to one organization, and has roles in projects of it.
fn each_team_role<'a>(
    memberships: &'a [Membership],
    inventory: &'a Inventory,
    add: &mut impl FnMut(UserRole<'a>),
) -> Result<(), Unknown> {
    if memberships.iter().all(|membership| membership.team_ids.is_none()) {
        return Err("no list shows the user's teams".to_owned().into());
    }
    let mut ids: BTreeSet<&str> =
        memberships.iter().flat_map(|it| &it.team_ids).flatten().map(String::as_str).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let organizations: BTreeSet<&str> = memberships.iter().flat_map(organizations).collect();
    let (deleted, organizations): (BTreeSet<_>, BTreeSet<_>) =
        organizations.into_iter().partition(|id| inventory.is_deleted(id));
    for org_id in organizations {
        if ids.is_empty() {
            break;
        }
        let teams = inventory.teams(org_id)?;
        for team in teams.iter().filter(|team| ids.remove(&*team.id)) {
            let name = team.name.as_deref().unwrap_or(&team.id);
            for project in inventory.projects_of(org_id)? {
                let teams = inventory.team_roles(&project.id)?;
                for role in teams.iter().filter(|it| it.team_id == team.id).flat_map(|it| &it.roles) {
                    add(user_role(role, (None, Some(&project.id)), Some(name), inventory)?);
                }
            }
        }
    }
    match ids.first() {
        // All other organizations of the user were asked for their teams.
        Some(_) if !deleted.is_empty() => Ok(()),
        Some(id) => Err(format!("no list of teams has team {id}").into()),
        None => Ok(()),
    }
}

/// The role of this name in an organization, in a project or in the whole deployment.
fn user_role<'a>(
    name: &'a str,
    (org_id, project_id): (Option<&'a str>, Option<&'a str>),
    team: Option<&'a str>,
    inventory: &'a Inventory,
) -> Result<UserRole<'a>, Unknown> {
    let product = inventory.product();
    let unknown = || format!("{} has no role {name} of this kind", product.title());
    let KnownRole { scope, narrower, .. } = known(name, product).ok_or_else(unknown)?;
    let (org_id, project_id) = match (scope, org_id, project_id) {
        (RoleScope::Organization, Some(org_id), None) => (Some(org_id), None),
        (RoleScope::Project, _, Some(id)) => (Some(inventory.project(id)?.1), Some(id)),
        (RoleScope::Global, None, None) => (None, None),
        _ => return Err(unknown().into()),
    };
    Ok(UserRole { org_id, project_id, name, team, narrower: *narrower })
}

/// The organizations that a list shows the user in.
fn organizations(membership: &Membership) -> impl Iterator<Item = &str> {
    let own = match membership.scope {
        ListScope::Organization => Some(&*membership.id),
        ListScope::Account | ListScope::Project => None,
    };
    own.into_iter().chain(membership.roles.iter().flatten().filter_map(|role| role.org_id.as_deref()))
}
