//! `/orgs/{id}/serviceAccounts` and `/groups/{id}/serviceAccounts` of Atlas: OAuth 2.0 clients in place of API keys.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::access_lists::network;
use super::answer::{Answer, time};
use super::call::Call;
use super::error::ApiError;
use super::input::Attributes;
use super::organizations::{visible_group, visible_org};
use super::programmatic_keys::{may_change, may_see};
use crate::state::{
    AccessEntry, ListOwner, Network, Role, Scope, ServiceAccount, ServiceAccountSecret,
    is_service_account_role,
};

/// The most characters of a name and of a description.
const LONGEST_NAME: usize = 64;
const LONGEST_DESCRIPTION: usize = 250;
/// For how many hours a secret may count.
const SECRET_HOURS: std::ops::RangeInclusive<u64> = 8..=8760;

/// The roles are those in a scope. The secret itself is only in the answer that creates the account.
fn document(account: &ServiceAccount, scope: Scope, shows_secrets: bool) -> Value {
    let secrets = account.secrets.iter().map(|secret| secret_document(secret, shows_secrets));
    json!({
        "clientId": account.client_id,
        "createdAt": time(account.created),
        "description": account.description,
        "name": account.name,
        "roles": account.role_names(scope),
        "secrets": secrets.collect::<Vec<_>>(),
    })
}

fn secret_document(secret: &ServiceAccountSecret, shows_value: bool) -> Value {
    let last = secret.value.len().saturating_sub(4);
    let mut document = json!({
        "createdAt": time(secret.created),
        "expiresAt": time(secret.expires),
        "id": secret.id,
    });
    if shows_value {
        document["secret"] = secret.value.as_str().into();
    } else {
        document["maskedSecretValue"] = format!("mdb_sa_sk_...{}", &secret.value[last..]).into();
    }
    if let Some(at) = secret.last_used {
        document["lastUsedAt"] = time(at).into();
    }
    document
}

/// `/orgs/{id}/serviceAccounts`.
pub(super) fn all(call: &Call, org: &str) -> Result<Answer, ApiError> {
    visible_org(call, org)?;
    let scope = Scope::Org(org);
    match *call.method {
        Method::GET => {
            let accounts = call.deployment.service_accounts(org);
            Ok(call.list_all(&accounts, |account| document(account, scope, false)))
        }
        Method::POST => {
            may_change(call, scope)?;
            let account = new_account(call, org)?;
            let document = document(&account, scope, true);
            call.deployment.add_service_account(account);
            Ok(Answer::Document(StatusCode::CREATED, document))
        }
        _ => Err(call.wrong_method()),
    }
}

fn new_account(call: &Call, org: &str) -> Result<ServiceAccount, ApiError> {
    let body = Attributes::parse(call.body)?;
    let required = |name| ApiError::invalid_attribute(name);
    let name = text(&body, "name", LONGEST_NAME)?.ok_or_else(|| required("name"))?;
    let description =
        text(&body, "description", LONGEST_DESCRIPTION)?.ok_or_else(|| required("description"))?;
    let roles = roles(&body, Scope::Org(org))?.ok_or_else(ApiError::missing_roles)?;
    let hours = body.number("secretExpiresAfterHours")?.filter(|hours| SECRET_HOURS.contains(hours));
    let hours = hours.and_then(|hours| i64::try_from(hours).ok());
    let life = TimeDelta::hours(hours.ok_or_else(|| required("secretExpiresAfterHours"))?);
    let (now, deployment) = (call.deployment.rules.now(), call.deployment);
    let value = format!("{}{}", deployment.new_uuid(), deployment.new_uuid()).replace('-', "");
    let secret = ServiceAccountSecret {
        id: deployment.new_id(),
        value: format!("mdb_sa_sk_{value}"),
        created: now,
        expires: now + life,
        last_used: None,
    };
    Ok(ServiceAccount {
        client_id: format!("mdb_sa_id_{}", deployment.new_id()),
        org_id: org.to_owned(),
        name,
        description,
        created: now,
        made_by: call.caller.user,
        roles,
        secrets: vec![secret],
    })
}

/// `/orgs/{id}/serviceAccounts/{client}`.
pub(super) fn one(call: &Call, org: &str, client_id: &str) -> Result<Answer, ApiError> {
    let (index, mut account) = find(call, org, client_id)?;
    let scope = Scope::Org(org);
    match *call.method {
        Method::GET => Ok(Answer::ok(document(&account, scope, false))),
        Method::PATCH => {
            may_change(call, scope)?;
            let body = Attributes::parse(call.body)?;
            account.name = text(&body, "name", LONGEST_NAME)?.unwrap_or(account.name);
            account.description =
                text(&body, "description", LONGEST_DESCRIPTION)?.unwrap_or(account.description);
            replace_roles(&mut account, scope, roles(&body, scope)?);
            let document = document(&account, scope, false);
            call.deployment.replace_service_account(index, account);
            Ok(Answer::ok(document))
        }
        Method::DELETE => {
            may_change(call, scope)?;
            call.deployment.delete_service_account(index);
            Ok(Answer::NoContent)
        }
        _ => Err(call.wrong_method()),
    }
}

/// `GET /orgs/{id}/serviceAccounts/{client}/groups`: the projects in which it has roles.
pub(super) fn groups(call: &Call, org: &str, client_id: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    let (_, account) = find(call, org, client_id)?;
    let mut ids: Vec<&str> = account.roles.iter().filter_map(|role| role.group_id.as_deref()).collect();
    ids.dedup();
    Ok(call.list_all(&ids, |id| json!({ "groupId": id, "roles": account.role_names(Scope::Group(id)) })))
}

