//! `keysunset verify`: every change is named, and what can't be checked is never reported as equal.
#![cfg(unix)]

use std::process::Command;

use keysunset::evidence::Manifest;
use keysunset::evidence::manifest::{Gate, ManifestParts};
use keysunset::policy::{FailOn, Policy};
use keysunset::report::{CsvStyle, Output, ReportInput};
use keysunset::store::Store;
use keysunset_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::evidence::{manifest, sha256sum};
use crate::support::{CUTOFF, CliOutput, TestEnv, at, ops_manager};

fn audited() -> (Sandbox, TestEnv) {
    let sandbox = ops_manager(20);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    (sandbox, env)
}

/// The lines that are not `ok`, as status and check; and the verdict.
fn faults(ran: &CliOutput) -> Vec<(String, String)> {
    let lines = ran.stdout.lines().take_while(|line| !line.is_empty());
    // A long line goes on below, behind more spaces or with a long word alone.
    let lines = lines.filter(|line| !line.starts_with("   ") && line.trim().contains(' '));
    let words = lines.map(|line| {
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    });
    words.filter(|(status, _)| status != "ok").collect()
}

/// Verifies, and holds the exit code and which checks failed; one of them has to say each of `messages`.
fn verified(env: &TestEnv, arguments: &[&str], code: i32, expected: &[(&str, &str)], messages: &[&str]) {
    let ran = env.run(&[&["verify"], arguments].concat());
    let expected: Vec<_> =
        expected.iter().map(|(status, check)| ((*status).to_owned(), (*check).to_owned())).collect();
    assert_eq!((faults(&ran), ran.code), (expected, code), "{}", ran.stdout);
    for text in messages {
        assert!(ran.words().contains(text), "{text} in {}", ran.stdout);
    }
    assert_eq!(ran.stderr, "");
}

/// The sqlite3 of the machine.
fn sqlite3(env: &TestEnv, sql: &str) {
    let ran = CliOutput::of(env.start(Command::new("sqlite3").args(["reports/keysunset.db", sql])));
    assert_eq!(ran.code, 0, "{sql}: {ran:?}");
}

/// Changes the manifest as somebody who knows how it is written.
fn rewritten(env: &TestEnv, change: impl FnOnce(&mut Manifest)) -> String {
    let mut manifest: Manifest = serde_json::from_slice(&env.bytes("reports/manifest.json")).unwrap();
    change(&mut manifest);
    let text = manifest.text().unwrap();
    env.put("reports/manifest.json", &text);
    text
}

/// The same with a replacement in the text.
fn edited(env: &TestEnv, from: &str, to: &str) {
    let text = env.text("reports/manifest.json");
    assert!(text.contains(from), "{from}");
    env.put("reports/manifest.json", text.replacen(from, to, 1));
}

#[test]
fn untouched_files_match_the_manifest() {
    let (_sandbox, env) = audited();
    verified(
        &env,
        &[],
        0,
        &[],
        &["everything matches the manifest", "keys.csv", "migration-report.md", ": this program"],
    );
    let quiet = env.run(&["verify", "--quiet"]);
    assert_eq!((quiet.code, &*quiet.stdout), (0, ""));
    // From elsewhere, and of a copy.
    std::fs::create_dir(env.path("copy")).unwrap();
    for name in ["keys.csv", "organizations.csv", "migration-report.md", "report.html", "manifest.json"] {
        env.put(&format!("copy/{name}"), env.bytes(&format!("reports/{name}")));
    }
    verified(&env, &["copy", "--store", "reports/keysunset.db"], 0, &[], &[]);
    let ran = env.run(&["verify", "--json"]);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&document["schema"], &document["exit"]), (&json!("keysunset-verify/1"), &json!(0)));
    let lines = document["lines"].as_array().unwrap();
    let checks: Vec<_> = lines.iter().map(|line| line["check"].as_str().unwrap()).collect();
    let expected = [
        "manifest", "file", "file", "file", "file", "settings", "store", "run", "readings", "record",
        "chain", "tool",
    ];
    assert_eq!(checks, expected);
    assert!(lines.iter().all(|line| line["status"] == "ok"), "{lines:?}");
}

