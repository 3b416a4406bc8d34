//! From a path to the resource behind it: the table of contents of the whole service.

use serde_json::json;

use super::access_lists::ListPath;
use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;
use super::{access_lists, events, organizations, personal_keys, programmatic_keys, teams, users};
use crate::product::{GIT_HASH, ListName, PersonalKeyResource};
use crate::state::Scope;

/// Does what a call asks for. `segments` are those of its path, decoded.
///
/// # Errors
/// What the service refuses; a path that this product and version does not have is not found.
pub(super) fn route(call: &Call, segments: &[&str]) -> Result<Answer, ApiError> {
    let rules = &call.deployment.rules;
    let unknown = || Err(ApiError::resource_not_found(call.path));
    let (programmatic, global) = (rules.has_programmatic_keys(), rules.has_global_keys());
    match *segments {
        [] => root(call),

        ["users", "byName", name] => users::by_name(call, name),
        ["users", id] => users::by_id(call, id),
        ["users", id, "keys", ref key @ ..] if key.len() < 2 => match (rules.personal_keys(), key) {
            (PersonalKeyResource::Served, []) => personal_keys::all(call, id),
            (PersonalKeyResource::Served, [key, ..]) => personal_keys::one(call, id, key),
            (PersonalKeyResource::Removed, _) => Err(ApiError::personal_keys_deprecated()),
            (PersonalKeyResource::Unknown, _) => unknown(),
        },

        ["orgs"] => organizations::orgs(call),
        ["orgs", id] => organizations::org(call, id),
        ["orgs", id, "users"] => organizations::org_users(call, id),
        ["orgs", id, "groups"] => organizations::org_groups(call, id),
        ["orgs", id, "teams"] => teams::all(call, id),
        ["orgs", id, "teams", "byName", name] => teams::by_name(call, id, name),
        ["orgs", id, "teams", team] => teams::one(call, id, team),
        ["orgs", id, "teams", team, "users"] => teams::team_users(call, id, team),
        ["groups"] => organizations::groups(call),
        ["groups", "byName", name] => organizations::group_by_name(call, name),
        ["groups", id, "teams"] => teams::of_group(call, id),
        ["groups", id] => organizations::group(call, id),
        ["groups", id, "users"] => organizations::group_users(call, id),

        ["orgs", id, "apiKeys"] if programmatic => programmatic_keys::all(call, Scope::Org(id)),
        ["orgs", id, "apiKeys", key] if programmatic => programmatic_keys::one(call, Scope::Org(id), key),
        ["groups", id, "apiKeys"] if programmatic => programmatic_keys::all(call, Scope::Group(id)),
        ["groups", id, "apiKeys", key] if programmatic => programmatic_keys::assignment(call, id, key),

        ["orgs", id, "events"] => events::all(call, Scope::Org(id)),
        ["orgs", id, "events", event] => events::one(call, Scope::Org(id), event),
        ["groups", id, "events"] => events::all(call, Scope::Group(id)),
        ["groups", id, "events", event] => events::one(call, Scope::Group(id), event),

        ["admin", "apiKeys"] if global => programmatic_keys::all(call, Scope::Global),
        ["admin", "apiKeys", "roles"] if global => programmatic_keys::global_roles(call),
        ["admin", "apiKeys", key] if global => programmatic_keys::one(call, Scope::Global, key),
        _ => access_list(call, segments),
    }
}

/// The IP lists, whose name is that of the version; the older one is served beside the newer.
fn access_list(call: &Call, segments: &[&str]) -> Result<Answer, ApiError> {
    let rules = &call.deployment.rules;
    let unknown = || Err(ApiError::resource_not_found(call.path));
    let named = |segment: &&str| ListName::from_path(segment).filter(|name| rules.serves_list(*name));
    let found = (0..).zip(segments).find_map(|(at, segment)| Some((at, named(segment)?)));
    let Some((at, name)) = found else { return unknown() };
    let (owner, entry) = match segments.split_at(at) {
        (owner, [_]) => (owner, None),
        (owner, [_, entry]) => (owner, Some(*entry)),
        _ => return unknown(),
    };
    let list = ListPath { name, entry };
    match *owner {
        ["users", id] => access_lists::user_list(call, id, list),
        ["orgs", id, "apiKeys", key] if rules.has_programmatic_keys() => {
            access_lists::key_list(call, id, key, list)
        }
        ["admin"] if rules.has_global_keys() => access_lists::global_list(call, list),
        _ => unknown(),
    }
}

/// The base path itself.
fn root(call: &Call) -> Result<Answer, ApiError> {
    call.only_get()?;
    Ok(Answer::ok(json!({
        "appName": call.deployment.rules.product.application(),
        "build": GIT_HASH,
        "links": call.self_link(""),
        "throttling": false,
    })))
}
