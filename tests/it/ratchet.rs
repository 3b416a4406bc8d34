//! `--ratchet`: only what got worse than in the last complete run fails.

use crate::stub::{Stub, id};
use crate::support::{CliOutput, NOW, TestEnv};
use crate::world::{Keys, World, audited, disabled, first, key, name};

const LONG_AGO: i64 = NOW - 6 * 365 * 86_400;

fn again(env: &TestEnv, stub: &Stub, more: &[&str]) -> CliOutput {
    audited(env, stub, &[&["--ratchet"], more].concat())
}

#[test]
fn only_new_or_worse_keys_fail_the_ratchet() {
    let old = key(1, 10, Some(LONG_AGO), 7);
    let off = disabled(key(1, 11, Some(NOW), 7));
    let start =
        vec![(1, Keys::Are(vec![old.clone(), off.clone()])), (2, Keys::Are(vec![key(2, 20, None, 0)]))];
    let rest = (2, Keys::Are(vec![key(2, 20, None, 0)]));
    let becomes = |keys: Vec<serde_json::Value>| vec![(1, Keys::Are(keys)), rest.clone()];
    for (what, then, code) in [
        ("nothing changed", start.clone(), 0),
        ("a key went", becomes(vec![old.clone()]), 0),
        ("a key was disabled", becomes(vec![disabled(old.clone()), off.clone()]), 0),
        ("a user went", vec![rest.clone()], 0),
        ("a key came", becomes(vec![old.clone(), off.clone(), key(1, 12, None, 0)]), 1),
        ("one came and two went", becomes(vec![key(1, 12, None, 0)]), 1),
        ("one was used again", becomes(vec![key(1, 10, Some(NOW - 60), 8), off.clone()]), 1),
        ("one was used at a time unknown", becomes(vec![key(1, 10, None, 8), off.clone()]), 1),
        ("one was enabled again", becomes(vec![old.clone(), key(1, 11, Some(NOW), 7)]), 1),
        ("a user can no longer be read", vec![(1, Keys::Refused(401, "NOT_SELF")), rest.clone()], 3),
        ("a new user can't be read", [start.clone(), vec![(3, Keys::Refused(401, "NOT_SELF"))]].concat(), 3),
    ] {
        let (world, stub) = World::of(start.clone());
        let (env, ran) = first(&stub, &[]);
        assert_eq!(ran.code, 1, "{ran:?}");
        world.becomes(then);
        let ran = again(&env, &stub, &[]);
        assert_eq!(ran.code, code, "{what}: {ran:?}");
        assert!(ran.words().contains("compared with run 1 of 2025-01-01T00:00:00Z"), "{what}: {ran:?}");
        assert_ne!(env.run(&["report"]).code, 0, "without the ratchet the keys count");
        assert_eq!(env.run(&["report", "--ratchet"]).code, code, "{what}, rendered again");
    }
}

#[test]
fn a_key_that_passes_the_gate_passes_the_ratchet() {
    let (world, stub) = World::of(vec![(1, Keys::Are(vec![key(1, 10, Some(NOW), 7)]))]);
    let (env, _) = first(&stub, &[]);
    world.becomes(vec![(1, Keys::Are(vec![key(1, 10, Some(NOW), 9), key(1, 11, Some(LONG_AGO), 7)]))]);
    assert_eq!(again(&env, &stub, &[]).code, 1);
    assert_eq!(
        env.run(&["report", "--ratchet", "--fail-on", "used"]).code,
        0,
        "the new one was not used since"
    );
}

#[test]
fn without_an_earlier_complete_run_every_key_counts() {
    let keys = Keys::Are(vec![key(1, 10, None, 0)]);
    let (world, stub) = World::of(vec![(1, keys.clone()), (2, Keys::Refused(401, "NOT_SELF"))]);
    let (env, ran) = first(&stub, &["--ratchet"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stderr.contains("no earlier complete run"), "{ran:?}");
    let ran = again(&env, &stub, &[]);
    assert_eq!(ran.code, 4, "a run with somebody unread is none to compare with: {ran:?}");
    world.becomes(vec![(1, keys.clone()), (2, Keys::Are(Vec::new()))]);
    assert_eq!(again(&env, &stub, &[]).code, 1, "the first complete one");
    world.becomes(vec![(1, keys), (2, Keys::Are(Vec::new()))]);
    let ran = again(&env, &stub, &[]);
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("no key got worse; the remaining keys:"), "{ran:?}");
}

#[test]
fn an_unreadable_but_waived_user_leaves_a_run_comparable() {
    let keys = Keys::Are(vec![key(1, 10, None, 0)]);
    let (_, stub) = World::of(vec![(1, keys), (2, Keys::Refused(401, "NOT_SELF"))]);
    let env = crate::stub::env();
    env.put(
        "waivers.toml",
        format!(
            "[[waiver]]\nuser = \"{}\"\nreason = \"gone\"\nowner = \"ops\"\nexpires = 2025-06-30\n",
            name(2)
        ),
    );
    assert_eq!(again(&env, &stub, &["--waivers", "waivers.toml"]).code, 1);
    assert_eq!(again(&env, &stub, &["--waivers", "waivers.toml"]).code, 0);
}

#[test]
fn a_run_of_other_users_is_not_compared_with() {
    let (_, stub) = World::of(vec![(1, Keys::Are(vec![key(1, 10, None, 0)])), (2, Keys::Are(Vec::new()))]);
    let env = crate::stub::env();
    let one = env.audit_at(&stub.url(), &["--user", &id(2), "--name", "east"]);
    assert_eq!(one.code, 0, "{one:?}");
    let ran = again(&env, &stub, &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("no earlier complete run"), "{ran:?}");
}

