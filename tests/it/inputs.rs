//! Bad input: lists, settings, stores and clocks that can't be used end with 5, with the place of the mistake.

use rusqlite::Connection;
use serde_json::json;

use crate::exits::fails;
use crate::stub::{Digest, Reply, Stub, USER, env, id};
use crate::support::{COLUMNS, TestEnv, ops_manager, rows};
use crate::world::{self, Keys, ORG, World};

/// Whether the message names the file and the line, in any of the usual ways.
fn names(message: &str, file: &str, line: u32) -> bool {
    message.contains(&format!("{file}:{line}:"))
        || message.contains(file) && message.contains(&format!("line {line}"))
}

fn assert_broken(list: &[u8], line: u32) {
    let stub = Stub::start(Digest::On, |_| Reply::error(404, "USER_NOT_FOUND"));
    let env = env();
    env.put("people.list", list);
    let url = stub.url();
    let ran = fails(&env, 5, &["audit", "--url", &url, "--user", USER, "--users", "people.list"], &[]);
    let text = String::from_utf8_lossy(list);
    assert!(names(&ran.stderr, "people.list", line), "line {line} of {text:?}: {ran:?}");
    assert_eq!(stub.asked().len(), 0, "a broken list is reported before the first request");
}

#[test]
fn a_broken_line_of_text_is_reported_with_file_and_number() {
    assert_broken(b"ann@example.com\n\n# fine\nann lee\n", 4);
    assert_broken(b"ann@example.com\nbo\xffb@example.com\n", 2);
    assert_broken(b"ann@example.com\n\x00\x01\x02\n", 2);
}

/// BurntSushi/rust-csv#289, #252, sqlitebrowser/sqlitebrowser#542: an open quote swallows the rows below it.
#[test]
fn a_broken_row_of_csv_is_reported_with_file_and_number() {
    assert_broken(b"user_id,username\n5af9a1d29cc0cdb6ac0bf3f8,ann\n5af9a1d29cc0cdb6ac0bf3f9\n", 3);
    assert_broken(b"user_id,username\n5af9a1d29cc0cdb6ac0bf3f8,ann\n,\n", 3);
    assert_broken(b"team,username\n\"first\nsecond\",ann@example.com\nx,\n", 2);
    assert_broken(b"team,username\n\"first\nsecond\",ann@example.com\nx,\n", 4);
    assert_broken(b"username,remark\nann@example.com,\"temp\nbob@example.com,ok\n", 2);
    let closed_by_another = b"username,remark\nann@example.com,x\nbob@example.com,\"temp\ncid@example.com,ok\ndan@example.com,until \"May\n";
    assert_broken(closed_by_another, 3);
    assert_broken(b"username\nann@example.com\nbo\xffb@example.com\n", 3);
}

#[test]
fn our_own_keys_csv_is_a_list_whatever_a_description_has() {
    let mut noted = world::key(1, 10, None, 0);
    noted["description"] = json!("build,\n\"jobs\"\r\nann@example.com,=1\n");
    let (_, stub) =
        World::of(vec![(1, Keys::Are(vec![noted])), (2, Keys::Are(vec![world::key(2, 11, None, 0)]))]);
    let env = env();
    assert_eq!(env.audit_at(&stub.url(), &["--org", ORG]).code, 1);
    let before = env.bytes("reports/keys.csv");
    let again = ["--users", "reports/keys.csv", "--out", "again"];
    assert_eq!(env.audit_at(&stub.url(), &again).code, 1);
    let users = |csv: &[u8]| rows(csv).iter().map(|row| row["user_id"].clone()).collect::<Vec<_>>();
    assert_eq!(users(&env.bytes("again/keys.csv")), users(&before));
    // A list that is not complete has a row of its own.
    let deployment = format!("{},,,partial", rows(&before)[0]["deployment"]);
    let incomplete = format!("{}\n{deployment}{}\n", COLUMNS, ",".repeat(COLUMNS.matches(',').count() - 3));
    env.put("incomplete.csv", incomplete);
    let ran = env.audit_at(&stub.url(), &["--users", "incomplete.csv"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("does not have all users"), "{ran:?}");
    // A quote that is left open in one row and closed in the next would swallow a user.
    let fields = COLUMNS.split(',').count();
    let row = |user: usize, quote: (&str, &str)| {
        let mut cells = vec![String::new(); fields];
        (cells[0], cells[1]) = ("east".to_owned(), id(user));
        cells[10] = format!("{}a{}", quote.0, quote.1);
        cells.join(",")
    };
    let list = format!("{COLUMNS}\n{}\n{}\n", row(1, ("\"", "")), row(2, ("", "\"")));
    assert_broken(list.as_bytes(), 2);
}

#[test]
fn broken_json_is_reported_with_file_and_line() {
    assert_broken(b"[\n\"ann@example.com\",\n", 3);
    assert_broken(b"[\n\"ann@example.com\"\n\"bob@example.com\"]", 3);
    assert_broken(b"[\"ann@example.com\",\n17]", 2);
    assert_broken(b"[\"ann@example.com\",\n{\"name\":\"bob\"}]", 2);
    assert_broken(b"{\"results\":[\n{\"id\":null}]}", 2);
    assert_broken(b"{\"users\":[]}", 1);
}

#[test]
fn an_error_document_is_no_list() {
    let document = br#"{"detail":"No","error":401,"errorCode":"USER_UNAUTHORIZED","parameters":[],"reason":"Unauthorized"}"#;
    assert_broken(document, 1);
}

#[test]
fn a_missing_list_is_reported_by_name() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    let url = &sandbox.announcement().url;
    fails(&env, 5, &["audit", "--url", url, "--users", "nowhere.txt"], &["nowhere.txt"]);
    env.put("folder/file", "");
    fails(&env, 5, &["audit", "--url", url, "--users", "folder"], &["folder"]);
    assert_eq!(sandbox.counts().exchanges, 0);
}

