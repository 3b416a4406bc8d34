//! The lists for the plan that a run could not read, and what that means for the plan.

use std::collections::BTreeSet;

use crate::inventory::InventoryList;
use crate::model::{Product, ReadStatus};
use crate::store::{Error, Run, Store};

/// Lists that are named; more are counted.
const NAMED: usize = 3;

/// At least one.
pub(crate) struct UnreadLists {
    product: Product,
    lists: Vec<(InventoryList, ReadStatus)>,
}

impl UnreadLists {
    /// Of a run; `None` where all lists that it asked for were read.
    pub(crate) fn of_run(store: &Store, run: &Run) -> Result<Option<Self>, Error> {
        let mut lists = store.inventory_outcomes(run)?;
        lists.retain(|(list, status)| !status.is_complete() && is_expected(list, run));
        Ok((!lists.is_empty()).then_some(Self { product: run.product, lists }))
    }

    /// Which lists, and how reading them ended.
    pub(crate) fn names(&self) -> String {
        let names = self.lists.iter().take(NAMED).map(|(list, status)| format!("{} ({status})", list.path()));
        let more = self.lists.len().saturating_sub(NAMED);
        let more = (more > 0).then(|| format!("{more} more"));
        names.chain(more).collect::<Vec<_>>().join(", ")
    }

    /// What is unknown in the plan.
    pub(crate) fn effects(&self) -> String {
        let effect = |(list, _): &(InventoryList, ReadStatus)| match list {
            InventoryList::Projects => "keys of owners with roles in projects are `ask`",
            InventoryList::Teams { .. } | InventoryList::TeamRoles { .. } => {
                "keys of owners in these teams are `ask`"
            }
            InventoryList::ProgrammaticKeys { .. } | InventoryList::GlobalKeys => {
                "it is unknown which replacements exist"
            }
            InventoryList::Addresses { .. } => {
                "the addresses of these owners are a question in their letters"
            }
        };
        self.lists.iter().map(effect).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("; ")
    }

    /// What a person can do.
    pub(crate) fn advice(&self) -> &'static str {
        let is = |wanted: fn(ReadStatus) -> bool| self.lists.iter().any(|(_, status)| wanted(*status));
        if is(|status| status == ReadStatus::Forbidden) {
            return match self.product {
                Product::OpsManager => "audit with a key that has the role GLOBAL_READ_ONLY or GLOBAL_OWNER",
                Product::CloudManager | Product::Atlas => {
                    "audit with a key that has the role ORG_OWNER in these organizations"
                }
            };
        }
        if is(ReadStatus::is_transient) {
            "run the audit again"
        } else {
            "check the URL with `keysunset doctor`"
        }
    }
}

/// Whether a run should be able to read a list. Ops Manager has programmatic keys since 4.2, and only an owner reads the own
/// addresses: the letters ask for those.
fn is_expected(list: &InventoryList, run: &Run) -> bool {
    let is_earlier = |version: &str| version.starts_with("4.0.") || version.starts_with("4.1.");
    let version = run.service_version.as_deref().filter(|_| run.product == Product::OpsManager);
    match list {
        InventoryList::ProgrammaticKeys { .. } | InventoryList::GlobalKeys => {
            !version.is_some_and(is_earlier)
        }
        InventoryList::Projects | InventoryList::Teams { .. } | InventoryList::TeamRoles { .. } => true,
        InventoryList::Addresses { .. } => false,
    }
}
