//! What a user may do, by organization: the roles that a replacement gets. Unknown roles are an error, never "none".

use std::collections::{BTreeMap, BTreeSet};

use super::Unknown;
use super::inventory::Inventory;
use super::roles::{KnownRole, RoleScope, known};
use crate::inventory::Team;
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

impl Rights {
    /// Of a user.
    ///
    /// # Errors
    /// Why they are not known.
    pub(crate) fn of(user: &User, inventory: &Inventory) -> Result<Self, Unknown> {
        let mut rights = Self::default();
        rights.add_own_roles(&user.origin.memberships, inventory)?;
        rights.add_team_roles(&user.origin.memberships, inventory)?;
        Ok(rights)
    }

    /// Whether there are none that a replacement could get.
    pub(crate) fn is_empty(&self) -> bool {
        self.organizations.is_empty() && self.global.is_empty()
    }

    fn add_own_roles(&mut self, memberships: &[Membership], inventory: &Inventory) -> Result<(), Unknown> {
        if memberships.is_empty() {
            return Err("no list of an organization or project shows the user and the roles"
                .to_owned()
                .into());
        }
        for Membership { scope, id, roles, .. } in memberships {
            let hidden = || format!("the list of {scope} {id} does not show the user's roles");
            let roles = roles.as_ref().ok_or_else(hidden)?;
            roles.iter().try_for_each(|role| self.add(role, None, inventory))?;
        }
        Ok(())
    }

    /// A team belongs to one organization, and has roles in projects of it.
    fn add_team_roles(&mut self, memberships: &[Membership], inventory: &Inventory) -> Result<(), Unknown> {
        let shown: Vec<_> =
            memberships.iter().filter_map(|membership| membership.team_ids.as_ref()).collect();
        if shown.is_empty() {
            return Err("no list shows the user's teams".to_owned().into());
        }
        let mut ids: BTreeSet<&str> = shown.into_iter().flatten().map(String::as_str).collect();
        let organizations: BTreeSet<&str> = memberships.iter().flat_map(organizations).collect();
        for org_id in organizations.into_iter().filter(|id| !inventory.is_deleted(id)) {
            if ids.is_empty() {
                break;
            }
            let teams = inventory.teams(org_id)?;
            for team in teams.iter().filter(|team| ids.remove(&*team.id)) {
                self.add_roles_of(team, org_id, inventory)?;
            }
        }
        match ids.first() {
            Some(id) => Err(format!("no list of teams has team {id}").into()),
            None => Ok(()),
        }
    }

    fn add_roles_of(&mut self, team: &Team, org_id: &str, inventory: &Inventory) -> Result<(), Unknown> {
        let name = team.name.as_deref().unwrap_or(&team.id);
        for project in inventory.projects_of(org_id)? {
            let teams = inventory.team_roles(&project.id)?;
            for role in teams.iter().filter(|it| it.team_id == team.id).flat_map(|it| &it.roles) {
                let role = Role { org_id: None, project_id: Some(project.id.clone()), name: role.clone() };
                self.add(&role, Some(name), inventory)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, role: &Role, team: Option<&str>, inventory: &Inventory) -> Result<(), Unknown> {
        let Role { org_id, project_id, name } = role;
        let product = inventory.product();
        let unknown = || format!("{} has no role {name} of this kind", product.title());
        let KnownRole { scope, narrower, .. } = known(name, product).ok_or_else(unknown)?;
        let grant = |project_id: Option<&String>| Grant {
            project_id: project_id.cloned(),
            role: name.clone(),
            team: team.map(str::to_owned),
            narrower: *narrower,
        };
        match (scope, org_id, project_id) {
            (RoleScope::Organization, Some(id), None) => self.grant(id, grant(None), inventory),
            (RoleScope::Project, _, Some(id)) => {
                let (_, org_id) = inventory.project(id)?;
                self.grant(org_id, grant(Some(id)), inventory);
            }
            (RoleScope::Global, None, None) => {
                self.global.insert(grant(None));
            }
            _ => return Err(unknown().into()),
        }
        Ok(())
    }

    /// A role of the user's own hides the same one through a team.
    fn grant(&mut self, org_id: &str, grant: Grant, inventory: &Inventory) {
        if inventory.is_deleted(org_id) {
            self.deleted.insert(org_id.to_owned());
            return;
        }
        let grants = self.organizations.entry(org_id.to_owned()).or_default();
        let is_same = |it: &Grant| (&it.project_id, &it.role) == (&grant.project_id, &grant.role);
        if !grants.iter().any(is_same) {
            grants.insert(grant);
        }
    }
}

/// The organizations that a list shows the user in.
fn organizations(membership: &Membership) -> impl Iterator<Item = &str> {
    let own = match membership.scope {
        ListScope::Organization => Some(&*membership.id),
        ListScope::Account | ListScope::Project => None,
    };
    own.into_iter().chain(membership.roles.iter().flatten().filter_map(|role| role.org_id.as_deref()))
}