#[test]
fn an_invalid_settings_file_ends_with_5_and_is_named() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    let url = sandbox.announcement().url.as_str();
    for (file, expected) in [
        ("cutof = \"2021-03-01\"", "cutof"),
        (
            "orgs = [\"a\"]\nall_orgs = true\nURL = \"a\"",
            "FILE:1: `orgs` (similar: `org`)\n  FILE:2: `all_orgs` (similar: `all-orgs`)\n  FILE:3: `URL` (similar: `url`)\n",
        ),
        ("\nprivate-key = \"s3cr3t\"", "unknown settings in FILE\n  FILE:2: `private-key`\n"),
        ("concurrency = \"many\"", "concurrency"),
        ("concurrency = 0", "concurrency"),
        ("concurrency = 5000", "concurrency"),
        ("rate = 0", "rate"),
        ("rate = -1", "rate"),
        ("rate = nan", "rate"),
        ("rate = 1e-300", "rate"),
        ("rate = \"fast\"", "rate"),
        ("timeout = 0", "timeout"),
        ("cutoff = \"2021-02-30\"", "cutoff"),
        ("cutoff = 17", "cutoff"),
        ("format = [\"pdf\"]", "format"),
        ("fail-on = \"sometimes\"", "fail-on"),
        ("product = \"mongod\"", "product"),
        ("exit-zero = \"yes\"", "exit-zero"),
        ("active-within = -1", "active-within"),
        ("url = ", "url"),
        ("[audit]\nurl = \"http://127.0.0.1:1\"", "audit"),
    ] {
        env.put("keysunset.toml", file);
        let of = |name: &str| expected.replace("FILE", name);
        fails(&env, 5, &["audit", "--url", url, "--all-orgs"], &["keysunset.toml", &of("keysunset.toml")]);
        fails(&env, 5, &["report"], &["keysunset.toml", &of("keysunset.toml")]);
        std::fs::rename(env.path("keysunset.toml"), env.path("other.toml")).unwrap();
        fails(
            &env,
            5,
            &["audit", "--config", "other.toml", "--url", url, "--all-orgs"],
            &["other.toml", &of("other.toml")],
        );
    }
    fails(&env, 5, &["audit", "--config", "nowhere.toml", "--url", url, "--all-orgs"], &["nowhere.toml"]);
    assert_eq!(sandbox.counts().exchanges, 0);
}

#[test]
fn a_store_that_is_not_ours_ends_with_5_and_keeps_its_bytes() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    let other = Connection::open(env.path("other.db")).unwrap();
    other
        .execute_batch(
            "PRAGMA journal_mode = wal; CREATE TABLE runs (id INTEGER); INSERT INTO runs VALUES (7)",
        )
        .unwrap();
    drop(other);
    env.put("text.db", "this is no database, but long enough to be looked at by anything that reads headers of 100 bytes or so");
    env.put("short.db", "x");
    for name in ["other.db", "text.db", "short.db"] {
        let before = env.bytes(name);
        let url = sandbox.announcement().url.as_str();
        fails(&env, 5, &["audit", "--url", url, "--all-orgs", "--store", name], &[name]);
        fails(&env, 5, &["report", "--store", name], &[name]);
        assert_eq!(env.bytes(name), before, "{name}");
        let beside: Vec<_> =
            env.files().into_keys().filter(|path| path.starts_with(format!("{name}-wal"))).collect();
        assert!(beside.is_empty(), "{beside:?}");
    }
    assert_eq!(sandbox.counts().exchanges, 0);
}

