//! `--upgrade-on`: what fails from the upgrade on, and by when the migration has to begin.

use std::path::Path;

use keysunset_sandbox::{Options, Product};
use serde_json::{Value, json};

use super::{DELETED, EAST, USED, User, deployment, key, planned, roles};
use crate::foreign::python;
use crate::stub::{Reply, id, list};
use crate::support::{NOW, TestEnv, sandbox};

fn plan(env: &TestEnv, code: i32, arguments: &[&str]) -> Value {
    let ran = env.run(&[&["plan"], arguments].concat());
    assert_eq!(ran.code, code, "{ran:?}");
    serde_json::from_str(&env.text("reports/plan.json")).unwrap()
}

/// Created 2500 days before the run of 2025-01-01, so that the counts are calls a day.
fn used(number: usize, last_used: &str, count: u64) -> Value {
    let mut key = key(number, true, Some(last_used), count, "00000000000e");
    key["createdAt"] = json!("2018-02-27T00:00:00Z");
    key
}

fn users() -> Vec<User> {
    let keys = |keys: &[Value]| Reply::ok(&list(keys));
    let member = || roles(&["ORG_MEMBER"], &[]);
    vec![
        // 10 a day, once in 10 days and once in 50 days, the last use ten days ago.
        (
            "ann",
            member(),
            json!([]),
            keys(&[used(1, USED, 25_000), used(2, USED, 250), used(3, "2024-12-22T00:00:00Z", 50)]),
        ),
        // Of unknown use, never used, and disabled.
        (
            "bob",
            member(),
            json!([]),
            keys(&[
                key(4, true, None, 7, "00000000000f"),
                key(5, true, None, 0, "00000000000a"),
                key(6, false, Some(USED), 7, "00000000000b"),
            ]),
        ),
        // Of roles that are not known: the calls fail all the same.
        ("cyd", Value::Null, json!([]), keys(&[used(7, USED, 5_000)])),
        ("dan", member(), json!([]), Reply::error(403, "ACCESS_FORBIDDEN")),
        (
            "eve",
            json!([{"orgId": DELETED, "roleName": "ORG_OWNER"}]),
            json!([]),
            keys(&[used(8, USED, 2_500)]),
        ),
    ]
}

