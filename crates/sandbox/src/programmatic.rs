//! `/orgs/{id}/apiKeys`, `/groups/{id}/apiKeys` and `/admin/apiKeys`: the keys that replace personal ones.

use serde_json::{Value, json};

use super::answer::Answer;
use super::body::{self, Object};
use super::call::{Call, Method};
use super::groups::{self, Group};
use super::keys::masked;
use super::orgs;
use super::refusal::Refusal;
use super::roles::{Role, Scope, grant};

/// The most characters that a description may have.
const LONGEST: usize = 250;

/// A programmatic key, with its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProgrammaticKey {
    pub(super) id: String,
    pub(super) description: String,
    /// 8 lower-case letters: the digest user.
    pub(super) public: String,
    /// A UUID: the digest password.
    pub(super) private: String,
    /// The user who made it, whom it counts as.
    pub(super) maker: u64,
    /// Of one organization and its projects, or global ones.
    pub(super) roles: Vec<Role>,
}

impl ProgrammaticKey {
    pub(super) fn org_id(&self) -> Option<&str> {
        self.roles.iter().find_map(|role| role.org_id.as_deref())
    }

    /// What is shown of it; the private part is whole only in the answer that creates it.
    fn document(&self, call: &Call, private: &str) -> Value {
        let path = match self.org_id() {
            Some(org) => format!("/orgs/{org}/apiKeys/{}", self.id),
            None => format!("/admin/apiKeys/{}", self.id),
        };
        json!({
            "desc": self.description,
            "id": self.id,
            "links": call.self_link(&path),
            "privateKey": private,
            "publicKey": self.public,
            "roles": self.roles,
        })
    }

    fn shown(&self, call: &Call) -> Value {
        self.document(call, &masked(&self.private))
    }
}

/// `/orgs/{id}/apiKeys`.
pub(super) fn of_org(call: &Call, org_id: &str) -> Result<Answer, Refusal> {
    let org = orgs::seen(call, org_id)?;
    match call.method {
        Method::Get => Ok(list(call, Scope::Org(org), org_id)),
        Method::Post => {
            may_change(call, org_id)?;
            create(call, Scope::Org(org), org_id, &[])
        }
        Method::Patch | Method::Delete | Method::Other => Err(call.wrong_method()),
    }
}

/// `/orgs/{id}/apiKeys/{key}`.
pub(super) fn one_of_org(call: &Call, org_id: &str, key_id: &str) -> Result<Answer, Refusal> {
    let (index, key) = in_org(call, org_id, key_id)?;
    match call.method {
        Method::Get => Ok(Answer::ok(key.shown(call))),
        Method::Patch => {
            may_change(call, org_id)?;
            let org = orgs::seen(call, org_id)?;
            change(call, index, key, Scope::Org(org), org_id)
        }
        Method::Delete => {
            may_change(call, org_id)?;
            call.service.put_programmatic(index, None);
            Ok(call.deleted())
        }
        Method::Post | Method::Other => Err(call.wrong_method()),
    }
}

/// `/groups/{id}/apiKeys`: a key that is made here is one of the organization, as its member.
pub(super) fn of_group(call: &Call, group_id: &str) -> Result<Answer, Refusal> {
    let at = groups::seen(call, group_id)?;
    let group = &call.service.world.groups()[at];
    match call.method {
        Method::Get => Ok(list(call, Scope::Group(at), group_id)),
        Method::Post => {
            may_assign(call, group)?;
            create(call, Scope::Group(at), group_id, &[Role::in_org(&group.org_id, "ORG_MEMBER")])
        }
        Method::Patch | Method::Delete | Method::Other => Err(call.wrong_method()),
    }
}

/// `/groups/{id}/apiKeys/{key}`: `PATCH` assigns a key of the organization, with these roles and no others; `DELETE`
/// takes it out of the project.
pub(super) fn one_of_group(call: &Call, group_id: &str, key_id: &str) -> Result<Answer, Refusal> {
    let at = groups::seen(call, group_id)?;
    let group = &call.service.world.groups()[at];
    match call.method {
        Method::Patch => {
            may_assign(call, group)?;
            let (index, key) = find(call, key_id, |key| key.org_id() == Some(&group.org_id))?;
            change(call, index, key, Scope::Group(at), group_id)
        }
        Method::Delete => {
            may_assign(call, group)?;
            let assigned = |key: &ProgrammaticKey| key.roles.iter().any(|role| role.is_in_group(group_id));
            let (index, mut key) = find(call, key_id, assigned)?;
            key.roles.retain(|role| !role.is_in_group(group_id));
            call.service.put_programmatic(index, Some(key));
            Ok(call.deleted())
        }
        Method::Get | Method::Post | Method::Other => Err(call.wrong_method()),
    }
}

