//! The migration plan: one decision a key by the table of the contract, replacements with the owner's roles, and nothing that
//! is unknown taken for known.

mod addresses;
mod replanned;
mod tools;
mod upgrade;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keysunset_sandbox::{Options, Product};
use serde_json::{Value, json};

use crate::foreign::python;
use crate::stub::{Asked, Digest, PRIVATE, Reply, Stub, USER, env, id, list};
use crate::support::{NOW, Row, TestEnv, ops_manager, rows, sandbox};

const EAST: &str = "5980000000000000000000aa";
const WEST: &str = "5980000000000000000000bb";
const DELETED: &str = "5980000000000000000000ee";
const PROJECT: &str = "5980000000000000000000cc";
const TEAM: &str = "5980000000000000000000dd";
const USED: &str = "2024-12-31T00:00:00Z";

fn key(number: usize, enabled: bool, last_used: Option<&str>, used_count: u64, suffix: &str) -> Value {
    json!({"id": id(number), "description": "ci", "enabled": enabled, "createdAt": "2018-01-01T00:00:00Z",
        "lastUsed": last_used, "usedCount": used_count, "obfuscatedKey": format!("********-****-****-{suffix}")})
}

fn roles(org: &[&str], project: &[&str]) -> Value {
    let org = org.iter().map(|name| json!({"orgId": EAST, "roleName": name}));
    let project = project.iter().map(|name| json!({"groupId": PROJECT, "roleName": name}));
    org.chain(project).collect()
}

