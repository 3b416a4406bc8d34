//! What an audit records for the migration plan: projects, teams and their roles, programmatic keys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use keysunset::model::Suffix;
use keysunset::store::{self, Store};
use keysunset_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::credentials::put_private;
use crate::stub::{AfterOthers, Asked, Digest, PRIVATE, PUBLIC, Reply, Stub, USER, env, id, key, list};
use crate::support::{Row, TestEnv, ops_manager, rows};

const ORG: &str = "5980000000000000000000aa";
const OTHER: &str = "5980000000000000000000bb";
const PROJECT: &str = "5980000000000000000000cc";
const TEAM: &str = "5980000000000000000000dd";

fn sqlite3(env: &TestEnv, query: &str) -> String {
    let output = Command::new("sqlite3").arg(env.path("reports/keysunset.db")).arg(query).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The lists of the run, by path, each with its status and rows.
pub(crate) fn inventory(env: &TestEnv) -> BTreeMap<String, (String, Value)> {
    let lines = sqlite3(env, "SELECT json_array(path, status, json(rows)) FROM inventory");
    let lists = lines.lines().map(|line| serde_json::from_str::<(String, String, Value)>(line).unwrap());
    lists.map(|(path, status, rows)| (path, (status, rows))).collect()
}

/// Two organizations with a user each: the first user is in a team and has a key, which is `enabled`.
fn deployment(enabled: Option<bool>, refused: &'static str) -> Stub {
    Stub::start(Digest::On, move |asked| answer(asked, enabled, refused))
}

fn answer(asked: &Asked, enabled: Option<bool>, refused: &str) -> Reply {
    match asked.path.as_str() {
        path if path == refused => Reply::error(403, "ACCESS_FORBIDDEN"),
        "/orgs" => {
            Reply::ok(&list(&[json!({"id": ORG, "name": "East"}), json!({"id": OTHER, "name": "West"})]))
        }
        path if path == format!("/orgs/{ORG}/users") => {
            Reply::ok(&list(&[json!({"id": USER, "username": "ann", "teamIds": [TEAM], "roles": [
                {"orgId": ORG, "roleName": "ORG_MEMBER"}, {"roleName": "GLOBAL_READ_ONLY"},
            ]})]))
        }
        path if path == format!("/orgs/{OTHER}/users") => {
            Reply::ok(&list(&[json!({"id": id(2), "username": "bob", "teamIds": [id(9)], "roles": []})]))
        }
        path if path == format!("/users/{USER}/keys") => {
            let keys = enabled.map(|enabled| {
                let mut key = key(1, "ci");
                key["enabled"] = json!(enabled);
                key
            });
            Reply::ok(&list(keys.as_slice()))
        }
        "/groups" => Reply::ok(&list(&[
            json!({"id": PROJECT, "name": "P", "orgId": ORG.to_uppercase(), "agentApiKey": "a-live-secret"}),
            json!({"id": id(5), "name": "Q", "orgId": OTHER, "agentApiKey": "a-live-secret"}),
        ])),
        path if path == format!("/orgs/{ORG}/teams") => Reply::ok(&list(&[json!({"id": TEAM, "name": "T"})])),
        path if path == format!("/groups/{PROJECT}/teams") => {
            Reply::ok(&list(&[json!({"teamId": TEAM, "roleNames": ["GROUP_OWNER", "GROUP_READ_ONLY"]})]))
        }
        path if path == format!("/orgs/{ORG}/apiKeys") => Reply::ok(&list(&[
            json!({
                "id": id(7), "desc": "keysunset:x", "publicKey": "abcdwxyz",
                // Not masked, as the documentation has it only once.
                "privateKey": "11111111-2222-3333-4444-92732876eeae",
                "roles": [{"orgId": ORG, "roleName": "ORG_MEMBER"}],
            }),
            json!({"id": id(8), "desc": "backup", "publicKey": "backupqq", "roles": [],
                "privateKey": "********-****-****-DB2C132CA78D"}),
            json!({"id": id(9), "desc": "without a private part", "roles": []}),
        ])),
        "/admin/apiKeys" => Reply::ok(&list(&[
            json!({"id": id(11), "desc": "global", "privateKey": "********-****-****-0a2c132ca78d", "roles": []}),
            // The digits of a key in another list.
            json!({"id": id(8), "desc": "backup", "privateKey": "********-****-****-db2c132ca78d", "roles": []}),
        ])),
        path if path.ends_with("/keys") => Reply::ok(&list(&[])),
        path => panic!("nobody needs {path}"),
    }
}

fn audited(stub: &Stub) -> (TestEnv, i32) {
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--all-orgs"]);
    (env, ran.code)
}

#[test]
fn the_lists_of_the_organizations_of_key_owners_are_recorded() {
    let stub = deployment(Some(true), "");
    let (env, code) = audited(&stub);
    assert_eq!(code, 1);
    let read = |rows: Value| ("read".to_owned(), rows);
    let key = json!({"id": id(7), "public_key": "abcdwxyz", "suffix": "92732876eeae", "description": "keysunset:x",
        "roles": [{"org_id": ORG, "project_id": null, "name": "ORG_MEMBER"}]});
    let project = |id: &str, name: &str, org: &str| json!({"id": id, "name": name, "org_id": org});
    let expected = BTreeMap::from([
        ("groups".to_owned(), read(json!([project(PROJECT, "P", ORG), project(&id(5), "Q", OTHER)]))),
        (format!("orgs/{ORG}/teams"), read(json!([{"id": TEAM, "name": "T"}]))),
        (
            format!("groups/{PROJECT}/teams"),
            read(json!([{"team_id": TEAM, "roles": ["GROUP_OWNER", "GROUP_READ_ONLY"]}])),
        ),
        (format!("orgs/{ORG}/apiKeys"), read(json!([key]))),
        ("admin/apiKeys".to_owned(), read(json!([]))),
    ]);
    assert_eq!(inventory(&env), expected);
    for (path, bytes) in env.files() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("a-live-secret") && !text.contains("11111111-2222"), "{}", path.display());
    }
    // Of all keys, those that no plan made included; each once.
    assert_eq!(suffixes(&env, 1), ["0a2c132ca78d", "92732876eeae", "db2c132ca78d"]);
    // No evidence of a personal key: the canonical export and its hash do not change with them.
    assert!(!env.run(&["export"]).stdout.contains("db2c132ca78d"));
    env.audit_at(&stub.url(), &["--all-orgs"]);
    assert_eq!(env.run(&["prune", "--keep", "1"]).code, 0);
    assert_eq!(sqlite3(&env, "SELECT DISTINCT run FROM programmatic_keys"), "2\n");
}

