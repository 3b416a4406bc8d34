//! A `keysunset.toml` in the working folder that no option named comes from anybody who can change the repository: it decides
//! nothing about where credentials go, or what is run.

use keysunset_sandbox::Options;

use crate::stub::{PRIVATE, PUBLIC, Stub, USER, env, key};
use crate::support::{TestEnv, sandbox};

/// Each with the name of the setting.
const DECIDING: [(&str, &str); 8] = [
    ("url", "url = 'http://127.0.0.1:1'"),
    ("profile", "profile = 'x'"),
    ("credentials", "credentials = 'c.toml'"),
    ("ca-cert", "ca-cert = 'ca.pem'"),
    ("client-cert", "client-cert = 'c.pem'"),
    ("insecure-skip-verify", "\"insecure-skip-verify\" = true"),
    ("templates", "templates = 'mine'"),
    ("exit-zero", "exit-zero = true"),
];

#[test]
fn in_ci_an_unnamed_file_decides_nothing_about_credentials() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let url = stub.url();
    let env = env().with("CI", "true");
    let commands: [&[&str]; 10] = [
        &["audit", "--url", &url, "--user", USER],
        &["doctor", "--url", &url],
        &["import", "."],
        &["report"],
        &["merge", "keysunset.db"],
        &["explain", "5af9a1d29cc0cdb6acdca6d5"],
        &["history"],
        &["export"],
        &["prune", "--keep", "1"],
        &["verify"],
    ];
    for (name, line) in DECIDING {
        env.put("keysunset.toml", format!("# ours\nproduct = 'ops-manager'\n{line}\n"));
        for command in commands {
            let ran = env.run(command);
            assert_eq!(ran.code, 5, "{command:?}: {ran:?}");
            for expected in [&format!("keysunset.toml:3: `{name}`"), "--config keysunset.toml"] {
                assert!(ran.stderr.contains(expected), "{expected} in {command:?}: {ran:?}");
            }
        }
    }
    assert!(stub.asked().is_empty());
}

#[test]
fn in_ci_the_settings_that_decide_nothing_are_taken_from_an_unnamed_file() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = env().with("CI", "true").with("KEYSUNSET_URL", &stub.url());
    env.put("keysunset.toml", format!("user = '{USER}'\nout = 'here'\nname = 'east'\nfail-on = 'never'\n"));
    let ran = env.run(&["audit"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(env.path("here/keys.csv").is_file());
}

#[test]
fn in_ci_a_file_that_is_named_decides() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = env().with("CI", "true");
    env.put("keysunset.toml", format!("url = '{}'\nuser = '{USER}'\n", stub.url()));
    assert_eq!(env.run(&["audit", "--config", "keysunset.toml"]).code, 1);
    let ran = env.run(&["audit"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    for no_ci in ["", "false", "0"] {
        let env = crate::stub::env().with("CI", no_ci);
        env.put("keysunset.toml", format!("url = '{}'\nuser = '{USER}'\n", stub.url()));
        assert_eq!(env.run(&["audit"]).code, 1, "{no_ci:?}");
    }
}

#[test]
fn the_summary_says_that_the_url_comes_from_an_unnamed_file() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = env();
    env.put("keysunset.toml", format!("url = '{}'\nuser = '{USER}'\n", stub.url()));
    let note = "the URL comes from keysunset.toml in the working folder";
    for (arguments, is_told) in [
        (&["audit"][..], true),
        (&["audit", "--config", "keysunset.toml"], false),
        (&["audit", "--url", &stub.url()], false),
    ] {
        let ran = env.run(arguments);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_eq!(ran.stdout.contains(note), is_told, "{arguments:?}: {ran:?}");
    }
    assert!(env.run(&["doctor"]).stdout.contains("from keysunset.toml in the working folder"));
}

#[cfg(unix)]
#[test]
fn commands_run_only_from_a_file_of_credentials_that_the_caller_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = TestEnv::empty();
    let command = format!(
        "[users.{USER}]\npublic-key = '{PUBLIC}'\nprivate-key-command = ['sh', '-c', 'touch ran; echo {PRIVATE}']\n"
    );
    env.put("c.toml", command);
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(env.path("c.toml"), private).unwrap();
    env.put("keysunset.toml", "credentials = 'c.toml'\n");
    let url = stub.url();
    let audit = ["audit", "--url", &url, "--user", USER];
    let ran = env.run(&audit);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("c.toml:1: command for user"), "{ran:?}");
    assert!(ran.stderr.contains("--credentials c.toml"), "{ran:?}");
    assert!(!env.path("ran").exists() && stub.asked().is_empty());
    for named in [["--credentials", "c.toml"], ["--config", "keysunset.toml"]] {
        assert_eq!(env.run(&[&audit[..], &named].concat()).code, 1, "{named:?}");
        std::fs::remove_file(env.path("ran")).unwrap();
    }
    let env = env.with("KEYSUNSET_CREDENTIALS", "c.toml");
    assert_eq!(env.run(&audit).code, 1);
    assert!(env.path("ran").exists());
}

#[test]
fn exit_zero_in_force_is_in_the_summary() {
    let sandbox = sandbox(Options { users: 3, ..Options::default() });
    let env = TestEnv::at(&sandbox);
    let url = &sandbox.announcement().url;
    let ran = env.run(&["audit", "--url", url, "--all-orgs", "--exit-zero"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("--exit-zero is set: the exit code is 0 instead of 1"));
    assert!(!env.run(&["report"]).stdout.contains("exit-zero"));
}