/// What `keysunset export` writes of the newest run, as a file on another desk.
fn exported(env: &TestEnv, to: &TestEnv) {
    let ran = env.run(&["export"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    to.put("baseline.ndjson", ran.stdout);
}

#[test]
fn a_baseline_works_on_another_machine() {
    let old = key(1, 10, Some(LONG_AGO), 7);
    let (world, stub) = World::of(vec![(1, Keys::Are(vec![old.clone()]))]);
    let (there, _) = first(&stub, &[]);
    let here = crate::stub::env();
    exported(&there, &here);
    let against = ["--baseline", "baseline.ndjson"];
    let ran = audited(&here, &stub, &against);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.words().contains("compared with the run of 2025-01-01T00:00:00Z in baseline.ndjson: 0 new"),
        "{ran:?}"
    );
    world.becomes(vec![(1, Keys::Are(vec![old, key(1, 11, None, 0)]))]);
    assert_eq!(audited(&here, &stub, &against).code, 1, "one came");
    assert_eq!(audited(&here, &stub, &["--ratchet"]).code, 0, "the run before had it, too");
}

#[test]
fn an_incomplete_or_foreign_baseline_is_refused() {
    let keys = Keys::Are(vec![key(1, 10, None, 0)]);
    let (_, stub) = World::of(vec![(1, keys.clone()), (2, Keys::Refused(401, "NOT_SELF"))]);
    let (there, _) = first(&stub, &[]);
    let here = crate::stub::env();
    exported(&there, &here);
    let against = ["--baseline", "baseline.ndjson"];
    let refused = |why: &str| {
        let ran = audited(&here, &stub, &against);
        assert_eq!((ran.code, ran.stderr.contains(why)), (5, true), "{why}: {ran:?}");
    };
    refused("u2@example.com is forbidden");
    let whole = here.text("baseline.ndjson");
    let lines: Vec<_> = whole.lines().collect();
    here.put("baseline.ndjson", whole.replace("\"deployment\":\"east\"", "\"deployment\":\"west\""));
    refused("it is a run of west, but this run is of east");
    let (_, whole_stub) = World::of(vec![(1, keys), (2, Keys::Are(Vec::new()))]);
    let (there, _) = first(&whole_stub, &[]);
    exported(&there, &here);
    let complete = here.text("baseline.ndjson");
    here.put("baseline.ndjson", complete.split_inclusive('\n').take(2).collect::<String>());
    refused("the last line is missing");
    here.put("baseline.ndjson", complete.replace("\"enabled\":true", "\"enabled\": true"));
    refused("canonical form");
    here.put("baseline.ndjson", "deployment,user_id\n");
    refused("baseline.ndjson:1:");
    std::fs::remove_file(here.path("baseline.ndjson")).unwrap();
    refused("baseline.ndjson");
    assert!(lines.len() > 3);
}

#[test]
fn keys_no_longer_seen_are_counted() {
    let keys = |user: usize, number: usize| (user, Keys::Are(vec![key(user, number, None, 0)]));
    let (world, stub) = World::of(vec![keys(1, 10), keys(2, 20)]);
    let (env, _) = first(&stub, &[]);
    world.becomes(vec![keys(1, 10)]);
    let ran = again(&env, &stub, &[]);
    assert_eq!((ran.code, ran.words().contains("1 no longer found")), (0, true), "{ran:?}");
}

#[test]
fn a_wrong_baseline_is_refused_before_the_first_request() {
    let (_, stub) = World::of(vec![(1, Keys::Are(Vec::new()))]);
    let env = crate::stub::env();
    env.put("baseline.ndjson", "nothing of ours\n");
    for baseline in ["baseline.ndjson", "nowhere.ndjson"] {
        assert_eq!(audited(&env, &stub, &["--baseline", baseline]).code, 5, "{baseline}");
    }
    assert!(stub.asked().is_empty());
    assert_eq!(audited(&env, &stub, &["--baseline", "nowhere.ndjson", "--ratchet=false"]).code, 0);
}

#[test]
fn prune_keeps_the_run_that_is_compared_with() {
    let (world, stub) = World::of(vec![(1, Keys::Are(vec![key(1, 10, None, 0)]))]);
    let (env, _) = first(&stub, &[]);
    for _ in 0..2 {
        assert_eq!(env.audit_at(&stub.url(), &["--user", &id(1), "--name", "east"]).code, 1);
    }
    assert_eq!(env.run(&["prune", "--keep", "1"]).code, 0);
    assert_eq!(again(&env, &stub, &[]).code, 0, "the last run of everybody is there");

    // And the last one in which each unread user is waived.
    world.becomes(vec![(1, Keys::Are(vec![key(1, 10, None, 0)])), (2, Keys::Refused(401, "NOT_SELF"))]);
    let (env, _) = first(&stub, &[]);
    env.put(
        "waivers.toml",
        format!("[[waiver]]\nuser = \"{}\"\nreason = \"r\"\nowner = \"o\"\nexpires = 2025-06-30\n", id(2)),
    );
    env.audit_at(&stub.url(), &["--org", "5980000000000000000000ff", "--user", &id(1), "--name", "east"]);
    assert_eq!(env.run(&["prune", "--keep", "1"]).code, 0);
    assert_eq!(again(&env, &stub, &["--waivers", "waivers.toml"]).code, 0);
}
