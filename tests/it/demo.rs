//! `keysunset demo`: the whole main job on a fresh machine, and the same bytes each time.

use std::collections::BTreeSet;

use crate::support::{COLUMNS, TestEnv};

const NAMES: [&str; 2] = ["keys.csv", "migration-report.md"];

#[test]
fn the_demo_leaves_its_reports_at_the_promised_places_and_ends_well() {
    let env = TestEnv::empty();
    let ran = env.run(&["demo"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for name in NAMES {
        let path = format!("reports/{name}");
        assert!(env.path(&path).is_file());
        assert!(ran.stdout.contains(&path), "{path} in {}", ran.stdout);
    }
    assert!(env.path("reports/keysunset.db").is_file());
    assert_eq!(env.text("reports/keys.csv").lines().next().unwrap(), COLUMNS);
    let rows = env.rows();
    assert!(rows.iter().all(|row| row["read_status"] == "read"));
    let users: BTreeSet<_> = rows.iter().map(|row| &row["user_id"]).collect();
    assert_eq!(crate::page::number(&env.markdown(), "requested"), Some(users.len()));
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
    assert_eq!(crate::page::number(&env.markdown(), "requested"), Some(1));
    assert_eq!(env.run(&["demo", "--users", "0"]).code, 2, "nobody is not a demo");
}
