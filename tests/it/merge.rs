//! `keysunset merge`: the runs of several deployments in one report.

use std::collections::BTreeSet;
use std::process::Command;

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
        |name: &str| page.rows.iter().find(|cells| cells.len() == 8 && cells[0] == name).cloned().unwrap();
    let severe = |name: &str| row(name)[3..6].iter().map(|it| it.parse::<usize>().unwrap()).sum::<usize>();
    for (name, keys, users, unread, enabled, complete) in [
        ("all", 3, "5", "1", "3", "no"),
        ("east", 1, "2", "1", "1", "no"),
        ("north", 0, "2", "0", "0", "yes"),
        ("west", 2, "1", "0", "2", "yes"),
    ] {
        let row = row(name);
        assert_eq!([&row[1], &row[2], &row[6], &row[7]], [users, unread, enabled, complete], "{name}");
        assert_eq!(severe(name), keys, "{name}");
    }
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

/// So many run databases, each of a deployment of its own with one key, in the folder `many`.
fn many(env: &TestEnv, count: usize) {
    let (_, stub) = World::of(vec![(1, Keys::Are(vec![key(1, 10, None, 0)]))]);
    let name = "deployment-0000";
    assert_eq!(env.audit_at(&stub.url(), &["--org", ORG, "--name", name]).code, 1);
    let database = env.bytes("reports/keysunset.db");
    // A name of the same length at the same place leaves the database whole.
    let places: Vec<_> = memchr::memmem::find_iter(&database, name).collect();
    assert!(!places.is_empty());
    for number in 0..count {
        let mut other = database.clone();
        let name = format!("deployment-{number:04}");
        for at in &places {
            other[*at..*at + name.len()].copy_from_slice(name.as_bytes());
        }
        env.put(&format!("many/{number:04}.db"), other);
    }
}

/// Merges them in a process that may have so many files open.
#[cfg(unix)]
fn merged_with_handles(env: &TestEnv, handles: u32, more: &str) -> CliOutput {
    let script = format!("ulimit -n {handles}; exec \"$0\" merge many/*.db {more}");
    CliOutput::of(env.start(Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_keysunset")])))
}

#[test]
#[cfg(unix)]
fn merging_hundreds_of_databases_needs_few_file_handles() {
    let env = crate::stub::env();
    many(&env, 600);
    // Without a manifest, which would be written to the disk 600 times.
    let ran = merged_with_handles(&env, 256, "--out - --format html");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("600 deployments"), "{}", ran.stderr);
    assert!(["deployment-0000", "deployment-0599"].iter().all(|name| ran.stdout.contains(name)));
}

#[test]
#[cfg(unix)]
fn each_merged_database_knows_the_manifest_and_no_other_run() {
    let env = crate::stub::env();
    many(&env, 40);
    let formats = "csv,markdown,html,xlsx,json,ndjson,sarif,junit,gitlab,github,prometheus";
    let ran = merged_with_handles(&env, 128, &format!("--ratchet --out all --format {formats}"));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let all = rows(&env.bytes("all/keys.csv"));
    let names: BTreeSet<_> = all.iter().map(|row| &*row["deployment"]).collect();
    assert_eq!((all.len(), names.len()), (40, 40));
    for number in [0, 39] {
        let name = format!("many/{number:04}.db");
        let other = format!("deployment-{:04}", 39 - number);
        assert!(memchr::memmem::find(&env.bytes(&name), other.as_bytes()).is_none(), "{name}");
        let database = rusqlite::Connection::open(env.path(&name)).unwrap();
        let recorded = "SELECT sha256 FROM manifests ORDER BY id DESC LIMIT 1";
        let recorded: String = database.query_row(recorded, [], |row| row.get(0)).unwrap();
        assert_eq!(recorded, crate::evidence::sha256sum(&env.bytes("all/manifest.json")), "{name}");
    }
}

#[test]
#[cfg(unix)]
fn too_few_file_handles_are_named_with_what_helps() {
    let env = crate::stub::env();
    many(&env, 40);
    for handles in [8, 16, 32, 40, 48, 52, 56] {
        let ran = merged_with_handles(&env, handles, "--out all --format csv,markdown,html,xlsx,json");
        let expected = ["too many files are open", "help: raise the limit on open files (ulimit -n)"];
        assert!([5, 6].contains(&ran.code), "{handles}: {ran:?}");
        assert!(expected.iter().all(|text| ran.stderr.contains(text)), "{handles}: {ran:?}");
        assert!(!env.path("all/keys.csv").exists());
    }
    // The other commands either have enough, or say that they have not.
    for command in ["report --out out", "plan --out out", "locate many --out out", "export --pack out/pack"] {
        for handles in [10, 13, 16, 19, 22, 25, 28] {
            let script = format!("ulimit -n {handles}; exec \"$0\" {command} --store reports/keysunset.db");
            let child = env.start(Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_keysunset")]));
            let ran = CliOutput::of(child);
            let case = format!("{command} with {handles}: {ran:?}");
            if [5, 6].contains(&ran.code) {
                assert!(ran.stderr.contains("too many files are open"), "{case}");
                assert!(ran.stderr.contains("raise the limit on open files (ulimit -n)"), "{case}");
                assert!(!env.path("out").join("keys.csv").exists(), "{case}");
            } else {
                assert!([0, 1, 3].contains(&ran.code) && handles > 13, "{case}");
            }
            let _ = std::fs::remove_dir_all(env.path("out"));
        }
    }
}