/// The last 12 digits of the programmatic keys of a run.
fn suffixes(env: &TestEnv, run: i64) -> Vec<String> {
    let store = Store::open(&env.path("reports/keysunset.db")).unwrap();
    let run = store.run(Some(run)).unwrap();
    let mut suffixes = Vec::new();
    let each = |suffix: Suffix| {
        suffixes.push(suffix.as_str().to_owned());
        Ok::<_, store::Error>(())
    };
    store.programmatic_keys(&run, each).unwrap();
    suffixes
}

#[test]
fn without_a_personal_key_nothing_more_is_asked() {
    let (env, code) = audited(&deployment(None, ""));
    assert_eq!((code, inventory(&env).len()), (0, 0));
    for enabled in [true, false] {
        let (env, code) = audited(&deployment(Some(enabled), ""));
        assert_eq!((code, inventory(&env).len()), (1, 5), "{enabled}");
    }
}

/// The audit is about personal keys: a list for the plan that is refused is recorded as unknown, and fails nothing.
#[test]
fn a_refused_list_leaves_the_audit_complete() {
    let (env, code) = audited(&deployment(Some(true), "/groups"));
    assert_eq!(code, 1);
    let lists = inventory(&env);
    assert_eq!(lists["groups"], ("forbidden".to_owned(), json!([])));
    assert_eq!(lists[&format!("orgs/{ORG}/apiKeys")].0, "read");
    assert!(!lists.contains_key(&format!("groups/{PROJECT}/teams")));
}

