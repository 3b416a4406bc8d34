//! A deployment with owners of every kind, keys of every decision, and names that a shell or a mail program might obey.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub(crate) const EAST: &str = "5980cfdf0b6d97029d82f86e";
pub(crate) const WEST: &str = "5b2a3c4d5e6f708192a3b4c5";
const PRODUCTION: &str = "5991a2b3c4d5e6f708192a3b";
const STAGING: &str = "5991a2b3c4d5e6f708192a3c";
const BILLING: &str = "5991a2b3c4d5e6f708192a3d";
const TEAM: &str = "5c0000000000000000000001";

/// A programmatic key with `GLOBAL_OWNER`.
pub(crate) const ADMIN: (&str, &str) = ("zmmrboas", "c0ffee00-1234-4abc-9def-db2c132ca78d");

pub(crate) const ROOT: Owner =
    Owner { id: "5b17c0de9cc0cdb6ac0bf400", name: "root@example.com", key: "aaaarroo" };
/// Roles in two organizations.
pub(crate) const BOB: Owner =
    Owner { id: "5b17c0de9cc0cdb6ac0bf401", name: "bob@example.com", key: "aaaabbob" };
/// Roles in projects only, and by a team.
pub(crate) const CARL: Owner =
    Owner { id: "5b17c0de9cc0cdb6ac0bf402", name: "carl@example.com", key: "aaaaccar" };
/// A global role.
pub(crate) const GWEN: Owner =
    Owner { id: "5b17c0de9cc0cdb6ac0bf403", name: "gwen@example.com", key: "aaaaggwe" };
/// A name of which each sign means something to a shell, and none makes an address.
pub(crate) const EVE: Owner = Owner {
    id: "5b17c0de9cc0cdb6ac0bf404",
    name: "eve'\"$(touch pwned)`touch pwned`;&|<>\\ \u{fc}\u{202e}@example.com",
    key: "aaaaeeve",
};
/// A name that would be another header of a mail.
pub(crate) const MAL: Owner = Owner {
    id: "5b17c0de9cc0cdb6ac0bf405",
    name: "mal@example.com\r\nBcc: all@example.com",
    key: "aaaammal",
};
pub(crate) const OWNERS: [Owner; 6] = [ROOT, BOB, CARL, GWEN, EVE, MAL];

/// The personal keys, one for each decision at least.
pub(crate) const KEYS: [Key; 10] = [
    Key { id: "5b17c1119cc0cdb6ac0bf410", owner: ROOT, decision: "self", description: "audit" },
    Key { id: "5b17c1119cc0cdb6ac0bf411", owner: BOB, decision: "replace", description: "bob deploys" },
    Key { id: "5b17c1119cc0cdb6ac0bf412", owner: BOB, decision: "retire", description: "bob tries" },
    Key { id: "5b17c1119cc0cdb6ac0bf413", owner: BOB, decision: "delete-only", description: "bob before" },
    Key { id: "5b17c1119cc0cdb6ac0bf414", owner: BOB, decision: "waived", description: "bob waits" },
    Key { id: "5b17c1119cc0cdb6ac0bf415", owner: CARL, decision: "replace", description: "carl's cron" },
    Key { id: "5b17c1119cc0cdb6ac0bf416", owner: GWEN, decision: "replace", description: "gwen reads" },
    Key {
        id: "5b17c1119cc0cdb6ac0bf417",
        owner: EVE,
        decision: "replace",
        description: "'$(touch pwned)`id`\"\\",
    },
    Key {
        id: "5b17c1119cc0cdb6ac0bf418",
        owner: EVE,
        decision: "ask",
        description: "a\nb;touch pwned\u{1b}[31m",
    },
    Key {
        id: "5b17c1119cc0cdb6ac0bf419",
        owner: MAL,
        decision: "retire",
        description: "\r\n\r\n--\r\nmal | sends",
    },
];

/// An owner of personal keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    /// The public part of a programmatic key that the owner made: with it the owner deletes keys.
    key: &'static str,
}

impl Owner {
    /// A credential that is the owner's for the service.
    pub(crate) fn credential(self) -> (&'static str, String) {
        (self.key, secret("4", self.id))
    }
}

/// A personal key.
pub(crate) struct Key {
    pub(crate) id: &'static str,
    pub(crate) owner: Owner,
    /// That of the first plan.
    pub(crate) decision: &'static str,
    pub(crate) description: &'static str,
}

impl Key {
    pub(crate) fn secret(&self) -> String {
        secret("5", self.id)
    }

    fn in_world(&self) -> Value {
        let (enabled, last_used, count) = match self.decision {
            "retire" => (true, None, 0),
            "delete-only" => (false, Some("2023-01-01T00:00:00Z"), 9),
            "ask" => (true, None, 12),
            _ => (true, Some("2024-12-20T06:07:08Z"), 41_375),
        };
        json!({"id": self.id, "description": self.description, "enabled": enabled, "usedCount": count,
            "createdAt": "2018-06-06T11:09:05Z", "lastUsed": last_used, "key": self.secret()})
    }
}

/// A UUID with the last digits of an id.
fn secret(first: &str, id: &str) -> String {
    format!("{first}d4c3b2a-1908-4f7e-b6d5-{}", &id[12..])
}

