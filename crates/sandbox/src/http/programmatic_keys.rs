//! `/orgs/{id}/apiKeys`, `/groups/{id}/apiKeys` and `/admin/apiKeys`: the keys that replace personal ones.

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, masked};
use super::call::Call;
use super::error::ApiError;
use super::events;
use super::input::Attributes;
use super::organizations::{visible_group, visible_org};
use crate::product::Product;
use crate::state::{GLOBAL_ROLES, KeyChange, ProgrammaticKey, Role, Scope, is_role_name};

/// The most characters that a description may have.
const LONGEST_DESCRIPTION: usize = 250;

/// The private part is whole only in the answer that creates the key.
fn document_with(call: &Call, key: &ProgrammaticKey, private_key: &str) -> Value {
    let path = match key.org_id() {
        Some(org) => format!("/orgs/{org}/apiKeys/{}", key.id),
        None => format!("/admin/apiKeys/{}", key.id),
    };
    json!({
        "desc": key.description,
        "id": key.id,
        "links": call.self_link(&path),
        "privateKey": private_key,
        "publicKey": key.public_key,
        "roles": key.roles,
    })
}

fn document(call: &Call, key: &ProgrammaticKey) -> Value {
    document_with(call, key, &masked(&key.private_key))
}

/// `/orgs/{id}/apiKeys`, `/groups/{id}/apiKeys` and `/admin/apiKeys`. A key that is made in a project is one of its
/// organization, as its member.
pub(super) fn all(call: &Call, scope: Scope) -> Result<Answer, ApiError> {
    may_see(call, scope)?;
    match *call.method {
        Method::GET => Ok(list(call, scope)),
        Method::POST => {
            may_change(call, scope)?;
            create(call, scope)
        }
        _ => Err(call.wrong_method()),
    }
}

/// `/orgs/{id}/apiKeys/{key}` and `/admin/apiKeys/{key}`.
pub(super) fn one(call: &Call, scope: Scope, key_id: &str) -> Result<Answer, ApiError> {
    let (index, key) = find_visible(call, scope, key_id)?;
    match *call.method {
        Method::GET => Ok(Answer::ok(document(call, &key))),
        Method::PATCH => {
            may_change(call, scope)?;
            change(call, index, key, scope)
        }
        Method::DELETE => {
            may_change(call, scope)?;
            events::record(call, scope, KeyChange::Deleted, &key);
            call.deployment.delete_programmatic_key(index);
            Ok(call.deleted())
        }
        _ => Err(call.wrong_method()),
    }
}

/// `/groups/{id}/apiKeys/{key}`: `PATCH` assigns a key of the organization, with these roles and no others; `DELETE`
/// takes it out of the project.
pub(super) fn assignment(call: &Call, group_id: &str, key_id: &str) -> Result<Answer, ApiError> {
    let (group, scope) = (visible_group(call, group_id)?, Scope::Group(group_id));
    match *call.method {
        Method::PATCH => {
            may_change(call, scope)?;
            let (index, key) = find(call, Scope::Org(&group.org_id), key_id)?;
            change(call, index, key, scope)
        }
        Method::DELETE => {
            may_change(call, scope)?;
            let (index, mut key) = find(call, scope, key_id)?;
            key.roles.retain(|role| !role.is_in(scope));
            events::record(call, scope, KeyChange::RemovedFromGroup, &key);
            call.deployment.replace_programmatic_key(index, key);
            Ok(call.deleted())
        }
        _ => Err(call.wrong_method()),
    }
}

/// `GET /admin/apiKeys/roles`: the roles that a global key may have.
pub(super) fn global_roles(call: &Call) -> Result<Answer, ApiError> {
    call.only_get()?;
    may_see(call, Scope::Global)?;
    let roles = GLOBAL_ROLES.map(|name| Role::new(Scope::Global, name));
    Ok(Answer::ok(json!(roles)))
}

/// A key with a role in a scope that the caller may see.
pub(super) fn find_visible(
    call: &Call,
    scope: Scope,
    key_id: &str,
) -> Result<(u64, ProgrammaticKey), ApiError> {
    may_see(call, scope)?;
    find(call, scope, key_id)
}

/// Who may read everything reads global keys too, but does nothing else to them.
pub(super) fn may_see(call: &Call, scope: Scope) -> Result<(), ApiError> {
    match scope {
        Scope::Global if call.method == Method::GET && call.sees_everything() => Ok(()),
        Scope::Global => may_change(call, scope),
        Scope::Org(id) => visible_org(call, id).map(drop),
        Scope::Group(id) => visible_group(call, id).map(drop),
    }
}

