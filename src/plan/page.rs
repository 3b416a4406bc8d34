//! `plan.md`: one page for the person who carries the plan out. What it looks like is in `templates/plan.md.j2`.

use serde::Serialize;

use super::forecast::{Forecast, ForecastPage};
use super::inventory::Inventory;
use super::json::Totals;
use super::owner::{OwnerPlan, Replacement};
use super::rows::{ADDRESSES, SHARED_LIST, shares_list, wide};
use super::template::{PAGE, Templates};
use super::{Decision, PlanHead, Summary};
use crate::model::Product;

/// Owners and keys shown in each list; all of them are in `plan.csv`.
const SHOWN: usize = 100;

/// What the page shows of single owners, and no more of it than it shows.
#[derive(Default, Serialize)]
pub(super) struct Page {
    unknown: Shown<Unknown>,
    to_decide: Shown<ToDecide>,
    to_review: Shown<ToReview>,
    /// Lines to change, of live places.
    to_change: Shown<ToChange>,
    /// Keys to replace that are in no live place.
    nowhere: Shown<Nowhere>,
    /// Whether `locate` searched for any of the keys, and for how many that are to be replaced it did not.
    is_searched: bool,
    not_searched: u64,
}

/// What the template may use.
#[derive(Serialize)]
struct PageContext<'a> {
    plan: &'a PlanHead<'a>,
    /// As its vendor writes it.
    product: &'static str,
    is_ops_manager: bool,
    lacks_programmatic_keys: bool,
    /// How many were written.
    scripts: u64,
    totals: Totals,
    /// Personal keys by wave, from 0.
    waves: Vec<u64>,
    /// `None` without a day of the upgrade.
    upgrade: Option<ForecastPage<'a>>,
    #[serde(flatten)]
    lists: &'a Page,
}

/// The first entries of a list, and how many there are.
#[derive(Serialize)]
struct Shown<T> {
    count: u64,
    entries: Vec<T>,
}

impl<T> Default for Shown<T> {
    fn default() -> Self {
        Self { count: 0, entries: Vec::new() }
    }
}

impl<T> Shown<T> {
    fn push(&mut self, entry: impl FnOnce() -> T) {
        self.count += 1;
        if self.entries.len() < SHOWN {
            self.entries.push(entry());
        }
    }
}

#[derive(Serialize)]
struct Unknown {
    owner: String,
    owner_id: String,
    keys: usize,
    reason: String,
}

#[derive(Serialize)]
struct ToDecide {
    owner: String,
    key_id: String,
    key_suffix: String,
    description: String,
    reason: String,
}

#[derive(Serialize)]
struct ToReview {
    owner: String,
    /// A role or an address.
    subject: String,
    /// The name of the organization or project, or the whole deployment.
    place: String,
    /// Empty: the whole deployment.
    place_id: String,
    narrower: &'static str,
}

#[derive(Serialize)]
struct ToChange {
    owner: String,
    key_suffix: String,
    repository: String,
    place: String,
    encoding: String,
}

#[derive(Serialize)]
struct Nowhere {
    owner: String,
    key_id: String,
    key_suffix: String,
    description: String,
}

impl Page {
    /// Where to change the keys that are to be replaced or decided about.
    fn add_places(&mut self, plan: &OwnerPlan) {
        for planned in &plan.keys {
            let is_needed = match planned.decided.decision {
                Decision::Replace | Decision::SelfKey | Decision::Ask | Decision::Waived => {
                    planned.key.is_enabled()
                }
                Decision::Retire | Decision::DeleteOnly => false,
            };
            self.is_searched |= planned.places.is_some();
            self.not_searched += u64::from(is_needed && planned.places.is_none());
            let owner = || plan.user.label().to_owned();
            let suffix = || planned.key.suffix.as_ref().map_or_else(String::new, |it| it.as_str().to_owned());
            for place in planned.live_places() {
                self.to_change.push(|| ToChange {
                    owner: owner(),
                    key_suffix: suffix(),
                    repository: place.repository.clone(),
                    place: place.label(),
                    encoding: place.encoding.clone(),
                });
            }
            if is_needed && planned.places.is_some() && planned.live_places().next().is_none() {
                self.nowhere.push(|| Nowhere {
                    owner: owner(),
                    key_id: planned.key.id.clone(),
                    key_suffix: suffix(),
                    description: planned.key.description.clone(),
                });
            }
        }
    }

    pub(super) fn add(&mut self, plan: &OwnerPlan, inventory: &Inventory) {
        self.add_places(plan);
        let owner = || plan.user.label().to_owned();
        if let Some(why) = &plan.unknown {
            self.unknown.push(|| Unknown {
                owner: owner(),
                owner_id: plan.user.id_or_empty().to_owned(),
                keys: plan.keys.len(),
                reason: why.clone(),
            });
            return;
        }
        for planned in plan.keys.iter().filter(|key| key.decided.decision == Decision::Ask) {
            self.to_decide.push(|| ToDecide {
                owner: owner(),
                key_id: planned.key.id.clone(),
                key_suffix: planned.key.suffix.as_ref().map_or_else(String::new, |it| it.as_str().to_owned()),
                description: planned.key.description.clone(),
                reason: planned.decided.reason.clone(),
            });
        }
        plan.replacements.iter().for_each(|replacement| self.add_review(replacement, owner, inventory));
    }

    fn add_review(&mut self, replacement: &Replacement, owner: impl Fn() -> String, inventory: &Inventory) {
        let review = |subject: String, project: Option<&str>, narrower: &'static str| {
            let (place, place_id) = place(project, replacement, inventory);
            ToReview { owner: owner(), subject, place, place_id, narrower }
        };
        for grant in &replacement.grants {
            let Some(narrower) = grant.narrower else { continue };
            self.to_review.push(|| review(grant.role.clone(), grant.project_id.as_deref(), narrower));
        }
        for network in wide(replacement) {
            self.to_review.push(|| review(network.to_string(), None, ADDRESSES));
        }
        if shares_list(replacement) {
            self.to_review.push(|| review("addresses".to_owned(), None, SHARED_LIST));
        }
    }

    pub(super) fn render(
        &self,
        templates: &Templates,
        head: &PlanHead,
        summary: &Summary,
        forecast: Option<&Forecast>,
    ) -> Result<String, minijinja::Error> {
        let waves: Vec<_> =
            (0..=5).map(|wave| summary.waves.get(&wave).copied().unwrap_or_default()).collect();
        let page = PageContext {
            plan: head,
            product: head.product.title(),
            is_ops_manager: head.product == Product::OpsManager,
            lacks_programmatic_keys: head.lacks_programmatic_keys(),
            scripts: summary.scripts,
            totals: Totals::new(summary),
            waves,
            upgrade: forecast.map(Forecast::page),
            lists: self,
        };
        templates.render(PAGE, &page)
    }
}

/// A project, or else the organization of a replacement: a name, empty where it is not known, and an id.
fn place(project: Option<&str>, replacement: &Replacement, inventory: &Inventory) -> (String, String) {
    let (name, id) = match (project, replacement.org_id.as_deref()) {
        (Some(id), _) => (inventory.project(id).ok().and_then(|(project, _)| project.name.clone()), id),
        (None, Some(id)) => (inventory.organization(id).and_then(|it| it.name.clone()), id),
        (None, None) => return ("the whole deployment".to_owned(), String::new()),
    };
    (name.unwrap_or_default(), id.to_owned())
}