#[test]
fn a_changed_or_missing_file_is_named() {
    let (_sandbox, env) = audited();
    let csv = env.bytes("reports/keys.csv");
    let mut changed = csv.clone();
    let last = changed.len() - 2;
    changed[last] ^= 1;
    env.put("reports/keys.csv", &changed);
    let file = [("DIFFERS", "file")];
    verified(&env, &[], 1, &file, &["keys.csv: SHA-256", &sha256sum(&changed), &sha256sum(&csv)]);
    env.put("reports/keys.csv", &csv[..last]);
    verified(
        &env,
        &[],
        1,
        &file,
        &["keys.csv", &format!("{last} bytes, but the manifest has {}", csv.len())],
    );
    std::fs::remove_file(env.path("reports/keys.csv")).unwrap();
    verified(&env, &[], 1, &file, &["keys.csv: missing"]);
    let quiet = env.run(&["verify", "--quiet"]);
    assert!(quiet.code == 1 && quiet.stdout.matches("DIFFERS").count() == 1, "{quiet:?}");
}

#[test]
fn every_change_of_the_store_is_named() {
    for (sql, expected, message) in [
        (
            "UPDATE keys SET last_used = last_used - 1 WHERE key_id = (SELECT key_id FROM keys WHERE last_used > 0 LIMIT 1)",
            &["readings"][..],
            "readings_sha256 is",
        ),
        ("DELETE FROM keys WHERE key_id = (SELECT key_id FROM keys LIMIT 1)", &["readings"], "totals is"),
        (
            "UPDATE readings SET status = 'forbidden' WHERE id = 3",
            &["readings"],
            "complete is true in the manifest, but false",
        ),
        ("UPDATE readings SET status = 'fine' WHERE id = 3", &["readings"], "fine"),
        (
            "INSERT INTO gaps (run, source, status) VALUES (1, 'organization x', 'error')",
            &["readings"],
            "\"gaps\":1",
        ),
        ("UPDATE runs SET deployment = 'another'", &["run", "readings"], "another"),
        ("UPDATE runs SET started_at = started_at + 60", &["run", "readings"], "started_at is"),
        ("UPDATE runs SET finished_at = NULL", &["run", "readings"], "finished_at is"),
        (
            "UPDATE runs SET settings = json_set(settings, '$.retries', 9)",
            &["run", "readings"],
            "settings_sha256 is",
        ),
        ("DELETE FROM manifests", &["record"], "is not recorded in the run database"),
        ("UPDATE manifests SET sha256 = 'x'", &["record"], "is not recorded in the run database"),
    ] {
        let (_sandbox, env) = audited();
        sqlite3(&env, sql);
        let expected: Vec<_> = expected.iter().map(|check| ("DIFFERS", *check)).collect();
        verified(&env, &[], 1, &expected, &[message]);
    }
}

