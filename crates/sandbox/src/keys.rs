//! `/users/{id}/keys`: the personal API keys, which the whole thing is about.

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::body;
use super::call::{Call, Method};
use super::refusal::Refusal;

/// How many personal keys a user may have.
pub(super) const MOST: usize = 10;

/// A personal key, with its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PersonalKey {
    pub(super) id: String,
    pub(super) description: String,
    pub(super) enabled: bool,
    pub(super) created: DateTime<Utc>,
    pub(super) last_used: Option<DateTime<Utc>>,
    /// `None` where the service does not know, as on old servers.
    pub(super) used_count: Option<u64>,
    /// A UUID: five groups of lower-case hexadecimal digits.
    pub(super) secret: String,
}

impl PersonalKey {
    /// Takes note of a use.
    pub(super) fn used(&mut self, now: DateTime<Utc>) {
        self.last_used = Some(now);
        self.used_count = self.used_count.map(|count| count.saturating_add(1));
    }

    /// As the reference pages list it. A key that was never used has no `lastUsed`; one whose use is not known has null.
    fn document(&self, user_id: &str) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("createdAt".into(), time(self.created).into());
        document.insert("description".into(), self.description.as_str().into());
        document.insert("enabled".into(), self.enabled.into());
        document.insert("id".into(), self.id.as_str().into());
        match (self.last_used, self.used_count) {
            (Some(last_used), _) => _ = document.insert("lastUsed".into(), time(last_used).into()),
            (None, Some(0)) => {}
            (None, _) => _ = document.insert("lastUsed".into(), Value::Null),
        }
        document.insert("obfuscatedKey".into(), masked(&self.secret).into());
        if let Some(count) = self.used_count {
            document.insert("usedCount".into(), count.into());
        }
        document.insert("userId".into(), user_id.into());
        document
    }
}

/// The last 12 digits of a UUID, which every mask leaves visible.
pub(super) fn suffix(secret: &str) -> &str {
    secret.get(24..).unwrap_or(secret)
}

/// A UUID as it is shown after its creation: with four groups, not five.
pub(super) fn masked(secret: &str) -> String {
    format!("********-****-****-{}", suffix(secret))
}

/// A time as the service writes it: UTC, to the second.
pub(super) fn time(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `GET` and `POST /users/{id}/keys`.
pub(super) fn all(call: &Call, user_id: &str) -> Result<Answer, Refusal> {
    let user = call.user(user_id)?;
    match call.method {
        Method::Get => {
            may_see(call, user)?;
            let keys = call.service.personal_keys(user);
            Ok(call.list(keys.len() as u64, |rows| {
                rows.of(&keys).map(|key| Value::Object(key.document(user_id))).collect()
            }))
        }
        Method::Post => create(call, user, user_id),
        Method::Patch | Method::Delete | Method::Other => Err(call.wrong_method()),
    }
}

/// `GET`, `PATCH` and `DELETE /users/{id}/keys/{key}`.
pub(super) fn one(call: &Call, user_id: &str, key_id: &str) -> Result<Answer, Refusal> {
    let user = call.user(user_id)?;
    let unknown = || Refusal::InvalidKeyId(key_id.to_owned());
    match call.method {
        Method::Get => {
            may_see(call, user)?;
            let keys = call.service.personal_keys(user);
            let key = keys.iter().find(|key| key.id == key_id).ok_or_else(unknown)?;
            Ok(Answer::ok(Value::Object(key.document(user_id))))
        }
        Method::Patch => {
            may_see(call, user)?;
            let enabled = body::object(call.body)?.flag("enabled")?;
            call.service.edit_personal_keys(user, |keys| {
                let key = keys.iter_mut().find(|key| key.id == key_id).ok_or_else(unknown)?;
                key.enabled = enabled.unwrap_or(key.enabled);
                Ok(Answer::ok(Value::Object(key.document(user_id))))
            })
        }
        Method::Delete if call.service.served.deletes_personal_keys() => {
            only_self(call, user)?;
            call.service.edit_personal_keys(user, |keys| {
                let at = keys.iter().position(|key| key.id == key_id).ok_or_else(unknown)?;
                keys.remove(at);
                Ok(call.deleted())
            })
        }
        Method::Delete | Method::Post | Method::Other => Err(call.wrong_method()),
    }
}

fn create(call: &Call, user: u64, user_id: &str) -> Result<Answer, Refusal> {
    if !call.service.served.creates_personal_keys() {
        return Err(Refusal::PersonalKeysDeprecated);
    }
    only_self(call, user)?;
    let description = body::object(call.body)?.text("description")?.unwrap_or_default();
    let key = PersonalKey {
        id: call.service.new_id(),
        description,
        enabled: true,
        created: call.service.served.now(),
        last_used: None,
        used_count: Some(0),
        secret: call.service.new_uuid(),
    };
    call.service.edit_personal_keys(user, |keys| {
        if keys.len() >= MOST {
            return Err(Refusal::TooManyPersonalKeys);
        }
        let mut document = key.document(user_id);
        document.insert("key".into(), json!(key.secret));
        keys.push(key);
        Ok(Answer::One(StatusCode::CREATED, Value::Object(document)))
    })
}

/// Ops Manager shows a user's keys to that user and to a global owner, the others to that user alone.
fn may_see(call: &Call, user: u64) -> Result<(), Refusal> {
    if call.is_global_owner() { Ok(()) } else { only_self(call, user) }
}

fn only_self(call: &Call, user: u64) -> Result<(), Refusal> {
    if call.caller.user == user { Ok(()) } else { Err(Refusal::NotSelf) }
}
