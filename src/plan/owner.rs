//! The plan of one owner: a decision a key, and the programmatic keys that replace those in use.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::decision::{Decided, Decision, OwnerFacts, decide};
use super::forecast::{OwnerForecast, Upgrade};
use super::inventory::Inventory;
use super::rights::{Grant, Rights, RoleCheck};
use super::tool::{Kind, account_text, fits_service_account};
use super::wave::{Frequency, gap, wave};
use super::{AddressFile, AddressSource, Per, Unknown};
use crate::inventory::{TAG, account_tag};
use crate::model::{PersonalKey, ReadStatus, User, UserResult};
use crate::network::Network;
use crate::place::Place;
use crate::policy::{Judgement, Policy, Verdict};

/// A description of a programmatic key has at most so many characters.
const DESCRIPTION: usize = 250;

/// A personal key and what to do about it.
#[derive(Debug)]
pub(crate) struct PlannedKey {
    pub(crate) key: PersonalKey,
    pub(crate) judged: Judgement,
    pub(crate) decided: Decided,
    pub(crate) wave: Option<u8>,
    /// How often it is used, for those that may be used; `None` where it is not known.
    pub(crate) frequency: Option<Frequency>,
    /// Of a key of rare use that takes longer to verify than there is time for: the first day on which its silence means
    /// something.
    pub(crate) verifiable_from: Option<NaiveDate>,
    /// Where `locate` found it, in the order of `locations.csv`; `None` where it never searched for the key.
    pub(crate) places: Option<Vec<Place>>,
}

impl PlannedKey {
    /// Places whose scripts break without the key.
    pub(crate) fn live_places(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().flatten().filter(|place| place.state.is_live())
    }

    /// Whether something may call with it.
    pub(super) fn may_be_used(&self) -> bool {
        self.key.is_enabled()
            && match self.judged.verdict {
                Verdict::UsedAfterCutoff | Verdict::UsageUnknown => true,
                Verdict::NeverUsed | Verdict::NotUsedSinceCutoff => false,
            }
    }
}

/// A programmatic key to make.
#[derive(Debug)]
pub(crate) struct Replacement {
    pub(crate) kind: Kind,
    /// A role for which it is an API key where a service account is the first choice.
    pub(crate) key_role: Option<String>,
    /// The organization to which it belongs; `None`: the whole deployment.
    pub(crate) org_id: Option<String>,
    /// Sorted, at least one.
    pub(crate) grants: Vec<Grant>,
    /// The ids of the personal keys that it replaces.
    pub(crate) keys: Vec<String>,
    /// Whether a person has to decide before it is made.
    pub(crate) needs_decision: bool,
    pub(crate) wave: u8,
    /// How it is found again: its description begins with this, and then ends or has a space.
    pub(crate) tag: String,
    /// The id of the one that was made already.
    pub(crate) existing: Option<String>,
    /// The ids of others with the same tag, which a script refuses to choose from.
    pub(crate) duplicates: Vec<String>,
    /// From where it will be used, sorted; empty where that is not known, or the owner's list admits all.
    pub(crate) addresses: Vec<Network>,
    /// `None` where they are not known.
    pub(crate) addresses_from: Option<AddressSource>,
}

impl Replacement {
    /// Where its roles count, as plan.csv names it.
    pub(crate) fn scope(&self) -> &'static str {
        if self.org_id.is_some() { "organization" } else { "global" }
    }

    /// At most 250 characters, of which the first are the tag.
    pub(crate) fn description(&self, owner: &User) -> String {
        let printable = owner.label().chars().map(|c| if c.is_control() { ' ' } else { c });
        let text: String = self.tag.chars().chain([' ']).chain(printable).take(DESCRIPTION).collect();
        match self.kind {
            Kind::ApiKey => text,
            Kind::ServiceAccount => account_text(&text),
        }
    }
}

/// The plan of one owner.
#[derive(Debug)]
pub(crate) struct OwnerPlan {
    pub(crate) user: User,
    /// Why not all of the user is known; then nothing of the user is changed.
    pub(crate) unknown: Option<String>,
    /// In the order of the report.
    pub(crate) keys: Vec<PlannedKey>,
    /// By organization, that of the whole deployment last.
    pub(crate) replacements: Vec<Replacement>,
    /// What the upgrade means for the owner; `None` without a day of the upgrade.
    pub(crate) forecast: Option<OwnerForecast>,
}

/// What the plans of all owners have in common.
pub(crate) struct Planner<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) policy: Policy,
    pub(crate) per: Per,
    pub(crate) addresses: &'a AddressFile,
    /// Whether a service account is the first choice for a replacement in an organization.
    pub(crate) service_accounts: bool,
    /// `None` where the decisions alone are wanted.
    pub(crate) schedule: Option<Schedule>,
}

