//! From a path to the resource behind it: the table of contents of the whole service.

use serde_json::json;

use super::answer::Answer;
use super::call::Call;
use super::product::PersonalKeys;
use super::refusal::Refusal;
use super::users::only_get;
use super::{access_list, groups, keys, orgs, programmatic, users};

/// Does what a call asks for. `segments` are those of its path, decoded.
///
/// # Errors
/// Whatever the service says no to; a path that this product and version does not have is not found.
pub(super) fn route(call: &Call, segments: &[&str]) -> Result<Answer, Refusal> {
    let served = &call.service.served;
    let unknown = || Err(Refusal::ResourceNotFound(call.path.to_owned()));
    let (list, programmatic) = (served.spelling().path(), served.has_programmatic_keys());
    match *segments {
        [] => root(call),

        ["users", "byName", name] => users::by_name(call, name),
        ["users", id] => users::by_id(call, id),
        ["users", _, "keys"] | ["users", _, "keys", _] => match (served.personal_keys(), &segments[1..]) {
            (PersonalKeys::Served, [id, _]) => keys::all(call, id),
            (PersonalKeys::Served, [id, _, key]) => keys::one(call, id, key),
            (PersonalKeys::Removed, _) => Err(Refusal::PersonalKeysDeprecated),
            (PersonalKeys::Unknown | PersonalKeys::Served, _) => unknown(),
        },
        ["users", id, name] if name == list => access_list::of_user(call, id, None),
        ["users", id, name, entry] if name == list => access_list::of_user(call, id, Some(entry)),

        ["orgs"] => orgs::all(call),
        ["orgs", id] => orgs::one(call, id),
        ["orgs", id, "users"] => orgs::users(call, id),
        ["orgs", id, "groups"] => orgs::groups(call, id),
        ["groups"] => groups::all(call),
        ["groups", id] => groups::one(call, id),
        ["groups", id, "users"] => groups::users(call, id),

        ["orgs", id, "apiKeys"] if programmatic => programmatic::of_org(call, id),
        ["orgs", id, "apiKeys", key] if programmatic => programmatic::one_of_org(call, id, key),
        ["orgs", id, "apiKeys", key, name] if programmatic && name == list => {
            access_list::of_key(call, id, key, None)
        }
        ["orgs", id, "apiKeys", key, name, entry] if programmatic && name == list => {
            access_list::of_key(call, id, key, Some(entry))
        }
        ["groups", id, "apiKeys"] if programmatic => programmatic::of_group(call, id),
        ["groups", id, "apiKeys", key] if programmatic => programmatic::one_of_group(call, id, key),

        ["admin", ref rest @ ..] if served.has_global_keys() => match *rest {
            ["apiKeys"] => programmatic::of_admin(call),
            ["apiKeys", key] => programmatic::one_of_admin(call, key),
            [name] if name == list => access_list::global(call, None),
            [name, entry] if name == list => access_list::global(call, Some(entry)),
            _ => unknown(),
        },
        _ => unknown(),
    }
}

/// The base path itself.
fn root(call: &Call) -> Result<Answer, Refusal> {
    only_get(call)?;
    Ok(Answer::ok(json!({
        "appName": call.service.served.product.application(),
        "build": super::server::GIT_HASH,
        "links": call.self_link(""),
        "throttling": false,
    })))
}