/// A user of the organization East: a name, roles, teams, and the answer to a request for the keys.
type User = (&'static str, Value, Value, Reply);

/// A deployment with two organizations, a project and a team of the first.
fn deployment(users: impl Fn() -> Vec<User> + Send + Sync + 'static) -> Stub {
    deployment_with(users, |_| None)
}

/// The same, where `other` may answer in its place.
fn deployment_with(
    users: impl Fn() -> Vec<User> + Send + Sync + 'static,
    other: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
) -> Stub {
    let usual = move |asked: &Asked| match asked.path.as_str() {
        "/orgs" => Reply::ok(&list(&[
            json!({"id": EAST, "name": "East"}),
            json!({"id": WEST, "name": "West"}),
            json!({"id": DELETED, "name": "Old", "isDeleted": true}),
        ])),
        path if path == format!("/orgs/{EAST}/users") => {
            let rows = (100..).zip(users()).map(|(number, (name, roles, teams, _))| {
                let mut user = json!({"id": id(number), "username": name});
                for (field, value) in [("roles", roles), ("teamIds", teams)] {
                    if !value.is_null() {
                        user[field] = value;
                    }
                }
                user
            });
            Reply::ok(&list(&rows.collect::<Vec<_>>()))
        }
        path if path == format!("/orgs/{WEST}/users") => {
            Reply::ok(&list(&[json!({"id": USER, "username": "zoe",
            "roles": [{"orgId": WEST, "roleName": "ORG_READ_ONLY"}], "teamIds": []})]))
        }
        "/groups" => Reply::ok(&list(&[json!({"id": PROJECT, "name": "P", "orgId": EAST})])),
        path if path == format!("/orgs/{EAST}/teams") => {
            Reply::ok(&list(&[json!({"id": TEAM, "name": "ops"})]))
        }
        path if path == format!("/groups/{PROJECT}/teams") => {
            Reply::ok(&list(&[json!({"teamId": TEAM, "roleNames": ["GROUP_READ_ONLY"]})]))
        }
        path if path.ends_with("/apiKeys") => Reply::ok(&list(&[])),
        path => {
            let number = path.split('/').nth(2).and_then(|id| usize::from_str_radix(id, 16).ok());
            let user = number.and_then(|number| users().into_iter().nth(number.wrapping_sub(100)));
            user.map_or_else(|| Reply::ok(&list(&[])), |(.., keys)| keys)
        }
    };
    Stub::start(Digest::On, move |asked| other(asked).unwrap_or_else(|| usual(asked)))
}

/// Audits and plans; the rows of `plan.csv`, and the exit code of the plan.
fn planned(stub: &Stub, waivers: &str) -> (TestEnv, Vec<Row>, i32) {
    let env = env();
    env.put("waivers.toml", waivers);
    env.audit_at(&stub.url(), &["--all-orgs"]);
    let ran = env.run(&["plan", "--waivers", "waivers.toml"]);
    let rows = rows(&env.bytes("reports/plan.csv"));
    (env, rows, ran.code)
}

fn decisions(rows: &[Row]) -> BTreeMap<&str, (&str, &str)> {
    let keys = rows.iter().filter(|row| !row["key_id"].is_empty());
    keys.map(|row| (&*row["key_id"], (&*row["decision"], &*row["wave"]))).collect()
}

fn replacements(rows: &[Row]) -> Vec<&Row> {
    rows.iter().filter(|row| row["key_id"].is_empty() && !row["roles"].is_empty()).collect()
}

/// Each line of the contract's table, in its order: the first that fits.
#[test]
fn each_key_has_the_first_decision_that_fits() {
    let own = PRIVATE.rsplit('-').next().unwrap();
    let users = move || -> Vec<User> {
        let keys = |keys: &[Value]| Reply::ok(&list(keys));
        vec![
            (
                "ann",
                roles(&["ORG_MEMBER"], &[]),
                json!([]),
                keys(&[
                    key(1, true, Some(USED), 7, own),
                    key(2, true, Some(USED), 7, "000000000002"),
                    key(3, false, Some(USED), 7, "000000000003"),
                    key(4, true, Some("2020-01-01T00:00:00Z"), 7, "000000000004"),
                    key(5, true, None, 0, "000000000005"),
                    key(6, true, None, 7, "000000000006"),
                    key(7, true, Some(USED), 70_000, "000000000007"),
                ]),
            ),
            ("bob", json!([]), json!([]), keys(&[key(8, true, Some(USED), 7, "000000000008")])),
            ("cyd", Value::Null, json!([]), keys(&[key(9, false, None, 0, "000000000009")])),
            (
                "dan",
                roles(&["ORG_MEMBER"], &[]),
                Value::Null,
                keys(&[key(10, true, None, 0, "00000000000a")]),
            ),
            ("eve", roles(&["ORG_MEMBER"], &[]), json!([]), Reply::error(403, "ACCESS_FORBIDDEN")),
            (
                "fay",
                roles(&["NEW_ROLE"], &[]),
                json!([]),
                keys(&[key(11, true, Some(USED), 7, "00000000000b")]),
            ),
        ]
    };
    let stub = deployment(users);
    let waiver =
        format!("[[waiver]]\nkey = \"{}\"\nreason = \"r\"\nowner = \"o\"\nexpires = \"2025-03-01\"\n", id(2));
    let (env, rows, code) = planned(&stub, &waiver);
    let id = |number| id(number);
    let expected = [
        (1, "self", "0"),
        (2, "waived", ""),
        (3, "delete-only", ""),
        (4, "retire", "1"),
        (5, "retire", "1"),
        (6, "ask", "5"),
        (7, "replace", "2"),
        (8, "ask", "5"),
        (9, "ask", "5"),
        (10, "ask", "5"),
        (11, "ask", "5"),
    ];
    let ids: Vec<_> = expected.iter().map(|(number, ..)| id(*number)).collect();
    let expected: BTreeMap<_, _> =
        ids.iter().map(String::as_str).zip(expected.map(|(_, decision, wave)| (decision, wave))).collect();
    assert_eq!(decisions(&rows), expected);
    assert_eq!(code, 3, "owners are not known");

    // Owners of whom something is unknown come first, also one without a known key, with what is unknown.
    let first: Vec<_> = rows.iter().take(4).map(|row| (&*row["owner"], &*row["reason"])).collect();
    assert_eq!(first.iter().map(|it| it.0).collect::<Vec<_>>(), ["cyd", "dan", "eve", "fay"]);
    for (at, why) in
        ["does not show the user's roles", "no list shows the user's teams", "forbidden", "NEW_ROLE"]
            .iter()
            .enumerate()
    {
        assert!(first[at].1.contains(why), "{first:?}");
    }
    let page = env.text("reports/plan.md");
    assert!(page.contains("## Owners with unknown keys or roles (4)"), "{page}");

    // An accepted exception that has ended is none.
    let (_, rows, _) = planned(&stub, &waiver.replace("2025-03-01", "2024-12-31"));
    assert_eq!(decisions(&rows)[&*id(2)], ("replace", "4"));
}

#[test]
fn a_replacement_has_the_roles_of_its_owner_in_one_organization() {
    let users = || -> Vec<User> {
        let used = |number| Reply::ok(&list(&[key(number, true, Some(USED), 7, "00000000000c")]));
        vec![
            ("ann", roles(&["ORG_OWNER", "ORG_MEMBER"], &["GROUP_OWNER"]), json!([TEAM]), used(1)),
            ("bob", roles(&[], &["GROUP_READ_ONLY"]), json!([TEAM]), used(2)),
            ("cyd", json!([{"roleName": "GLOBAL_READ_ONLY"}]), json!([]), used(3)),
        ]
    };
    let (env, rows, code) = planned(&deployment(users), "");
    assert_eq!(code, 0);
    let cells = |row: &Row| {
        ["owner", "scope", "org_id", "org_name", "roles", "roles_from"]
            .map(|column| row[column].clone())
            .join("|")
    };
    let found: Vec<_> = replacements(&rows).into_iter().map(cells).collect();
    assert_eq!(
        found,
        [
            format!(
                "ann|organization|{EAST}|East|ORG_MEMBER;ORG_OWNER;{PROJECT}:GROUP_OWNER;{PROJECT}:GROUP_READ_ONLY|\
                 own;own;own;team ops"
            ),
            // A role of the user's own hides the same one through a team; a key of an organization needs a role in it.
            format!("bob|organization|{EAST}|East|ORG_MEMBER;{PROJECT}:GROUP_READ_ONLY|own;own"),
            "cyd|global|||GLOBAL_READ_ONLY|own".to_owned(),
        ]
    );
    let review = &replacements(&rows)[0]["review"];
    assert!(review.contains("ORG_OWNER: try ") && review.contains("GROUP_OWNER: try "), "{review}");
    let page = env.text("reports/plan.md");
    for row in
        [format!("| `GROUP_OWNER` | `P` | `{PROJECT}` |"), format!("| `ORG_OWNER` | `East` | `{EAST}` |")]
    {
        assert!(page.contains(&row), "{page}");
    }
}

#[test]
fn one_replacement_an_owner_or_one_a_key() {
    let users = || -> Vec<User> {
        let keys = [1, 2].map(|number| key(number, true, Some(USED), 7, "00000000000d"));
        vec![("ann", roles(&["ORG_MEMBER"], &[]), json!([]), Reply::ok(&list(&keys)))]
    };
    let (env, rows, _) = planned(&deployment(users), "");
    let owner = replacements(&rows);
    assert_eq!(owner.len(), 1);
    assert!(owner[0]["reason"].contains(&format!("{}, {}", id(1), id(2))), "{owner:?}");
    assert_eq!(owner[0]["description"], format!("keysunset:{} ann", id(100)));
    assert_eq!(env.run(&["plan", "--per", "key"]).code, 0);
    let by_key = crate::support::rows(&env.bytes("reports/plan.csv"));
    let tags: Vec<_> = replacements(&by_key).iter().map(|row| row["description"].clone()).collect();
    assert_eq!(tags, [1, 2].map(|number| format!("keysunset:{}:{} ann", id(100), id(number))));
}

/// Nothing can be made in a deleted organization, and its projects and teams are of no use either.
#[test]
fn a_deleted_organization_gets_no_replacement() {
    let users = || -> Vec<User> {
        let used = |number| Reply::ok(&list(&[key(number, true, Some(USED), 7, "00000000000e")]));
        let both =
            json!([{"orgId": DELETED, "roleName": "ORG_OWNER"}, {"orgId": EAST, "roleName": "ORG_MEMBER"}]);
        let deleted = json!([{"orgId": DELETED, "roleName": "ORG_OWNER"}]);
        let never = Reply::ok(&list(&[key(3, true, None, 0, "00000000000f")]));
        vec![
            // A team of a deleted organization is in no list.
            ("ann", both, json!([TEAM, "5980000000000000000000d0"]), used(1)),
            ("bob", deleted.clone(), json!(["5980000000000000000000d0"]), used(2)),
            ("cyd", deleted, json!([]), never),
        ]
    };
    let (_, rows, code) = planned(&deployment(users), "");
    assert_eq!(code, 0);
    let [ann, bob, cyd] = [id(1), id(2), id(3)];
    assert_eq!(
        decisions(&rows),
        BTreeMap::from([(&*ann, ("replace", "4")), (&*bob, ("ask", "5")), (&*cyd, ("retire", "1"))])
    );
    let made: Vec<_> = replacements(&rows).iter().map(|row| (&*row["owner"], &*row["org_id"])).collect();
    assert_eq!(made, [("ann", EAST)]);
    let why = &rows.iter().find(|row| row["key_id"] == bob).unwrap()["reason"];
    assert!(why.contains(&format!("deleted organizations only ({DELETED})")), "{why}");
}

/// The uses between two runs decide, also where there was none; less than a day between them measures nothing.
#[test]
fn the_frequency_of_use_is_measured_between_runs() {
    const DAY: i64 = 86_400;
    let runs = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&runs);
    // Since 2018 each was used more than once a day, by its count.
    let counts = |run: u64| [70_000, 70_000 + 10 * run, 70_000 + 2 * run, 70_000 + run];
    let users = move || -> Vec<User> {
        let keys = (1..).zip(counts(seen.load(Ordering::Relaxed)));
        let keys: Vec<_> =
            keys.map(|(number, count)| key(number, true, Some(USED), count, "00000000000e")).collect();
        vec![("ann", roles(&["ORG_MEMBER"], &[]), json!([]), Reply::ok(&list(&keys)))]
    };
    let stub = deployment(users);
    let mut env = env();
    let waves = |env: &TestEnv| -> Vec<(String, Value, Value)> {
        assert_eq!(env.run(&["plan"]).code, 0);
        let document: Value = serde_json::from_str(&env.text("reports/plan.json")).unwrap();
        let keys = document["owners"][0]["keys"].as_array().unwrap().iter();
        keys.map(|key| (key["wave"].to_string(), key["calls_per_day"].clone(), key["is_estimate"].clone()))
            .collect()
    };
    for (run, seconds, expected) in [
        (0, 0, ["2", "2", "2", "2"]),
        (0, DAY - 1, ["2", "2", "2", "2"]),
        // Ten days after the second run, of which only the third is a day away.
        (1, 11 * DAY - 1, ["4", "2", "3", "4"]),
    ] {
        runs.store(run, Ordering::Relaxed);
        env = env.with("SOURCE_DATE_EPOCH", &(NOW + seconds).to_string());
        env.audit_at(&stub.url(), &["--all-orgs"]);
        let found = waves(&env);
        assert_eq!(found.iter().map(|it| &*it.0).collect::<Vec<_>>(), expected, "{found:?}");
        let is_estimate = run == 0;
        assert!(found.iter().all(|it| it.2 == is_estimate), "{found:?}");
    }
    let rates: Vec<_> = waves(&env).into_iter().map(|it| it.1.as_f64().unwrap()).collect();
    assert_eq!(rates, [0.0, 1.0, 0.2, 0.1]);
}