/// What the time of the migration depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// Days without a use before a key may be disabled.
    pub(crate) verify_days: u32,
    pub(crate) upgrade_on: Option<NaiveDate>,
}

/// Whether an owner has roles, or why that is not known.
pub(crate) struct OwnerRights(Result<RoleCheck, String>);

impl OwnerRights {
    pub(crate) fn new(result: &UserResult, inventory: &Inventory) -> Self {
        Self(known(result, || RoleCheck::of(&result.user, inventory)))
    }

    /// What to do about a key of the owner.
    pub(crate) fn decide(&self, key: &PersonalKey, judged: &Judgement, is_waived: bool) -> Decided {
        let facts = match &self.0 {
            Ok(roles) => OwnerFacts::Known(roles),
            Err(why) => OwnerFacts::Unknown(why),
        };
        decide(key, judged, &facts, is_waived)
    }
}

/// What is known of the roles of a user, or why nothing is.
fn known<T>(result: &UserResult, roles: impl FnOnce() -> Result<T, Unknown>) -> Result<T, String> {
    if !result.outcome.status.is_complete() {
        return Err(unread_reason(result));
    }
    roles().map_err(|Unknown(why)| format!("the roles are unknown: {why}"))
}

/// What another run and the waivers have of one owner.
pub(crate) struct OwnerContext<'a> {
    /// The same user in an earlier run, and when that was read.
    pub(crate) before: Option<(&'a UserResult, DateTime<Utc>)>,
    /// Whether a waiver counts for a key.
    pub(crate) is_waived: &'a dyn Fn(&PersonalKey) -> bool,
}

