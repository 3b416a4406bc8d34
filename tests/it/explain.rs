//! `keysunset explain`: everything of one key, from its fields to the entry that would waive it.

use crate::stub::id;
use crate::support::NOW;
use crate::world::{Keys, World, audited, disabled, first, key, name};

#[test]
fn a_key_is_explained_with_rule_arithmetic_waiver_and_history() {
    let used = |count| key(1, 10, Some(NOW - 10 * 86_400), count);
    let (world, stub) = World::of(vec![(1, Keys::Are(vec![used(7)]))]);
    let (env, _) = first(&stub, &[]);
    world.becomes(vec![(1, Keys::Are(vec![disabled(used(9))]))]);
    let env = env.with("SOURCE_DATE_EPOCH", &(NOW + 5 * 86_400).to_string());
    assert_eq!(audited(&env, &stub, &[]).code, 1);
    env.put("waivers.toml", format!(
        "[[waiver]]\nkey = \"{}\"\nreason = \"moves later\"\nowner = \"ops\"\nexpires = 2025-01-08\nticket = \"OPS-1\"\n", id(10)
    ));
    let ran = env.run(&["explain", &id(10).to_uppercase(), "--waivers", "waivers.toml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for expected in [
        "00000000000a",
        &name(1),
        &id(1),
        "ci",
        "2018-05-14T14:45:22Z",
        "2024-12-22T00:00:00Z, 15 days before the run",
        "run 2 of 2025-01-06T00:00:00Z",
        "used-after-cutoff",
        "severity info action delete rule disabled arithmetic",
        "1392 days after the cutoff 2021-03-01",
        "until 2025-01-08, in 2 days, by ops: moves later (OPS-1)",
        "--fail-on any, used",
        "run 2 of 2025-01-06T00:00:00Z: disabled, 9 uses",
        "run 1 of 2025-01-01T00:00:00Z: enabled, 7 uses",
        "last use 2024-12-22T00:00:00Z: critical",
    ] {
        assert!(ran.words().contains(expected), "{expected}: {}", ran.stdout);
    }
}

#[test]
fn the_waiver_entry_is_refused_until_filled_in() {
    let (_, stub) = World::of(vec![(1, Keys::Are(vec![key(1, 10, None, 0)]))]);
    let (env, ran) = first(&stub, &[]);
    assert_eq!(ran.code, 1);
    let expected = env.run(&["explain", &id(10)]).stdout;
    let (_, entry) = expected.split_once("[[waiver]]").unwrap();
    env.put("waivers.toml", format!("[[waiver]]{entry}"));
    let ran = env.run(&["report", "--waivers", "waivers.toml"]);
    assert_eq!((ran.code, ran.stderr.contains("reason")), (5, true), "{ran:?}");
    let filled = entry.replacen("reason = \"\"", "reason = \"later\"", 1).replacen(
        "owner = \"\"",
        "owner = \"ops\"",
        1,
    );
    env.put("waivers.toml", format!("[[waiver]]{filled}"));
    assert_eq!(env.run(&["report", "--waivers", "waivers.toml"]).code, 0);
}

#[test]
fn a_key_is_gone_only_where_its_owner_was_read() {
    let keys = Keys::Are(vec![key(1, 10, None, 0)]);
    for (then, expected) in [
        (
            vec![(1, Keys::Are(Vec::new()))],
            "gone: run 2 of 2025-01-01T00:00:00Z read the keys of its owner, and this key was not among them",
        ),
        (
            vec![(1, Keys::Refused(410, "PERSONAL_API_KEYS_DEPRECATED"))],
            "gone: in run 2 of 2025-01-01T00:00:00Z, the deployment no longer has personal API keys",
        ),
        (
            vec![(1, Keys::Refused(401, "NOT_SELF"))],
            "unknown: run 2 of 2025-01-01T00:00:00Z could not read the keys of its owner (forbidden)",
        ),
        (vec![(2, Keys::Are(Vec::new()))], "unknown: run 2 of 2025-01-01T00:00:00Z does not include"),
    ] {
        let (world, stub) = World::of(vec![(1, keys.clone())]);
        let (env, _) = first(&stub, &[]);
        world.becomes(then);
        audited(&env, &stub, &[]);
        let ran = env.run(&["explain", &id(10)]);
        assert!(ran.words().contains(expected), "{expected}: {}", ran.stdout);
    }
}

/// Owners find their keys in scripts by these digits.
#[test]
fn a_key_is_found_by_its_last_12_digits() {
    let keys = |numbers: &[usize]| Keys::Are(numbers.iter().map(|number| key(1, *number, None, 0)).collect());
    let (_, stub) = World::of(vec![(1, keys(&[10, 11]))]);
    let (env, _) = first(&stub, &[]);
    let by_id = env.run(&["explain", &id(10)]);
    assert_eq!(by_id.code, 0, "{by_id:?}");
    for digits in ["00000000000a", "00000000000A"] {
        assert_eq!(env.run(&["explain", digits]).stdout, by_id.stdout);
    }
    assert_eq!(env.run(&["explain", "0000000000a"]).code, 5);
}

#[test]
fn an_unknown_key_is_bad_input() {
    let (_, stub) = World::of(vec![(1, Keys::Are(vec![key(1, 10, None, 0)]))]);
    let (env, _) = first(&stub, &[]);
    let ran = env.run(&["explain", &id(11)]);
    assert_eq!((ran.code, ran.stderr.contains(&id(11))), (5, true), "{ran:?}");
    assert_eq!(env.run(&["explain", &id(10), "--store", "nowhere.db"]).code, 5);
    assert_eq!(env.run(&["explain"]).code, 2);
}
