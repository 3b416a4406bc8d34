//! `--out -`: one report on standard output, and nothing else there.

use std::collections::BTreeSet;
use std::process::Stdio;

use keysunset::report::Format;
use keysunset_sandbox::Sandbox;
use serde_json::Value;

use crate::support::{CliOutput, TestEnv, ops_manager};

/// After an audit into `reports`.
fn audited(sandbox: &Sandbox) -> TestEnv {
    let env = TestEnv::at(sandbox);
    assert_eq!(env.audit(sandbox, &["--all-orgs", "--format", "prometheus"]).code, 1);
    env
}

fn names(env: &TestEnv) -> BTreeSet<String> {
    env.files().into_keys().map(|path| path.to_str().unwrap().to_owned()).collect()
}

/// Whether this is a summary for people.
fn is_summary(text: &str) -> bool {
    text.contains("deployment") && text.contains("next")
}

#[test]
fn the_main_file_of_each_format_is_the_same_on_standard_output() {
    let sandbox = ops_manager(5);
    let env = audited(&sandbox);
    let formats = Format::ALL.iter().filter(|format| !format.file_names().is_empty());
    let mut seen = 0;
    for format in formats {
        let name = format.as_str();
        assert_eq!(
            env.run(&["report", "--format", name, "--out", name, "--store", "reports/keysunset.db"]).code,
            1
        );
        let before = env.files();
        // Not as text: a workbook is none.
        let output = env.spawn(&["report", "--format", name, "--out", "-"]).wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
        let file = format!("{name}/{}", format.file_names()[0]);
        assert!(output.stdout == env.bytes(&file), "{name}");
        assert!(is_summary(&stderr) && !stderr.contains("written"), "{stderr}");
        assert!(before == env.files(), "{name}: a file was written");
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn an_audit_leaves_the_run_database_alone() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    let ran = env.audit(&sandbox, &["--all-orgs", "-o", "-", "-f", "json"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["$schema"], "urn:keysunset:findings:2");
    assert!(is_summary(&ran.stderr), "{}", ran.stderr);
    let left = names(&env);
    assert!(left.contains("reports/keysunset.db"), "{left:?}");
    assert!(left.iter().all(|name| name.starts_with("reports/keysunset.db")), "{left:?}");
    // The run is there for what comes next.
    assert_eq!(env.run(&["report"]).code, 1);

    let env = TestEnv::at(&sandbox);
    let ran = env.audit(
        &sandbox,
        &["--all-orgs", "--out", "-", "--format", "ndjson", "--store", "runs.db", "--quiet"],
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    assert!(ran.stdout.lines().count() > 1 && ran.stdout.lines().all(|line| line.starts_with('{')));
    let left = names(&env);
    assert!(left.contains("runs.db") && left.iter().all(|name| name.starts_with("runs.db")), "{left:?}");
}

#[test]
fn merge_and_import_write_to_standard_output_too() {
    let sandbox = ops_manager(3);
    let env = audited(&sandbox);
    let before = env.files();
    let ran = env.run(&["merge", "reports", "--out", "-", "--format", "markdown"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.starts_with('#'), "{}", ran.stdout);
    assert!(before == env.files(), "a file was written");

    let env = TestEnv::empty();
    let user = "5af9a1d29cc0cdb6ac0bf003";
    env.put(&format!("{user}.json"), r#"{"results":[],"totalCount":0}"#);
    let ran = env.run(&["import", &format!("{user}.json"), "--out", "-", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(serde_json::from_str::<Value>(&ran.stdout).is_ok(), "{}", ran.stdout);
    assert!(
        names(&env).iter().all(|name| name.starts_with("reports/keysunset.db") || name.starts_with(user))
    );
}

#[test]
fn annotations_for_github_are_alone_on_standard_output() {
    let sandbox = ops_manager(5);
    let env = audited(&sandbox);
    let ran = env.run(&["report", "--out", "-", "--format", "github"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.lines().all(|line| line.starts_with("::")), "{}", ran.stdout);
    assert!(is_summary(&ran.stderr), "{}", ran.stderr);
}

#[test]
fn standard_output_takes_one_format() {
    let sandbox = ops_manager(3);
    let env = audited(&sandbox);
    let (url, requests) = (sandbox.announcement().url.clone(), sandbox.counts());
    let before = env.files();
    for formats in [None, Some("csv,json"), Some("json,markdown"), Some("github,json")] {
        let lines: [&[&str]; 4] = [
            &["audit", "--url", &url, "--all-orgs"],
            &["report"],
            &["merge", "reports"],
            &["import", "reports"],
        ];
        for line in lines {
            let format = formats.map_or_else(Vec::new, |formats| vec!["--format", formats]);
            let ran = env.run(&[line, &["--out", "-"], &format].concat());
            assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{line:?} {formats:?}: {}", ran.stderr);
            assert!(ran.stderr.contains("--out - needs one format"), "{}", ran.stderr);
            assert!(ran.stderr.contains("csv, markdown, html, xlsx, json"), "{}", ran.stderr);
        }
    }
    let ran = env.run(&["demo", "--out", "-"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    assert_eq!(format!("{requests:?}"), format!("{:?}", sandbox.counts()));
    assert!(before == env.files(), "a file was written");
}

/// Those without reports take the run database from the folder that is the default.
#[test]
fn the_environment_may_say_it_for_all_commands() {
    let sandbox = ops_manager(3);
    let env = audited(&sandbox).with("KEYSUNSET_OUT", "-").with("KEYSUNSET_FORMAT", "json");
    assert!(serde_json::from_str::<Value>(&env.run(&["report", "--quiet"]).stdout).is_ok());
    for command in ["history", "export", "verify"] {
        let ran = env.run(&[command]);
        assert_eq!(ran.code, 0, "{command}: {}", ran.stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_ends_with_6() {
    let sandbox = ops_manager(3);
    let env = audited(&sandbox);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keysunset"));
    let command = env.place(command.args(["report", "--out", "-", "--format", "json"]));
    let child = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let ran = CliOutput::of(child);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert!(ran.stderr.contains("standard output"), "{}", ran.stderr);
}

#[test]
fn white_space_between_formats_is_trimmed_wherever_they_are_given() {
    let sandbox = ops_manager(3);
    let expected = ["here/findings.json", "here/migration-report.md"];
    let written = |env: &TestEnv, arguments: &[&str]| {
        let ran =
            env.run(&[&["report", "--out", "here", "--store", "reports/keysunset.db"], arguments].concat());
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        for name in expected {
            assert!(env.path(name).is_file(), "{name}");
        }
        assert!(!env.path("here/keys.csv").exists());
    };
    written(&audited(&sandbox), &["--format", "json, markdown"]);
    written(&audited(&sandbox), &["--format", " json ,markdown "]);
    written(&audited(&sandbox).with("KEYSUNSET_FORMAT", "json, markdown"), &[]);
    for setting in ["'json, markdown'", "['json', ' markdown']", "['json,markdown']"] {
        let env = audited(&sandbox);
        env.put("keysunset.toml", format!("format = {setting}\n"));
        written(&env, &[]);
    }
    let env = TestEnv::empty();
    let ran = env.run(&["report", "--format", "csv, jsonn"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("a similar value exists: 'json'"), "{}", ran.stderr);
    env.put("keysunset.toml", "format = 'csv, jsonn'\n");
    let ran = env.run(&["report"]);
    assert_eq!(ran.code, 5);
    assert!(ran.stderr.contains("`jsonn`"), "{}", ran.stderr);
}
