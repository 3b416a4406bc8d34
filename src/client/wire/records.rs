//! The rows of lists: keys, accounts, organizations and what a plan needs.

use chrono::{DateTime, SubsecRound, Utc};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{TEXT_LIMIT, bounded};
use crate::inventory;
use crate::model::{self, ListScope, Membership, Origin, PersonalKey, Suffix, User};
use crate::network::Network;
use crate::printable::masked;

/// The name of a user or a thing; `None` for one that can't be seen.
fn name(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).map(bounded)
}

/// A text that a person wrote, as [`bounded`] has it: people put keys into descriptions, and none of them is stored.
fn description(text: Option<String>) -> String {
    text.map(|text| bounded(masked(&text))).unwrap_or_default()
}

/// A personal key; only `id` is always there.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(in crate::client) struct Key {
    #[serde(deserialize_with = "identity")]
    pub(in crate::client) id: String,
    #[serde(default, deserialize_with = "timestamp")]
    created_at: Option<DateTime<Utc>>,
    description: Option<String>,
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "timestamp")]
    last_used: Option<DateTime<Utc>>,
    #[serde(rename = "obfuscatedKey")]
    mask: Option<String>,
    used_count: Option<u64>,
    pub(in crate::client) user_id: Option<String>,
}

impl Key {
    /// Whether its id can be one, whatever its length.
    pub(in crate::client) fn has_sound_id(&self) -> bool {
        is_sound(&self.id)
    }

    /// `is_own` says of a suffix whether it is that of a credential in use.
    pub(in crate::client) fn into_model(self, is_own: impl Fn(Option<&Suffix>) -> bool) -> PersonalKey {
        let suffix = self.mask.as_deref().and_then(Suffix::from_key);
        let auditing = is_own(suffix.as_ref());
        PersonalKey {
            id: self.id,
            suffix,
            description: description(self.description),
            enabled: self.enabled,
            created_at: self.created_at,
            last_used: self.last_used,
            used_count: self.used_count,
            auditing,
        }
    }
}

/// ISO 8601 as the service writes it, and with an offset without a colon; below the second it is cut off.
fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    DateTime::parse_from_rfc3339(&text)
        .or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|time| Some(time.to_utc().trunc_subsecs(0)))
        .map_err(|_| D::Error::custom(format!("{text:?} is not an ISO 8601 time")))
}

/// An account.
#[derive(Deserialize)]
pub(in crate::client) struct Account {
    #[serde(deserialize_with = "sound_identity")]
    id: String,
    username: Option<String>,
    #[serde(default, deserialize_with = "if_documented")]
    roles: Option<Vec<Role>>,
    #[serde(default, rename = "teamIds", deserialize_with = "if_documented")]
    team_ids: Option<Vec<String>>,
}

impl Account {
    /// The user, as a list of this scope shows him. `id` is that of the organization or project.
    pub(in crate::client) fn into_user(self, scope: ListScope, id: &str) -> User {
        let roles = self.roles.map(|roles| sorted(roles.into_iter().map(model::Role::from)));
        let team_ids = self.team_ids.map(|ids| sorted(ids.into_iter().map(bounded)));
        let membership = Membership { scope, id: id.to_owned(), roles, team_ids };
        User {
            id: Some(hexadecimal_in_lower_case(self.id)),
            username: name(self.username),
            origin: Origin { memberships: vec![membership], line: None },
        }
    }

    /// The user, looked up by name.
    pub(in crate::client) fn into_account(self) -> User {
        let id = hexadecimal_in_lower_case(self.id.clone());
        self.into_user(ListScope::Account, &id)
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<_> = items.collect();
    items.sort_unstable();
    items.dedup();
    items
}

/// `None` for anything but the documented form: rights that can't be read are unknown, and cost no user.
fn if_documented<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let json = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(json.get()).ok())
}

/// Ids are hexadecimal: one in upper and lower case is one.
fn hexadecimal_in_lower_case(mut id: String) -> String {
    if id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        id.make_ascii_lowercase();
    }
    id
}

/// A role of an account.
#[derive(Deserialize)]
struct Role {
    #[serde(rename = "orgId")]
    org_id: Option<String>,
    #[serde(rename = "groupId")]
    project_id: Option<String>,
    #[serde(rename = "roleName")]
    name: String,
}

impl From<Role> for model::Role {
    fn from(role: Role) -> Self {
        let id = |id: String| bounded(hexadecimal_in_lower_case(id));
        Self { org_id: role.org_id.map(id), project_id: role.project_id.map(id), name: bounded(role.name) }
    }
}

/// An organization. Its items may carry secrets of agents: add no field that is not wanted.
#[derive(Deserialize)]
pub(in crate::client) struct Organization {
    #[serde(deserialize_with = "sound_identity")]
    id: String,
    name: Option<String>,
    #[serde(default = "not_deleted", rename = "isDeleted", deserialize_with = "if_documented")]
    is_deleted: Option<bool>,
}

impl From<Organization> for model::Organization {
    fn from(organization: Organization) -> Self {
        Self {
            id: hexadecimal_in_lower_case(organization.id),
            name: name(organization.name),
            is_deleted: organization.is_deleted,
        }
    }
}