/// Every secret of the world.
pub(crate) fn secrets() -> Vec<String> {
    let of_keys = KEYS.iter().map(Key::secret);
    of_keys.chain(OWNERS.map(|owner| owner.credential().1)).chain([ADMIN.1.to_owned()]).collect()
}

/// The role of an organization, a project, or of the whole deployment.
fn role(scope: &str, id: &str, name: &str) -> Value {
    match scope {
        "org" => json!({"orgId": id, "roleName": name}),
        "project" => json!({"groupId": id, "roleName": name}),
        _ => json!({"roleName": name}),
    }
}

fn roles(owner: Owner) -> Vec<Value> {
    match owner {
        ROOT => vec![role("global", "", "GLOBAL_OWNER"), role("org", EAST, "ORG_OWNER")],
        BOB => vec![
            role("org", EAST, "ORG_MEMBER"),
            role("project", PRODUCTION, "GROUP_OWNER"),
            role("org", WEST, "ORG_READ_ONLY"),
            role("project", BILLING, "GROUP_READ_ONLY"),
            role("project", BILLING, "GROUP_MONITORING_ADMIN"),
        ],
        CARL => vec![role("project", PRODUCTION, "GROUP_READ_ONLY")],
        GWEN => vec![role("global", "", "GLOBAL_READ_ONLY"), role("org", WEST, "ORG_MEMBER")],
        _ => vec![role("org", EAST, "ORG_MEMBER")],
    }
}

/// All roles of an owner, also by the team, as `(organization, project or nothing, name)`; a global one has no organization.
pub(crate) fn rights(owner: &str) -> BTreeSet<(String, String, String)> {
    let owner = OWNERS.into_iter().find(|it| it.id == owner).unwrap();
    let by_team = (owner == CARL).then(|| role("project", STAGING, "GROUP_AUTOMATION_ADMIN"));
    let text = |role: &Value, field: &str| role[field].as_str().unwrap_or_default().to_owned();
    let flat = |role: Value| {
        let project = text(&role, "groupId");
        let org = match project.as_str() {
            "" => text(&role, "orgId"),
            BILLING => WEST.to_owned(),
            _ => EAST.to_owned(),
        };
        (org, project, text(&role, "roleName"))
    };
    roles(owner).into_iter().chain(by_team).map(flat).collect()
}

pub(crate) fn world() -> Value {
    let user = |owner: Owner| {
        let keys = KEYS.iter().filter(|key| key.owner == owner).map(Key::in_world);
        json!({"id": owner.id, "username": owner.name, "roles": roles(owner), "keys": keys.collect::<Vec<_>>(),
            "teamIds": if owner == CARL { vec![TEAM] } else { Vec::new() }})
    };
    // The rights of such a key do not count: what counts is who made it.
    let own_key = |(number, owner): (usize, Owner)| {
        let (public, private) = owner.credential();
        json!({"id": format!("5c47503320eef5699e1cce{number:02x}"), "desc": "own", "publicKey": public,
            "privateKey": private, "madeBy": owner.name, "roles": [role("org", EAST, "ORG_MEMBER")]})
    };
    let admin = json!({"id": "5c47503320eef5699e1ccead", "desc": "audit", "publicKey": ADMIN.0, "privateKey": ADMIN.1,
        "madeBy": ROOT.name, "roles": [role("global", "", "GLOBAL_OWNER")]});
    let programmatic: Vec<_> = [admin].into_iter().chain((0..).zip(OWNERS).map(own_key)).collect();
    json!({
        "organizations": [{"id": EAST, "name": "East \u{fc} | `$(touch pwned)`"}, {"id": WEST, "name": "West"}],
        "projects": [
            {"id": PRODUCTION, "name": "production", "orgId": EAST},
            {"id": STAGING, "name": "staging", "orgId": EAST,
                "teams": [{"teamId": TEAM, "roleNames": ["GROUP_AUTOMATION_ADMIN"]}]},
            {"id": BILLING, "name": "billing", "orgId": WEST},
        ],
        "teams": [{"id": TEAM, "name": "night shift", "orgId": EAST}],
        "users": OWNERS.map(user),
        "programmaticKeys": programmatic,
        "globalAccessList": [],
    })
}

/// The same world, whose lists have another order.
pub(crate) fn reversed(mut world: Value) -> Value {
    match &mut world {
        Value::Array(rows) => {
            rows.reverse();
            Value::Array(rows.drain(..).map(reversed).collect())
        }
        Value::Object(fields) => Value::Object(
            std::mem::take(fields).into_iter().map(|(name, value)| (name, reversed(value))).collect(),
        ),
        _ => world,
    }
}

/// Exceptions for the keys of these decisions.
pub(crate) fn waivers(decisions: &[&str]) -> String {
    let keys = KEYS.iter().filter(|key| decisions.contains(&key.decision));
    let waiver = |key: &Key| {
        format!("[[waiver]]\nkey = \"{}\"\nreason = \"r\"\nowner = \"o\"\nexpires = \"2025-03-01\"\n", key.id)
    };
    keys.map(waiver).collect()
}

/// Keys by decision.
pub(crate) fn decisions() -> BTreeMap<&'static str, &'static str> {
    KEYS.iter().map(|key| (key.id, key.decision)).collect()
}
