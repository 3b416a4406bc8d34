//! `/users/{id}` and `/users/byName/{name}`: people, as far as an audit needs them.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;
use crate::state::{Members, User, UsersOf};

fn document(call: &Call, user: &User) -> Value {
    json!({
        "emailAddress": user.username,
        "firstName": user.first_name,
        "id": user.id,
        "lastName": user.last_name,
        "links": call.self_link(&format!("/users/{}", user.id)),
        "roles": user.roles,
        "teamIds": user.team_ids,
        "username": user.username,
    })
}

/// The page that the query asks for, of these users.
pub(super) fn list(call: &Call, users: &Members) -> Answer {
    let page = users.page(call.range()).map(|index| document(call, &call.world().user(index)));
    call.list(page.collect(), users.len())
}

/// `GET /users/{id}`.
pub(super) fn by_id(call: &Call, id: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    show(call, call.user(id)?)
}

/// `GET /users/byName/{name}`.
pub(super) fn by_name(call: &Call, name: &str) -> Result<Answer, ApiError> {
    call.only_get()?;
    show(call, call.world().user_by_name(name).ok_or_else(|| ApiError::username_not_found(name))?)
}

/// A user sees itself and the users of its organizations; an owner of the deployment sees all.
fn show(call: &Call, index: u64) -> Result<Answer, ApiError> {
    let shares_an_org = || {
        let mut orgs = call.world().organizations().iter();
        orgs.any(|org| call.is_in(org) && call.world().users_of(UsersOf::Org(&org.id)).contains(index))
    };
    if call.caller.user == index || call.sees_everything() || shares_an_org() {
        Ok(Answer::ok(document(call, &call.world().user(index))))
    } else {
        Err(ApiError::user_unauthorized())
    }
}
