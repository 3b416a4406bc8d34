//! `/users/{id}` and `/users/byName/{name}`: people, as far as an audit needs them.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::{Call, Method};
use super::refusal::Refusal;
use super::roles::Role;
use super::world::Place;

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: String,
    /// What the user logs in with; an e-mail address on most deployments.
    pub(super) username: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) roles: Vec<Role>,
    pub(super) team_ids: Vec<String>,
}

impl User {
    pub(super) fn document(&self, call: &Call) -> Value {
        let path = format!("/users/{}", self.id);
        json!({
            "emailAddress": self.username,
            "firstName": self.first_name,
            "id": self.id,
            "lastName": self.last_name,
            "links": call.self_link(&path),
            "roles": self.roles,
            "teamIds": self.team_ids,
            "username": self.username,
        })
    }
}

/// `GET /users/{id}`.
pub(super) fn by_id(call: &Call, id: &str) -> Result<Answer, Refusal> {
    only_get(call)?;
    show(call, call.user(id)?)
}

/// `GET /users/byName/{name}`.
pub(super) fn by_name(call: &Call, name: &str) -> Result<Answer, Refusal> {
    only_get(call)?;
    let unknown = || Refusal::UsernameNotFound(name.to_owned());
    show(call, call.service.world.user_by_name(name).ok_or_else(unknown)?)
}

pub(super) fn only_get(call: &Call) -> Result<(), Refusal> {
    if call.method == Method::Get { Ok(()) } else { Err(call.wrong_method()) }
}

/// A user is seen by itself, by who shares an organization with it, and by who sees everything.
fn show(call: &Call, index: u64) -> Result<Answer, Refusal> {
    let world = &call.service.world;
    let shares = || {
        let mut orgs = world.organizations().iter().enumerate();
        orgs.any(|(at, org)| call.is_in(org) && world.members(Place::Org(at)).contains(index))
    };
    if call.caller.user == index || call.sees_everything() || shares() {
        Ok(Answer::ok(world.user(index).document(call)))
    } else {
        Err(Refusal::UserUnauthorized)
    }
}
