//! `/orgs` and `/groups`: organizations, their projects, and the users of both. The service says group where people say
//! project.

use serde_json::{Value, json};

use super::answer::{Answer, time};
use super::call::Call;
use super::error::ApiError;
use super::users;
use crate::product::Product;
use crate::state::{Group, Organization, Scope, UsersOf};

fn org_document(call: &Call, org: &Organization) -> Value {
    let links = call.self_link(&format!("/orgs/{}", org.id));
    let mut document = json!({ "id": org.id, "links": links, "name": org.name });
    if org.is_deleted {
        document["isDeleted"] = true.into();
    }
    document
}

fn group_document(call: &Call, group: &Group) -> Value {
    let mut document = json!({
        "activeAgentCount": 0,
        "agentApiKey": group.agent_api_key,
        "hostCounts": { "arbiter": 0, "config": 0, "master": 0, "mongos": 0, "primary": 0, "secondary": 0, "slave": 0 },
        "id": group.id,
        "links": call.self_link(&format!("/groups/{}", group.id)),
        "name": group.name,
        "orgId": group.org_id,
        "publicApiEnabled": true,
        "replicaSetCount": 0,
        "shardCount": 0,
        "tags": [],
    });
    if call.deployment.rules.product == Product::Atlas {
        document["created"] = group.created().map(time).into();
    }
    document
}

/// `GET /orgs`: those that the caller is in, or the one with this `name`, in either case of letters. Global roles see deleted
/// ones too, unless they ask not to.
pub(super) fn orgs(call: &Call) -> Result<Answer, ApiError> {
    call.only_get()?;
    let with_deleted = call.query.flag("includeDeletedOrgs", call.sees_everything())?;
    let orgs = call.world().organizations().iter().filter(|org| with_deleted || !org.is_deleted);
    let name = call.query.values("name").next();
    let named = orgs.filter(|org| name.as_ref().is_none_or(|name| org.name.eq_ignore_ascii_case(name)));
    let visible: Vec<_> = named.filter(|org| call.sees_everything() || call.is_in(org)).collect();
    Ok(call.list_all(&visible, |org| org_document(call, org)))
}

/// `GET /orgs/{id}`.
pub(super) fn org(call: &Call, id: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    Ok(Answer::ok(org_document(call, visible_org(call, id)?)))
}

/// `GET /orgs/{id}/users`.
pub(super) fn org_users(call: &Call, id: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    existing_org(call, id)?;
    Ok(users::list(call, &call.world().users_of(UsersOf::Org(id))))
}

/// `GET /orgs/{id}/groups`.
pub(super) fn org_groups(call: &Call, id: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    visible_org(call, id)?;
    Ok(list_groups(call, |group| group.org_id == id))
}

/// `GET /groups`: those that the caller may see.
pub(super) fn groups(call: &Call) -> Result<Answer, ApiError> {
    call.only_get()?;
    Ok(list_groups(call, |_| true))
}

fn list_groups(call: &Call, wanted: impl Fn(&Group) -> bool) -> Answer {
    let groups = call.world().groups().iter();
    let visible: Vec<_> = groups.filter(|group| wanted(group) && sees_group(call, group)).collect();
    call.list_all(&visible, |group| group_document(call, group))
}

/// `GET /groups/{id}`.
pub(super) fn group(call: &Call, id: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    Ok(Answer::ok(group_document(call, visible_group(call, id)?)))
}

/// `GET /groups/byName/{name}`.
pub(super) fn group_by_name(call: &Call, name: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    let mut groups = call.world().groups().iter();
    let group =
        groups.find(|group| group.name == name).ok_or_else(|| ApiError::group_name_not_found(name))?;
    Ok(Answer::ok(group_document(call, visible_group(call, &group.id)?)))
}

/// `GET /groups/{id}/users`: with `flattenTeams` those of its teams too, with `includeOrgUsers` all of its organization.
pub(super) fn group_users(call: &Call, id: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    let (world, group) = (call.world(), visible_group(call, id)?);
    let members = if call.query.flag("includeOrgUsers", false)? {
        world.users_of(UsersOf::Org(&group.org_id))
    } else if call.query.flag("flattenTeams", false)? {
        world.users_of(UsersOf::GroupWithTeams(id))
    } else {
        world.users_of(UsersOf::Group(id))
    };
    Ok(users::list(call, &members))
}

/// An organization that the caller may see.
///
/// # Errors
/// There is none with this id, or the caller is not in it.
pub(super) fn visible_org<'a>(call: &Call<'a>, id: &str) -> Result<&'a Organization, ApiError> {
    let mut orgs = call.world().organizations().iter();
    let org = orgs.find(|org| org.id == id).ok_or_else(|| ApiError::org_not_found(id))?;
    let visible = call.sees_everything() || call.is_in(org);
    if visible { Ok(org) } else { Err(ApiError::user_cannot_access_org()) }
}

/// An organization that the caller may see and that is not deleted. What a deleted organization answers is not documented:
/// here it is not found.
///
/// # Errors
/// As [`visible_org`].
pub(super) fn existing_org<'a>(call: &Call<'a>, id: &str) -> Result<&'a Organization, ApiError> {
    let org = visible_org(call, id)?;
    if org.is_deleted { Err(ApiError::org_not_found(id)) } else { Ok(org) }
}

/// A project that the caller may see.
///
/// # Errors
/// There is none with this id, or the caller is not in it.
pub(super) fn visible_group<'a>(call: &Call<'a>, id: &str) -> Result<&'a Group, ApiError> {
    let mut groups = call.world().groups().iter();
    let group = groups.find(|group| group.id == id).ok_or_else(|| ApiError::group_not_found(id))?;
    if sees_group(call, group) { Ok(group) } else { Err(ApiError::not_in_group()) }
}

/// Owners and readers of an organization see all its projects, others those where they have a role.
fn sees_group(call: &Call, group: &Group) -> bool {
    call.sees_everything()
        || call.has_role_in(Scope::Org(&group.org_id), &["ORG_OWNER", "ORG_READ_ONLY"])
        || call.caller.roles.iter().any(|role| role.is_in(Scope::Group(&group.id)))
}
