//! What the plan decides about the keys of a report, owner by owner: one owner is held at a time.

use std::collections::BTreeMap;

use minijinja::context;
use minijinja::value::Value;

use crate::model::User;
use crate::plan::{Decision, Grant, Inventory, OwnerPlan, Replacement};
use crate::report::{Row, RowContext};

/// Roles of a replacement that are shown. All of them are in `plan.csv`.
pub(super) const ROLES: usize = 20;

/// The decisions so far.
#[derive(Default)]
pub(super) struct Decisions {
    counts: BTreeMap<Decision, u64>,
    /// The owner of the last key that is shown, and the plan as the template has it.
    shown: Option<(User, Value)>,
}

impl Decisions {
    /// Counts the decision about a key.
    pub(super) fn add(&mut self, context: &RowContext, row: &Row) {
        if let Some(decided) = row.decided(context) {
            *self.counts.entry(decided.decision).or_default() += 1;
        }
    }

    /// A row as the template has it, with the decision about its key and the plan of its owner.
    pub(super) fn row(&mut self, shown: Value, context: &RowContext, row: &Row) -> Value {
        let decided = row.decided(context);
        context! {
            decision => decided.map(|it| it.decision.as_str()),
            decision_reason => decided.map(|it| it.reason.as_str()),
            owner_plan => self.owner_plan(context, row),
            ..shown
        }
    }

    fn owner_plan(&mut self, context: &RowContext, row: &Row) -> Option<Value> {
        let plan = row.plan(context)?;
        if self.shown.as_ref().is_none_or(|(user, _)| *user != plan.user) {
            self.shown = Some((plan.user.clone(), owner_plan(plan, &context.inventory)));
        }
        self.shown.as_ref().map(|(_, shown)| shown.clone())
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