/// A project. Its items have `agentApiKey`, a secret: add no field that is not wanted.
#[derive(Deserialize)]
pub(in crate::client) struct Project {
    #[serde(deserialize_with = "sound_identity")]
    id: String,
    name: Option<String>,
    #[serde(rename = "orgId")]
    org_id: Option<String>,
}

impl From<Project> for inventory::Project {
    fn from(Project { id, name, org_id }: Project) -> Self {
        let org_id = org_id.map(|id| bounded(hexadecimal_in_lower_case(id)));
        Self { id: hexadecimal_in_lower_case(id), name: self::name(name), org_id }
    }
}

/// A team of an organization.
#[derive(Deserialize)]
pub(in crate::client) struct Team {
    #[serde(deserialize_with = "sound_identity")]
    id: String,
    name: Option<String>,
}

impl From<Team> for inventory::Team {
    fn from(Team { id, name }: Team) -> Self {
        Self { id: hexadecimal_in_lower_case(id), name: self::name(name) }
    }
}

/// A team of a project.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::client) struct TeamRoles {
    #[serde(deserialize_with = "sound_identity")]
    team_id: String,
    role_names: Vec<String>,
}

impl From<TeamRoles> for inventory::TeamRoles {
    fn from(TeamRoles { team_id, role_names }: TeamRoles) -> Self {
        let roles = sorted(role_names.into_iter().map(bounded));
        Self { team_id: hexadecimal_in_lower_case(team_id), roles }
    }
}

/// An entry of a list of addresses. An entry of one address has it twice, and one of more as a block alone.
#[derive(Deserialize)]
#[serde(try_from = "AccessFields")]
pub(in crate::client) struct AccessEntry {
    block: Network,
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessFields {
    cidr_block: Option<String>,
    ip_address: Option<String>,
}

impl TryFrom<AccessFields> for AccessEntry {
    type Error = String;

    fn try_from(fields: AccessFields) -> Result<Self, String> {
        let text = fields.cidr_block.or(fields.ip_address).ok_or("neither `cidrBlock` nor `ipAddress`")?;
        let block = Network::from_service(&text)?;
        Ok(Self { block, text: block.to_string() })
    }
}

impl From<AccessEntry> for inventory::AccessEntry {
    fn from(entry: AccessEntry) -> Self {
        Self { block: entry.block }
    }
}

/// A programmatic key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::client) struct ProgrammaticKey {
    #[serde(deserialize_with = "sound_identity")]
    id: String,
    desc: Option<String>,
    public_key: Option<String>,
    /// Masked by the service. Only the suffix is taken, so that a key that is not masked is not kept.
    #[serde(default, rename = "privateKey", deserialize_with = "suffix")]
    pub(in crate::client) suffix: Option<Suffix>,
    /// Read for those that are kept.
    roles: Option<Box<RawValue>>,
}

impl ProgrammaticKey {
    /// Whether it was made by a plan.
    pub(in crate::client) fn is_replacement(&self) -> bool {
        self.desc.as_deref().is_some_and(inventory::is_replacement)
    }
}

impl From<ProgrammaticKey> for inventory::ProgrammaticKey {
    fn from(key: ProgrammaticKey) -> Self {
        let roles = key.roles.and_then(|roles| serde_json::from_str::<Vec<Role>>(roles.get()).ok());
        Self {
            id: hexadecimal_in_lower_case(key.id),
            public_key: key.public_key.map(bounded),
            suffix: key.suffix,
            description: description(key.desc),
            roles: roles.map(|roles| sorted(roles.into_iter().map(model::Role::from))),
        }
    }
}

fn suffix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Suffix>, D::Error> {
    let mask = Option::<String>::deserialize(deserializer)?.map(Zeroizing::new);
    Ok(mask.and_then(|mask| Suffix::from_key(&mask)))
}

/// Only deleted organizations are marked.
#[expect(clippy::unnecessary_wraps, reason = "the default of a field that is an Option")]
const fn not_deleted() -> Option<bool> {
    Some(false)
}

/// A row of a list, which has an id.
pub(in crate::client) trait Identified {
    /// Never empty.
    fn id(&self) -> &str;
}

impl Identified for Key {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for Account {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for Organization {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for Project {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for Team {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for TeamRoles {
    fn id(&self) -> &str {
        &self.team_id
    }
}

impl Identified for AccessEntry {
    fn id(&self) -> &str {
        &self.text
    }
}

impl Identified for ProgrammaticKey {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Rows without an id can't be distinguished.
fn identity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    match id.len() {
        0 => Err(D::Error::custom("empty ID")),
        length if length > TEXT_LIMIT => Err(D::Error::custom(format!("ID of {length} bytes"))),
        _ => Ok(id),
    }
}

/// The same, where it becomes a part of the next path.
fn sound_identity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = identity(deserializer)?;
    if is_sound(&id) { Ok(id) } else { Err(D::Error::custom("invalid ID")) }
}

fn is_sound(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
