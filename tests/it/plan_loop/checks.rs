//! What is checked of a plan and of what came of it. Each check lists what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::world::{KEYS, OWNERS, rights};
use crate::support::Row;

/// `(project or nothing, role)` of a programmatic key.
type Grants = BTreeSet<(String, String)>;

/// Each personal key has one row with its decision.
pub(super) fn wrong_decisions(rows: &[Row], decisions: &BTreeMap<&str, &str>) -> Vec<String> {
    let found = |key: &str| -> Vec<&str> {
        rows.iter().filter(|row| row["key_id"] == key).map(|row| &*row["decision"]).collect()
    };
    let wrong = decisions.iter().filter(|(key, decision)| found(key) != [**decision]);
    wrong.map(|(key, decision)| format!("{key} is {:?} and not {decision}", found(key))).collect()
}

/// The roles of an owner in an organization, and `ORG_MEMBER` where it would be a key without a role of the organization;
/// without an organization those of the whole deployment.
fn allowed(owner: &str, org: &str) -> Grants {
    let own = rights(owner).into_iter().filter(|(in_org, ..)| in_org == org);
    let mut grants: Grants = own.map(|(_, project, role)| (project, role)).collect();
    if !org.is_empty() && grants.iter().all(|(project, _)| !project.is_empty()) {
        grants.insert((String::new(), "ORG_MEMBER".to_owned()));
    }
    grants
}

fn compared(owner: &str, org: &str, grants: &Grants) -> Option<String> {
    let allowed = allowed(owner, org);
    (allowed != *grants).then(|| format!("{owner} in `{org}` has {grants:?} and not {allowed:?}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Each replacement of `plan.json` has the roles of its owner.
pub(super) fn wrong_roles(document: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for owner in document["owners"].as_array().unwrap() {
        for replacement in owner["replacements"].as_array().unwrap() {
            let roles = replacement["roles"].as_array().unwrap().iter();
            let grants = roles.map(|role| (text(&role["project_id"]), text(&role["role"]))).collect();
            wrong.extend(compared(&text(&owner["owner_id"]), &text(&replacement["org_id"]), &grants));
        }
    }
    wrong
}

/// Each owner of a key to replace has one programmatic key in each organization, with the owner's roles, and no other has.
pub(super) fn wrong_grants(made: &[(&str, Value)]) -> Vec<String> {
    let mut expected = BTreeSet::new();
    for owner in OWNERS {
        let keys = KEYS.iter().filter(|key| key.owner == owner);
        if keys.into_iter().any(|key| matches!(key.decision, "replace" | "self")) {
            expected.extend(rights(owner.id).into_iter().map(|(org, ..)| (owner.id.to_owned(), org)));
        }
    }
    let mut wrong = Vec::new();
    for (org, key) in made {
        let tag = text(&key["desc"]).split(' ').next().unwrap_or_default().to_owned();
        let owner = tag.trim_start_matches("keysunset:").to_owned();
        let roles = key["roles"].as_array().unwrap().iter();
        let grants = roles.map(|role| (text(&role["groupId"]), text(&role["roleName"]))).collect();
        wrong.extend(compared(&owner, org, &grants));
        if !expected.remove(&(owner.clone(), (*org).to_owned())) {
            wrong.push(format!("a second key, or one too many, of {owner} in `{org}`"));
        }
    }
    wrong.extend(expected.iter().map(|(owner, org)| format!("no key of {owner} in `{org}`")));
    wrong
}

/// Each secret is only in the place that it has, if any.
pub(super) fn leaks(
    texts: impl Iterator<Item = (String, String)>,
    secrets: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut found = Vec::new();
    for (place, text) in texts {
        let wrong = secrets.iter().filter(|(secret, own)| **own != place && text.contains(&**secret));
        found.extend(wrong.map(|(_, own)| format!("{place} has the secret of `{own}`")));
    }
    found
}
