//! `keysunset merge`: the runs of several deployments in one report.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::page::parse;
use crate::stub::id;
use crate::support::{CliOutput, TestEnv, count, rows};
use crate::world::{Keys, ORG, World, key};

/// Three deployments, audited into stores of their own; the second has somebody who can't be read.
fn audited() -> TestEnv {
    let env = crate::stub::env();
    let with_key = || vec![(1, Keys::Are(vec![key(1, 10, None, 0), key(1, 11, None, 0)]))];
    let unread = vec![(1, Keys::Are(vec![key(1, 10, None, 0)])), (2, Keys::Refused(401, "NOT_SELF"))];
    for (deployment, world, code) in [
        ("west", with_key(), 1),
        ("east", unread, 4),
        ("north", vec![(1, Keys::Are(Vec::new())), (2, Keys::Are(Vec::new()))], 0),
    ] {
        let (_, stub) = World::of(world);
        let ran = env.audit_at(&stub.url(), &["--org", ORG, "--name", deployment, "--out", deployment]);
        assert_eq!(ran.code, code, "{ran:?}");
    }
    env
}

fn merged(env: &TestEnv, stores: &[&str], more: &[&str]) -> CliOutput {
    env.run(&[&["merge"], stores, &["--out", "all"], more].concat())
}

#[test]
fn rows_name_their_deployment_and_totals_are_per_deployment() {
    let env = audited();
    let ran = merged(&env, &["west", "north/keysunset.db", "east"], &[]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let all = rows(&env.bytes("all/keys.csv"));
    assert_eq!(["east", "north", "west"].map(|name| count(&all, "deployment", name)), [2, 2, 2]);
    let place = |row: &crate::support::Row| {
        ["deployment", "username", "user_id", "created_at", "key_id"].map(|it| row[it].clone())
    };
    assert!(all.is_sorted_by_key(place), "{all:#?}");
    let each = |name: &str| rows(&env.bytes(&format!("{name}/keys.csv")));
    assert_eq!(all, [each("east"), each("north"), each("west")].concat());

    let page = parse(&env.text("all/migration-report.md"));
    let row =
        |name: &str| page.rows.iter().find(|cells| cells.len() == 6 && cells[0] == name).cloned().unwrap();
    assert_eq!(row("east"), ["east", "2", "1", "1", "1", "no"]);
    assert_eq!(row("north"), ["north", "2", "0", "0", "0", "yes"]);
    assert_eq!(row("west"), ["west", "1", "0", "2", "2", "yes"]);
    assert_eq!(row("all"), ["all", "5", "1", "3", "3", "no"]);
    assert!(page.prose.contains("INCOMPLETE"));
    for expected in ["3 deployments", "5 requested = 4 read + 1 not read"] {
        assert!(ran.stdout.contains(expected), "{expected}: {ran:?}");
    }
}

/// GitHub refuses a file of several runs of one tool.
#[test]
fn sarif_is_one_run_with_an_invocation_a_deployment() {
    let env = audited();
    assert_eq!(merged(&env, &["west", "east"], &["--format", "sarif"]).code, 4);
    let document: Value = serde_json::from_slice(&env.bytes("all/findings.sarif")).unwrap();
    let run = &document["runs"][0];
    let [runs, results, invocations] = ["/runs", "/runs/0/results", "/runs/0/invocations"]
        .map(|part| document.pointer(part).unwrap().as_array().unwrap());
    assert_eq!((runs.len(), results.len(), invocations.len()), (1, 3, 2));
    let fingerprints: BTreeSet<_> = results.iter().map(|it| it["partialFingerprints"].to_string()).collect();
    assert_eq!(fingerprints.len(), 3, "one key id is in both deployments: {run}");
    let of = |part: &str| invocations.iter().map(|it| it.pointer(part).unwrap().clone()).collect::<Vec<_>>();
    assert_eq!(of("/properties/deployment"), ["east", "west"]);
    assert_eq!(of("/executionSuccessful"), [false, true]);
    let notifications = of("/toolExecutionNotifications");
    let counts: Vec<_> = notifications.iter().map(|it| it.as_array().unwrap().len()).collect();
    assert_eq!(counts, [1, 0]);
}

#[test]
fn the_exit_code_is_over_all_deployments() {
    let env = audited();
    assert_eq!(merged(&env, &["north"], &[]).code, 0);
    assert_eq!(merged(&env, &["north", "west"], &[]).code, 1);
    assert_eq!(merged(&env, &["north", "east"], &["--fail-on", "used"]).code, 3);
    assert_eq!(merged(&env, &["north", "west"], &["--ratchet"]).code, 1, "no earlier run of either");
    env.put(
        "waivers.toml",
        [10, 11]
            .map(|number| {
                format!(
                    "[[waiver]]\nkey = \"{}\"\nreason = \"r\"\nowner = \"o\"\nexpires = 2025-06-30\n",
                    id(number)
                )
            })
            .concat(),
    );
    let ran = merged(&env, &["west", "north"], &["--waivers", "waivers.toml", "--strict-waivers"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn one_deployment_never_counts_twice() {
    let env = audited();
    std::fs::create_dir(env.path("copy")).unwrap();
    std::fs::copy(env.path("west/keysunset.db"), env.path("copy/keysunset.db")).unwrap();
    for stores in [["west", "copy"], ["west", "west"]] {
        let ran = merged(&env, &stores, &[]);
        assert_eq!((ran.code, ran.stderr.contains("west")), (5, true), "{ran:?}");
        assert!(!env.path("all/keys.csv").exists());
    }
    for stores in [&["nowhere"][..], &["west", "waivers.toml"]] {
        assert_eq!(merged(&env, stores, &[]).code, 5);
    }
    assert_eq!(env.run(&["merge"]).code, 2);
}