/// `/admin/apiKeys`.
pub(super) fn of_admin(call: &Call) -> Result<Answer, Refusal> {
    may_administer(call)?;
    match call.method {
        Method::Get => Ok(list(call, Scope::Global, "")),
        Method::Post => create(call, Scope::Global, "", &[]),
        Method::Patch | Method::Delete | Method::Other => Err(call.wrong_method()),
    }
}

/// `/admin/apiKeys/{key}`.
pub(super) fn one_of_admin(call: &Call, key_id: &str) -> Result<Answer, Refusal> {
    may_administer(call)?;
    let (index, key) = find(call, key_id, |key| key.roles.iter().any(Role::is_global))?;
    match call.method {
        Method::Get => Ok(Answer::ok(key.shown(call))),
        Method::Patch => change(call, index, key, Scope::Global, ""),
        Method::Delete => {
            call.service.put_programmatic(index, None);
            Ok(call.deleted())
        }
        Method::Post | Method::Other => Err(call.wrong_method()),
    }
}

/// A key of an organization that the caller may see.
pub(super) fn in_org(call: &Call, org_id: &str, key_id: &str) -> Result<(u64, ProgrammaticKey), Refusal> {
    orgs::seen(call, org_id)?;
    find(call, key_id, |key| key.org_id() == Some(org_id))
}

/// An organization's keys are its owners' business.
pub(super) fn may_change(call: &Call, org_id: &str) -> Result<(), Refusal> {
    if administers(call) || call.has_role_in(org_id, &["ORG_OWNER"]) {
        Ok(())
    } else {
        Err(Refusal::NotOrgOwner(org_id.to_owned()))
    }
}

/// Global keys are a global administrator's; who may only read everything reads them too.
pub(super) fn may_administer(call: &Call) -> Result<(), Refusal> {
    let reads = call.method == Method::Get && call.sees_everything();
    if reads || administers(call) { Ok(()) } else { Err(Refusal::NotGlobalUserAdmin) }
}

fn administers(call: &Call) -> bool {
    call.has_global(&["GLOBAL_OWNER", "GLOBAL_USER_ADMIN"])
}

fn may_assign(call: &Call, group: &Group) -> Result<(), Refusal> {
    let roles = &call.caller.roles;
    let names = ["GROUP_OWNER", "GROUP_USER_ADMIN"];
    let by_project =
        || roles.iter().any(|role| role.is_in_group(&group.id) && names.contains(&role.name.as_str()));
    if by_project() || may_change(call, &group.org_id).is_ok() {
        Ok(())
    } else {
        Err(Refusal::UserUnauthorized)
    }
}

fn find(
    call: &Call,
    key_id: &str,
    wanted: impl Fn(&ProgrammaticKey) -> bool,
) -> Result<(u64, ProgrammaticKey), Refusal> {
    let found = call.service.programmatic_by_id(key_id).filter(|(_, key)| wanted(key));
    found.ok_or_else(|| Refusal::ApiKeyNotFound(key_id.to_owned()))
}

fn list(call: &Call, scope: Scope, id: &str) -> Answer {
    let keys = call.service.programmatic_in(scope, id);
    call.list(keys.len(), |rows| call.service.page(&keys, rows).iter().map(|key| key.shown(call)).collect())
}

fn create(call: &Call, scope: Scope, id: &str, besides: &[Role]) -> Result<Answer, Refusal> {
    let object = body::object(call.body)?;
    let description = description(&object)?.ok_or(Refusal::InvalidApiKeyDescription)?;
    let names = object.texts("roles")?.unwrap_or_default();
    let mut roles = grant(&names, scope, id, call.service.served.product)?;
    roles.extend_from_slice(besides);
    let key = call.service.create_programmatic(description, call.caller.user, roles);
    Ok(Answer::ok(key.document(call, &key.private)))
}

/// Roles that come are those of this scope from now on; roles elsewhere stay.
fn change(
    call: &Call,
    index: u64,
    mut key: ProgrammaticKey,
    scope: Scope,
    id: &str,
) -> Result<Answer, Refusal> {
    let object = body::object(call.body)?;
    if let Some(description) = description(&object)? {
        key.description = description;
    }
    if let Some(names) = object.texts("roles")? {
        let roles = grant(&names, scope, id, call.service.served.product)?;
        key.roles.retain(|role| match scope {
            Scope::Global => !role.is_global(),
            Scope::Org(_) => !role.is_in_org(id),
            Scope::Group(_) => !role.is_in_group(id),
        });
        key.roles.extend(roles);
    }
    let document = key.shown(call);
    call.service.put_programmatic(index, Some(key));
    Ok(Answer::ok(document))
}

fn description(object: &Object) -> Result<Option<String>, Refusal> {
    match object.text("desc")? {
        Some(text) if text.is_empty() || text.chars().count() > LONGEST => {
            Err(Refusal::InvalidApiKeyDescription)
        }
        other => Ok(other),
    }
}
