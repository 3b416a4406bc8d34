//! `…/whitelist` and `…/accessList`: the addresses from which a user or a programmatic key may call.

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, time};
use super::call::Call;
use super::error::ApiError;
use super::events;
use super::input::Attributes;
use super::programmatic_keys::{find_visible, may_change, may_see};
use crate::product::ListName;
use crate::state::{AccessEntry, CallerKey, GlobalEntry, KeyChange, ListOwner, Network, Scope};

/// The end of a path: the name of the list and, for one entry, the name of the entry.
#[derive(Clone, Copy)]
pub(super) struct ListPath<'a> {
    pub(super) name: ListName,
    pub(super) entry: Option<&'a str>,
}

/// An entry of the list with this path. A single address is the entry's name, and a block is, percent-encoded.
fn document(call: &Call, entry: &AccessEntry, list: &str) -> Value {
    let block = entry.network.to_string();
    let address = entry.network.single().map(|address| address.to_string());
    let name = address.clone().unwrap_or_else(|| block.replace('/', "%2F"));
    let mut document = json!({
        "cidrBlock": block,
        "count": entry.count,
        "created": time(entry.created),
        "links": call.self_link(&format!("{list}/{name}")),
    });
    if let Some(address) = address {
        document["ipAddress"] = address.into();
    }
    if let Some((at, from)) = entry.last_used {
        document["lastUsed"] = time(at).into();
        document["lastUsedAddress"] = from.to_string().into();
    }
    document
}

fn global_document(entry: &GlobalEntry) -> Value {
    json!({
        "cidrBlock": entry.network.to_string(),
        "created": time(entry.created),
        "description": entry.description,
        "id": entry.id,
        "type": "GLOBAL_ROLE",
        "updated": time(entry.updated.unwrap_or(entry.created)),
    })
}

/// A user's list, which is that user's alone.
pub(super) fn user_list(call: &Call, id: &str, list: ListPath) -> Result<Answer, ApiError> {
    let user = call.user(id)?;
    if call.caller.user != user {
        return Err(ApiError::access_list_denied(list.name, id));
    }
    serve(call, ListOwner::User(user), &format!("/users/{id}/{}", list.name.path()), list, |_| {})
}

/// The list of an organization's key, for that key itself and for the organization's owners.
pub(super) fn key_list(call: &Call, org: &str, key: &str, list: ListPath) -> Result<Answer, ApiError> {
    let (index, found) = find_visible(call, Scope::Org(org), key)?;
    if call.caller.key != CallerKey::Programmatic(index) {
        may_change(call, Scope::Org(org)).map_err(|_| ApiError::key_list_denied(list.name))?;
    }
    let record = |change| events::record(call, Scope::Org(org), change, &found);
    let path = format!("/orgs/{org}/apiKeys/{key}/{}", list.name.path());
    serve(call, ListOwner::ProgrammaticKey(index), &path, list, record)
}

fn serve(
    call: &Call,
    owner: ListOwner,
    path: &str,
    list: ListPath,
    record: impl Fn(KeyChange),
) -> Result<Answer, ApiError> {
    let show = |entries: &[AccessEntry]| call.list_all(entries, |entry| document(call, entry, path));
    match (call.method, list.entry) {
        (&Method::GET, None) => Ok(show(&call.deployment.access_list(owner))),
        (&Method::GET, Some(name)) => {
            let entries = call.deployment.access_list(owner);
            Ok(Answer::ok(document(call, &entries[find(list.name, &entries, name)?], path)))
        }
        (&Method::POST, None) => {
            let new = Attributes::parse_list(call.body)?;
            let new: Vec<_> = new.iter().map(network).collect::<Result<_, _>>()?;
            let (answer, added) = call.deployment.edit_access_list(owner, |entries| {
                let before = entries.len();
                for network in new {
                    if !entries.iter().any(|entry| entry.network == network) {
                        entries.push(AccessEntry::new(network, call.deployment.rules.now()));
                    }
                }
                let added: Vec<_> = entries[before..].iter().map(|entry| entry.network).collect();
                (show(entries), added)
            });
            for network in added {
                record(KeyChange::EntryAdded(network));
            }
            Ok(answer)
        }
        (&Method::DELETE, Some(name)) => {
            let network = call.deployment.edit_access_list(owner, |entries| {
                let at = find(list.name, entries, name)?;
                if matches!(owner, ListOwner::User(_)) && entries[at].network.contains(call.address) {
                    return Err(ApiError::cannot_remove_caller(list.name, name));
                }
                Ok(entries.remove(at).network)
            })?;
            record(KeyChange::EntryDeleted(network));
            Ok(call.deleted())
        }
        _ => Err(call.wrong_method()),
    }
}

fn find(list: ListName, entries: &[AccessEntry], name: &str) -> Result<usize, ApiError> {
    let network: Option<Network> = name.parse().ok();
    let at = entries.iter().position(|entry| Some(entry.network) == network);
    at.ok_or_else(|| ApiError::entry_not_found(list, name))
}

/// The address of a body, which is an `ipAddress` or a `cidrBlock`; with both, the block counts.
///
/// # Errors
/// Neither, or what is no address.
pub(super) fn network(attributes: &Attributes) -> Result<Network, ApiError> {
    optional_network(attributes)?.ok_or_else(|| ApiError::invalid_attribute("ipAddress"))
}

fn optional_network(attributes: &Attributes) -> Result<Option<Network>, ApiError> {
    let text = attributes.text("cidrBlock")?.or(attributes.text("ipAddress")?);
    Ok(text.map(|text| text.parse()).transpose()?)
}

/// `/admin/whitelist` and `/admin/accessList`.
pub(super) fn global_list(call: &Call, list: ListPath) -> Result<Answer, ApiError> {
    may_see(call, Scope::Global)?;
    let unknown = |id: &str| ApiError::entry_not_found(list.name, id);
    match (call.method, list.entry) {
        (&Method::GET, None) => Ok(call.list_all(&call.deployment.global_access_list(), global_document)),
        (&Method::GET, Some(id)) => {
            let entries = call.deployment.global_access_list();
            let found = entries.iter().find(|entry| entry.id == id).ok_or_else(|| unknown(id))?;
            Ok(Answer::ok(global_document(found)))
        }
        (&Method::POST, None) => {
            let body = Attributes::parse(call.body)?;
            let (network, description) = (network(&body)?, body.text("description")?.unwrap_or_default());
            let (id, created) = (call.deployment.new_id(), call.deployment.rules.now());
            let entry = GlobalEntry { id, network, description, created, updated: None };
            let document = global_document(&entry);
            call.deployment.edit_global_access_list(|entries| entries.push(entry));
            Ok(Answer::ok(document))
        }
        (&Method::PATCH, Some(id)) => {
            let body = Attributes::parse(call.body)?;
            let (network, description) = (optional_network(&body)?, body.text("description")?);
            call.deployment.edit_global_access_list(|entries| {
                let entry = entries.iter_mut().find(|entry| entry.id == id).ok_or_else(|| unknown(id))?;
                entry.network = network.unwrap_or(entry.network);
                entry.description = description.unwrap_or_else(|| std::mem::take(&mut entry.description));
                entry.updated = Some(call.deployment.rules.now());
                Ok(Answer::ok(global_document(entry)))
            })
        }
        (&Method::DELETE, Some(id)) => call.deployment.edit_global_access_list(|entries| {
            let at = entries.iter().position(|entry| entry.id == id).ok_or_else(|| unknown(id))?;
            entries.remove(at);
            Ok(call.deleted())
        }),
        _ => Err(call.wrong_method()),
    }
}