#[test]
fn a_damaged_store_is_named() {
    let (_sandbox, env) = audited();
    let mut bytes = env.bytes("reports/keysunset.db");
    // The header stays, so that it is recognized as ours.
    bytes[4096..].fill(0xa5);
    env.put("reports/keysunset.db", bytes);
    let ran = env.run(&["verify"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(faults(&ran).contains(&("DIFFERS".to_owned(), "store".to_owned())), "{ran:?}");
}

#[test]
fn a_changed_manifest_is_named() {
    let record = ("DIFFERS", "record");
    for (from, to, expected, message) in [
        ("\"fail_on\": \"any\"", "\"fail_on\": \"never\"", &[][..], "is not recorded in the run database"),
        (
            "\"complete\": true",
            "\"complete\": false",
            &["readings"],
            "complete is false in the manifest, but true",
        ),
        (
            "\"retries\": 0",
            "\"retries\": 4",
            &["settings", "run"],
            "but the settings in the manifest have another hash",
        ),
        (
            "\"service_version\": \"4.4.12\"",
            "\"service_version\": \"4.4.13\"",
            &["run"],
            "\"4.4.13\" in the manifest",
        ),
        (
            "\"previous\": null",
            "\"previous\": {\n        \"run\": 0,\n        \"sha256\": \"\"\n      }",
            &["chain"],
            "of run 0",
        ),
    ] {
        let (_sandbox, env) = audited();
        edited(&env, from, to);
        let mut expected: Vec<_> = expected.iter().map(|check| ("DIFFERS", *check)).collect();
        let at = expected.iter().position(|(_, check)| *check == "chain").unwrap_or(expected.len());
        expected.insert(at, record);
        verified(&env, &[], 1, &expected, &[message]);
    }
    // The same content in other bytes.
    let (_sandbox, env) = audited();
    let text = env.text("reports/manifest.json");
    env.put("reports/manifest.json", text.clone() + "\n");
    verified(&env, &[], 1, &[("DIFFERS", "manifest"), record], &["other bytes"]);
    env.put(
        "reports/manifest.json",
        text.replacen("  \"version\": 2,", "  \"version\": 2,\n  \"version\": 2,", 1),
    );
    assert_eq!(env.run(&["verify"]).code, 5, "a field that stands twice");
}

#[test]
fn a_consistent_forgery_is_not_what_the_store_recorded() {
    let (_sandbox, env) = audited();
    let csv = env.text("reports/keys.csv").replace("critical", "info");
    let before = manifest(&env, "reports");
    let named = &before["files"][0];
    env.put("reports/keys.csv", &csv);
    edited(&env, &named["bytes"].to_string(), &csv.len().to_string());
    edited(&env, named["sha256"].as_str().unwrap(), &sha256sum(csv.as_bytes()));
    rewritten(&env, |_| ());
    verified(&env, &[], 1, &[("DIFFERS", "record")], &["is not recorded in the run database"]);
    // Without the store that is not known.
    verified(
        &env,
        &["--store", "none.db"],
        3,
        &[("unknown", "store"), ("unknown", "run")],
        &["no differences"],
    );
}

#[test]
fn a_missing_link_of_the_chain_is_named() {
    let (sandbox, env) = audited();
    let mut hashes = vec![sha256sum(&env.bytes("reports/manifest.json"))];
    for before in 1..=3 {
        assert_eq!(env.audit(&sandbox, &["--all-orgs", "--name", &format!("run {before}")]).code, 1);
        let previous = json!({"run": before, "sha256": hashes.last().unwrap()});
        assert_eq!(manifest(&env, "reports")["runs"][0]["previous"], previous);
        hashes.push(sha256sum(&env.bytes("reports/manifest.json")));
    }
    verified(&env, &[], 0, &[], &["3 earlier manifests, back to run 1"]);
    // The runs may go, as they do when the store is pruned; their manifests stay.
    sqlite3(&env, "PRAGMA foreign_keys = on; DELETE FROM runs WHERE id < 3");
    verified(&env, &[], 0, &[], &["3 earlier manifests, back to run 1"]);
    let chain = [("DIFFERS", "chain")];
    let whole = env.bytes("reports/keysunset.db");
    for (sql, message) in [
        ("DELETE FROM manifests WHERE run = 3", "manifest of run 4 names that of run 3"),
        ("DELETE FROM manifests WHERE run = 2", "manifest of run 3 names that of run 2"),
        ("DELETE FROM manifests WHERE run = 1", "manifest of run 2 names that of run 1"),
        (
            "UPDATE manifests SET document = replace(document, 'run 1', 'run 9') WHERE run = 2",
            "the recorded manifest of run 2 does not match its hash",
        ),
    ] {
        sqlite3(&env, sql);
        verified(&env, &[], 1, &chain, &[message]);
        for more in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(env.path(&format!("reports/keysunset.db{more}")));
        }
        env.put("reports/keysunset.db", &whole);
    }
    // A run that is gone can't be checked itself.
    sqlite3(&env, "PRAGMA foreign_keys = on; DELETE FROM runs WHERE id = 4");
    verified(&env, &[], 3, &[("unknown", "run")], &["no longer in the run database"]);
}

#[test]
fn a_file_that_the_manifest_does_not_name_is_unknown() {
    let (_sandbox, env) = audited();
    env.put("reports/notes.txt", "nobody's business");
    verified(&env, &[], 0, &[], &[]);
    env.put("reports/findings.sarif", "{}");
    verified(&env, &[], 3, &[("unknown", "file")], &["findings.sarif: not named in the manifest"]);
}

#[test]
fn a_file_that_is_no_manifest_ends_with_5() {
    let fails = |env: &TestEnv, messages: &[&str]| {
        let ran = env.run(&["verify"]);
        assert_eq!((ran.code, &*ran.stdout), (5, ""), "{ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{ran:?}");
        for text in messages {
            assert!(ran.stderr.contains(text), "{text} in {ran:?}");
        }
    };
    fails(&TestEnv::empty(), &["no manifest at reports/manifest.json", "help: "]);
    for name in ["evidence.zip", "folder"] {
        let ran = TestEnv::empty().run(&["verify", name]);
        let expected =
            format!("can't read the folder of reports or evidence pack {name}: no such file or folder");
        assert!(ran.code == 5 && ran.stderr.contains(&expected), "{ran:?}");
    }
    let (_sandbox, env) = audited();
    let ran = env.run(&["verify", "reports", "--store", "reports"]);
    let expected = "can't read the run database reports: it is a folder";
    assert_eq!((ran.code, ran.stderr.contains(expected)), (5, true), "{ran:?}");
    let whole = env.text("reports/manifest.json");
    env.put("outside.txt", "a secret");
    for name in [
        "../outside.txt",
        "/etc/passwd",
        "..",
        "",
        "a/b",
        "a\\b",
        ".hidden",
        "manifest.json",
        "x\\u0000",
        "C:x",
    ] {
        env.put("reports/manifest.json", whole.replacen("keys.csv", &name.replace("a\\b", "a\\\\b"), 1));
        fails(&env, &["is not safe"]);
    }
    env.put("reports/manifest.json", whole.replacen("\"version\": 2", "\"version\": 3", 1));
    fails(&env, &["newer keysunset (version 3; this version supports up to 2)", "help: "]);
    for other in
        ["", "{}", "[]", "null", "{\"format\": \"other\", \"version\": 1}", &whole[..whole.len() / 2]]
    {
        env.put("reports/manifest.json", other);
        fails(&env, &["is not a manifest of keysunset"]);
    }
    env.put("reports/manifest.json", [0xff, 0xfe]);
    fails(&env, &["can't read the manifest"]);
    std::fs::remove_file(env.path("reports/manifest.json")).unwrap();
    std::fs::create_dir(env.path("reports/manifest.json")).unwrap();
    fails(&env, &["not a regular file"]);
}

#[test]
fn a_manifest_that_cannot_be_recorded_is_a_warning() {
    let (_sandbox, env) = audited();
    // A journal that is larger than a file may get, while somebody keeps it from being emptied.
    let other = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    other.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    let fill = "INSERT INTO manifests (run, sha256, document) VALUES (99, '', hex(zeroblob(2000000)));
        DELETE FROM manifests WHERE run = 99";
    other.execute_batch(fill).unwrap();
    let script = "trap '' XFSZ; ulimit -f 2000; exec \"$0\" report --cutoff 2019-02-03";
    let mut shell = Command::new("sh");
    let ran = CliOutput::of(env.start(shell.args(["-c", script, env!("CARGO_BIN_EXE_keysunset")])));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("warning: manifest.json could not be recorded"), "{ran:?}");
    assert!(ran.stdout.contains("reports/manifest.json"));
    verified(&env, &[], 1, &[("DIFFERS", "record")], &["could not be recorded"]);
    drop(other);
    assert_eq!(env.run(&["report", "--cutoff", "2019-02-03"]).code, 1);
    verified(&env, &[], 0, &[], &[]);
}

