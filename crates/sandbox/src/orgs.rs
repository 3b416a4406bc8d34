//! `/orgs`, an organization, its users and its projects.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::refusal::Refusal;
use super::users::only_get;
use super::world::Place;

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Organization {
    pub(super) id: String,
    pub(super) name: String,
    /// Whether its programmatic keys are refused as long as they have no IP list.
    pub(super) requires_list: bool,
}

impl Organization {
    fn document(&self, call: &Call) -> Value {
        json!({ "id": self.id, "links": call.self_link(&format!("/orgs/{}", self.id)), "name": self.name })
    }
}

/// `GET /orgs`: those that the caller is in.
pub(super) fn all(call: &Call) -> Result<Answer, Refusal> {
    only_get(call)?;
    let orgs = call.service.world.organizations().iter();
    let seen: Vec<_> = orgs.filter(|org| call.sees_everything() || call.is_in(org)).collect();
    Ok(call.list(seen.len() as u64, |rows| rows.of(&seen).map(|org| org.document(call)).collect()))
}

/// `GET /orgs/{id}`.
pub(super) fn one(call: &Call, id: &str) -> Result<Answer, Refusal> {
    only_get(call)?;
    Ok(Answer::ok(call.service.world.organizations()[seen(call, id)?].document(call)))
}

/// `GET /orgs/{id}/users`.
pub(super) fn users(call: &Call, id: &str) -> Result<Answer, Refusal> {
    only_get(call)?;
    let world = &call.service.world;
    let members = world.members(Place::Org(seen(call, id)?));
    Ok(call.list(members.len(), |rows| {
        let page = members.from(rows.skip).take(usize::try_from(rows.take).unwrap_or(usize::MAX));
        page.map(|index| world.user(index).document(call)).collect()
    }))
}

/// `GET /orgs/{id}/groups`.
pub(super) fn groups(call: &Call, id: &str) -> Result<Answer, Refusal> {
    only_get(call)?;
    let org = seen(call, id)?;
    Ok(super::groups::list(call, |group| group.org == org))
}

/// An organization that the caller may see.
///
/// # Errors
/// There is none with this id, or the caller is not in it.
pub(super) fn seen(call: &Call, id: &str) -> Result<usize, Refusal> {
    let orgs = call.service.world.organizations();
    let at = orgs.iter().position(|org| org.id == id).ok_or_else(|| Refusal::OrgNotFound(id.to_owned()))?;
    if call.sees_everything() || call.is_in(&orgs[at]) { Ok(at) } else { Err(Refusal::UserCannotAccessOrg) }
}
