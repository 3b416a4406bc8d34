//! `/orgs/{id}/events` and `/groups/{id}/events`: changes, with their author and the author's address.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, time};
use super::call::Call;
use super::error::ApiError;
use super::organizations::{existing_org, visible_group};
use crate::state::{Author, Event, KeyChange, ProgrammaticKey, Scope};

/// Fields without a value are left out. The author is a user or an API key, never both.
fn document(call: &Call, scope: Scope, event: &Event) -> Value {
    let path = match scope {
        Scope::Group(id) => format!("/groups/{id}/events/{}", event.id),
        Scope::Org(_) | Scope::Global => format!("/orgs/{}/events/{}", event.org_id, event.id),
    };
    let mut document = json!({
        "created": time(event.created),
        "eventTypeName": event.type_name,
        "id": event.id,
        "isGlobalAdmin": event.is_global_admin,
        "links": call.self_link(&path),
        "orgId": event.org_id,
        "remoteAddress": event.remote_address.to_string(),
    });
    let (id, name) = match &event.author {
        Author::User { id, username } => (("userId", id), ("username", username)),
        Author::ProgrammaticKey { id, public_key } => (("apiKeyId", id), ("publicKey", public_key)),
    };
    let network = event.target.network.map(|network| match network.single() {
        Some(address) => address.to_string(),
        None => network.to_string(),
    });
    let optional = [
        ("groupId", event.group_id.as_ref()),
        ("targetPublicKey", event.target.public_key.as_ref()),
        ("targetUsername", event.target.username.as_ref()),
        ("teamId", event.target.team_id.as_ref()),
        ("whitelistEntry", network.as_ref()),
    ];
    let present = optional.into_iter().filter_map(|(field, value)| Some((field, value?)));
    for (field, value) in [id, name].into_iter().chain(present) {
        document[field] = value.as_str().into();
    }
    document
}

/// The events of an organization or project that match the query, newest first.
pub(super) fn all(call: &Call, scope: Scope) -> Result<Answer, ApiError> {
    call.only_get()?;
    may_see(call, scope)?;
    call.query.flag("includeRaw", false)?;
    let (from, until) = (date(call, "minDate")?, date(call, "maxDate")?);
    let types = call.query.values("eventType").collect::<Vec<_>>();
    let mut events = call.deployment.events(scope);
    events.retain(|event| {
        from.is_none_or(|from| event.created >= from)
            && until.is_none_or(|until| event.created <= until)
            && (types.is_empty() || types.contains(&event.type_name))
    });
    Ok(call.list_all(&events, |event| document(call, scope, event)))
}

/// One event.
pub(super) fn one(call: &Call, scope: Scope, id: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    may_see(call, scope)?;
    let events = call.deployment.events(scope);
    let event = events.iter().find(|event| event.id == id).ok_or_else(|| ApiError::event_not_found(id))?;
    Ok(Answer::ok(document(call, scope, event)))
}

fn may_see(call: &Call, scope: Scope) -> Result<(), ApiError> {
    match scope {
        Scope::Global => Err(ApiError::user_unauthorized()),
        Scope::Org(id) => existing_org(call, id).map(drop),
        Scope::Group(id) => visible_group(call, id).map(drop),
    }
}

/// A time of ISO 8601; without a zone it is UTC, and without a time the start of the day.
fn date(call: &Call, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
    let Some(text) = call.query.values(name).next() else { return Ok(None) };
    // A `+` that is not percent-encoded arrives as a space.
    let text = text.replace(' ', "+");
    let zoned = || DateTime::parse_from_rfc3339(&text).ok().map(|time| time.to_utc());
    let local = || text.parse::<NaiveDateTime>().ok().map(|time| time.and_utc());
    let day = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0).map(|time| time.and_utc());
    let time = zoned().or_else(local).or_else(day);
    time.map(Some).ok_or_else(|| ApiError::invalid_query_parameter(name))
}

/// Records a change of a key in a scope. Global keys belong to no organization, and have no events.
pub(super) fn record(call: &Call, scope: Scope, change: KeyChange, key: &ProgrammaticKey) {
    let place = match scope {
        Scope::Global => None,
        Scope::Org(id) => Some((id, None)),
        Scope::Group(id) => key.org_id().map(|org| (org, Some(id))),
    };
    if let Some(place) = place {
        call.deployment.record_event(&call.caller, call.address, place, (change, &key.public_key));
    }
}
