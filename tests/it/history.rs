//! `keysunset history`: what it says of each run is what the run's own report says, and the forecast is its arithmetic.

use std::io::Write as _;
use std::process::{Command, Stdio};

use keysunset_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::page;
use crate::support::{CliOutput, NOW, Row, TestEnv, at, count, ops_manager, rfc3339, sandbox};

pub(crate) const DAY: i64 = 86_400;
const ORG: &str = "5980cfdf0b6d97029d82f86e";

/// The id of the user of this name.
pub(crate) fn user_id(name: &str) -> String {
    format!("5b0{:0>21x}", name.bytes().fold(0_u64, |id, byte| id.wrapping_mul(31).wrapping_add(byte.into())))
}

/// The id of the key of this number.
pub(crate) fn key_id(number: u64) -> String {
    format!("5c0{number:021x}")
}

/// A key of a world, enabled and created long ago, with the fields of `more`.
pub(crate) fn key(number: u64, more: &Value) -> Value {
    let mut key = json!({
        "id": key_id(number),
        "description": format!("key {number}"),
        "enabled": true,
        "createdAt": "2019-01-01T00:00:00Z",
        "key": format!("3d0d4b6e-5f1c-4a52-9d6f-{number:012x}"),
    });
    for (field, value) in more.as_object().unwrap() {
        key[field] = value.clone();
    }
    key
}

/// Whoever has these names, each with these keys; `ann` has to be there, for it is she who reads them.
pub(crate) fn world(users: &[(&str, Vec<Value>)]) -> Sandbox {
    faulty_world(users, &[])
}

fn faulty_world(users: &[(&str, Vec<Value>)], faults: &[&str]) -> Sandbox {
    let folder = tempfile::tempdir().unwrap();
    let users: Vec<_> = users
        .iter()
        .map(|(name, keys)| {
            let roles = json!([{"orgId": ORG, "roleName": "ORG_MEMBER"}]);
            json!({"id": user_id(name), "username": name, "roles": roles, "keys": keys})
        })
        .collect();
    let world = json!({
        "organizations": [{"id": ORG, "name": "Example"}],
        "users": users,
        "programmaticKeys": [{
            "id": "5c47503320eef5699e1cce8d",
            "desc": "audit",
            "publicKey": "zmmrboas",
            "privateKey": "c0ffee00-1234-4abc-9def-db2c132ca78d",
            "madeBy": "ann",
            "roles": [{"roleName": "GLOBAL_OWNER"}],
        }],
    });
    let file = folder.path().join("world.json");
    std::fs::write(&file, world.to_string()).unwrap();
    let faults = faults.iter().map(|spec| spec.parse().unwrap()).collect();
    sandbox(Options { world: Some(file), faults, ..Options::default() })
}

/// An audit of everybody so many days after the first.
pub(crate) fn audited(env: TestEnv, sandbox: &Sandbox, day: i64) -> TestEnv {
    audited_as(env, sandbox, day, &["--all-orgs", "--name", "prod"]).0
}

pub(crate) fn audited_as(
    env: TestEnv,
    sandbox: &Sandbox,
    day: i64,
    arguments: &[&str],
) -> (TestEnv, CliOutput) {
    let env = env.with("SOURCE_DATE_EPOCH", &(NOW + day * DAY).to_string());
    let ran = env.audit(sandbox, arguments);
    assert!(matches!(ran.code, 0 | 1 | 3 | 4), "{ran:?}");
    (env, ran)
}

