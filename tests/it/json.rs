//! `findings.json` as Python's json and jsonschema read it, held against `keys.csv` and the store.

use std::fmt::Display;
use std::path::Path;

use keysunset::model::{Product, ReadStatus};
use keysunset::policy::{Action, FailOn, Severity, Verdict};
use keysunset::report::WaiverIssueKind;
use keysunset::waivers::WaiverStatus;
use serde_json::Value;

use crate::everything::{NAME, USES, again, cut_short, everything};
use crate::foreign::python;
use crate::support::{COLUMNS, TestEnv, ops_manager};

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/findings.schema.json");

/// Reads JSON strictly, and the rows of a CSV, each cell with its type.
const ROWS: &str = r#"
import collections, csv, json, sys
def whole(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)
def no(name):
    raise ValueError(name)
def read(text):
    return json.loads(text, object_pairs_hook=whole, parse_constant=no)
NUMBERS = {"http_status", "attempts", "age_days", "days_since_last_use", "used_count", "places", "live_places"}
BOOLS = {"enabled", "auditing_key"}
def typed(column, cell, of_key):
    if column == "description":
        return cell if of_key else None
    if cell == "":
        return None
    if column in BOOLS:
        return {"true": True, "false": False}[cell]
    return int(cell) if column in NUMBERS else cell
def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return [{c: typed(c, v, row["key_id"] != "") for c, v in row.items()} for row in csv.DictReader(file, strict=True)]
def same(one, other):
    assert len(one) == len(other), (len(one), len(other))
    for a, b in zip(one, other):
        assert list(a) == list(b), (list(a), list(b))
        for column in a:
            assert (type(a[column]), a[column]) == (type(b[column]), b[column]), (column, a[column], b[column])
"#;

/// Reads `keys.csv` and `findings.json`, and counts again what the document says of itself.
const DOCUMENT: &str = r#"
expected = rows_of(sys.argv[1])
document = read(open(sys.argv[2], encoding="utf-8", newline="").read())
rows = document["rows"]
found = [row.pop("finding") for row in rows]
same(expected, rows)
assert (document["format"], document["version"], document["fail_on"]) == ("keysunset-findings", 2, "any")
count = collections.Counter
keys = [row for row in expected if row["key_id"] is not None]
waived = [row for row in keys if row["waiver"] in ("active", "ending")]
assert found == [None if row["key_id"] is None else row not in waived for row in expected]
users = {(row["user_id"], row["username"]): row for row in expected if row["user_id"] or row["username"]}
unread = [row for row in users.values() if row["read_status"] not in ("read", "removed")]
totals = document["totals"]
for name, column in [("verdicts", "verdict"), ("severities", "severity"), ("actions", "action")]:
    assert +count(totals[name]) == count(row[column] for row in keys), (name, totals)
assert +count(totals["read_statuses"]) == count(row["read_status"] for row in users.values()), totals
nobody = [row for row in expected if row["user_id"] is None and row["username"] is None]
assert totals == {**totals,
    "users": len(users), "users_unread": len(unread), "users_read": len(users) - len(unread),
    "users_without_keys": sum(row["key_id"] is None and row["read_status"] in ("read", "removed") for row in expected),
    "users_waived": sum(row["key_id"] is None and row["waiver"] in ("active", "ending") for row in users.values()),
    "gaps": sum("INCOMPLETE" not in row["reason"] for row in nobody),
    "gaps_waived": sum(row["waiver"] in ("active", "ending") for row in nobody), "keys": len(keys),
    "keys_enabled": sum(row["enabled"] is not False for row in keys), "keys_waived": len(waived),
    "findings": sum(map(bool, found))}, totals
assert document["complete"] is (not unread and not nobody)
[deployment] = document["deployments"]
assert (deployment["totals"], deployment["complete"]) == (totals, document["complete"])
assert {row["deployment"] for row in expected} == {deployment["name"]}
print(json.dumps({**document, "rows": len(rows)}))
"#;

/// What Python made of the document, without its rows; Python itself is always there.
fn document(env: &TestEnv, out: &str) -> Value {
    let files = ["keys.csv", "findings.json"].map(|name| env.path(out).join(name));
    let script = format!("{ROWS}{DOCUMENT}");
    let printed = python(&["csv", "json"], &script, &[&files[0], &files[1]]).unwrap();
    serde_json::from_str(&printed).unwrap()
}

