//! `/groups`, a project and its users. The service says group where people say project.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::refusal::Refusal;
use super::users::only_get;
use super::world::Place;

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) name: String,
    /// Its organization, by index and by id.
    pub(super) org: usize,
    pub(super) org_id: String,
    /// A live secret on a real deployment, and so served here too: a client must not keep it.
    pub(super) agent_api_key: String,
}

impl Group {
    fn document(&self, call: &Call) -> Value {
        json!({
            "activeAgentCount": 0,
            "agentApiKey": self.agent_api_key,
            "hostCounts": { "arbiter": 0, "config": 0, "master": 0, "mongos": 0, "primary": 0, "secondary": 0, "slave": 0 },
            "id": self.id,
            "links": call.self_link(&format!("/groups/{}", self.id)),
            "name": self.name,
            "orgId": self.org_id,
            "publicApiEnabled": true,
            "replicaSetCount": 0,
            "shardCount": 0,
            "tags": [],
        })
    }
}

/// `GET /groups`: those that the caller may see.
pub(super) fn all(call: &Call) -> Result<Answer, Refusal> {
    only_get(call)?;
    Ok(list(call, |_| true))
}

/// Those of them that the caller may see.
pub(super) fn list(call: &Call, wanted: impl Fn(&Group) -> bool) -> Answer {
    let groups = call.service.world.groups().iter();
    let seen: Vec<_> = groups.filter(|group| wanted(group) && sees(call, group)).collect();
    call.list(seen.len() as u64, |rows| rows.of(&seen).map(|group| group.document(call)).collect())
}

/// `GET /groups/{id}`.
pub(super) fn one(call: &Call, id: &str) -> Result<Answer, Refusal> {
    only_get(call)?;
    Ok(Answer::ok(call.service.world.groups()[seen(call, id)?].document(call)))
}

/// `GET /groups/{id}/users`: with `flattenTeams` those of its team too, with `includeOrgUsers` all of its organization.
pub(super) fn users(call: &Call, id: &str) -> Result<Answer, Refusal> {
    only_get(call)?;
    let world = &call.service.world;
    let at = seen(call, id)?;
    let members = if call.query.flag("includeOrgUsers", false)? {
        world.members(Place::Org(world.groups()[at].org))
    } else if call.query.flag("flattenTeams", false)? {
        world.members(Place::Group(at)).and(world.members(Place::Team(at)))
    } else {
        world.members(Place::Group(at))
    };
    Ok(call.list(members.len(), |rows| {
        let page = members.from(rows.skip).take(usize::try_from(rows.take).unwrap_or(usize::MAX));
        page.map(|index| world.user(index).document(call)).collect()
    }))
}

/// A project that the caller may see.
///
/// # Errors
/// There is none with this id, or the caller is not in it.
pub(super) fn seen(call: &Call, id: &str) -> Result<usize, Refusal> {
    let at = call.service.group_by_id(id).ok_or_else(|| Refusal::GroupNotFound(id.to_owned()))?;
    if sees(call, &call.service.world.groups()[at]) { Ok(at) } else { Err(Refusal::NotInGroup) }
}

/// Owners and readers of an organization see all its projects, others those where they have a role.
fn sees(call: &Call, group: &Group) -> bool {
    call.sees_everything()
        || call.has_role_in(&group.org_id, &["ORG_OWNER", "ORG_READ_ONLY"])
        || call.caller.roles.iter().any(|role| role.is_in_group(&group.id))
}