#[test]
fn a_store_or_run_that_is_not_there_ends_with_5() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    fails(&env, 5, &["report"], &["keysunset.db"]);
    assert!(!env.path("reports/keysunset.db").exists(), "asking makes no store");
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    fails(&env, 5, &["report", "--run", "77"], &["77"]);
    fails(&env, 5, &["report", "--run", "0"], &["0"]);
}

#[test]
fn a_clock_that_is_no_number_ends_with_5() {
    let sandbox = ops_manager(5);
    for epoch in ["yesterday", "1.5", "99999999999999999999", "0x10", "253402300800", "-1"] {
        let env = TestEnv::at(&sandbox).with("SOURCE_DATE_EPOCH", epoch);
        let url = sandbox.announcement().url.as_str();
        fails(&env, 5, &["audit", "--url", url, "--all-orgs"], &["SOURCE_DATE_EPOCH", epoch]);
        fails(&env, 5, &["demo"], &["SOURCE_DATE_EPOCH"]);
    }
}

#[test]
fn a_broken_template_ends_with_5_and_one_of_ones_own_is_used() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    let url = sandbox.announcement().url.as_str();
    let arguments = ["audit", "--url", url, "--all-orgs", "--templates", "mine"];
    fails(&env, 5, &arguments, &["mine"]);
    env.put("mine/migration-report.md.j2", "{% if %}");
    fails(&env, 5, &arguments, &["migration-report.md.j2"]);
    assert_eq!(sandbox.counts().exchanges, 0, "a broken template is reported before the first request");
    env.put("mine/migration-report.md.j2", "{{ no_such_thing }}");
    fails(&env, 5, &arguments, &["migration-report.md.j2"]);
    env.put("mine/migration-report.md.j2", "all mine\n");
    assert_eq!(env.run(&arguments).code, 1);
    assert_eq!(env.markdown(), "all mine\n");
}

#[cfg(unix)]
#[test]
fn a_template_is_a_regular_file_inside_its_folder() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    let url = sandbox.announcement().url.as_str();
    let arguments = ["audit", "--url", url, "--all-orgs", "--templates", "mine"];
    env.put("secret.txt", "of the machine");
    env.put("mine/other.j2", "all mine\n");
    let template = env.path("mine/migration-report.md.j2");
    let refused = |expected: &str| {
        let ran = env.run(&arguments);
        assert_eq!(ran.code, 5, "{expected}: {ran:?}");
        for expected in ["migration-report.md.j2", expected] {
            assert!(ran.stderr.contains(expected), "{expected}: {ran:?}");
        }
    };
    for (target, expected) in [("../secret.txt", "leads out of"), ("nowhere", "No such file")] {
        std::os::unix::fs::symlink(target, &template).unwrap();
        refused(expected);
        std::fs::remove_file(&template).unwrap();
    }
    std::fs::create_dir(&template).unwrap();
    refused("not a regular file");
    std::fs::remove_dir(&template).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&template).status().unwrap().success());
    refused("not a regular file");
    std::fs::remove_file(&template).unwrap();
    assert_eq!(sandbox.counts().exchanges, 0);
    std::os::unix::fs::symlink("other.j2", &template).unwrap();
    assert_eq!(env.run(&arguments).code, 1);
    assert_eq!(env.markdown(), "all mine\n");
}

/// Each names its file, so that all are corrected before the next try.
#[test]
fn files_that_are_missing_are_reported_together_also_without_credentials() {
    let given = TestEnv::of(("abcdwxyz".to_owned(), "01234567-89ab-cdef-0123-456789abcdef".to_owned()));
    for (env, expected) in [(TestEnv::empty(), "no credentials"), (given, "baseline.ndjson")] {
        let files =
            ["--users", "a.csv", "--users", "b.csv", "--waivers", "w.toml", "--baseline", "baseline.ndjson"];
        let ran = env.audit_at("http://127.0.0.1:9", &files);
        assert_eq!(ran.code, 5, "{}", ran.stderr);
        for name in [expected, "a.csv", "b.csv", "w.toml"] {
            assert!(ran.stderr.contains(name), "{name}: {}", ran.stderr);
        }
        assert!(ran.stderr.matches("  also: can't read the ").count() >= 2, "{}", ran.stderr);
    }
}