#[test]
fn python_reads_every_row_of_the_csv_and_counts_the_same() {
    let document = document(&everything("csv,json"), "reports");
    let of = |pointer: &str| document.pointer(pointer).unwrap_or_else(|| panic!("{pointer}: {document}"));
    assert_eq!(of("/complete"), false);
    assert_eq!(of("/deployments/0/name"), NAME);
    assert_eq!(of("/deployments/0/credential"), "abcdwxyz");
    assert_eq!(of("/deployments/0/started_at"), "2025-01-01T00:00:00Z");
    assert_eq!(of("/deployments/0/settings/retries"), 0);
    assert_eq!(of("/deployments/0/settings/sources").as_array().unwrap().len(), 3);
    // It holds both users who were read and users without the resource: that is a list of its own.
    assert_eq!(of("/deployments/0/gaps/1/error_code"), "=NO");
    assert_eq!(of("/totals/gaps"), 2);
    assert_eq!((of("/totals/keys"), of("/totals/keys_waived")), (&23.into(), &2.into()));
    // Of every read status one; one more who may not be read; and a name that is nobody's.
    assert_eq!(of("/totals/users"), 11);
    assert!(of("/totals/read_statuses").as_object().unwrap().values().all(|count| *count != 0));
    let lapses: Vec<_> = of("/lapses").as_array().unwrap().iter().map(|lapse| &lapse["lapse"]).collect();
    assert_eq!(lapses, ["ending", "expired", "unmatched", "unmatched"]);
    assert_eq!(of("/lapses/1/days_left"), -1);
}

#[test]
fn json_texts_are_not_neutralised_as_in_csv() {
    let env = everything("csv,json");
    again(&env, "guarded", &["--format", "csv,json"]);
    assert_eq!(env.bytes("guarded/findings.json"), env.bytes("reports/findings.json"));
    assert_ne!(env.bytes("guarded/keys.csv"), env.bytes("reports/keys.csv"));
    assert!(env.text("reports/findings.json").contains(&format!("\"used_count\":{USES},")));
}

#[test]
fn a_run_cut_short_is_marked_beside_a_whole_one() {
    let env = everything("csv,json");
    cut_short(&env);
    again(&env, "cut", &["--format", "csv,json", "--csv-raw"]);
    let cut = document(&env, "cut");
    assert_eq!((&cut["complete"], &cut["deployments"][0]["finished_at"]), (&false.into(), &().into()));

    let sandbox = ops_manager(40);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs", "--format", "csv,json", "--csv-raw"]).code, 1);
    let whole = document(&env, "reports");
    assert_eq!((&whole["complete"], &whole["totals"]["users"]), (&true.into(), &40.into()));
}

#[test]
fn the_policy_in_force_is_named_beside_that_of_the_run() {
    let env = everything("json");
    let rules = ["--cutoff", "2024-12-24", "--active-within", "5", "--fail-on", "never", "--format", "json"];
    again(&env, "other", &rules);
    let document: Value = serde_json::from_str(&env.text("other/findings.json")).unwrap();
    let deployment = &document["deployments"][0];
    assert_eq!(deployment["settings"]["cutoff"], "2021-03-01T00:00:00Z");
    assert_eq!(deployment["settings"]["active_within_days"], 90);
    assert_eq!(deployment["policy"]["cutoff"], "2024-12-24T00:00:00Z");
    assert_eq!(deployment["policy"]["active_within_days"], 5);
    assert_eq!((&document["fail_on"], &document["totals"]["findings"]), (&"never".into(), &0.into()));
}

/// Validates the documents with the schema, and breaks the first of them in every way that the schema is to refuse.
const VALIDATION: &str = r##"
import copy, json, sys
from jsonschema import Draft202012Validator
schema, *documents = [json.load(open(path, encoding="utf-8")) for path in sys.argv[1:]]
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
for document in documents:
    for error in validator.iter_errors(document):
        sys.exit(f"{error.json_path}: {error.message}")
    assert document["$schema"] == schema["$id"]

# Whoever reads a field finds out what it is; and what is no field is none.
closed = 0
def walk(node, path):
    global closed
    if isinstance(node, list):
        return [walk(inner, path) for inner in node]
    if not isinstance(node, dict):
        return
    if node.get("type") == "object":
        closed += 1
        assert node["additionalProperties"] is False and set(node["required"]) == set(node["properties"]), path
        for name, field in node["properties"].items():
            assert len(field.get("description", "")) > 5, f"{path}/{name}"
    for name, inner in node.items():
        walk(inner, f"{path}/{name}")
walk(schema, "#")
assert closed > 10

DELETE = object()
def changed(value, *path):
    document = copy.deepcopy(documents[0])
    node = document
    for step in path[:-1]:
        node = node[step]
    if value is DELETE:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return document
def refused(what, document):
    assert not validator.is_valid(document), f"the schema takes {what}"
rows = documents[0]["rows"]
key = next(at for at, row in enumerate(rows) if row["key_id"] and row["waiver"] == "active")
user = next(at for at, row in enumerate(rows) if row["key_id"] is None)
missing = 0
def without(node, *path):
    global missing
    if isinstance(node, dict):
        for name in node:
            missing += 1
            refused(f"a document without {path + (name,)}", changed(DELETE, *path, name))
            without(node[name], *path, name)
        refused(f"another field in {path}", changed(1, *path, "another"))
