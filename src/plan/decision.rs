//! What to do about one personal key: the first rule that fits.

use super::rights::RoleCheck;
use crate::model::PersonalKey;
use crate::policy::{Judgement, Verdict};

named! {
    /// What to do about a personal key.
    pub(crate) enum Decision {
        /// A programmatic key replaces it
        Replace = "replace",
        /// Disable it, wait, delete it: nothing replaces it
        Retire = "retire",
        /// It is disabled: its owner deletes it
        DeleteOnly = "delete-only",
        /// A person decides, since something is not known
        Ask = "ask",
        /// The audit uses it: move the audit to another key first, and this one last
        SelfKey = "self",
        /// A waiver accepts it for a while
        Waived = "waived",
    }
}

/// A decision, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) decision: Decision,
    /// A sentence.
    pub(crate) reason: String,
}

/// What is known of the owner of a key.
pub(super) enum OwnerFacts<'a> {
    /// All keys were read, and the roles are known.
    Known(&'a RoleCheck),
    /// Something is not known, and this is what.
    Unknown(&'a str),
}

/// `is_waived`: a waiver counts for the key.
pub(super) fn decide(key: &PersonalKey, judged: &Judgement, owner: &OwnerFacts, is_waived: bool) -> Decided {
    let decided = |decision, reason: &str| Decided { decision, reason: reason.to_owned() };
    let roles = match owner {
        OwnerFacts::Unknown(why) => {
            return Decided { decision: Decision::Ask, reason: (*why).to_owned() };
        }
        OwnerFacts::Known(roles) => roles,
    };
    if key.auditing {
        return decided(
            Decision::SelfKey,
            "this audit uses the key: give the audit a programmatic key first",
        );
    }
    if is_waived {
        return decided(Decision::Waived, "a waiver accepts the key");
    }
    if !key.is_enabled() {
        return decided(Decision::DeleteOnly, &judged.reason);
    }
    match judged.verdict {
        Verdict::NeverUsed | Verdict::NotUsedSinceCutoff => decided(Decision::Retire, &judged.reason),
        Verdict::UsageUnknown => decided(Decision::Ask, &judged.reason),
        Verdict::UsedAfterCutoff if !roles.has_role => decided(
            Decision::Ask,
            &format!("{}, and the key is used: {}", without_roles(roles), judged.reason),
        ),
        Verdict::UsedAfterCutoff => decided(Decision::Replace, &judged.reason),
    }
}

/// Why the owner has no role that a replacement could get.
fn without_roles(roles: &RoleCheck) -> String {
    if roles.deleted.is_empty() {
        return "the owner has no role".to_owned();
    }
    let ids = roles.deleted.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    format!("the owner has roles in deleted organizations only ({ids})")
}