#[test]
fn the_forecast_counts_the_calls_that_fail_and_the_days_that_are_left() {
    let (env, _, _) = planned(&deployment(users), "");
    // 31 days: enough for all but the key of 50 days.
    let document = plan(&env, 3, &["--upgrade-on", "2025-02-01"]);
    let upgrade = &document["upgrade"];
    assert_eq!(
        json!([
            upgrade["on"],
            upgrade["days_left"],
            upgrade["calls_per_day"],
            upgrade["is_estimate"],
            upgrade["first_failure"]
        ]),
        // 10 + 0.1 + 0.02 + 2 + 1.
        json!(["2025-02-01", 31, 13.12, true, "2025-02-01"])
    );
    assert_eq!(
        json!([upgrade["owners"], upgrade["owners_unknown"], upgrade["keys_unknown"]]),
        json!([3, 2, 1])
    );
    let wave = |wave: u8, keys: u64, late: u64, by: &str| json!({"wave": wave, "keys": keys, "too_late_keys": late, "start_by": by});
    // 14 days before the upgrade, or with a longer gap that.
    assert_eq!(
        upgrade["waves"],
        json!([
            wave(1, 1, 0, "2025-01-18"),
            wave(2, 1, 0, "2025-01-18"),
            wave(4, 2, 1, "2025-01-18"),
            wave(5, 3, 0, "2025-01-18")
        ])
    );
    assert_eq!(json!([upgrade["start_by"], upgrade["too_late_keys"]]), json!(["2025-01-18", 1]));
    let east = upgrade["organizations"].as_array().unwrap().iter().find(|it| it["org_id"] == EAST).unwrap();
    assert_eq!(
        json!([east["org_name"], east["owners"], east["owners_unknown"], east["calls_per_day"]]),
        json!(["East", 3, 2, 13.12])
    );
    let owner = |name: &str| {
        document["owners"].as_array().unwrap().iter().find(|it| it["owner"] == name).unwrap().clone()
    };
    let [ann, bob] = ["ann", "bob"].map(|name| owner(name)["upgrade"].clone());
    assert_eq!(
        ann,
        json!({"calls_per_day": 10.12, "is_estimate": true, "first_failure": "2025-02-01", "keys_unknown": 0, "change_by": "2025-01-18"})
    );
    assert_eq!(
        bob,
        json!({"calls_per_day": 0.0, "is_estimate": false, "first_failure": null, "keys_unknown": 1, "change_by": "2025-01-18"})
    );
    let rare = &owner("ann")["keys"][2];
    assert_eq!(
        json!([rare["key_id"], rare["wave"], rare["verifiable_from"]]),
        json!([id(3), 4, "2025-02-20"])
    );
    assert!(
        rare["reason"]
            .as_str()
            .unwrap()
            .ends_with("50 days between two uses: cannot be verified before 2025-02-20"),
        "{rare}"
    );
    assert_eq!(owner("ann")["keys"][1]["verifiable_from"], Value::Null, "14 days are more than 10");

    let page = env.text("reports/plan.md");
    for text in [
        "## Upgrade on 2025-02-01",
        "31 days after the run",
        "**Too late for 1 key:**",
        "is **2025-01-18**",
        "A downgrade is not supported",
        "| owner `ann` | 10.12 | 2025-02-01 | 0 |",
        "`/whitelist` are deprecated and may stop",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let script = owner("ann")["script"].as_str().unwrap().to_owned();
    let letter = env.text(&script.replace("plan/", "reports/letters/").replace(".sh", ".md"));
    assert!(letter.contains("Change your scripts by 2025-01-18. The upgrade is on 2025-02-01."), "{letter}");
    let [json, schema] = [
        env.path("reports/plan.json"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/plan.schema.json"),
    ];
    python(&["jsonschema"], VALID, &[&json, &schema]);

    // Ten days are fewer than the 14 of --verify-days, and on the day of the run none is left.
    for (day, left) in [("2025-01-11", 10), ("2025-01-01", 0)] {
        let upgrade = plan(&env, 3, &["--upgrade-on", day])["upgrade"].clone();
        assert_eq!(
            json!([upgrade["days_left"], upgrade["start_by"], upgrade["too_late_keys"]]),
            json!([left, null, 7])
        );
        assert!(env.text("reports/plan.md").contains("**Too late for 7 keys:**"));
    }
    let upgrade = plan(&env, 3, &["--upgrade-on", "2025-01-11", "--verify-days", "0"])["upgrade"].clone();
    assert_eq!(
        json!([upgrade["start_by"], upgrade["too_late_keys"]]),
        json!(["2025-01-01", 1]),
        "a key of 10 days fits"
    );

    // The calls of the upgrade day are those after it: a key of 50 days, used on 2024-12-22, calls on 2025-02-10.
    let last = plan(&env, 3, &["--upgrade-on", "2025-02-05"]);
    assert_eq!(last["upgrade"]["first_failure"], "2025-02-05");
    assert_eq!(plan(&env, 3, &[])["upgrade"], Value::Null);
    assert!(!env.text("reports/plan.md").contains("Upgrade on"));
}

#[test]
fn a_day_before_the_run_is_refused() {
    let (env, _, _) = planned(&deployment(Vec::new), "");
    let before = env.bytes("reports/plan.json");
    let ran = env.run(&["plan", "--upgrade-on", "2024-12-31"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("--upgrade-on 2024-12-31 is before run 1 of 2025-01-01"), "{ran:?}");
    assert_eq!(env.run(&["plan", "--upgrade-on", "tomorrow"]).code, 2);
    assert_eq!(env.bytes("reports/plan.json"), before, "a refused day changes no file");
}

const VALID: &str = "
import json, sys
from jsonschema import Draft202012Validator
Draft202012Validator(json.load(open(sys.argv[2]))).validate(json.load(open(sys.argv[1])))
";

/// A key that was measured as unused makes no calls, whatever its count is; only Ops Manager has this upgrade.
#[test]
fn measured_silence_fails_no_call_and_atlas_has_no_such_upgrade() {
    let member = || roles(&["ORG_MEMBER"], &[]);
    let stub =
        deployment(move || vec![("ann", member(), json!([]), Reply::ok(&list(&[used(1, USED, 25_000)])))]);
    let mut env = crate::stub::env();
    for days in [0, 7] {
        env = env.with("SOURCE_DATE_EPOCH", &(NOW + days * 86_400).to_string());
        env.audit_at(&stub.url(), &["--all-orgs"]);
    }
    let document = plan(&env, 0, &["--upgrade-on", "2025-02-01"]);
    let owner = &document["owners"][0]["upgrade"];
    assert_eq!(
        *owner,
        json!({"calls_per_day": 0.0, "is_estimate": false, "first_failure": null, "keys_unknown": 0, "change_by": "2025-01-18"})
    );
    assert!(env.text("reports/plan.md").contains("| first failing call expected on | none |"));

    let atlas = sandbox(Options { users: 3, product: Product::Atlas, ..Options::default() });
    let env = TestEnv::at(&atlas);
    env.audit(&atlas, &["--all-orgs"]);
    let ran = env.run(&["plan", "--upgrade-on", "2025-02-01"]);
    assert!(ran.code == 5 && ran.stderr.contains("--upgrade-on is for Ops Manager"), "{ran:?}");
}