#[test]
fn a_discarded_run_leaves_no_link() {
    let (sandbox, env) = audited();
    let (public, _) = sandbox.credential_for(0);
    let wrong = TestEnv::of((public, "00000000-0000-0000-0000-000000000000".to_owned()));
    let store = env.path("reports/keysunset.db").display().to_string();
    assert_eq!(wrong.audit(&sandbox, &["--all-orgs", "--store", &store]).code, 5);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    assert_eq!(manifest(&env, "reports")["runs"][0]["run"], 2);
    verified(&env, &[], 0, &[], &["1 earlier manifest, of run 1"]);
}

#[test]
fn a_manifest_of_several_deployments_is_checked_in_every_store() {
    let sandbox = ops_manager(10);
    let env = TestEnv::at(&sandbox);
    for name in ["east", "west", "west"] {
        let store = format!("{name}.db");
        assert_eq!(env.audit(&sandbox, &["--all-orgs", "--name", name, "--store", &store]).code, 1);
    }
    let stores = ["west.db", "east.db"].map(|name| Store::open(&env.path(name)).unwrap());
    let runs = stores.each_ref().map(|store| store.run(Some(1)).unwrap());
    let evidence: Vec<_> = stores
        .iter()
        .zip(&runs)
        .map(|(store, run)| {
            let policy = Policy { now: run.started_at, cutoff: at(CUTOFF), active_within: 90 };
            ReportInput { store, run, policy, ratchet: None }
        })
        .collect();
    let output = Output {
        stdout: false,
        out: env.path("both"),
        formats: Vec::new(),
        templates: None,
        step_summary: None,
        csv: CsvStyle::default(),
    };
    let gate =
        Gate { fail_on: FailOn::Any, strict_waivers: false, exit_zero: false, waivers: None, baseline: None };
    let text = Manifest::new(&evidence, ManifestParts::begin().unwrap(), gate, &output, &[])
        .unwrap()
        .text()
        .unwrap();
    for ReportInput { store, run, .. } in &evidence {
        store.record_manifest(run.id, &sha256sum(text.as_bytes()), &text).unwrap();
    }
    drop(evidence);
    drop(stores);
    env.put("both/manifest.json", &text);
    let names = manifest(&env, "both");
    assert_eq!(
        (&names["runs"][0]["deployment"], &names["runs"][1]["deployment"]),
        (&json!("east"), &json!("west"))
    );
    // It was this test that made it.
    let made = ("note", "tool");
    let (east, west) = (["--store", "east.db"], ["--store", "west.db"]);
    verified(&env, &[&["both"][..], &east, &west].concat(), 0, &[made], &["run 1 of east", "run 1 of west"]);
    verified(
        &env,
        &[&["both"][..], &east].concat(),
        3,
        &[("unknown", "run"), made],
        &["run 1 of west: its run database was not found"],
    );
}

#[test]
fn a_store_changed_between_two_reports_is_named() {
    let sandbox = crate::support::ops_manager(5);
    let env = crate::support::TestEnv::at(&sandbox);
    env.audit(&sandbox, &["--all-orgs"]);
    assert_eq!(env.run(&["verify"]).code, 0);
    let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    assert!(store.execute("UPDATE keys SET used_count = 4711", []).unwrap() > 0);
    drop(store);
    assert!(env.run(&["report"]).code < 5);
    let ran = env.run(&["verify"]);
    assert_eq!((ran.code, ran.stdout.contains("has other user results")), (1, true), "{ran:?}");
}
