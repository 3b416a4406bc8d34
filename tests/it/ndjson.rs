//! `keys.ndjson` as the sqlite3 shell and `DuckDB` read it, held against the store.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::everything::{USES, again, cut_short, everything};
use crate::foreign::{python, skipped};
use crate::support::{COLUMNS, TestEnv, ops_manager};

/// What the sqlite3 shell prints; `None`, and a line that says so, where there is none.
fn sqlite3(script: &str) -> Option<String> {
    let mut shell = Command::new("sqlite3");
    shell.args(["-bail", ":memory:"]);
    let shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut shell) = shell else {
        skipped("sqlite3");
        return None;
    };
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The lines as they are in a table, beside those of the store.
fn imported(env: &TestEnv) -> String {
    let [file, store] = ["keys.ndjson", "keysunset.db"].map(|name| env.path("reports").join(name));
    let (file, store) = (file.display(), store.display());
    [
        "CREATE TABLE lines (line TEXT);",
        ".mode ascii",
        r#".separator "\037" "\n""#,
        &format!(".import '{file}' lines"),
        ".mode list",
        r#".separator " " "\n""#,
        &format!("ATTACH '{store}' AS store;\n"),
    ]
    .join("\n")
}

/// The fields of each line, as they stand there.
const FIELDS: &str = r#"
import json, sys
with open(sys.argv[1], "rb") as file:
    lines = [json.loads(line, object_pairs_hook=list) for line in file]
columns = sys.argv[2].split(",")
for line in lines:
    assert [name for name, _ in line] == columns, line
print(len(lines))
"#;

#[test]
fn every_line_has_every_field_in_the_order_of_the_columns() {
    let env = everything("ndjson");
    let text = env.text("reports/keys.ndjson");
    assert!(text.ends_with("}\n") && !text.contains('\r') && !text.contains("\n\n"));
    let lines = env.path("reports/keys.ndjson");
    let printed = python(&["json", "sys"], FIELDS, &[&lines, Path::new(COLUMNS)]).unwrap();
    assert_eq!(printed.trim(), text.lines().count().to_string());
}

#[test]
fn sqlite_counts_in_the_lines_what_is_in_the_store() {
    let big = ops_manager(300);
    let env = TestEnv::at(&big);
    assert_eq!(env.audit(&big, &["--all-orgs", "--format", "ndjson"]).code, 1);
    for env in [env, everything("ndjson")] {
        let script = imported(&env)
            + "SELECT count(*), sum(json_valid(line)) FROM lines;
            SELECT count(line->>'key_id'), sum(line->>'used_count'), sum(line->>'enabled'), count(line->>'last_used'),
                sum(unixepoch(line->>'created_at')), sum(line->>'auditing_key'),
                sum(length(line->>'description')), count(DISTINCT line->>'user_id') FROM lines;
            SELECT count(*), sum(used_count), sum(enabled), count(last_used), sum(created_at), sum(auditing),
                sum(length(description)), (SELECT count(DISTINCT user_id) FROM readings WHERE user_id <> '') FROM keys;";
        let Some(counted) = sqlite3(&script) else { return };
        let [whole, lines, store] = counted.lines().collect::<Vec<_>>()[..] else { panic!("{counted}") };
        let (all, valid) = whole.split_once(' ').unwrap();
        assert_eq!((all, all.parse().ok()), (valid, Some(env.text("reports/keys.ndjson").lines().count())));
        assert_eq!(lines, store);
    }
}

/// `DuckDB` guesses the types; Python's sqlite3 counts in the store.
const WAREHOUSE: &str = r#"
import duckdb, sqlite3, sys
lines, store = sys.argv[1:]
duck = duckdb.connect()
rows = f"read_ndjson_auto('{lines}')"
types = {name: kind for name, kind, *_ in duck.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()}
expected = {**dict.fromkeys(types, "VARCHAR"),
    **dict.fromkeys(["http_status", "attempts", "age_days", "days_since_last_use", "used_count"], "BIGINT"),
    **dict.fromkeys(["enabled", "auditing_key"], "BOOLEAN"),
    **dict.fromkeys(["read_at", "created_at", "last_used", "cutoff"], "TIMESTAMP"), "waiver_expires": "DATE",
    # Null in every line: no organization has a name here, and no key was looked for.
    **dict.fromkeys(["org_names", "places", "live_places"], '"NULL"')}
types = {name: kind.removesuffix(" WITH TIME ZONE") for name, kind in types.items()}
differs = {name: (kind, expected[name]) for name, kind in types.items() if kind != expected[name]}
assert not differs, differs
query = "SELECT key_id, description, enabled, used_count, {} FROM {} WHERE key_id IS NOT NULL ORDER BY key_id"
found = duck.execute(query.format("epoch(created_at)::BIGINT, epoch(last_used)::BIGINT, auditing_key", rows)).fetchall()
kept = sqlite3.connect(store).execute(query.format("created_at, last_used, auditing", "keys")).fetchall()
assert found == kept, [pair for pair in zip(found, kept) if pair[0] != pair[1]][:3]
statuses = duck.execute(f"""SELECT read_status, count(DISTINCT coalesce(user_id, username)) FROM {rows}
    WHERE user_id IS NOT NULL OR username IS NOT NULL GROUP BY 1 ORDER BY 1""").fetchall()
kept = sqlite3.connect(store).execute("SELECT status, count(*) FROM readings GROUP BY 1 ORDER BY 1").fetchall()
assert statuses == kept, (statuses, kept)
print(len(found), len(kept))
"#;

#[test]
fn duckdb_finds_the_types_and_every_key_of_the_store() {
    let env = everything("ndjson");
    let files = ["keys.ndjson", "keysunset.db"].map(|name| env.path("reports").join(name));
    if let Some(printed) = python(&["duckdb", "sqlite3"], WAREHOUSE, &[&files[0], &files[1]]) {
        assert_eq!(printed, "23 8\n", "all keys, and all ways in which a reading ends");
    }
    assert!(env.text("reports/keys.ndjson").contains(&format!("\"used_count\":{USES},")));
}

#[test]
fn a_user_without_a_name_is_a_line_too() {
    let env = everything("ndjson");
    let whole = env.text("reports/keys.ndjson");
    cut_short(&env);
    again(&env, "cut", &["--format", "ndjson"]);
    let cut = env.text("cut/keys.ndjson");
    let first: serde_json::Value = serde_json::from_str(cut.lines().next().unwrap()).unwrap();
    assert_eq!((&first["read_status"], &first["user_id"]), (&"error".into(), &().into()));
    assert!(first["reason"].as_str().unwrap().starts_with("INCOMPLETE"));
    assert_eq!(cut.lines().skip(1).collect::<Vec<_>>(), whole.lines().collect::<Vec<_>>());
}