/// `POST /groups/{id}/serviceAccounts/{client}:invite`: gives it these roles in the project.
pub(super) fn invite(call: &Call, group_id: &str, client_id: &str) -> Result<Answer, ApiError> {
    if call.method != Method::POST {
        return Err(call.wrong_method());
    }
    let org = &visible_group(call, group_id)?.org_id;
    may_change(call, Scope::Org(org))?;
    change_in_group(call, group_id, find(call, org, client_id)?)
}

/// `/groups/{id}/serviceAccounts/{client}`.
pub(super) fn in_group(call: &Call, group_id: &str, client_id: &str) -> Result<Answer, ApiError> {
    let scope = Scope::Group(group_id);
    let (index, mut account) = find(call, &visible_group(call, group_id)?.org_id, client_id)?;
    if account.role_names(scope).is_empty() {
        return Err(ApiError::service_account_not_found(client_id));
    }
    match *call.method {
        Method::GET => Ok(Answer::ok(document(&account, scope, false))),
        Method::PATCH => {
            may_change(call, scope)?;
            change_in_group(call, group_id, (index, account))
        }
        Method::DELETE => {
            may_change(call, scope)?;
            account.roles.retain(|role| !role.is_in(scope));
            call.deployment.replace_service_account(index, account);
            Ok(Answer::NoContent)
        }
        _ => Err(call.wrong_method()),
    }
}

fn change_in_group(
    call: &Call,
    group_id: &str,
    (index, mut account): (u64, ServiceAccount),
) -> Result<Answer, ApiError> {
    let scope = Scope::Group(group_id);
    let roles = roles(&Attributes::parse(call.body)?, scope)?;
    replace_roles(&mut account, scope, Some(roles.ok_or_else(ApiError::missing_roles)?));
    let document = document(&account, scope, false);
    call.deployment.replace_service_account(index, account);
    Ok(Answer::ok(document))
}

/// `/orgs/{id}/serviceAccounts/{client}/accessList`, and one entry of it.
pub(super) fn access_list(
    call: &Call,
    org: &str,
    client_id: &str,
    entry: Option<&str>,
) -> Result<Answer, ApiError> {
    let (index, _) = find(call, org, client_id)?;
    let owner = ListOwner::ServiceAccount(index);
    match (call.method, entry) {
        (&Method::GET, None) => Ok(call.list_all(&call.deployment.access_list(owner), entry_document)),
        (&Method::POST, None) => {
            may_change(call, Scope::Org(org))?;
            let new = Attributes::parse_list(call.body)?;
            let new: Vec<_> = new.iter().map(network).collect::<Result<_, _>>()?;
            call.deployment.edit_access_list(owner, |entries| {
                for network in new {
                    if !entries.iter().any(|entry| entry.network == network) {
                        entries.push(AccessEntry::new(network, call.deployment.rules.now()));
                    }
                }
                Ok(call.list_all(entries, entry_document))
            })
        }
        (&Method::DELETE, Some(name)) => {
            may_change(call, Scope::Org(org))?;
            let wanted: Option<Network> = name.parse().ok();
            call.deployment.edit_access_list(owner, |entries| {
                let at = entries.iter().position(|entry| Some(entry.network) == wanted);
                let list = call.deployment.rules.list_name();
                entries.remove(at.ok_or_else(|| ApiError::entry_not_found(list, name))?);
                Ok(Answer::NoContent)
            })
        }
        _ => Err(call.wrong_method()),
    }
}

fn entry_document(entry: &AccessEntry) -> Value {
    let mut document = json!({
        "cidrBlock": entry.network.to_string(),
        "createdAt": time(entry.created),
        "requestCount": entry.count,
    });
    if let Some(address) = entry.network.single() {
        document["ipAddress"] = address.to_string().into();
    }
    if let Some((at, from)) = entry.last_used {
        document["lastUsedAt"] = time(at).into();
        document["lastUsedAddress"] = from.to_string().into();
    }
    document
}

fn find(call: &Call, org: &str, client_id: &str) -> Result<(u64, ServiceAccount), ApiError> {
    may_see(call, Scope::Org(org))?;
    let found = call.deployment.service_account(client_id).filter(|(_, account)| account.org_id == org);
    found.ok_or_else(|| ApiError::service_account_not_found(client_id))
}

/// A name or description: letters, digits, spaces and some signs.
fn text(body: &Attributes, name: &str, longest: usize) -> Result<Option<String>, ApiError> {
    let text = body.text(name)?;
    let is_right = |text: &String| {
        (1..=longest).contains(&text.chars().count())
            && text.chars().all(|one| one.is_alphanumeric() || "-_.,' ".contains(one))
    };
    if text.as_ref().is_none_or(is_right) { Ok(text) } else { Err(ApiError::invalid_attribute(name)) }
}

fn roles(body: &Attributes, scope: Scope) -> Result<Option<Vec<Role>>, ApiError> {
    let Some(names) = body.texts("roles")? else { return Ok(None) };
    let refused = |name: &String| match scope {
        Scope::Group(id) => ApiError::invalid_role_for_group(name, id),
        Scope::Org(id) => ApiError::invalid_role_for_org(name, id),
        Scope::Global => ApiError::cannot_add_global_role(),
    };
    let role = |name: &String| {
        let is_known = is_service_account_role(name, scope);
        if is_known { Ok(Role::new(scope, name)) } else { Err(refused(name)) }
    };
    let roles: Vec<_> = names.iter().map(role).collect::<Result<_, _>>()?;
    if roles.is_empty() { Err(ApiError::missing_roles()) } else { Ok(Some(roles)) }
}

fn replace_roles(account: &mut ServiceAccount, scope: Scope, roles: Option<Vec<Role>>) {
    if let Some(roles) = roles {
        account.roles.retain(|role| !role.is_in(scope));
        account.roles.extend(roles);
    }
}
