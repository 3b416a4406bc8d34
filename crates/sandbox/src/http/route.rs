//! From a path to the resource behind it: the table of contents of the whole service.

use axum::http::header::ACCEPT;
use axum::http::request::Parts;
use chrono::NaiveDate;
use serde_json::json;

use super::access_lists::ListPath;
use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;
use super::{
    access_lists, events, organizations, personal_keys, programmatic_keys, service_accounts, teams, users,
};
use crate::product::{GIT_HASH, ListName, PersonalKeyResource, Product};
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

/// The API below a base path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    /// `/api/public/v1.0` or `/api/atlas/v1.0`.
    V1,
    /// `/api/atlas/v2`: each request asks for a version of its resource, which is a date.
    V2,
}

impl Api {
    /// With its base path and what follows that in a path; `None` where the product has no such API.
    pub(super) fn of(product: Product, path: &str) -> Option<(Self, &'static str, &str)> {
        let v1 = (Self::V1, product.base_path());
        let v2 = product.versioned_base_path().map(|base| (Self::V2, base));
        let mut all = [Some(v1), v2].into_iter().flatten();
        all.find_map(|(api, base)| Some((api, base, path.strip_prefix(base)?)))
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::V1 => "application/json",
            Self::V2 => "application/vnd.atlas.2024-08-05+json;charset=utf-8",
        }
    }

    /// # Errors
    /// A header `Accept` that does not ask for a version of the resource.
    pub(super) fn accept(segments: &[&str], head: &Parts) -> Result<(), ApiError> {
        let first = if segments.contains(&"serviceAccounts") { "2024-08-05" } else { "2023-01-01" };
        let accept = head.headers.get(ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
        let version = accept.strip_prefix("application/vnd.atlas.").and_then(|it| it.strip_suffix("+json"));
        let is_date = |text: &str| text.len() == first.len() && text.parse::<NaiveDate>().is_ok();
        if version.is_some_and(|version| is_date(version) && version >= first) {
            Ok(())
        } else {
            Err(ApiError::version_not_acceptable(accept))
        }
    }
}

/// As [`route`], below `/api/atlas/v2`: of it the resources for API keys and service accounts.
///
/// # Errors
/// What the service refuses.
pub(super) fn route_v2(call: &Call, segments: &[&str]) -> Result<Answer, ApiError> {
    match *segments {
        ["orgs", id, "serviceAccounts"] => service_accounts::all(call, id),
        ["orgs", id, "serviceAccounts", client] => service_accounts::one(call, id, client),
        ["orgs", id, "serviceAccounts", client, "groups"] => service_accounts::groups(call, id, client),
        ["orgs", id, "serviceAccounts", client, "accessList"] => {
            service_accounts::access_list(call, id, client, None)
        }
        ["orgs", id, "serviceAccounts", client, "accessList", entry] => {
            service_accounts::access_list(call, id, client, Some(entry))
        }
        ["groups", id, "serviceAccounts", client] => match client.strip_suffix(":invite") {
            Some(client) => service_accounts::invite(call, id, client),
            None => service_accounts::in_group(call, id, client),
        },
        ["orgs" | "groups", _, "apiKeys", ..] => route(call, segments),
        _ => Err(ApiError::resource_not_found(call.path)),
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
