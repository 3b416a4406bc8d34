//! A write error names its path, the reason in plain words and what helps; so does a file that can't be read.

use std::process::{Command, Stdio};

use keysunset_sandbox::Sandbox;

use crate::support::{CliOutput, TestEnv, ops_manager};

/// A run of 300 users in `before`, and `$url` and `$report` for scripts.
fn with_a_run() -> (Sandbox, TestEnv) {
    let sandbox = ops_manager(300);
    let env = TestEnv::at(&sandbox)
        .with("url", &sandbox.announcement().url)
        .with("report", &format!("{} report --store before/keysunset.db", env!("CARGO_BIN_EXE_keysunset")))
        .with("keysunset", env!("CARGO_BIN_EXE_keysunset"));
    assert_eq!(env.audit(&sandbox, &["--all-orgs", "--out", "before"]).code, 1);
    (sandbox, env)
}

fn shell(env: &TestEnv, script: &str) -> CliOutput {
    CliOutput::of(env.start(Command::new("sh").args(["-ec", script])))
}

fn assert_error(ran: &CliOutput, code: i32, case: &str, expected: &[&str]) {
    assert_eq!(ran.code, code, "{case}: {ran:?}");
    for text in expected.iter().chain(&["error: ", "\n  help: "]) {
        assert!(ran.stderr.contains(text), "{case}: {text:?} is missing: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("os error"), "{case}: {}", ran.stderr);
}

#[test]
fn standard_output_on_a_full_disk_is_named() {
    let (_sandbox, env) = with_a_run();
    for line in [
        "report --store before/keysunset.db",
        "export --store before/keysunset.db",
        "history --store before/keysunset.db",
        "history --store before/keysunset.db --json",
        "verify before",
        "completions bash",
        "man pages",
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_keysunset"));
        let command = env.place(command.args(line.split(' '))).stdin(Stdio::null());
        let ran = CliOutput::of(command.stdout(full).stderr(Stdio::piped()).spawn().unwrap());
        assert_error(&ran, 6, line, &["can't write standard output: the disk is full", "free disk space"]);
    }
}

#[test]
fn an_output_never_replaces_the_run_database() {
    let (_sandbox, env) = with_a_run();
    env.put("reports/5af9a1d29cc0cdb6ac0bf3f8.json", r#"{"results":[],"totalCount":0,"links":[]}"#);
    std::fs::create_dir_all(env.path("out/plan")).unwrap();
    std::os::unix::fs::symlink(env.path("out"), env.path("link")).unwrap();
    let database = env.bytes("before/keysunset.db");
    for (store, command) in [
        ("out/keys.csv", "report --format csv --out out"),
        ("out/keys.csv", "report --format csv --out ./link"),
        ("link/manifest.json", "report --format csv --out out"),
        ("out/keys.csv", "merge out/keys.csv --format csv --out out"),
        ("out/keys.csv", "import reports --name x --format csv --out out"),
        ("out/organizations.csv", "audit --all-orgs --format csv --out out"),
        ("out/locations.md", "locate reports --out out"),
        ("out/plan.json", "plan --out out"),
        ("out/plan/lib.sh", "plan --out out"),
        ("out/keep.zip", "export --pack out/keep.zip"),
        ("out/keep.zip", "export --pack link/keep.zip"),
        ("out/keys.db", "export --pack out/keys.db-wal"),
        ("out/keys.db", "export --pack out/keys.db.lock"),
        ("out/summary", "report --format github"),
    ] {
        env.put(store, &database);
        let store = if command.starts_with("merge") { String::new() } else { format!("--store {store}") };
        let before = env.files();
        let url = if command.starts_with("audit") { "--url $url" } else { "" };
        let ran = shell(&env, &format!("GITHUB_STEP_SUMMARY=out/summary $keysunset {command} {store} {url}"));
        assert_error(&ran, 5, command, &["would replace the run database", "--store"]);
        assert!(env.files() == before, "{command}");
        std::fs::remove_dir_all(env.path("out")).unwrap();
        std::fs::create_dir_all(env.path("out/plan")).unwrap();
    }
    // A pack that is read is not replaced by one of itself.
    let ran = shell(&env, "$keysunset export --pack pack --store before/keysunset.db");
    assert_eq!(ran.code, 0, "{ran:?}");
    let before = env.files();
    let ran = shell(&env, "$keysunset export --pack pack --store pack/keysunset.db");
    assert_error(&ran, 5, "pack", &["would replace the run database pack/keysunset.db"]);
    assert!(env.files() == before);
}

#[test]
fn what_is_in_the_way_of_an_output_is_named_with_what_helps() {
    let (_sandbox, env) = with_a_run();
    let other_folder = "choose another folder with --out";
    for (script, expected) in [
        ("ulimit -f 72; $report --out limited", ["limited/keys.csv: ", "limit on file sizes", "ulimit -f"]),
        ("ulimit -f 4; $keysunset man pages", ["pages/keysunset", "limit on file sizes", "ulimit -f"]),
        (
            "touch file; $report --out file",
            ["file: a file has this name already", "remove the file", other_folder],
        ),
        (
            "$report --out file/below",
            ["file/below: a part of the path is a file", "remove the file", other_folder],
        ),
        (
            "mkdir -p in/keys.csv; $report --out in",
            ["in/keys.csv: it is a folder", "remove the folder", other_folder],
        ),
        ("$keysunset man file", ["file: a file has this name already", "remove the file", "another folder"]),
        (
            "GITHUB_STEP_SUMMARY=nowhere/x $report --format github",
            ["nowhere/x: no such file or folder", "create its folder", "GITHUB_STEP_SUMMARY"],
        ),
        (
            "echo a > list; TMPDIR=nowhere $keysunset audit --url $url --users list",
            ["a temporary file in nowhere: no such file", "create its folder", "TMPDIR"],
        ),
    ] {
        assert_error(&shell(&env, script), 6, script, &expected);
    }
}

/// Such as one on a medium of an auditor. Its copy is brought up, and what is recorded there would be lost.
#[cfg(target_os = "linux")]
#[test]
fn a_write_protected_store_of_any_version_warns_that_nothing_is_recorded() {
    let (_sandbox, env) = with_a_run();
    let old = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/version_4/store.sql");
    let sql = std::fs::read_to_string(old).unwrap();
    std::fs::create_dir(env.path("old")).unwrap();
    rusqlite::Connection::open(env.path("old/keysunset.db")).unwrap().execute_batch(&sql).unwrap();
    env.put("scripts/a.sh", "echo");
    // The superuser writes to everything, but for one without capabilities.
    let without = "if test $(id -u) = 0; then without='setpriv --bounding-set=-all --inh-caps=-all'; fi";
    let run = |script: &str| shell(&env, &format!("{without}; exec $without $keysunset {script}"));
    assert_eq!(
        shell(&env, "rm -f before/*.db-* before/*.lock; chmod 444 before/* old/*; chmod 555 before old").code,
        0
    );
    let warning =
        "warning: manifest.json could not be recorded in the run database: can't write the run database ";
    for store in ["before/keysunset.db", "old/keysunset.db"] {
        for (command, code) in [("report --out new", 1), ("export --pack new.zip", 0)] {
            let ran = run(&format!("{command} --store {store}"));
            let expected = format!("{warning}{store}: permission denied");
            assert_eq!(
                (ran.code, ran.stderr.contains(&expected)),
                (code, true),
                "{command} {store}: {ran:?}"
            );
        }
        let ran = run(&format!("locate scripts --out new --store {store}"));
        assert_error(&ran, 6, store, &[&format!("the run database {store}: permission denied")]);
        std::fs::remove_file(env.path("new.zip")).unwrap();
    }
}

/// The superuser writes to everything, but for one without capabilities.
#[cfg(target_os = "linux")]
#[test]
fn an_output_without_permission_is_named_with_what_helps() {
    let (_sandbox, env) = with_a_run();
    let without = "if test $(id -u) = 0; then without='setpriv --bounding-set=-all --inh-caps=-all'; fi";
    let shell = |script: &str| shell(&env, &format!("{without}; {script}"));
    assert_eq!(shell("mkdir -m 555 locked").code, 0);
    for (script, expected) in [
        ("$without $report --out locked", ["locked/keys.csv: permission denied", "--out"]),
        ("$without $report --out locked/below", ["locked/below: permission denied", "--out"]),
        ("$without $keysunset man locked", ["locked/keysunset.1: permission denied", "another folder"]),
        (
            "$without $keysunset export --store before/keysunset.db --pack locked/x.zip",
            ["the evidence pack locked/x.zip: permission denied", "--pack"],
        ),
        (
            "$without $keysunset audit --url $url --all-orgs --out o --store locked/x.db",
            ["the run database locked/x.db: permission denied", "--store"],
        ),
    ] {
        assert_error(&shell(script), 6, script, &[&["change the permissions"], &expected[..]].concat());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_on_a_full_or_read_only_file_system_is_named_with_what_helps() {
    let (_sandbox, env) = with_a_run();
    let on = |options: &str, script: &str| {
        let mount = format!("mkdir -p small; mount -t tmpfs -o {options} tmpfs small");
        shell(&env, &format!("exec unshare --mount --map-root-user sh -ec '{mount}; {script}'"))
    };
    if on("size=64k", "true").code != 0 {
        eprintln!("skipped: this machine lets nobody mount a file system");
        return;
    }
    let audit = "$keysunset audit --url $url --all-orgs --out before --store small/x.db";
    let (full, read_only) = ("the disk is full", "the file system is read-only");
    for (options, script, expected) in [
        (
            "size=32k",
            "$report --out small",
            ["small/keys.csv: ", full, "free disk space there, or choose another folder"],
        ),
        (
            "size=32k",
            "$report --format xlsx --out small",
            ["small/keys.xlsx: ", full, "free disk space there, or choose another folder"],
        ),
        (
            "size=16k",
            "$keysunset man small",
            ["small/keysunset", full, "free disk space there, or name another folder"],
        ),
        ("size=16k", audit, ["the run database small/x.db: ", full, "continues with --resume"]),
        ("size=150k", audit, ["the run database small/x.db: ", full, "continues with --resume"]),
        (
            "size=150k",
            "$keysunset export --store before/keysunset.db --pack small/x.zip",
            ["the evidence pack small/x.zip: ", full, "free disk space there, or name another place"],
        ),
        (
            "ro",
            "$keysunset export --store before/keysunset.db --pack small/x",
            ["the evidence pack small/x: ", read_only, "help: name another place with --pack"],
        ),
        (
            "ro",
            "$report --out small/below",
            ["small/below: ", read_only, "help: choose another folder with --out"],
        ),
        (
            "ro",
            "$report --out small",
            ["small/keys.csv: ", read_only, "help: choose another folder with --out"],
        ),
        (
            "ro",
            audit,
            ["the run database small/x.db: ", read_only, "help: choose another run database with --store"],
        ),
    ] {
        assert_error(&on(options, script), 6, &format!("{options}: {script}"), &expected);
    }
    let read_only = |command: &str| {
        let remount = "cp before/keysunset.db small/x.db; mount -o remount,ro small";
        on("size=4m", &format!("{remount}; exec $keysunset {command} --store small/x.db --out new"))
    };
    let expected =
        ["the run database small/x.db: the file system is read-only", "help: choose another run database"];
    assert_error(&read_only("locate before"), 6, "locate", &expected);
    let ran = read_only("report");
    assert_eq!((ran.code, ran.stderr.contains(expected[0])), (1, true), "{ran:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_what_helps() {
    let (_sandbox, env) = with_a_run();
    assert_eq!(shell(&env, "mkdir folder").code, 0);
    for (flag, what) in [
        ("--users", "the user list"),
        ("--config", "the settings file"),
        ("--credentials", "the credentials file"),
        ("--ca-cert", "the certificate file"),
        ("--client-cert", "the client certificate"),
        ("--waivers", "the waiver file"),
        ("--baseline", "the baseline"),
    ] {
        for (path, reason, help) in [
            ("nowhere", "no such file or folder", "check the path"),
            ("folder", "it is a folder", "name a file, not a folder"),
        ] {
            let script = format!("$keysunset audit --url $url --all-orgs {flag} {path}");
            let expected = format!("can't read {what} {path}: {reason}");
            assert_error(&shell(&env, &script), 5, &script, &[&expected, help]);
        }
    }
}
