//! `/orgs/{id}/teams` and `/groups/{id}/teams`: the teams of an organization, and their roles in its projects.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;
use super::organizations::{existing_org, visible_group};
use super::users;
use crate::state::{Group, Team, TeamRoles, UsersOf};

fn document(call: &Call, team: &Team) -> Value {
    json!({
        "id": team.id,
        "links": call.self_link(&format!("/orgs/{}/teams/{}", team.org_id, team.id)),
        "name": team.name,
    })
}

fn roles_document(call: &Call, group: &Group, team: &TeamRoles) -> Value {
    json!({
        "links": call.self_link(&format!("/groups/{}/teams/{}", group.id, team.team_id)),
        "roleNames": team.role_names,
        "teamId": team.team_id,
    })
}

/// `GET /orgs/{id}/teams`.
pub(super) fn all(call: &Call, org: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    Ok(call.list_all(&of_org(call, org)?, |team| document(call, team)))
}

/// `GET /orgs/{id}/teams/{team}`.
pub(super) fn one(call: &Call, org: &str, id: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    Ok(Answer::ok(document(call, find(call, org, id)?)))
}

/// `GET /orgs/{id}/teams/byName/{name}`.
pub(super) fn by_name(call: &Call, org: &str, name: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    let team = of_org(call, org)?.into_iter().find(|team| team.name == name);
    Ok(Answer::ok(document(call, team.ok_or_else(|| ApiError::team_not_found(name))?)))
}

/// `GET /orgs/{id}/teams/{team}/users`.
pub(super) fn team_users(call: &Call, org: &str, id: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    let team = find(call, org, id)?;
    Ok(users::list(call, &call.world().users_of(UsersOf::Team(&team.id))))
}

/// `GET /groups/{id}/teams`: the teams with roles in a project.
pub(super) fn of_group(call: &Call, id: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    let group = visible_group(call, id)?;
    Ok(call.list_all(&group.teams, |team| roles_document(call, group, team)))
}

fn of_org<'a>(call: &Call<'a>, org: &str) -> Result<Vec<&'a Team>, ApiError> {
    existing_org(call, org)?;
    Ok(call.world().teams().iter().filter(|team| team.org_id == org).collect())
}

fn find<'a>(call: &Call<'a>, org: &str, id: &str) -> Result<&'a Team, ApiError> {
    of_org(call, org)?.into_iter().find(|team| team.id == id).ok_or_else(|| ApiError::team_not_found(id))
}
