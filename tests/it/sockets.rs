//! Which addresses the program connects to, as the kernel sees it: only the deployment of `--url`, and none at all for
//! what reads the run database.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::process::Command;

use keysunset_sandbox::Sandbox;

use crate::evidence::has;
use crate::support::{CliOutput, TestEnv, ops_manager};

/// Runs the program below `strace`, and returns the addresses of all sockets that it connected, bound or sent to.
fn addresses(env: &TestEnv, arguments: &[&str]) -> (CliOutput, BTreeSet<String>) {
    let trace = env.path("trace");
    let mut command = Command::new("strace");
    let calls = "trace=connect,bind,sendto,sendmsg,sendmmsg";
    command.args(["-f", "-qq", "-e", calls, "-e", "signal=none", "-s", "200", "-o"]).arg(&trace);
    let mut child = env.start(command.arg(env!("CARGO_BIN_EXE_keysunset")).args(arguments));
    drop(child.stdin.take());
    let output = CliOutput::of(child);
    let address = |line: &str| Some(line[line.find("sa_family=")?..].split('}').next()?.to_owned());
    let addresses = env.text("trace").lines().filter_map(address).collect();
    (output, addresses)
}

fn traced() -> bool {
    // A container may forbid to trace.
    has("strace", &["-f", "-qq", "-e", "trace=connect", "true"])
}

fn deployment(sandbox: &Sandbox) -> String {
    let port = sandbox.announcement().url.split(':').nth(2).unwrap().split('/').next().unwrap().to_owned();
    format!(r#"sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr("127.0.0.1")"#)
}

#[test]
fn an_audit_connects_only_to_the_deployment() {
    if !traced() {
        return;
    }
    let sandbox = ops_manager(20);
    let env = TestEnv::at(&sandbox);
    let url = &sandbox.announcement().url;
    let formats = "csv,markdown,html,xlsx,json,ndjson,sarif,junit,gitlab,github,prometheus";
    for arguments in [
        &["audit", "--url", url, "--all-orgs", "--format", formats][..],
        &["audit", "--url", url, "--all-orgs", "--resume"],
        &["doctor", "--url", url, "--all-orgs"],
    ] {
        let (output, addresses) = addresses(&env, arguments);
        assert!(matches!(output.code, 0 | 1), "{output:?}");
        assert_eq!(addresses, [deployment(&sandbox)].into(), "{arguments:?}");
    }
}

#[test]
fn a_command_without_url_opens_no_connection() {
    if !traced() {
        return;
    }
    let sandbox = ops_manager(20);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    drop(sandbox);
    env.put("script.sh", "a script");
    for arguments in [
        &["report"][..],
        &["plan"],
        &["locate", "script.sh"],
        &["history"],
        &["diff"],
        &["export"],
        &["verify"],
        &["merge", "reports/keysunset.db", "--out", "merged"],
        &["prune", "--keep", "1"],
        &["completions", "bash"],
        &["man", "pages"],
    ] {
        let (output, addresses) = addresses(&env, arguments);
        assert!(matches!(output.code, 0 | 1 | 5), "{arguments:?}: {output:?}");
        assert_eq!(addresses, BTreeSet::new(), "{arguments:?}");
    }
}
