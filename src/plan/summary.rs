//! The numbers of a plan, and what a person must decide.

use std::collections::BTreeMap;

use super::decision::Decision;
use super::owner::OwnerPlan;
use super::tool::Kind;

/// What the plans of all owners come to.
#[derive(Default)]
pub(crate) struct Summary {
    /// Owners with a key, or of whom something is not known.
    pub(crate) owners: u64,
    /// Of whom something is not known.
    pub(crate) unknown_owners: u64,
    /// Personal keys by decision.
    pub(crate) keys: BTreeMap<Decision, u64>,
    /// Personal keys by wave.
    pub(crate) waves: BTreeMap<u8, u64>,
    /// Programmatic keys to be made.
    pub(crate) to_create: u64,
    /// Programmatic keys that were made already.
    pub(crate) created: u64,
    /// Programmatic keys that are made only if a person decides so.
    pub(crate) to_decide: u64,
    /// Service accounts among all of these.
    pub(crate) service_accounts: u64,
    /// Scripts that were written, and as many letters.
    pub(crate) scripts: u64,
    /// Scripts of an earlier plan that were withdrawn.
    pub(crate) withdrawn: u64,
    /// Roles that a person should look at.
    pub(crate) to_review: u64,
}

impl Summary {
    pub(crate) fn add(&mut self, plan: &OwnerPlan, has_script: bool) {
        self.owners += 1;
        self.scripts += u64::from(has_script);
        self.unknown_owners += u64::from(plan.unknown.is_some());
        for key in &plan.keys {
            *self.keys.entry(key.decided.decision).or_default() += 1;
            key.wave.into_iter().for_each(|wave| *self.waves.entry(wave).or_default() += 1);
        }
        for replacement in &plan.replacements {
            match (&replacement.existing, replacement.needs_decision) {
                (Some(_), _) => self.created += 1,
                (None, true) => self.to_decide += 1,
                (None, false) => self.to_create += 1,
            }
            self.service_accounts += u64::from(replacement.kind == Kind::ServiceAccount);
            let reviewed = replacement.grants.iter().filter(|grant| grant.narrower.is_some());
            self.to_review += reviewed.count() as u64;
        }
    }

    /// Personal keys of a decision.
    pub(crate) fn count(&self, decision: Decision) -> u64 {
        self.keys.get(&decision).copied().unwrap_or_default()
    }
}