/// Of a list of ids nobody knows the roles.
#[test]
fn without_roles_every_key_is_asked_about() {
    let sandbox = ops_manager(20);
    let env = TestEnv::at(&sandbox);
    env.put("list.txt", crate::support::list_of_ids(&sandbox));
    assert_eq!(env.audit(&sandbox, &["--users", "list.txt"]).code, 1);
    assert_eq!(env.run(&["plan"]).code, 3);
    let rows = rows(&env.bytes("reports/plan.csv"));
    assert!(!rows.is_empty() && rows.iter().all(|row| row["decision"] == "ask"), "{rows:?}");
    assert_eq!(replacements(&rows), [] as [&Row; 0]);
}

#[test]
fn a_plan_does_not_fit_on_standard_output() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    let ran = env.run(&["plan", "--out", "-"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    assert!(ran.stderr.contains("help: choose a folder"), "{ran:?}");
    assert!(!env.path("reports/plan.md").exists(), "{ran:?}");
}

#[test]
fn a_plan_has_every_key_of_the_run_once_and_the_same_bytes() {
    for product in [Product::OpsManager, Product::Atlas] {
        let sandbox = sandbox(Options { users: 200, product, ..Options::default() });
        let env = TestEnv::at(&sandbox);
        env.audit(&sandbox, &["--all-orgs"]);
        let before = sandbox.counts().exchanges;
        let ran = env.run(&["plan"]);
        assert!(matches!(ran.code, 0 | 3), "{ran:?}");
        assert_eq!(sandbox.counts().exchanges, before, "a plan asks nothing");
        let keys = |rows: Vec<Row>| {
            let mut ids: Vec<_> =
                rows.into_iter().map(|row| row["key_id"].clone()).filter(|id| !id.is_empty()).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(keys(rows(&env.bytes("reports/plan.csv"))), keys(env.rows()));
        let files = || ["plan.md", "plan.csv", "plan.json"].map(|name| env.bytes(&format!("reports/{name}")));
        let first = files();
        env.run(&["plan"]);
        assert_eq!(files(), first);
    }
}

/// The document is valid against its schema, and its numbers are those of the rows.
const DOCUMENT: &str = r#"
import collections, csv, json, sys
from jsonschema import Draft202012Validator
document, schema = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))
Draft202012Validator.check_schema(schema)
Draft202012Validator(schema).validate(document)
keys = [key for owner in document["owners"] for key in owner["keys"]]
rows = [row for row in csv.DictReader(open(sys.argv[3], newline=""), strict=True) if row["key_id"]]
assert [key["key_id"] for key in keys] == [row["key_id"] for row in rows]
assert [key["decision"] for key in keys] == [row["decision"] for row in rows]
for decision, count in collections.Counter(key["decision"] for key in keys).items():
    assert document["totals"][decision.replace("-", "_")] == count, decision
made = [it for owner in document["owners"] for it in owner["replacements"]]
assert document["totals"]["replacements_to_create"] == sum(not it["needs_decision"] for it in made)
assert keys and made
"#;

#[test]
fn the_document_is_valid_and_counts_its_keys() {
    let sandbox = ops_manager(100);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &["--all-orgs"]);
    env.run(&["plan"]);
    let schema = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/plan.schema.json"));
    let [json, csv] = ["plan.json", "plan.csv"].map(|name| env.path("reports").join(name));
    python(&["jsonschema"], DOCUMENT, &[&json, schema, &csv]);
}
