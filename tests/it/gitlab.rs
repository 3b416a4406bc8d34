//! `gl-code-quality-report.json` has what GitLab documents of a Code Quality report, and hides nothing that is unknown.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::foreign;
use crate::stub::{Digest, Reply, Stub, USER, env, id, key, list};
use crate::support::{TestEnv, ops_manager};

/// What GitLab's documentation asks of every entry. It publishes no schema.
pub(crate) const CHECK: &str = r#"
import json, sys
raw = open(sys.argv[1], "rb").read()
assert not raw.startswith(b"\xef\xbb\xbf"), "a BOM"
entries = json.loads(raw.decode("utf-8"))
assert isinstance(entries, list)
for entry in entries:
    assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}, entry
    assert all(isinstance(entry[name], str) and entry[name] for name in set(entry) - {"location"}), entry
    assert entry["severity"] in {"info", "minor", "major", "critical", "blocker"}, entry
    path = entry["location"]["path"]
    assert path and not path.startswith(("/", "./", "../")) and "\\" not in path, entry
    begin = entry["location"]["lines"]["begin"]
    assert type(begin) is int and begin >= 1, entry
    assert entry["description"].isprintable() or not any(ord(c) < 32 for c in entry["description"]), entry
fingerprints = {entry["fingerprint"] for entry in entries}
assert len(fingerprints) == len(entries), "fingerprints are not unique"
print(len(entries))
"#;

/// The entries of the default `--out`, which are as GitLab wants them.
fn entries(env: &TestEnv) -> Vec<Value> {
    let path = env.path("reports/gl-code-quality-report.json");
    let entries: Vec<Value> =
        serde_json::from_slice(&env.bytes("reports/gl-code-quality-report.json")).unwrap();
    if let Some(counted) = foreign::python(&["json"], CHECK, &[&path]) {
        assert_eq!(counted.trim(), entries.len().to_string());
    }
    entries
}

fn of<'a>(entries: &'a [Value], check: &str) -> Vec<&'a Value> {
    entries.iter().filter(|entry| entry["check_name"] == check).collect()
}

const GITLAB: [&str; 2] = ["--format", "csv,gitlab"];

