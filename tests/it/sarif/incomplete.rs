//! What is unknown or left out is a notification, and never looks clean.

use serde_json::{Value, json};

use super::{SARIF, changed, notices, results, run_of, text};
use crate::stub::{Digest, Reply, Stub, env, id, key, list};
use crate::support::{TestEnv, ops_manager};

#[test]
fn an_unread_user_is_a_notification_and_no_success() {
    let stub = Stub::start(Digest::On, |asked| match asked.path.as_str() {
        path if path.contains(&id(1)) => Reply::error(403, "USER_[x](http://e.example){0}"),
        path if path.contains(&id(2)) => Reply::ok(&json!({"results": [key(7, "ci")], "totalCount": 2})),
        path if path.starts_with("/orgs") => Reply::error(404, "RESOURCE_NOT_FOUND"),
        _ => Reply::ok(&list(&[])),
    });
    let env = env();
    env.put("users.txt", format!("{}\n{}\n{}\n", id(1), id(2), id(3)));
    let org = ["--users", "users.txt", "--org", "5980000000000000000000aa"];
    assert_eq!(env.audit_at(&stub.url(), &[&org[..], &SARIF].concat()).code, 4);
    let run = run_of(&env);
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    assert_eq!(results(&run).len(), 1, "a key once seen is never lost");
    let unknown = notices(&run, "toolExecutionNotifications");
    let kinds: Vec<_> = unknown.iter().map(|notice| text(notice, "/descriptor/id")).collect();
    assert_eq!(kinds, ["unlisted-users", "unreadable-user", "unreadable-user"]);
    assert_eq!(unknown[0]["properties"]["org_id"], "5980000000000000000000aa");
    let kinds = run["tool"]["driver"]["notifications"].as_array().unwrap();
    for notice in &unknown {
        let index = usize::try_from(notice["descriptor"]["index"].as_u64().unwrap()).unwrap();
        assert_eq!(kinds[index]["id"], notice["descriptor"]["id"]);
        assert_eq!(notice["level"], "error");
    }
    let lines: Vec<_> = unknown[1..]
        .iter()
        .map(|notice| notice["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64())
        .collect();
    assert_eq!(lines, [Some(1), Some(2)]);
    let message = text(unknown[1], "/message/text");
    assert!(
        message.contains("forbidden, HTTP 403") && !message.contains("](") && message.contains("{{0}}"),
        "{message}"
    );

    // Waived, the same user is still reported, and the run is what its exit code says.
    env.put("two.txt", format!("{}\n{}\n", id(1), id(3)));
    let waiver = format!("user = \"{}\"\nreason = \"r\"\nowner = \"ann\"\nexpires = 2025-06-01\n", id(1));
    env.put("waivers.toml", format!("[[waiver]]\n{waiver}"));
    let arguments = [&["--users", "two.txt", "--waivers", "waivers.toml"][..], &SARIF].concat();
    assert_eq!(env.audit_at(&stub.url(), &arguments).code, 0);
    let run = run_of(&env);
    let found = notices(&run, "toolExecutionNotifications");
    assert_eq!((found.len(), text(found[0], "/level")), (1, "note"));
    assert!(text(found[0], "/message/text").starts_with("waived until 2025-06-01"), "{found:?}");
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
}

#[test]
fn of_thousands_of_unread_users_the_rest_is_summed_up() {
    let sandbox = ops_manager(3);
    let env = TestEnv::at(&sandbox);
    env.put("users.txt", (1..=1_203).map(|number| id(number) + "\n").collect::<String>());
    assert_eq!(env.audit(&sandbox, &[&["--users", "users.txt"][..], &SARIF].concat()).code, 3);
    let run = run_of(&env);
    let notices = notices(&run, "toolExecutionNotifications");
    assert_eq!(notices.len(), 1_001);
    let last = notices[1_000];
    assert_eq!((text(last, "/descriptor/id"), text(last, "/level")), ("more-unreadable", "error"));
    assert!(text(last, "/message/text").starts_with("203 more"), "{last}");
}

#[test]
fn a_run_cut_short_is_reported() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    store.execute("UPDATE runs SET finished_at = NULL", []).unwrap();
    drop(store);
    let ran = env.run(&["report", "--format", "sarif"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let run = run_of(&env);
    let notices = notices(&run, "toolExecutionNotifications");
    assert_eq!(notices.iter().map(|it| text(it, "/descriptor/id")).collect::<Vec<_>>(), ["run-cut-short"]);
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    assert_eq!(run["invocations"][0].get("endTimeUtc"), None);
}

#[test]
fn beyond_the_limit_of_code_scanning_the_least_severe_are_left_out() {
    const USERS: usize = 5;
    const EACH: usize = 5_010;
    const IN_USE: usize = 40;
    let stub = Stub::start(Digest::On, move |asked| {
        let user = usize::from_str_radix(asked.path.split('/').nth(2).unwrap(), 16).unwrap();
        let to = (asked.page() * 500).min(EACH);
        let keys = ((asked.page() - 1) * 500 + 1..=to).map(|number| {
            // The worst are of the last user, and come last.
            let in_use = user == USERS && number > EACH - IN_USE;
            let last = if in_use { "2024-12-31T00:00:00Z" } else { "2018-05-14T14:45:23Z" };
            changed(user * 10_000 + number, &json!({"lastUsed": last, "userId": id(user)}))
        });
        let keys: Vec<_> = keys.collect();
        let rel = if to < EACH { "next" } else { "self" };
        Reply::ok(&json!({"results": keys, "totalCount": EACH, "links": [{"rel": rel, "href": "x"}]}))
    });
    let env = env();
    env.put("users.txt", (1..=USERS).map(|user| id(user) + "\n").collect::<String>());
    let ran = env.audit_at(&stub.url(), &["--users", "users.txt", "--format", "sarif"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let run: Value = serde_json::from_slice(&env.bytes("reports/findings.sarif")).unwrap();
    let run = &run["runs"][0];
    assert_eq!(results(run).len(), 25_000);
    let in_use = results(run).iter().take_while(|result| result["ruleId"] == "used-after-cutoff").count();
    assert_eq!(in_use, IN_USE);
    let notices = notices(run, "toolExecutionNotifications");
    assert_eq!(notices.len(), 1);
    assert_eq!(text(notices[0], "/descriptor/id"), "results-left-out");
    assert!(text(notices[0], "/message/text").starts_with("50 of 25050 keys are left out"), "{notices:?}");
    assert_eq!(run["invocations"][0]["executionSuccessful"], true, "all were read");
    let left: Vec<_> = env.files().into_keys().filter(|path| !path.starts_with("users.txt")).collect();
    let is_known =
        |name: &str| ["findings.sarif", "manifest.json"].contains(&name) || name.starts_with("keysunset.db");
    let known = left.iter().all(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_known));
    assert!(known, "nothing between is left: {left:?}");
}
