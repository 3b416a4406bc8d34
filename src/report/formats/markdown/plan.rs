//! What the plan decides about the keys of a report, owner by owner: one owner is held at a time.

use std::collections::BTreeMap;

use minijinja::context;
use minijinja::value::Value;

use crate::model::{PersonalKey, UserResult};
use crate::plan::{
    AddressFile, Decided, Decision, Grant, Inventory, OwnerContext, OwnerPlan, Per, Planner, Replacement,
    Tools,
};
use crate::report::RunContext;

/// Roles of a replacement that are shown. All of them are in `plan.csv`.
const ROLES: usize = 20;

/// The decisions so far.
#[derive(Default)]
pub(super) struct Decisions {
    counts: BTreeMap<Decision, u64>,
    /// The owner of the last key.
    owner: Option<Owner>,
}

struct Owner {
    plan: OwnerPlan,
    /// As the template has it; made when the first key of the owner is shown.
    shown: Option<Value>,
}

impl Decisions {
    /// Counts the decision about a key.
    pub(super) fn add(&mut self, context: &RunContext, result: &UserResult, key: &PersonalKey) {
        if self.owner.as_ref().is_none_or(|owner| owner.plan.user != result.user) {
            let (addresses, policy) = (AddressFile::default(), context.policy);
            let inventory = &context.inventory;
            let service_accounts = Tools::prefer_service_accounts(context.run.product);
            let planner = Planner {
                inventory,
                policy,
                per: Per::Owner,
                addresses: &addresses,
                service_accounts,
                schedule: None,
            };
            let owner = OwnerContext { before: None, is_waived: &|key| context.is_waived(key) };
            let plan = planner.plan(result.clone(), &owner);
            self.owner = plan.map(|plan| Owner { plan, shown: None });
        }
        if let Some(decided) = self.decided(key) {
            let decision = decided.decision;
            *self.counts.entry(decision).or_default() += 1;
        }
    }

    fn decided(&self, key: &PersonalKey) -> Option<&Decided> {
        let keys = &self.owner.as_ref()?.plan.keys;
        keys.iter().find(|planned| planned.key.id == key.id).map(|planned| &planned.decided)
    }

    /// The row of the key that was added last, with the decision about it and the plan of its owner.
    pub(super) fn row(&mut self, row: Value, key: &PersonalKey, inventory: &Inventory) -> Value {
        let decided = self.decided(key).cloned();
        let owner_plan = self
            .owner
            .as_mut()
            .map(|Owner { plan, shown }| shown.get_or_insert_with(|| owner_plan(plan, inventory)).clone());
        context! {
            decision => decided.as_ref().map(|it| it.decision.as_str()),
            decision_reason => decided.map(|it| it.reason),
            owner_plan,
            ..row
        }
    }

    /// Keys by decision.
    pub(super) fn counts(&self) -> Value {
        let count = |it: &Decision| self.counts.get(it).copied().unwrap_or_default();
        Decision::ALL.iter().map(|it| context! { name => it.as_str(), count => count(it) }).collect()
    }
}

fn owner_plan(plan: &OwnerPlan, inventory: &Inventory) -> Value {
    let replacements = plan.replacements.iter().map(|it| replacement(it, inventory));
    context! { unknown => &plan.unknown, replacements => replacements.collect::<Value>() }
}

fn replacement(replacement: &Replacement, inventory: &Inventory) -> Value {
    let org_id = replacement.org_id.as_deref();
    let roles = replacement.grants.iter().take(ROLES).map(|grant| role(grant, inventory));
    context! {
        // None: the whole deployment.
        org_id,
        kind => replacement.kind.as_str(),
        org_name => org_id.and_then(|id| inventory.organization(id)?.name.as_deref()),
        roles => roles.collect::<Value>(),
        more_roles => replacement.grants.len().saturating_sub(ROLES),
        // The id of the programmatic key, if it is created already.
        existing => &replacement.existing,
        needs_decision => replacement.needs_decision,
    }
}

fn role(Grant { project_id, role, team, narrower }: &Grant, inventory: &Inventory) -> Value {
    context! {
        role,
        project_id,
        project_name => project_id.as_deref().and_then(|id| inventory.project_name(id)),
        team,
        narrower,
    }
}
