//! `keysunset demo`: the whole main job on a fresh machine, and the same bytes each time.

use std::collections::BTreeSet;

use crate::stub::{Stub, USER};
use crate::support::{COLUMNS, TestEnv};

const NAMES: [&str; 2] = ["keys.csv", "migration-report.md"];

#[test]
fn the_demo_leaves_its_reports_at_the_promised_places_and_ends_well() {
    let env = TestEnv::empty();
    let ran = env.run(&["demo"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for name in NAMES {
        let path = format!("demo-reports/{name}");
        assert!(env.path(&path).is_file());
        assert!(ran.stdout.contains(&path), "{path} in {}", ran.stdout);
    }
    assert!(env.path("demo-reports/keysunset.db").is_file());
    assert_eq!(env.text("demo-reports/keys.csv").lines().next().unwrap(), COLUMNS);
    let rows = crate::support::rows(&env.bytes("demo-reports/keys.csv"));
    assert!(rows.iter().all(|row| row["read_status"] == "read"));
    let users: BTreeSet<_> = rows.iter().map(|row| &row["user_id"]).collect();
    assert_eq!(
        crate::page::number(&env.text("demo-reports/migration-report.md"), "requested"),
        Some(users.len())
    );
    for severity in ["critical", "high", "medium", "low", "info"] {
        assert!(rows.iter().any(|row| row["severity"] == severity), "{severity} is worth showing");
    }
}

#[test]
fn the_same_instant_gives_the_same_bytes() {
    let [one, other] = ["one", "other"].map(|_| {
        let env = TestEnv::empty();
        assert_eq!(env.run(&["demo", "--users", "40", "--out", "here"]).code, 0);
        NAMES.map(|name| env.text(&format!("here/{name}")))
    });
    assert_eq!(one, other);
}

#[test]
fn the_demo_has_as_many_users_as_asked_for() {
    let env = TestEnv::empty();
    assert_eq!(env.run(&["demo", "--users", "1"]).code, 0);
    assert_eq!(crate::page::number(&env.text("demo-reports/migration-report.md"), "requested"), Some(1));
    assert_eq!(env.run(&["demo", "--users", "0"]).code, 2, "nobody is not a demo");
}

#[test]
fn the_demo_never_writes_to_a_folder_of_another_deployment() {
    let stub = Stub::of_keys(Vec::new());
    let env = crate::stub::env();
    for name in ["prod", "demo"] {
        let out = format!("of-{name}");
        let ran = env.audit_at(&stub.url(), &["--user", USER, "--name", name, "--out", &out]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let elsewhere = format!("reports-of-{name}");
        let arguments = ["report", "--store", &format!("{out}/keysunset.db"), "--out", &elsewhere];
        assert_eq!(env.run(&arguments).code, 0);
        let before = env.files();
        let ran = env.run(&["demo", "--out", &out]);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.stderr.contains(&format!("of {name}")) && ran.stderr.contains("--out"), "{ran:?}");
        assert_eq!(env.files(), before);
        if name == "prod" {
            assert_eq!(env.run(&["demo", "--out", &elsewhere]).code, 5, "reports without their store");
        }
    }
    for _ in 0..2 {
        assert_eq!(env.run(&["demo", "--users", "1"]).code, 0, "its own folder is");
    }
}
