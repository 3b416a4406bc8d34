//! `keysunset … | head -1`: a reader that goes away is no error, and changes no exit code.
//!
//! rustic-rs/rustic#1915, ducaale/xh#14: a panic, or no end, where the reader of a pipe was gone.

use std::process::{Command, Stdio};

use crate::support::{TestEnv, ops_manager};

/// A pipe that nothing reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// How a command ends with these in place of standard output and standard error.
fn ended(env: &TestEnv, line: &[&str], stdout: Stdio, stderr: Stdio) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keysunset"));
    let command = env.place(command.args(line)).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_reader_that_goes_away_changes_no_exit_code() {
    let sandbox = ops_manager(20);
    let env = TestEnv::at(&sandbox).with("CI", "true");
    for _ in 0..2 {
        assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    }
    let url = &*sandbox.announcement().url;
    let key = env.rows().into_iter().map(|row| row["key_id"].clone()).find(|id| !id.is_empty()).unwrap();
    for (line, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["audit", "--help"], 0),
        (&["audit", "--url", url, "--all-orgs", "--out", "more"], 1),
        (&["audit", "--url", url, "--all-orgs", "--out", "more", "-vvv"], 1),
        (&["doctor", "--url", url], 0),
        (&["report"], 1),
        (&["report", "--out", "-", "--format", "json"], 1),
        (&["merge", "reports/keysunset.db", "--out", "merged"], 1),
        (&["explain", &key], 0),
        (&["history"], 0),
        (&["history", "--json"], 0),
        (&["diff"], 0),
        (&["export"], 0),
        (&["verify"], 0),
        (&["prune", "--keep", "9"], 0),
        (&["man", "audit"], 0),
        (&["completions", "bash"], 0),
        (&["demo", "--users", "3", "--out", "demo"], 0),
        // Those that end with an error.
        (&["audits"], 2),
        (&["audit"], 2),
        (&["import", "nothing"], 5),
        (&["report", "--store", "nothing.db"], 5),
    ] {
        let (found, stderr) = ended(&env, line, closed(), Stdio::piped());
        assert_eq!(found, Some(code), "{line:?} without a reader of its output: {stderr}");
        assert!(!stderr.contains("standard output"), "{line:?}: {stderr}");
        let (found, _) = ended(&env, line, Stdio::null(), closed());
        assert_eq!(found, Some(code), "{line:?} without a reader of its errors");
    }
}
