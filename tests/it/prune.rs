//! `keysunset prune`: what stays is as it was, what goes is gone with all that hung on it, and the file is sound.

use std::process::Command;

use keysunset_sandbox::Options;

use crate::history::audited_as;
use crate::stub::{self, Digest, Reply, Stub, USER};
use crate::support::{TestEnv, ops_manager, sandbox};

const STORE: &str = "reports/keysunset.db";

/// What SQLite's own shell answers.
fn sqlite3(env: &TestEnv, query: &str) -> String {
    let output = Command::new("sqlite3").arg(env.path(STORE)).arg(query).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn runs(env: &TestEnv) -> String {
    sqlite3(env, "SELECT group_concat(id, ' ') FROM (SELECT id FROM runs ORDER BY id)")
}

/// Runs 1 to 7: of `a` 1, 2, 4 (incomplete), 5 (incomplete) and 7 (incomplete); of `b` 3 and 6.
fn kept() -> TestEnv {
    let whole = ops_manager(200);
    let half = sandbox(Options {
        users: 200,
        faults: vec!["403=NOT_SELF@50%:keys".parse().unwrap()],
        ..Options::default()
    });
    let mut env = TestEnv::at(&whole);
    let all = [
        ("a", &whole),
        ("a", &whole),
        ("b", &whole),
        ("a", &half),
        ("a", &half),
        ("b", &whole),
        ("a", &half),
    ];
    for (day, (name, sandbox)) in (0..).zip(all) {
        env = audited_as(env, sandbox, day, &["--all-orgs", "--name", name]).0;
    }
    env
}

#[test]
fn the_newest_and_the_last_complete_run_stay() {
    let env = kept();
    let size = || env.path(STORE).metadata().unwrap().len();
    let report = |run: &str| {
        assert!(env.run(&["report", "--run", run]).code < 5);
        (env.bytes("reports/keys.csv"), env.run(&["export", run]).stdout)
    };
    let (second, seventh) = (report("2"), report("7"));
    let before = size();
    let ran = env.run(&["prune", "--keep", "1"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    // Run 2 is the last of `a` that was complete; run 6 is both of `b`.
    assert_eq!(runs(&env), "2 6 7");
    assert!(
        ran.words().contains("delete runs 1, 4, 5 from 2025-01-01T00:00:00Z to 2025-01-05T00:00:00Z"),
        "{}",
        ran.stdout
    );
    assert!(ran.words().contains("deleted 800 users and"), "{}", ran.stdout);
    assert!(size() < before * 2 / 3, "{before} to {}", size());
    assert_eq!(sqlite3(&env, "PRAGMA integrity_check; PRAGMA foreign_key_check"), "ok");
    assert_eq!(sqlite3(&env, "SELECT count(*) FROM readings"), "600");
    let orphans = "SELECT count(*) FROM keys WHERE reading NOT IN (SELECT id FROM readings)";
    assert_eq!(sqlite3(&env, orphans), "0");
    assert_eq!(sqlite3(&env, "SELECT min(run) FROM manifests"), "1", "the chain outlives the runs");
    assert_eq!((report("2"), report("7")), (second, seventh));
    assert_eq!(env.run(&["report", "--run", "1"]).code, 5);

    let ran = env.run(&["prune", "--keep", "1"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.words().contains("delete no run") && ran.words().contains("deleted 0 users"),
        "{}",
        ran.stdout
    );
    assert_eq!(runs(&env), "2 6 7");
    // And it goes on with numbers of its own.
    let (env, _) = audited_as(env, &ops_manager(5), 9, &["--all-orgs", "--name", "a"]);
    assert_eq!(runs(&env), "2 6 7 8");
}

#[test]
fn each_deployment_keeps_its_newest() {
    let env = kept();
    assert_eq!(env.run(&["prune", "--keep", "2", "--quiet"]).stdout, "");
    assert_eq!(runs(&env), "2 3 5 6 7");
    assert_eq!(env.run(&["prune", "--keep", "100"]).code, 0);
    assert_eq!(runs(&env), "2 3 5 6 7");
}

#[test]
fn a_dry_run_changes_nothing() {
    let env = kept();
    let rows =
        "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM readings), (SELECT count(*) FROM keys)";
    let before = sqlite3(&env, rows);
    let ran = env.run(&["prune", "--keep", "1", "--dry-run"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.words().contains("delete runs 1, 4, 5 ") && ran.words().contains("no runs were deleted"),
        "{}",
        ran.stdout
    );
    assert_eq!(sqlite3(&env, rows), before);
}

#[test]
fn nothing_is_pruned_while_an_audit_writes() {
    let (asked, was_asked) = std::sync::mpsc::channel();
    let stub = Stub::start(Digest::On, move |_| {
        let _ = asked.send(());
        Reply::never()
    });
    let env = stub::env();
    let mut audit = env.spawn(&["audit", "--url", &stub.url(), "--user", USER, "--timeout", "600"]);
    was_asked.recv().unwrap();
    let pruned = env.run(&["prune", "--keep", "1"]);
    assert_eq!(pruned.code, 5, "{pruned:?}");
    assert!(pruned.stderr.contains("an audit is writing") && pruned.stderr.contains("help: "), "{pruned:?}");
    // Looking is free.
    assert_eq!(env.run(&["prune", "--keep", "1", "--dry-run"]).code, 0);
    assert_eq!(env.run(&["history"]).code, 0);
    audit.kill().unwrap();
    audit.wait().unwrap();
}

#[test]
fn another_programs_file_is_not_changed() {
    let env = TestEnv::empty();
    env.put(STORE, "not a store");
    let before = env.files();
    for command in [&["prune", "--keep", "1"][..], &["history"], &["diff"]] {
        let ran = env.run(command);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.stderr.contains("is not a keysunset run database"), "{ran:?}");
    }
    assert_eq!(env.files(), before);
}