/// What Python's json makes of a document, written down again: software that isn't ours has read it.
pub(crate) fn read_by_python(document: &str) -> Value {
    let program = "import json,sys; print(json.dumps(json.load(sys.stdin)))";
    let mut python = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{document}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// `history` as JSON.
fn history(env: &TestEnv, arguments: &[&str]) -> Value {
    let ran = env.run(&[&["history", "--json"], arguments].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    read_by_python(&ran.stdout)
}

fn keys_of(row: &Row) -> bool {
    !row["key_id"].is_empty()
}

#[test]
fn history_has_the_numbers_of_the_runs_own_reports() {
    let env = TestEnv::at(&ops_manager(60));
    // Of all kinds of keys; and one run of which half could not be read.
    let env = audited(env, &ops_manager(60), 0);
    let half = sandbox(Options {
        users: 60,
        faults: vec!["403=NOT_SELF@50%:keys".parse().unwrap()],
        ..Options::default()
    });
    let env = audited(env, &half, 7);
    for cutoff in ["2021-03-01", "2024-11-01"] {
        let page = history(&env, &["--cutoff", cutoff]);
        assert_eq!(page["version"], 1);
        let deployment = &page["deployments"][0];
        assert_eq!((&deployment["deployment"], &page["deployments"][1]), (&json!("prod"), &Value::Null));
        for (at, run) in deployment["runs"].as_array().unwrap().iter().enumerate() {
            let number = (at + 1).to_string();
            let ran = env.run(&["report", "--run", &number, "--cutoff", cutoff]);
            assert!(matches!(ran.code, 1 | 4), "{ran:?}");
            let rows = env.rows();
            let mut users: Vec<_> = rows.iter().map(|row| &row["user_id"]).collect();
            users.dedup();
            let mut unread: Vec<_> =
                rows.iter().filter(|row| row["read_status"] != "read").map(|row| &row["user_id"]).collect();
            unread.dedup();
            assert_eq!(run["run"], at + 1);
            assert_eq!(run["users"], users.len());
            assert_eq!(run["users_not_read"], unread.len());
            assert_eq!(run["complete"], unread.is_empty());
            assert_eq!(run["keys"], rows.iter().filter(|row| keys_of(row)).count());
            let disabled = count(&rows, "enabled", "false");
            assert_eq!(run["enabled"], rows.iter().filter(|row| keys_of(row)).count() - disabled);
            assert_eq!(run["used_after_cutoff"], count(&rows, "verdict", "used-after-cutoff"));
            assert_eq!(run["usage_unknown"], count(&rows, "verdict", "usage-unknown"));
        }
        let unread = deployment["runs"][1]["users_not_read"].as_u64().unwrap();
        assert!((10..50).contains(&unread), "some were not read: {unread}");
        assert!(deployment["runs"][0]["usage_unknown"].as_u64().unwrap() > 0);
    }
}

/// A deployment that had 9, 7, 5 and 3 keys a week apart, and in the middle an audit that read nobody.
fn shrinking(name: &str) -> TestEnv {
    let keys = |number: u64| -> Vec<Value> {
        (0..number).map(|at| key(at, &json!({"lastUsed": "2022-01-01T00:00:00Z", "usedCount": 3}))).collect()
    };
    let mut env = TestEnv::at(&world(&[("ann", vec![])]));
    for (week, number) in [(0, 9), (1, 7), (2, 5), (3, 3)] {
        if week == 2 {
            let denied = faulty_world(&[("ann", keys(1))], &["403=NOT_SELF@100%:keys"]);
            env = audited_as(env, &denied, 10, &["--all-orgs", "--name", name]).0;
        }
        env = audited_as(env, &world(&[("ann", keys(number))]), week * 7, &["--all-orgs", "--name", name]).0;
    }
    env
}

#[test]
fn the_forecast_follows_the_slope_of_the_complete_runs() {
    let env = shrinking("prod");
    let page = history(&env, &[]);
    let forecast = &page["deployments"][0]["forecast"];
    // Two keys a week, and three are left on day 21: ten and a half days more, 11 by the day.
    let day = &rfc3339(at(NOW + 32 * DAY))[..10];
    assert_eq!(forecast["kind"], "day");
    assert_eq!(forecast["day"], day);
    assert_eq!(forecast["runs"], json!([1, 2, 4, 5]), "run 3 was incomplete");
    assert_eq!(forecast["keys_fewer_a_week"], 2.0);
    let changes: Vec<_> =
        page["deployments"][0]["runs"].as_array().unwrap().iter().map(|run| run["change"].clone()).collect();
    assert_eq!(changes, [Value::Null, json!(-2), Value::Null, json!(-2), json!(-2)]);

    let ran = env.run(&["history"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // 9, 7, unknown, 5 and 3 of 9; nothing unread but in run 3.
    assert!(ran.stdout.contains("█▇·▅▄\n") && ran.stdout.contains("▁▁█▁▁\n"), "{}", ran.stdout);
    let expected = format!(
        "3 keys left on {}, 2 fewer per week over the last 4 complete runs (1 to 5): none left by {day}",
        &rfc3339(at(NOW + 21 * DAY))[..10]
    );
    assert!(ran.words().contains(&expected), "{}", ran.stdout);
    assert!(ran.stdout.contains("  incomplete: 1 user not read"), "{}", ran.stdout);
}

#[test]
fn incomplete_runs_and_runs_of_other_users_give_no_forecast() {
    let many = world(&[("ann", (0..9).map(|at| key(at, &json!({}))).collect()), ("boris", vec![])]);
    let users = [("ann", vec![key(1, &json!({}))]), ("boris", vec![])];
    let few = world(&users);
    let half = faulty_world(&users, &["403=NOT_ALLOWED@100%:users"]);
    let everybody = ["--user", &user_id("ann"), "--all-orgs", "--name", "prod"];
    let (env, _) = audited_as(TestEnv::at(&many), &many, 0, &everybody);
    // Ann has eight keys fewer, but nobody knows who else there is.
    let (env, ran) = audited_as(env, &half, 7, &everybody);
    assert_eq!(ran.code, 4, "{ran:?}");
    let forecast = history(&env, &[])["deployments"][0]["forecast"].clone();
    assert_eq!(
        (&forecast["kind"], &forecast["day"], &forecast["runs"]),
        (&json!("none"), &Value::Null, &json!([]))
    );
    let (env, ran) = audited_as(env, &few, 14, &["--user", &user_id("ann"), "--name", "prod"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(history(&env, &[])["deployments"][0]["forecast"]["kind"], "none");
    let ran = env.run(&["history"]);
    assert!(
        ran.stdout.contains("no forecast: ") && ran.stdout.contains("runs 1, 2 selected other users"),
        "{ran:?}"
    );
    // Until there are two of the same.
    let (env, _) = audited_as(env, &few, 21, &everybody);
    assert_eq!(history(&env, &[])["deployments"][0]["forecast"]["runs"], json!([1, 4]));
}

#[test]
fn each_deployment_has_a_table_and_one_can_be_picked() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    let mut env = env;
    for (day, name) in [(0, "b"), (1, "a"), (2, "b")] {
        env = audited_as(env, &sandbox, day, &["--all-orgs", "--name", name]).0;
    }
    let runs = |page: &Value| -> Vec<(String, Vec<i64>)> {
        let deployments = page["deployments"].as_array().unwrap();
        deployments
            .iter()
            .map(|it| {
                let runs = it["runs"].as_array().unwrap().iter().map(|run| run["run"].as_i64().unwrap());
                (it["deployment"].as_str().unwrap().to_owned(), runs.collect())
            })
            .collect()
    };
    let expected = [("a".to_owned(), vec![2]), ("b".to_owned(), vec![1, 3])];
    assert_eq!(runs(&history(&env, &[])), expected);
    assert_eq!(runs(&history(&env, &["--deployment", "b"])), expected[1..]);
    let ran = env.run(&["history", "--deployment", "c"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("help: it contains runs of: a, b"), "{ran:?}");
}

#[test]
fn markdown_has_a_table_and_a_chart_whatever_the_name() {
    let name = "a|b`<b>[c](http://e.example) @all";
    let env = shrinking(name);
    let ran = env.run(&["history", "--format", "markdown"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let page = page::parse(&ran.stdout);
    // The runs, and those of them with replacements: one run did not read its user.
    let (runs, replacements) = page.rows.split_at(6);
    assert_eq!((replacements.len(), &page.links, &page.html), (5, &vec![], &vec![]), "{}", ran.stdout);
    assert!(runs.iter().all(|row| row.len() == 10), "{runs:?}");
    assert!(replacements.iter().all(|row| row.len() == 7), "{replacements:?}");
    assert_eq!(page.headings.len(), 2);
    assert!(
        page.headings[0].1.contains("http://e.example") && !page.prose.contains("@all"),
        "{:?}",
        page.headings
    );
    let days: Vec<_> =
        [0, 7, 14, 21].map(|day| format!("\"{}\"", &rfc3339(at(NOW + day * DAY))[..10])).into();
    let chart = format!(
        "xychart-beta\n    title \"Keys left, and those of them used after the cutoff\"\n    x-axis [{}]\n    \
         y-axis \"Keys\" 0 --> 9\n    bar [9, 7, 5, 3]\n    line [9, 7, 5, 3]\n",
        days.join(", ")
    );
    assert_eq!(page.blocks, [("mermaid".to_owned(), chart)]);
}

#[test]
fn without_a_store_or_a_run_the_error_says_what_to_do() {
    let env = TestEnv::empty();
    for command in [&["history"][..], &["diff"], &["prune", "--keep", "1"]] {
        let ran = env.run(command);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(
            ran.stderr.contains("there is no run database at reports/keysunset.db")
                && ran.stderr.contains("help: ")
        );
    }
    assert!(!env.path("reports").exists(), "and makes none");
    assert_eq!(env.run(&["history", "--json", "--format", "text"]).code, 2);
    assert_eq!(env.run(&["prune"]).code, 2, "how many to keep is not guessed");
    assert_eq!(env.run(&["prune", "--keep", "0"]).code, 2);
}

#[test]
fn the_store_is_where_the_settings_say() {
    let sandbox = ops_manager(3);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs", "--out", "elsewhere"]).code, 1);
    assert_eq!(env.run(&["history"]).code, 5);
    assert_eq!(env.run(&["history", "--out", "elsewhere"]).code, 0);
    assert_eq!(env.run(&["history", "--store", "elsewhere/keysunset.db"]).code, 0);
    env.put("keysunset.toml", "out = 'elsewhere'\ncutoff = '2020-02-02'\nformat = 'csv'\n");
    let page = history(&env, &[]);
    assert_eq!(page["deployments"][0]["runs"][0]["cutoff"], "2020-02-02T00:00:00Z");
    let env = env.with("KEYSUNSET_OUT", "nowhere");
    assert_eq!(env.run(&["history"]).code, 5);
}