#[test]
fn a_whole_deployment_is_an_entry_a_key() {
    let sandbox = ops_manager(60);
    let env = TestEnv::at(&sandbox);
    let ran = env.audit(&sandbox, &[&["--all-orgs"][..], &GITLAB].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    let entries = entries(&env);
    let rows = env.rows();
    let keys: Vec<_> = rows.iter().filter(|row| !row["key_id"].is_empty()).collect();
    assert_eq!(entries.len(), keys.len());
    // Both stand in the order of the rows.
    for (entry, row) in entries.iter().zip(keys) {
        let severity = match row["severity"].as_str() {
            "critical" => "blocker",
            "high" => "critical",
            "medium" => "major",
            "low" => "minor",
            _ => "info",
        };
        assert_eq!((&entry["check_name"], &entry["severity"]), (&json!(row["verdict"]), &json!(severity)));
        let description = entry["description"].as_str().unwrap();
        for part in ["key_id", "username", "reason"] {
            assert!(description.contains(&row[part]), "{part}: {description}");
        }
        assert_eq!(entry["location"]["path"], "keysunset.toml");
    }
}

#[test]
fn no_findings_are_an_empty_array() {
    let stub = Stub::of_keys(Vec::new());
    let env = env();
    assert_eq!(env.audit_at(&stub.url(), &[&["--user", USER][..], &GITLAB].concat()).code, 0);
    assert_eq!(env.text("reports/gl-code-quality-report.json"), "[]\n");
}

#[test]
fn an_entry_has_the_line_that_names_the_user() {
    let stub = Stub::of_keys(vec![key(1, "[x](http://e)\n\u{202e}\u{1b}")]);
    let env = env();
    env.put("my lists/users.txt", format!("# who\n\n{USER}\n"));
    let arguments = [&["--users", "./my lists/users.txt"][..], &GITLAB].concat();
    assert_eq!(env.audit_at(&stub.url(), &arguments).code, 1);
    let entries = entries(&env);
    assert_eq!(entries[0]["location"], json!({"path": "my lists/users.txt", "lines": {"begin": 3}}));
    let description = entries[0]["description"].as_str().unwrap();
    assert!(description.contains("\\u{202e}\\u{1b}") && !description.contains('\u{202e}'), "{description}");
}

#[test]
fn an_unread_user_is_an_entry_too() {
    let stub = Stub::start(Digest::On, |asked| match asked.path.as_str() {
        path if path.contains(&id(1)) => Reply::error(403, "USER_UNAUTHORIZED"),
        path if path.contains(&id(2)) => Reply::ok(&json!({"results": [key(7, "ci")], "totalCount": 2})),
        path if path.contains("byName") => Reply::error(404, "USERNAME_NOT_FOUND"),
        path if path.starts_with("/orgs") => Reply::error(404, "RESOURCE_NOT_FOUND"),
        _ => Reply::ok(&list(&[])),
    });
    let env = env();
    env.put("users.txt", format!("{}\n{}\n{}\nann@example.com\nbob@example.com\n", id(1), id(2), id(3)));
    let orgs = ["--org", "5980000000000000000000aa", "--org", "5980000000000000000000bb"];
    let arguments = [&["--users", "users.txt"][..], &orgs, &GITLAB].concat();
    let ran = env.audit_at(&stub.url(), &arguments);
    assert_eq!(ran.code, 4, "{ran:?}");
    let entries = entries(&env);
    let users = of(&entries, "unreadable-user");
    let lines: BTreeSet<_> =
        users.iter().map(|it| it["location"]["lines"]["begin"].as_u64().unwrap()).collect();
    assert_eq!((users.len(), lines), (4, BTreeSet::from([1, 2, 4, 5])), "{users:?}");
    assert_eq!(of(&entries, "unlisted-users").len(), 2, "{entries:?}");
    assert_eq!(entries.len(), 7, "and the key that was read");
    assert!(users.iter().all(|entry| entry["severity"] == "major"));
}

#[test]
fn a_waived_key_stays_and_weighs_least() {
    let stub = Stub::of_keys(vec![key(1, "ci"), key(2, "cd")]);
    let env = env();
    let waiver = |number, expires| {
        format!(
            "[[waiver]]\nkey = \"{}\"\nreason = \"r\"\nowner = \"ann\"\nexpires = {expires}\n",
            id(number)
        )
    };
    env.put("waivers.toml", waiver(1, "2025-06-01") + &waiver(2, "2024-12-31"));
    let before = env.audit_at(&stub.url(), &[&["--user", USER][..], &GITLAB].concat());
    let fingerprints = |entries: &[Value]| -> BTreeSet<String> {
        entries.iter().map(|entry| entry["fingerprint"].to_string()).collect()
    };
    let plain = fingerprints(&entries(&env));
    let arguments = [&["--user", USER, "--waivers", "waivers.toml"][..], &GITLAB].concat();
    let ran = env.audit_at(&stub.url(), &arguments);
    assert_eq!((before.code, ran.code), (1, 1), "{ran:?}");
    let entries = entries(&env);
    let by_key: BTreeMap<_, _> = [1, 2]
        .map(|number| {
            let of_key = |entry: &&Value| entry["description"].as_str().unwrap().contains(&id(number));
            (number, entries.iter().find(of_key).unwrap())
        })
        .into();
    assert_eq!(by_key[&1]["severity"], "info");
    assert!(by_key[&1]["description"].as_str().unwrap().starts_with("waived until 2025-06-01"), "{by_key:?}");
    assert_eq!(by_key[&2]["severity"], "minor");
    assert!(by_key[&2]["description"].as_str().unwrap().contains("expired on 2024-12-31"), "{by_key:?}");
    assert_eq!(fingerprints(&entries), plain, "a waiver changes no fingerprint");
}

#[test]
fn a_key_has_the_same_fingerprint_as_in_sarif() {
    let sandbox = ops_manager(20);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs", "--format", "gitlab,sarif"]).code, 1);
    let ours: BTreeSet<_> =
        entries(&env).iter().map(|entry| entry["fingerprint"].clone().to_string()).collect();
    let sarif: Value = serde_json::from_slice(&env.bytes("reports/findings.sarif")).unwrap();
    let theirs = sarif["runs"][0]["results"].as_array().unwrap().iter();
    let theirs: BTreeSet<_> =
        theirs.map(|result| result["partialFingerprints"]["deploymentKeyRule/v1"].to_string()).collect();
    assert_eq!(ours, theirs);
}

/// Saved responses may show one key of two users. All other fingerprints stay what they were.
#[test]
fn a_key_of_two_users_is_two_entries() {
    let env = env();
    let shown = |user: usize, keys: &[usize]| {
        let key = |key: &usize| json!({"id": id(*key), "usedCount": 0, "userId": id(user)});
        let keys: Vec<_> = keys.iter().map(key).collect();
        let answer = json!({"results": keys, "totalCount": keys.len(), "links": []});
        env.put(&format!("answers/{}.json", id(user)), answer.to_string());
        let formats = ["--format", "csv,gitlab,sarif"];
        assert_eq!(env.run(&[&["import", "answers", "--name", "x"], &formats[..]].concat()).code, 1);
        let entries: Vec<_> = entries(&env).iter().map(|entry| entry["fingerprint"].clone()).collect();
        let sarif: Value = serde_json::from_slice(&env.bytes("reports/findings.sarif")).unwrap();
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        let of_result = |result: &Value| result["partialFingerprints"]["deploymentKeyRule/v1"].clone();
        let expected: BTreeSet<_> = results.iter().map(|result| of_result(result).to_string()).collect();
        assert_eq!(entries.iter().map(Value::to_string).collect::<BTreeSet<_>>(), expected);
        assert_eq!(expected.len(), entries.len());
        entries
    };
    let one = shown(1, &[10, 11]);
    let both = shown(2, &[10, 12]);
    assert_eq!((one.len(), both.len()), (2, 4));
    assert!(both.contains(&one[1]) && !both.contains(&one[0]), "{one:?} {both:?}");
}