impl Planner<'_> {
    /// The plan of a user who has keys, or of whom something is not known; `None` for all others.
    pub(crate) fn plan(&self, result: UserResult, owner: &OwnerContext) -> Option<OwnerPlan> {
        let unread = !result.outcome.status.is_complete();
        if result.keys.is_empty() && !unread {
            return None;
        }
        let rights = known(&result, || Rights::of(&result.user, self.inventory));
        let check = OwnerRights(rights.as_ref().map(Rights::check).map_err(Clone::clone));
        let keys = result.keys.iter().map(|key| self.plan_key(key, &result, &check, owner)).collect();
        let mut plan =
            OwnerPlan { user: result.user, unknown: None, keys, replacements: Vec::new(), forecast: None };
        match rights {
            Ok(rights) => plan.replacements = self.replacements(&plan, &rights),
            Err(why) => plan.unknown = Some(why),
        }
        plan.forecast = self.upgrade().map(|upgrade| OwnerForecast::new(&plan, upgrade));
        Some(plan)
    }

    pub(crate) fn upgrade(&self) -> Option<Upgrade> {
        let Schedule { verify_days, upgrade_on } = self.schedule?;
        Some(Upgrade { on: upgrade_on?, now: self.policy.now, verify_days })
    }

    fn plan_key(
        &self,
        key: &PersonalKey,
        result: &UserResult,
        rights: &OwnerRights,
        owner: &OwnerContext,
    ) -> PlannedKey {
        let judged = self.policy.judge(key);
        let decided = rights.decide(key, &judged, (owner.is_waived)(key));
        let before = owner.before.and_then(|(before, then)| {
            before.keys.iter().find(|it| it.id.eq_ignore_ascii_case(&key.id)).map(|key| (key, then))
        });
        let mut planned = PlannedKey {
            key: key.clone(),
            judged,
            decided,
            wave: None,
            frequency: None,
            verifiable_from: None,
            places: None,
        };
        if planned.may_be_used() {
            // Nothing is estimated of a key of which the service does not say when it was used.
            let is_known = planned.judged.verdict == Verdict::UsedAfterCutoff;
            let frequency = Frequency::new(key, result.read_at.unwrap_or(self.policy.now), before);
            planned.frequency = frequency.filter(|frequency| is_known || !frequency.is_estimate);
        }
        planned.wave = wave(planned.decided.decision, planned.frequency);
        self.mark_rare_use(&mut planned);
        planned
    }

    /// A key of rare use may be silent for `--verify-days` and in use all the same.
    fn mark_rare_use(&self, planned: &mut PlannedKey) {
        const RARE: Option<u8> = Some(4);
        let Some(Schedule { verify_days, upgrade_on }) = self.schedule else { return };
        let now = self.policy.now;
        let Some(days) = planned.frequency.and_then(|frequency| gap(&planned.key, frequency, now)) else {
            return;
        };
        let left = upgrade_on.map(|day| (day - now.date_naive()).num_days());
        let is_long = days > i64::from(verify_days) || left.is_some_and(|left| days > left);
        let day = TimeDelta::try_days(days).and_then(|days| now.checked_add_signed(days));
        if let Some(day) = day.filter(|_| planned.wave == RARE && is_long) {
            let day = day.date_naive();
            planned.verifiable_from = Some(day);
            let reason = &planned.decided.reason;
            planned.decided.reason =
                format!("{reason}; {days} days between two uses: cannot be verified before {day}");
        }
    }

    /// One an organization, or with `--per key` one an organization and key.
    fn replacements(&self, plan: &OwnerPlan, rights: &Rights) -> Vec<Replacement> {
        let keys: Vec<&PlannedKey> = plan.keys.iter().filter(|key| may_need_replacement(key)).collect();
        let groups: Vec<Vec<&PlannedKey>> = match self.per {
            Per::Owner if keys.is_empty() => Vec::new(),
            Per::Owner => vec![keys],
            Per::Key => keys.into_iter().map(|key| vec![key]).collect(),
        };
        let mut replacements = Vec::new();
        for keys in groups {
            for (org_id, grants) in &rights.organizations {
                replacements.push(self.replacement(plan, &keys, Some(org_id), with_member(grants)));
            }
            if !rights.global.is_empty() {
                replacements.push(self.replacement(
                    plan,
                    &keys,
                    None,
                    rights.global.iter().cloned().collect(),
                ));
            }
        }
        replacements
    }

    fn replacement(
        &self,
        plan: &OwnerPlan,
        keys: &[&PlannedKey],
        org_id: Option<&String>,
        grants: Vec<Grant>,
    ) -> Replacement {
        let of_key = match self.per {
            Per::Owner => String::new(),
            Per::Key => format!(":{}", keys[0].key.id),
        };
        let roles = grants.iter().map(|grant| &grant.role);
        let key_role =
            roles.filter(|role| self.service_accounts && !fits_service_account(role)).min().cloned();
        let kind = match key_role {
            None if self.service_accounts && org_id.is_some() => Kind::ServiceAccount,
            Some(_) | None => Kind::ApiKey,
        };
        let tag = match kind {
            Kind::ApiKey => format!("{TAG}{}{of_key}", plan.user.id_or_empty()),
            Kind::ServiceAccount => account_tag(&format!("{}{of_key}", plan.user.id_or_empty())),
        };
        let (addresses, addresses_from) = self.addresses(plan.user.id_or_empty());
        let mut made = self.inventory.keys_with_tag(org_id.map(String::as_str), &tag).map(str::to_owned);
        let (existing, duplicates) = (made.next(), made.collect());
        Replacement {
            kind,
            key_role,
            org_id: org_id.cloned(),
            grants,
            keys: keys.iter().map(|key| key.key.id.clone()).collect(),
            needs_decision: keys.iter().all(|key| key.decided.decision == Decision::Ask),
            wave: keys.iter().filter_map(|key| key.wave).min().unwrap_or_default(),
            existing,
            duplicates,
            tag,
            addresses,
            addresses_from,
        }
    }

    /// The file decides about the owners that it names.
    fn addresses(&self, user_id: &str) -> (Vec<Network>, Option<AddressSource>) {
        if let Some(networks) = self.addresses.of(user_id) {
            return (networks.iter().copied().collect(), Some(AddressSource::File));
        }
        match self.inventory.addresses(user_id) {
            Some(networks) => (networks.into_iter().collect(), Some(AddressSource::Owner)),
            None => (Vec::new(), None),
        }
    }
}

/// A key of the organization needs a role in it.
fn with_member(grants: &std::collections::BTreeSet<Grant>) -> Vec<Grant> {
    let needs_member = grants.iter().all(|grant| grant.project_id.is_some());
    let member = Grant { project_id: None, role: "ORG_MEMBER".to_owned(), team: None, narrower: None };
    needs_member.then_some(member).into_iter().chain(grants.iter().cloned()).collect()
}

/// Whether somebody may need what the key does: it is used, or its use is not known.
fn may_need_replacement(key: &PlannedKey) -> bool {
    match key.decided.decision {
        Decision::Replace | Decision::SelfKey | Decision::Ask => key.key.is_enabled(),
        Decision::Retire | Decision::DeleteOnly | Decision::Waived => false,
    }
}

fn unread_reason(result: &UserResult) -> String {
    let why = result.outcome.detail.as_deref();
    match result.outcome.status {
        ReadStatus::Read | ReadStatus::Removed => String::new(),
        status @ (ReadStatus::Forbidden
        | ReadStatus::NotFound
        | ReadStatus::RateLimited
        | ReadStatus::Partial
        | ReadStatus::Malformed
        | ReadStatus::Error) => {
            format!(
                "the user was not read in full ({status}){}",
                why.map_or_else(String::new, |why| format!(": {why}"))
            )
        }
    }
}
