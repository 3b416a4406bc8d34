//! `/users/{id}/keys`: the personal API keys.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::{Answer, masked, time};
use super::call::Call;
use super::error::ApiError;
use super::input::Attributes;
use crate::state::{MAX_PERSONAL_KEYS, PersonalKey};

/// As the reference pages list it. A key that was never used has no `lastUsed`; one whose use is not known has null.
fn document(key: &PersonalKey, user_id: &str) -> Value {
    let mut document = json!({
        "createdAt": time(key.created_at),
        "description": key.description,
        "enabled": key.enabled,
        "id": key.id,
        "obfuscatedKey": masked(&key.secret),
        "userId": user_id,
    });
    if key.last_used.is_some() || key.used_count != Some(0) {
        document["lastUsed"] = key.last_used.map(time).into();
    }
    if let Some(count) = key.used_count {
        document["usedCount"] = count.into();
    }
    document
}

/// `GET` and `POST /users/{id}/keys`.
pub(super) fn all(call: &Call, user_id: &str) -> Result<Answer, ApiError> {
    let user = call.user(user_id)?;
    match *call.method {
        Method::GET => {
            may_see(call, user)?;
            Ok(call.list_all(&call.deployment.personal_keys(user), |key| document(key, user_id)))
        }
        Method::POST => create(call, user, user_id),
        _ => Err(call.wrong_method()),
    }
}

/// `GET`, `PATCH` and `DELETE /users/{id}/keys/{key}`.
pub(super) fn one(call: &Call, user_id: &str, key_id: &str) -> Result<Answer, ApiError> {
    let user = call.user(user_id)?;
    let unknown = || ApiError::invalid_key_id(key_id);
    match *call.method {
        Method::GET => {
            may_see(call, user)?;
            let keys = call.deployment.personal_keys(user);
            let key = keys.iter().find(|key| key.id == key_id).ok_or_else(unknown)?;
            Ok(Answer::ok(document(key, user_id)))
        }
        Method::PATCH => {
            may_see(call, user)?;
            let enabled = Attributes::parse(call.body)?.flag("enabled")?;
            call.deployment.edit_personal_keys(user, |keys| {
                let key = keys.iter_mut().find(|key| key.id == key_id).ok_or_else(unknown)?;
                key.enabled = enabled.unwrap_or(key.enabled);
                Ok(Answer::ok(document(key, user_id)))
            })
        }
        Method::DELETE if call.deployment.rules.deletes_personal_keys() => {
            only_self(call, user)?;
            call.deployment.edit_personal_keys(user, |keys| {
                let at = keys.iter().position(|key| key.id == key_id).ok_or_else(unknown)?;
                keys.remove(at);
                Ok(call.deleted())
            })
        }
        _ => Err(call.wrong_method()),
    }
}

fn create(call: &Call, user: u64, user_id: &str) -> Result<Answer, ApiError> {
    if !call.deployment.rules.creates_personal_keys() {
        return Err(ApiError::personal_keys_deprecated());
    }
    only_self(call, user)?;
    let description = Attributes::parse(call.body)?.text("description")?.unwrap_or_default();
    let key = PersonalKey {
        id: call.deployment.new_id(),
        description,
        enabled: true,
        created_at: call.deployment.rules.now(),
        last_used: None,
        used_count: Some(0),
        secret: call.deployment.new_uuid(),
    };
    call.deployment.edit_personal_keys(user, |keys| {
        if keys.len() >= MAX_PERSONAL_KEYS {
            return Err(ApiError::too_many_personal_keys());
        }
        let mut document = document(&key, user_id);
        document["key"] = key.secret.as_str().into();
        keys.push(key);
        Ok(Answer::Document(StatusCode::CREATED, document))
    })
}

/// Ops Manager shows a user's keys to that user and to a global owner, the others to that user alone.
fn may_see(call: &Call, user: u64) -> Result<(), ApiError> {
    if call.is_global_owner() { Ok(()) } else { only_self(call, user) }
}

fn only_self(call: &Call, user: u64) -> Result<(), ApiError> {
    if call.caller.user == user { Ok(()) } else { Err(ApiError::not_self()) }
}