/// A large deployment has thousands of them, and nobody waits for those alone.
#[test]
fn lists_are_read_while_users_are_read() {
    let lists = [
        "/groups".to_owned(),
        format!("/orgs/{ORG}/teams"),
        format!("/orgs/{ORG}/apiKeys"),
        format!("/groups/{PROJECT}/teams"),
        "/admin/apiKeys".to_owned(),
    ];
    let (others, expected) = (AfterOthers::default(), lists.clone());
    let stub = Stub::start(Digest::On, move |asked| {
        if asked.path == format!("/users/{}/keys", id(2)) && !others.wait_for(&expected) {
            return Reply::error(400, "INVALID_QUERY_PARAMETER");
        }
        others.given(&asked.path);
        answer(asked, Some(true), "")
    });
    let (env, code) = audited(&stub);
    let read: Vec<_> = inventory(&env).into_keys().map(|path| format!("/{path}")).collect();
    assert_eq!((code, read), (1, BTreeSet::from(lists).into_iter().collect()), "{:?}", env.rows());
}

/// Some lists of a large organization take minutes.
#[test]
fn slow_lists_do_not_keep_users_waiting() {
    let (others, arrived) = (AfterOthers::default(), AfterOthers::default());
    let list = [String::from("a list")];
    let stub = Stub::start(Digest::On, move |asked| {
        let is_of_users =
            asked.path.ends_with("/keys") || asked.path.ends_with("/users") || asked.path == "/orgs";
        if !is_of_users {
            arrived.given(&list[0]);
            if !others.wait_for(&[format!("/users/{}/keys", id(2))]) {
                return Reply::error(400, "INVALID_QUERY_PARAMETER");
            }
        }
        if asked.path == format!("/orgs/{OTHER}/users") {
            assert!(arrived.wait_for(&list));
        }
        others.given(&asked.path);
        answer(asked, Some(true), "")
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--all-orgs", "--concurrency", "4"]);
    let unread: Vec<_> = inventory(&env).into_iter().filter(|(_, (status, _))| status != "read").collect();
    assert_eq!((ran.code, unread), (1, Vec::new()), "{ran:?}");
}

/// The audit is complete by then, and one patience is enough for all lists.
#[test]
fn an_outage_when_only_lists_are_left_fails_nothing() {
    let others = AfterOthers::default();
    let stub = Stub::start(Digest::On, move |asked| {
        let all = [USER.to_owned(), id(2)].map(|id| format!("/users/{id}/keys"));
        if others.has(&all) {
            return Reply::text(503, "text/plain", "down");
        }
        if asked.path.ends_with("/apiKeys") || asked.path.ends_with("/teams") || asked.path == "/groups" {
            assert!(others.wait_for(&all));
            return Reply::text(503, "text/plain", "down");
        }
        others.given(&asked.path);
        answer(asked, Some(true), "")
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--all-orgs", "--patience", "1"]);
    assert_eq!((ran.code, env.rows().len()), (1, 2), "{ran:?}");
    assert_eq!(ran.stderr.matches("is down").count(), 1, "{ran:?}");
    assert_eq!(ran.stderr.matches("were not all read").count(), 1, "{ran:?}");
    let lists = inventory(&env);
    assert_eq!(lists.keys().filter(|path| path.contains("apiKeys")).count(), 1 + 1);
    assert!(lists.values().all(|(status, _)| status == "error"), "{lists:?}");
}

/// What is wrong with an earlier run costs none of the results of this one.
#[test]
fn a_run_database_that_cannot_be_asked_keeps_the_results() {
    let stub = deployment(Some(true), "");
    let (env, _) = audited(&stub);
    sqlite3(&env, "UPDATE inventory SET path = 'unknown', rows = '[1]' WHERE path = 'groups'");
    assert_eq!(env.audit_at(&stub.url(), &["--all-orgs"]).code, 6);
    let read = "SELECT count(*) FROM readings WHERE status = 'read' AND run = 2";
    assert_eq!(sqlite3(&env, read), "2\n");
}

/// An answer to the default credential says nothing of those of the users.
#[test]
fn lists_do_not_make_refused_credentials_a_result() {
    let stub = deployment(Some(true), "");
    // An earlier run has a replacement, whose list every later run reads.
    let (env, _) = audited(&stub);
    put_private(
        &env,
        "own.toml",
        &format!(
            "[default]\npublic-key = \"{PUBLIC}\"\nprivate-key = \"{PRIVATE}\"\n\
             [users.{USER}]\npublic-key = \"ann\"\nprivate-key = \"{}\"\n",
            PRIVATE.replace('1', "9")
        ),
    );
    let ran = env.audit_at(&stub.url(), &["--user", USER, "--credentials", "own.toml"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert_eq!(sqlite3(&env, "SELECT count(*) FROM runs"), "1\n");
}

/// The list of his second organization shows the owner of a key after his keys were read.
#[test]
fn lists_of_an_organization_that_is_seen_late_are_read() {
    let others = AfterOthers::default();
    let stub = Stub::start(Digest::On, move |asked| {
        let keys = format!("/users/{USER}/keys");
        if asked.path == format!("/orgs/{OTHER}/users") {
            assert!(others.wait_for(&[keys, "/admin/apiKeys".to_owned()]), "they wait for each other");
            return Reply::ok(&list(&[json!({"id": USER, "username": "ann", "teamIds": [id(9)]})]));
        }
        let empty = [format!("/orgs/{OTHER}/teams"), format!("/orgs/{OTHER}/apiKeys")];
        let teams_of_other = format!("/groups/{}/teams", id(5));
        others.given(&asked.path);
        if empty.contains(&asked.path) || asked.path == teams_of_other {
            return Reply::ok(&list(&[]));
        }
        answer(asked, Some(true), "")
    });
    let (env, code) = audited(&stub);
    assert_eq!(code, 1);
    let lists = inventory(&env);
    for path in ["teams", "apiKeys"] {
        for org in [ORG, OTHER] {
            assert_eq!(lists[&format!("orgs/{org}/{path}")].0, "read");
        }
    }
    assert_eq!(lists[&format!("groups/{}/teams", id(5))].0, "read");
    assert_eq!(lists.len(), 8);
    // Each once.
    let mut asked: Vec<_> = stub.asked().into_iter().filter(|it| it.authorized).map(|it| it.target).collect();
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), all);
}

#[test]
fn the_plan_needs_at_most_one_percent_more_requests() {
    let sandbox = ops_manager(2000);
    let asked = |sandbox: &Sandbox, fail_on: &str| {
        let (env, before) = (TestEnv::at(sandbox), sandbox.counts().exchanges);
        let ran = env.audit(sandbox, &["--all-orgs", "--fail-on", fail_on]);
        assert_eq!(ran.code, 1, "{ran:?}");
        (env, sandbox.counts().exchanges - before)
    };
    let (env, exchanges) = asked(&sandbox, "any");
    let lists = inventory(&env).len() as u64;
    assert!(lists > 2 && lists * 100 <= exchanges, "{lists} lists of {exchanges} exchanges");
}

/// The run databases of the releases before, which lack lists that a plan needs, what `locate` finds or what it searched for.
#[test]
fn a_run_of_an_earlier_release_has_the_same_results() {
    for (version, lists) in [("version_3", 0), ("version_4", 5), ("version_5", 9)] {
        let env = env();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(version);
        let text = |name: &str| std::fs::read_to_string(from.join(name)).unwrap();
        std::fs::create_dir_all(env.path("reports")).unwrap();
        env.put("reports/manifest.json", text("manifest.json"));
        env.put("reports/keys.csv", text("keys.csv"));
        sqlite3(&env, &text("store.sql"));
        assert_eq!(env.run(&["export"]).stdout, text("run.ndjson"), "{version}");
        assert_eq!(env.run(&["report", "--format", "csv"]).code, 1, "{version}");
        // The words of a reason may change.
        let result = |mut row: Row| {
            row.retain(|column, _| !["reason", "places", "live_places"].contains(&column.as_str()));
            row
        };
        let results = |rows: Vec<Row>| rows.into_iter().map(result).collect::<Vec<_>>();
        assert_eq!(results(env.rows()), results(rows(text("keys.csv").as_bytes())), "{version}");
        assert_eq!(sqlite3(&env, "PRAGMA user_version"), "6\n", "{version}");
        assert_eq!(inventory(&env).len(), lists, "{version}");
        // Which keys the search of version 5 had is not known, but for the one that it found.
        let places: Vec<_> = env.rows().into_iter().filter(|row| !row["places"].is_empty()).collect();
        let places = places.iter().map(|row| [&row["key_suffix"][..], &row["places"], &row["live_places"]]);
        let expected: &[_] = if version == "version_5" { &[["5b0ce416c1a0", "1", "1"]] } else { &[] };
        assert_eq!(places.collect::<Vec<_>>(), expected, "{version}");
    }
}
