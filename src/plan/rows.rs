//! `plan.csv`: one row a personal key, and one a replacement; a user of whom not all is known has a row in any case.

use serde::Serialize;

use super::inventory::Inventory;
use super::owner::{OwnerPlan, PlannedKey, Replacement};
use super::rights::Grant;
use super::tool::Kind;
use crate::model::Suffix;
use crate::network::Network;
use crate::plan::Decision;
use crate::policy::{Severity, Verdict};

/// The fields, in the order of the columns: later ones are only ever appended. `T` is text.
#[derive(Default, Serialize)]
pub(crate) struct Columns<T> {
    pub(crate) deployment: T,
    pub(crate) owner_id: T,
    pub(crate) owner: T,
    pub(crate) key_id: T,
    pub(crate) key_suffix: T,
    pub(crate) description: T,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) severity: Option<Severity>,
    pub(crate) decision: Option<Decision>,
    pub(crate) reason: T,
    pub(crate) wave: Option<u8>,
    pub(crate) org_id: T,
    pub(crate) org_name: T,
    pub(crate) scope: T,
    pub(crate) roles: T,
    pub(crate) roles_from: T,
    pub(crate) review: T,
    pub(crate) addresses: T,
    pub(crate) script: T,
}

/// The texts of a row of a replacement, which are put together.
pub(crate) struct ReplacementTexts {
    description: String,
    reason: String,
    roles: String,
    roles_from: String,
    review: String,
    addresses: String,
}

impl ReplacementTexts {
    pub(crate) fn new(plan: &OwnerPlan, replacement: &Replacement) -> Self {
        let join = |text: &dyn Fn(&Grant) -> String| {
            replacement.grants.iter().map(text).collect::<Vec<_>>().join(";")
        };
        let review = replacement
            .grants
            .iter()
            .filter_map(|grant| grant.narrower.map(|narrower| format!("{}: try {narrower}", role(grant))))
            .chain(wide(replacement).map(|network| format!("{network}: try {ADDRESSES}")))
            .chain(shares_list(replacement).then(|| SHARED_LIST.to_owned()));
        Self {
            description: replacement.description(&plan.user),
            reason: reason(replacement),
            roles: join(&role),
            roles_from: join(&|grant| {
                // A name with a separator of its own would look like two.
                let team = |team: &String| format!("team {}", team.replace(';', ","));
                grant.team.as_ref().map_or_else(|| "own".to_owned(), team)
            }),
            review: review.collect::<Vec<_>>().join(";"),
            addresses: replacement.addresses.iter().map(Network::to_string).collect::<Vec<_>>().join(";"),
        }
    }
}

fn reason(replacement: &Replacement) -> String {
    let keys = replacement.keys.join(", ");
    let made = match &replacement.existing {
        Some(id) => format!("made already as {id}, for"),
        None if replacement.needs_decision => "to be made if a person decides so, for".to_owned(),
        None => "to be made, for".to_owned(),
    };
    let thing = match (replacement.kind, &replacement.key_role) {
        (Kind::ServiceAccount, _) => "service account".to_owned(),
        (Kind::ApiKey, None) => "programmatic key".to_owned(),
        (Kind::ApiKey, Some(role)) => {
            format!("programmatic key (a service account cannot have the role {role}),")
        }
    };
    let reason = format!("{thing} {made} {keys}");
    if replacement.duplicates.is_empty() {
        return reason;
    }
    let others = replacement.duplicates.join(", ");
    format!("{reason}; {others} has the same tag: find out which one is in use, and delete the other")
}

/// What to try in place of a wide network.
pub(super) const ADDRESSES: &str = "the addresses of the scripts";
/// What a person should know before a global key gets addresses.
pub(super) const SHARED_LIST: &str =
    "access list: all global keys share it, and its first entry locks out all other addresses";

/// Networks that admit so many addresses that a person should look at them.
pub(super) fn wide(replacement: &Replacement) -> impl Iterator<Item = &Network> {
    replacement.addresses.iter().filter(|network| network.is_wide())
}

/// Whether its addresses go to the list of all global keys.
pub(super) fn shares_list(replacement: &Replacement) -> bool {
    replacement.org_id.is_none() && !replacement.addresses.is_empty()
}

/// `ORG_MEMBER`, or with the id of the project `5980…:GROUP_READ_ONLY`.
pub(super) fn role(grant: &Grant) -> String {
    match &grant.project_id {
        Some(id) => format!("{id}:{}", grant.role),
        None => grant.role.clone(),
    }
}

impl<'a, T: From<&'a str> + Default> Columns<T> {
    fn of_owner(deployment: &'a str, plan: &'a OwnerPlan, script: &'a str) -> Self {
        Self {
            deployment: T::from(deployment),
            owner_id: T::from(plan.user.id_or_empty()),
            owner: T::from(plan.user.username.as_deref().unwrap_or_default()),
            script: T::from(script),
            ..Self::default()
        }
    }

    pub(crate) fn of_key(
        deployment: &'a str,
        plan: &'a OwnerPlan,
        key: &'a PlannedKey,
        script: &'a str,
    ) -> Self {
        Self {
            key_id: T::from(&key.key.id),
            key_suffix: T::from(key.key.suffix.as_ref().map_or("", Suffix::as_str)),
            description: T::from(&key.key.description),
            verdict: Some(key.judged.verdict),
            severity: Some(key.judged.severity),
            decision: Some(key.decided.decision),
            reason: T::from(&key.decided.reason),
            wave: key.wave,
            ..Self::of_owner(deployment, plan, script)
        }
    }

    /// Of a user of whom no key is known.
    pub(crate) fn of_unknown(deployment: &'a str, plan: &'a OwnerPlan, why: &'a str) -> Self {
        Self { decision: Some(Decision::Ask), reason: T::from(why), ..Self::of_owner(deployment, plan, "") }
    }

    pub(crate) fn of_replacement(
        deployment: &'a str,
        plan: &'a OwnerPlan,
        replacement: &'a Replacement,
        texts: &'a ReplacementTexts,
        inventory: &'a Inventory,
        script: &'a str,
    ) -> Self {
        let org_id = replacement.org_id.as_deref();
        let organization = org_id.and_then(|id| inventory.organization(id));
        Self {
            description: T::from(&texts.description),
            decision: Some(if replacement.needs_decision { Decision::Ask } else { Decision::Replace }),
            reason: T::from(&texts.reason),
            wave: Some(replacement.wave),
            org_id: T::from(org_id.unwrap_or_default()),
            org_name: T::from(organization.and_then(|it| it.name.as_deref()).unwrap_or_default()),
            scope: T::from(replacement.scope()),
            roles: T::from(&texts.roles),
            roles_from: T::from(&texts.roles_from),
            review: T::from(&texts.review),
            addresses: T::from(&texts.addresses),
            ..Self::of_owner(deployment, plan, script)
        }
    }
}