/// Global administrators change all keys, an organization's owners its keys, a project's owners and administrators the
/// keys in it.
pub(super) fn may_change(call: &Call, scope: Scope) -> Result<(), ApiError> {
    let administers = call.has_global_role(&["GLOBAL_OWNER", "GLOBAL_USER_ADMIN"]);
    let owns = |org_id| administers || call.has_role_in(Scope::Org(org_id), &["ORG_OWNER"]);
    let (allowed, error) = match scope {
        Scope::Global => (administers, ApiError::not_global_user_admin()),
        Scope::Org(id) => (owns(id), ApiError::not_org_owner(id)),
        Scope::Group(id) => {
            let group_admin = call.has_role_in(scope, &["GROUP_OWNER", "GROUP_USER_ADMIN"]);
            (group_admin || owns(&visible_group(call, id)?.org_id), ApiError::user_unauthorized())
        }
    };
    if allowed { Ok(()) } else { Err(error) }
}

fn find(call: &Call, scope: Scope, key_id: &str) -> Result<(u64, ProgrammaticKey), ApiError> {
    let found = call.deployment.programmatic_key_by_id(key_id).filter(|(_, key)| key.has_role_in(scope));
    found.ok_or_else(|| ApiError::api_key_not_found(key_id))
}

fn list(call: &Call, scope: Scope) -> Answer {
    let (keys, total) = call.deployment.programmatic_keys_in(scope, call.range());
    call.list(keys.iter().map(|key| document(call, key)).collect(), total)
}

fn create(call: &Call, scope: Scope) -> Result<Answer, ApiError> {
    let attributes = Attributes::parse(call.body)?;
    let description = description(&attributes)?.ok_or_else(ApiError::invalid_description)?;
    let names = attributes.texts("roles")?.unwrap_or_default();
    let mut roles = roles(&names, scope, call.deployment.rules.product)?;
    let org = match scope {
        Scope::Group(id) => Scope::Org(&visible_group(call, id)?.org_id),
        Scope::Global | Scope::Org(_) => scope,
    };
    if scope != org {
        roles.push(Role::new(org, "ORG_MEMBER"));
    }
    let key = call.deployment.create_programmatic_key(description, call.caller.user, roles);
    events::record(call, org, KeyChange::Created, &key);
    if scope != org {
        events::record(call, scope, KeyChange::AddedToGroup, &key);
    }
    Ok(Answer::ok(document_with(call, &key, &key.private_key)))
}

/// Roles of the body replace those of this scope; roles elsewhere stay.
fn change(call: &Call, index: u64, mut key: ProgrammaticKey, scope: Scope) -> Result<Answer, ApiError> {
    let attributes = Attributes::parse(call.body)?;
    let description = description(&attributes)?;
    let names = attributes.texts("roles")?;
    let roles = names.map(|names| roles(&names, scope, call.deployment.rules.product)).transpose()?;
    if let Some(description) = description {
        key.description = description;
        events::record(call, scope, KeyChange::Description, &key);
    }
    if let Some(roles) = roles {
        let new = matches!(scope, Scope::Group(_)) && !key.has_role_in(scope);
        key.roles.retain(|role| !role.is_in(scope));
        key.roles.extend(roles);
        events::record(call, scope, if new { KeyChange::AddedToGroup } else { KeyChange::Roles }, &key);
    }
    let document = document(call, &key);
    call.deployment.replace_programmatic_key(index, key);
    Ok(Answer::ok(document))
}

fn description(attributes: &Attributes) -> Result<Option<String>, ApiError> {
    match attributes.text("desc")? {
        Some(text) if text.is_empty() || text.chars().count() > LONGEST_DESCRIPTION => {
            Err(ApiError::invalid_description())
        }
        other => Ok(other),
    }
}

/// The roles of a body, all in one scope, each once.
///
/// # Errors
/// No role at all, a global role where none may be, or a name that is not one of this scope and product.
fn roles(names: &[String], scope: Scope, product: Product) -> Result<Vec<Role>, ApiError> {
    if names.is_empty() {
        return Err(ApiError::missing_roles());
    }
    let role = |name: &String| {
        if is_role_name(name, scope, Some(product)) {
            return Ok(Role::new(scope, name));
        }
        Err(match scope {
            Scope::Global => ApiError::invalid_role_for_global_key(name),
            Scope::Org(_) | Scope::Group(_) if name.starts_with("GLOBAL_") => {
                ApiError::cannot_add_global_role()
            }
            Scope::Org(id) => ApiError::invalid_role_for_org(name, id),
            Scope::Group(id) => ApiError::invalid_role_for_group(name, id),
        })
    };
    let mut roles: Vec<Role> = Vec::new();
    for name in names {
        let role = role(name)?;
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    Ok(roles)
}
