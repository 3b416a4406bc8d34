//! `plan.json`: the whole plan, for programs. `schemas/plan.schema.json` describes it; the types here are its own, so that a
//! rename inside breaks no reader.

use chrono::NaiveDate;
use serde::Serialize;

use super::forecast::OwnerForecast;
use super::inventory::Inventory;
use super::owner::{OwnerPlan, PlannedKey, Replacement};
use super::rights::Grant;
use super::tool::Kind;
use super::{AddressSource, Decision, Summary};
use crate::model::Suffix;
use crate::network::Network;
use crate::place::{Place, State};
use crate::policy::{Severity, Verdict};

/// Goes up when a field goes, or means something else. Fields that come do not count.
pub(crate) const VERSION: u32 = 1;
/// The `$id` of the schema, with the version.
pub(crate) const SCHEMA: &str = "urn:keysunset:plan:1";
pub(crate) const FORMAT: &str = "keysunset-plan";

#[derive(Serialize)]
pub(crate) struct OwnerEntry<'a> {
    owner_id: Option<&'a str>,
    owner: Option<&'a str>,
    /// Why not all of the owner is known.
    unknown: Option<&'a str>,
    /// Below the folder of the plan; `None` where there is nothing to be done by one.
    script: Option<&'a str>,
    keys: Vec<KeyEntry<'a>>,
    replacements: Vec<ReplacementEntry<'a>>,
    /// `None` without a day of the upgrade.
    upgrade: Option<&'a OwnerForecast>,
}

#[derive(Serialize)]
struct KeyEntry<'a> {
    key_id: &'a str,
    key_suffix: Option<&'a str>,
    description: &'a str,
    enabled: Option<bool>,
    verdict: Verdict,
    severity: Severity,
    decision: Decision,
    reason: &'a str,
    wave: Option<u8>,
    calls_per_day: Option<f64>,
    /// Whether that is the count by the key's age, for want of an earlier run.
    is_estimate: Option<bool>,
    /// The first day on which the silence of a key of rare use means something.
    verifiable_from: Option<NaiveDate>,
    /// Where `locate` found the key; `None` where it never searched for it.
    places: Option<Vec<PlaceEntry<'a>>>,
}

#[derive(Serialize)]
struct PlaceEntry<'a> {
    state: State,
    repository: &'a str,
    path: &'a str,
    member: &'a str,
    line: Option<u64>,
    column: Option<u64>,
    encoding: &'a str,
}

impl<'a> PlaceEntry<'a> {
    fn new(place: &'a Place) -> Self {
        let Place { state, repository, path, member, line, column, encoding, .. } = place;
        Self { state: *state, repository, path, member, line: *line, column: *column, encoding }
    }
}

#[derive(Serialize)]
struct ReplacementEntry<'a> {
    kind: Kind,
    scope: &'static str,
    org_id: Option<&'a str>,
    org_name: Option<&'a str>,
    tag: &'a str,
    description: String,
    needs_decision: bool,
    /// The id of the programmatic key that was made already.
    existing_key_id: Option<&'a str>,
    replaces: &'a [String],
    wave: u8,
    roles: Vec<RoleEntry<'a>>,
    addresses: &'a [Network],
    /// `None`: they are not known.
    addresses_from: Option<AddressSource>,
}

#[derive(Serialize)]
struct RoleEntry<'a> {
    project_id: Option<&'a str>,
    role: &'a str,
    /// `None`: the owner's own.
    from_team: Option<&'a str>,
    /// What to try in its place; `None` where the role need not be looked at.
    narrower: Option<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct Totals {
    owners: u64,
    owners_not_known: u64,
    replace: u64,
    retire: u64,
    delete_only: u64,
    ask: u64,
    #[serde(rename = "self")]
    self_key: u64,
    waived: u64,
    replacements_to_create: u64,
    replacements_created: u64,
    replacements_to_decide: u64,
    /// Of all replacements.
    service_accounts: u64,
    roles_to_review: u64,
}

impl<'a> OwnerEntry<'a> {
    pub(crate) fn new(plan: &'a OwnerPlan, inventory: &'a Inventory, script: Option<&'a str>) -> Self {
        Self {
            owner_id: plan.user.id.as_deref(),
            owner: plan.user.username.as_deref(),
            unknown: plan.unknown.as_deref(),
            script,
            keys: plan.keys.iter().map(KeyEntry::new).collect(),
            replacements: plan
                .replacements
                .iter()
                .map(|it| ReplacementEntry::new(plan, it, inventory))
                .collect(),
            upgrade: plan.forecast.as_ref(),
        }
    }
}

impl<'a> KeyEntry<'a> {
    fn new(planned: &'a PlannedKey) -> Self {
        let PlannedKey { key, judged, decided, wave, frequency, verifiable_from, places } = planned;
        Self {
            key_id: &key.id,
            key_suffix: key.suffix.as_ref().map(Suffix::as_str),
            description: &key.description,
            enabled: key.enabled,
            verdict: judged.verdict,
            severity: judged.severity,
            decision: decided.decision,
            reason: &decided.reason,
            wave: *wave,
            calls_per_day: frequency.map(|it| (it.calls_a_day * 100.0).round() / 100.0),
            is_estimate: frequency.map(|it| it.is_estimate),
            verifiable_from: *verifiable_from,
            places: places.as_ref().map(|places| places.iter().map(PlaceEntry::new).collect()),
        }
    }
}

impl<'a> ReplacementEntry<'a> {
    fn new(plan: &OwnerPlan, replacement: &'a Replacement, inventory: &'a Inventory) -> Self {
        let org_id = replacement.org_id.as_deref();
        Self {
            kind: replacement.kind,
            scope: replacement.scope(),
            org_id,
            org_name: org_id.and_then(|id| inventory.organization(id)).and_then(|it| it.name.as_deref()),
            tag: &replacement.tag,
            description: replacement.description(&plan.user),
            needs_decision: replacement.needs_decision,
            existing_key_id: replacement.existing.as_deref(),
            replaces: &replacement.keys,
            wave: replacement.wave,
            roles: replacement.grants.iter().map(RoleEntry::new).collect(),
            addresses: &replacement.addresses,
            addresses_from: replacement.addresses_from,
        }
    }
}

impl<'a> RoleEntry<'a> {
    fn new(Grant { project_id, role, team, narrower }: &'a Grant) -> Self {
        Self { project_id: project_id.as_deref(), role, from_team: team.as_deref(), narrower: *narrower }
    }
}

impl Totals {
    pub(crate) fn new(summary: &Summary) -> Self {
        Self {
            owners: summary.owners,
            owners_not_known: summary.unknown_owners,
            replace: summary.count(Decision::Replace),
            retire: summary.count(Decision::Retire),
            delete_only: summary.count(Decision::DeleteOnly),
            ask: summary.count(Decision::Ask),
            self_key: summary.count(Decision::SelfKey),
            waived: summary.count(Decision::Waived),
            replacements_to_create: summary.to_create,
            replacements_created: summary.created,
            replacements_to_decide: summary.to_decide,
            service_accounts: summary.service_accounts,
            roles_to_review: summary.to_review,
        }
    }
}
