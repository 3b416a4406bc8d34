//! `keysunset diff`: what it says came between two runs is what the two worlds have between them, and what nobody could
//! see it says of nothing.

use std::collections::{BTreeMap, BTreeSet};

use keysunset_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::history::{DAY, audited, audited_as, key, key_id, read_by_python, user_id, world};
use crate::page;
use crate::support::{NOW, TestEnv, at, ops_manager, rfc3339, sandbox};

/// `diff` as JSON, read by software that isn't ours.
fn diff(env: &TestEnv, arguments: &[&str]) -> Value {
    let ran = env.run(&[&["diff", "--json"], arguments].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    read_by_python(&ran.stdout)
}

/// The kinds of change that came about, each with the ids it happened to, in the order of the page.
fn ids(diff: &Value) -> BTreeMap<String, Vec<String>> {
    let counts = diff["counts"].as_object().unwrap();
    let changes = counts.iter().map(|(kind, count)| {
        let items = diff[kind].as_array().unwrap();
        assert_eq!(count.as_u64().unwrap(), items.len() as u64, "{kind}");
        let id = |item: &Value| item.get("key_id").unwrap_or(&item["user_id"]).as_str().unwrap().to_owned();
        (kind.clone(), items.iter().map(id).collect::<Vec<_>>())
    });
    changes.filter(|(_, ids)| !ids.is_empty()).collect()
}

fn day(day: i64) -> String {
    rfc3339(at(NOW + day * DAY))
}

fn used(number: u64, last_used_day: i64, used_count: u64) -> Value {
    key(number, &json!({"lastUsed": day(last_used_day), "usedCount": used_count}))
}

/// A description that would break a table, make a link and call somebody.
const HOSTILE: &str = "|`a` <b>x</b> [c](http://e.example) @all \\|";

/// Two worlds a week apart.
fn worlds() -> (Sandbox, Sandbox) {
    let still = used(1, -100, 5);
    let before = world(&[
        ("ann", vec![still.clone(), used(2, -90, 69), key(3, &json!({"usedCount": 0}))]),
        (
            "boris",
            vec![
                used(10, -90, 5),
                key(11, &json!({"enabled": false, "usedCount": 0})),
                used(12, -90, 5),
                used(13, -2, 50),
                used(14, -2, 50),
            ],
        ),
        ("chiara", vec![key(20, &json!({})), key(21, &json!({"lastUsed": day(-50)})), used(22, -50, 7)]),
        ("frida", vec![used(30, -1, 1)]),
    ]);
    let mut disabled = used(10, 6, 12);
    disabled["enabled"] = false.into();
    let after = world(&[
        (
            "ann",
            vec![
                still,
                used(2, 6, 481),
                used(3, 5, 1),
                key(4, &json!({"createdAt": day(3), "usedCount": 0})),
            ],
        ),
        (
            "boris",
            vec![
                disabled,
                key(11, &json!({"enabled": true, "usedCount": 0})),
                // 12 went. The counts of 13 and 14 went down, the last use of 13 moved.
                used(13, 1, 3),
                used(14, -2, 3),
            ],
        ),
        (
            "chiara",
            vec![
                key(20, &json!({})),
                key(21, &json!({"lastUsed": day(4), "description": HOSTILE})),
                // The service no longer says how often.
                key(22, &json!({"lastUsed": day(-50)})),
            ],
        ),
        ("gina", vec![used(40, -9, 3)]),
    ]);
    (before, after)
}

#[test]
fn diff_finds_every_change_between_two_worlds_and_no_other() {
    let (before, after) = worlds();
    let env = audited(audited(TestEnv::at(&before), &before, 0), &after, 7);
    let found = diff(&env, &[]);
    let keys = |numbers: &[u64]| numbers.iter().map(|number| key_id(*number)).collect::<Vec<_>>();
    let expected = BTreeMap::from([
        ("users_came", vec![user_id("gina")]),
        ("users_went", vec![user_id("frida")]),
        ("used", keys(&[2, 3, 10, 13, 21])),
        ("use_unknown", keys(&[14, 20, 22])),
        ("came", keys(&[4])),
        ("first_seen", keys(&[40])),
        ("went", keys(&[12])),
        ("left_with_user", keys(&[30])),
        ("disabled", keys(&[10])),
        ("enabled", keys(&[11])),
    ]);
    let expected: BTreeMap<_, _> = expected.into_iter().map(|(kind, ids)| (kind.to_owned(), ids)).collect();
    assert_eq!(ids(&found), expected);
    assert_eq!(
        (&found["version"], &found["before"]["run"], &found["after"]["run"]),
        (&json!(1), &json!(1), &json!(2))
    );
}

#[test]
fn use_is_shown_with_its_arithmetic_and_unknown_is_not_zero() {
    let (before, after) = worlds();
    let env = audited(audited(TestEnv::at(&before), &before, 0), &after, 7);
    let found = diff(&env, &["1", "2"]);
    let item = |kind: &str, number: u64| {
        let items = found[kind].as_array().unwrap();
        items.iter().find(|item| item["key_id"] == key_id(number)).unwrap().clone()
    };
    let script = item("used", 2);
    assert_eq!(
        (&script["calls"], &script["calls_a_day"], &script["seconds"]),
        (&json!(412), &json!(58.86), &json!(7 * DAY))
    );
    assert_eq!(script["why"], format!("412 calls in 7.0 days, 58.86 a day; last used {}", day(6)));
    assert_eq!((&script["used_count_before"], &script["used_count_after"]), (&json!(69), &json!(481)));
    assert_eq!((&script["username"], &script["auditing_key"]), (&json!("ann"), &json!(false)));
    for (kind, number, why) in [
        ("used", 13, "unknown number of calls in 7.0 days"),
        ("used", 13, "the use count decreased from 50 to 3"),
        ("used", 21, "the service reported no use count"),
        ("use_unknown", 14, "the use count decreased from 50 to 3"),
        ("use_unknown", 20, "the service reported no use count; last use unknown"),
        ("use_unknown", 22, "the later run has no use count"),
    ] {
        let item = item(kind, number);
        assert_eq!((&item["calls"], &item["calls_a_day"]), (&Value::Null, &Value::Null), "{item}");
        assert!(item["why"].as_str().unwrap().contains(why), "{item}");
    }
    assert!(item("left_with_user", 30)["why"].as_str().unwrap().contains("the key was not checked"));

    let text = env.run(&["diff"]);
    assert_eq!(text.code, 0, "{text:?}");
    assert!(text.stdout.contains("\nKeys used between the runs (5): "), "{}", text.stdout);
    let line =
        format!(" - ann {} key 2: 412 calls in 7.0 days, 58.86 a day; last used {} - ", key_id(2), day(6));
    assert!(text.words().contains(&line), "{}", text.stdout);
    assert_eq!(env.run(&["diff"]), text, "the same evidence, the same bytes");
}

#[test]
fn markdown_has_a_row_per_change_and_no_text_breaks_it() {
    let (before, after) = worlds();
    let env = audited(audited(TestEnv::at(&before), &before, 0), &after, 7);
    let ran = env.run(&["diff", "--format", "markdown"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let page = page::parse(&ran.stdout);
    let changes: usize = ids(&diff(&env, &[])).values().map(Vec::len).sum();
    let sections = page.headings.iter().filter(|(level, _)| *level == 3).count();
    assert_eq!(sections, 10, "{:?}", page.headings);
    // The two runs under their head, and a head a section.
    assert_eq!(page.rows.len(), 3 + sections + changes, "{}", ran.stdout);
    assert_eq!((&page.links, &page.html), (&vec![], &vec![]));
    assert!(!page.prose.contains("@all") && !page.prose.contains("e.example"), "{}", page.prose);
    let hostile = page.rows.iter().find(|row| row[1] == key_id(21)).unwrap();
    assert!(hostile[3].contains("http://e.example"), "{hostile:?}");
}

/// Forty users, the same in every sandbox; these faults hit some of them.
fn half_read(faults: &[&str]) -> Sandbox {
    let faults = faults.iter().map(|spec| spec.parse().unwrap()).collect();
    sandbox(Options { users: 40, faults, ..Options::default() })
}

/// Ids of who is hit, and of the keys of those.
fn hit(sandbox: &Sandbox) -> (BTreeSet<String>, BTreeSet<String>) {
    let is_hit = |id: &str| !sandbox.faults_for(&format!("/users/{id}/keys?pageNum=1")).is_empty();
    let users: Vec<_> = sandbox.ground_truth().filter(|user| is_hit(&user.id)).collect();
    let keys = users.iter().flat_map(|user| user.keys.iter().map(|key| key.id.clone())).collect();
    (users.into_iter().map(|user| user.id).collect(), keys)
}

#[test]
fn keys_of_users_who_became_unreadable_are_unknown() {
    let (whole, half) = (half_read(&[]), half_read(&["403=NOT_SELF@40%:keys"]));
    let (users, keys) = hit(&half);
    assert!(users.len() > 5 && users.len() < 35 && keys.len() > 5);
    let env = audited(audited(TestEnv::at(&whole), &whole, 0), &half, 7);
    let found = ids(&diff(&env, &[]));
    let set = |kind: &str| found[kind].iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(set("users_became_unreadable"), users);
    assert_eq!(set("unknown"), keys);
    assert!(["went", "came", "left_with_user", "users_went"].iter().all(|kind| !found.contains_key(*kind)));
    let ran = env.run(&["diff"]);
    let caveat = format!("run 2 is incomplete: {} users not read", users.len());
    assert!(ran.stdout.contains(&caveat), "{}", ran.stdout);

    // And back again: nothing is new of whom nobody could see before.
    let env = audited(env, &whole, 14);
    let back = ids(&diff(&env, &["2", "3"]));
    let set = |kind: &str| back[kind].iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!((set("users_became_readable"), set("first_seen")), (users, keys));
    assert!(!back.contains_key("came"), "{back:?}");
    // By itself it takes the last complete run, over which nothing happened.
    let over = diff(&env, &[]);
    assert_eq!((&over["before"]["run"], &over["after"]["run"]), (&json!(1), &json!(3)));
    assert!(ids(&over).keys().all(|kind| kind == "use_unknown"), "{over}");
}

#[test]
fn no_user_is_gone_after_an_incomplete_run_or_one_of_others() {
    let (before, after) = worlds();
    let env = audited(TestEnv::at(&before), &before, 0);
    let (env, _) = audited_as(env, &after, 7, &["--user", &user_id("ann"), "--name", "prod"]);
    let found = ids(&diff(&env, &["1", "2"]));
    assert_eq!(found["users_unknown"].len(), 3, "{found:?}");
    assert_eq!(found["unknown"].len(), 5 + 3 + 1);
    assert!(
        ["went", "left_with_user", "users_went"].iter().all(|kind| !found.contains_key(*kind)),
        "{found:?}"
    );
    let ran = env.run(&["diff", "1", "2"]);
    assert!(ran.stdout.contains("the runs read different users"), "{}", ran.stdout);

    let whole = half_read(&[]);
    // No list of an organization can be read, so that one user is all that is known.
    let gap = half_read(&["403=NOT_ALLOWED@100%:users"]);
    let everybody = ["--user", &whole.ground_truth().next().unwrap().id, "--all-orgs", "--name", "gap"];
    let (env, _) = audited_as(TestEnv::at(&whole), &whole, 0, &everybody);
    let (env, ran) = audited_as(env, &gap, 7, &everybody);
    assert_eq!(ran.code, 4, "{ran:?}");
    let found = ids(&diff(&env, &[]));
    assert_eq!(found["users_unknown"].len(), 39, "{found:?}");
    assert!(found.contains_key("unknown"));
    assert!(
        ["went", "left_with_user", "users_went"].iter().all(|kind| !found.contains_key(*kind)),
        "{found:?}"
    );
}

#[test]
fn an_unresolved_name_is_the_user_of_that_name() {
    let world = half_read(&[]);
    let name = world.ground_truth().find(|user| user.keys.len() > 1).unwrap().username;
    let lost = half_read(&["503@100%:byname"]);
    let asked = ["--user", &name, "--name", "prod"];
    let (env, _) = audited_as(TestEnv::at(&world), &world, 0, &asked);
    let (env, _) = audited_as(env, &lost, 7, &asked);
    let found = ids(&diff(&env, &[]));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["unknown", "users_became_unreadable"], "{found:?}");
    let (env, _) = audited_as(env, &world, 14, &asked);
    let found = ids(&diff(&env, &["2"]));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["first_seen", "users_became_readable"], "{found:?}");
}

#[test]
fn the_auditing_key_is_marked() {
    let service = sandbox(Options { users: 5, service_version: "4.0.0".to_owned(), ..Options::default() });
    let env = audited(audited(TestEnv::at(&service), &service, 0), &service, 7);
    let found = diff(&env, &[]);
    let used = found["used"].as_array().unwrap();
    assert_eq!(used.len(), 1, "{found}");
    assert_eq!(used[0]["auditing_key"], true);
    assert!(used[0]["why"].as_str().unwrap().ends_with("an audit itself used this key"), "{}", used[0]);
}

#[test]
fn only_an_earlier_run_of_the_same_deployment_is_compared() {
    let sandbox = ops_manager(5);
    let mut env = TestEnv::at(&sandbox);
    for (day, name) in [(0, "a"), (1, "b"), (2, "a"), (3, "b"), (4, "a")] {
        env = audited_as(env, &sandbox, day, &["--all-orgs", "--name", name]).0;
    }
    for (arguments, runs) in [
        (&[][..], [3, 5]),
        (&["1"], [1, 5]),
        (&["2"], [2, 4]),
        (&["1", "3"], [1, 3]),
        (&["--deployment", "b"], [2, 4]),
    ] {
        let found = diff(&env, arguments);
        assert_eq!(
            [&found["before"]["run"], &found["after"]["run"]],
            runs.map(|run| json!(run)).each_ref(),
            "{arguments:?}"
        );
    }
    for (arguments, why) in [
        (&["1", "2"][..], "only runs of one deployment"),
        (&["3", "1"], "`keysunset diff 1 3`"),
        (&["3", "3"], "not earlier"),
        (&["5"], "run 5 is the newest run of a"),
        (&["9"], "contains no run 9"),
        (&["1", "9"], "contains no run 9"),
        (&["--deployment", "c"], "it contains runs of: a, b"),
    ] {
        let ran = env.run(&[&["diff"], arguments].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(why), "{arguments:?}: {ran:?}");
    }
    let alone = TestEnv::at(&sandbox);
    assert_eq!(alone.audit(&sandbox, &["--all-orgs"]).code, 1);
    let ran = alone.run(&["diff"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(
        ran.stderr.contains("no complete run") && ran.stderr.contains("help: audit again later"),
        "{ran:?}"
    );
}