without({name: value for name, value in documents[0].items() if name != "rows"})
without(rows[key], "rows", key)
without(documents[0]["deployments"][0], "deployments", 0)
without(documents[0]["lapses"][0], "lapses", 0)
without(documents[0]["deployments"][0]["gaps"][0], "deployments", 0, "gaps", 0)
assert missing > 120, missing
for value, *path in [
    (1, "version"), ("other", "format"), ("urn:other", "$schema"), ("some", "fail_on"), (True, "complete"), ([], "deployments"),
    ("unused", "rows", key, "verdict"), ("Critical", "rows", key, "severity"), ("drop", "rows", key, "action"),
    ("ok", "rows", key, "read_status"), (None, "rows", key, "read_status"), ("ended", "rows", key, "waiver"),
    (None, "rows", key, "verdict"), (None, "rows", key, "finding"), (True, "rows", key, "finding"), ("true", "rows", key, "enabled"),
    ("7", "rows", key, "used_count"), (-1, "rows", key, "used_count"), (1.5, "rows", key, "used_count"), ("", "rows", key, "key_id"),
    ("2025-01-01", "rows", key, "read_at"), ("2025-01-01T00:00:00+00:00", "rows", key, "last_used"),
    ("2025-13-01T00:00:00Z", "rows", key, "cutoff"), ("2025-02-30", "rows", key, "waiver_expires"), (None, "rows", key, "waiver_owner"),
    ("EAE", "rows", key, "key_suffix"), (None, "rows", key, "waiver"), (None, "rows", key, "key_id"),
    ("never-used", "rows", user, "verdict"), (False, "rows", user, "finding"), ("", "rows", user, "reason"),
    ("mainframe", "deployments", 0, "product"), (True, "deployments", 0, "complete"), (-1, "totals", "keys"),
    (None, "lapses", 0, "key_id"), ("ann", "lapses", 0, "user"), ("soon", "lapses", 0, "lapse"),
]:
    refused(f"{value!r} as {path}", changed(value, *path))
"##;

#[test]
fn the_schema_takes_what_is_written_and_nothing_else() {
    let env = everything("json");
    cut_short(&env);
    again(&env, "cut", &["--format", "json"]);
    let sandbox = ops_manager(40);
    let clean = TestEnv::at(&sandbox);
    assert_eq!(clean.audit(&sandbox, &["--all-orgs", "--format", "json", "--fail-on", "never"]).code, 0);
    let documents = [
        env.path("reports/findings.json"),
        env.path("cut/findings.json"),
        clean.path("reports/findings.json"),
    ];
    let arguments: Vec<_> =
        std::iter::once(Path::new(SCHEMA)).chain(documents.iter().map(AsRef::as_ref)).collect();
    python(&["jsonschema"], VALIDATION, &arguments);
}

/// The words of a definition of the schema, sorted.
fn words(schema: &Value, pointer: &str) -> Vec<String> {
    let words = schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")).as_array().unwrap();
    let mut words: Vec<_> = words.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
    words.sort();
    words
}

fn names<T: Display>(all: &[T]) -> Vec<String> {
    let mut names: Vec<_> = all.iter().map(T::to_string).collect();
    names.sort();
    names
}

#[test]
fn the_schema_has_the_words_that_the_program_has() {
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(SCHEMA).unwrap()).unwrap();
    let totals = |name: &str| format!("/$defs/totals/properties/{name}/required");
    for (pointer, expected) in [
        ("/$defs/read_status/enum".to_owned(), names(ReadStatus::ALL)),
        (totals("read_statuses"), names(ReadStatus::ALL)),
        ("/$defs/verdict/enum".to_owned(), names(Verdict::ALL)),
        (totals("verdicts"), names(Verdict::ALL)),
        ("/$defs/severity/enum".to_owned(), names(Severity::ALL)),
        (totals("severities"), names(Severity::ALL)),
        ("/$defs/action/enum".to_owned(), names(Action::ALL)),
        (totals("actions"), names(Action::ALL)),
        ("/$defs/standing/enum".to_owned(), names(WaiverStatus::ALL)),
        ("/$defs/lapse/properties/lapse/enum".to_owned(), names(WaiverIssueKind::ALL)),
        ("/$defs/deployment/properties/product/enum".to_owned(), names(Product::ALL)),
        ("/properties/fail_on/enum".to_owned(), names(FailOn::ALL)),
    ] {
        assert_eq!(words(&schema, &pointer), expected, "{pointer}");
    }
    let columns = words(&schema, "/$defs/row/required");
    let mut expected: Vec<_> = COLUMNS.split(',').chain(["finding"]).map(str::to_owned).collect();
    expected.sort();
    assert_eq!(columns, expected);
}

#[test]
fn the_same_evidence_gives_the_same_bytes_and_a_format_changes_no_exit_code() {
    let env = everything("json,ndjson,prometheus");
    let formats = ["csv", "json", "ndjson", "prometheus", "prometheus,ndjson,json"];
    let codes = formats.map(|formats| again(&env, formats, &["--format", formats]));
    assert_eq!(codes, [4; 5]);
    for name in ["findings.json", "keys.ndjson", "keysunset.prom"] {
        assert_eq!(
            env.bytes(&format!("reports/{name}")),
            env.bytes(&format!("prometheus,ndjson,json/{name}"))
        );
    }
}
