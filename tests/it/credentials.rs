//! With whose keys the audit asks: the file of users' own credentials, the tools' profiles, the prompt, and their order.

#[cfg(unix)]
mod parts;
#[cfg(target_os = "linux")]
mod profiles;
#[cfg(target_os = "linux")]
mod terminal;
mod trust;

use std::fmt::Write as _;

use keysunset_sandbox::{Options, Product, Sandbox};

use crate::stub::{PRIVATE, PUBLIC, Stub, USER, key};
use crate::support::{CliOutput, TestEnv, at, count, of_user, sandbox};

const USERS: u64 = 8;
const WRONG: &str = "00000000-1111-2222-3333-444444444444";

fn atlas() -> Sandbox {
    // Before the end of personal keys there.
    let clock = Some(at(1_612_137_600));
    sandbox(Options { product: Product::Atlas, users: USERS, clock, ..Options::default() })
}

/// Puts a file that nobody else may read.
pub(crate) fn put_private(env: &TestEnv, name: &str, content: &str) {
    env.put(name, content);
    mode(env, name, 0o600);
}

#[cfg(unix)]
fn mode(env: &TestEnv, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(env.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn mode(_: &TestEnv, _: &str, _: u32) {}

/// Everybody's own pair, inline, by id and by name in turn. The wrong ones have another private key.
fn own_pairs(sandbox: &Sandbox, is_wrong: impl Fn(usize) -> bool) -> String {
    let mut file = String::new();
    for (at, user) in sandbox.ground_truth().enumerate() {
        let (public, private) = sandbox.credential_for(at as u64);
        let private = if is_wrong(at) { WRONG } else { &private };
        let name = if at % 2 == 0 { user.id } else { user.username.to_uppercase() };
        writeln!(file, "[users.\"{name}\"]\npublic-key = \"{public}\"\nprivate-key = \"{private}\"").unwrap();
    }
    file
}

/// A desk with a list of all users, and without a credential in the environment.
fn listed(sandbox: &Sandbox) -> TestEnv {
    let env = TestEnv::empty();
    let rows = sandbox.ground_truth().map(|user| format!("{},{}\n", user.id, user.username));
    env.put("list.csv", format!("user_id,username\n{}", rows.collect::<String>()));
    env
}

const LISTED: [&str; 4] = ["--users", "list.csv", "--credentials", "own.toml"];

fn root(stub: &Stub) -> String {
    stub.url().replace("/api/public/v1.0", "")
}

#[test]
fn on_atlas_all_users_are_read_with_their_own_credentials() {
    let sandbox = atlas();
    let env = listed(&sandbox);
    put_private(&env, "own.toml", &own_pairs(&sandbox, |_| false));
    let ran = env.audit(&sandbox, &LISTED);
    assert_eq!(ran.code, 1, "{ran:?}");
    let rows = env.rows();
    assert_eq!(count(&rows, "read_status", "read"), rows.len());
    assert!(sandbox.ground_truth().all(|user| !of_user(&rows, &user.id).is_empty()));
    assert!(env.markdown().contains("own credentials of 8 users"), "who asked stands in the report");
}

#[test]
fn a_default_discovers_and_users_own_credentials_read() {
    let sandbox = atlas();
    let env = TestEnv::at(&sandbox);
    put_private(&env, "own.toml", &own_pairs(&sandbox, |_| false));
    let ran = env.audit(&sandbox, &["--all-orgs", "--credentials", "own.toml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(count(&env.rows(), "read_status", "read"), env.rows().len());
}

#[test]
fn a_wrong_credential_makes_just_its_users_forbidden() {
    let sandbox = atlas();
    let env = listed(&sandbox);
    // The first as well: the run must not end with it.
    put_private(&env, "own.toml", &own_pairs(&sandbox, |at| at == 0 || at == 3));
    let ran = env.audit(&sandbox, &LISTED);
    assert!([3, 4].contains(&ran.code), "{ran:?}");
    let rows = env.rows();
    for (at, user) in sandbox.ground_truth().enumerate() {
        let expected = if at == 0 || at == 3 { "forbidden" } else { "read" };
        let rows = of_user(&rows, &user.id);
        assert!(!rows.is_empty() && rows.iter().all(|row| row["read_status"] == expected), "{at}: {rows:?}");
    }
}

#[test]
fn when_all_are_wrong_the_run_ends_with_5() {
    let sandbox = atlas();
    let env = listed(&sandbox);
    put_private(&env, "own.toml", &own_pairs(&sandbox, |_| true));
    let ran = env.audit(&sandbox, &LISTED);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("refused") && !ran.stderr.contains(WRONG), "{ran:?}");
}

#[test]
fn where_no_request_was_sent_no_credential_was_refused() {
    let stub = Stub::of_keys(Vec::new());
    let none = TestEnv::empty();
    let pair =
        format!("[users.\"ann@example.com\"]\npublic-key = \"{PUBLIC}\"\nprivate-key = \"{PRIVATE}\"\n");
    put_private(&none, "own.toml", &pair);
    for (env, arguments, expected) in [
        (none, &["--user", USER, "--credentials", "own.toml"][..], "no credentials match any of the users"),
        (crate::stub::env(), &["--user", ".."], "no user can be requested"),
    ] {
        let ran = env.audit_at(&stub.url(), arguments);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.stderr.contains(expected) && !ran.stderr.contains("refused"), "{ran:?}");
    }
    assert!(stub.asked().is_empty());
}

#[cfg(unix)]
#[test]
fn a_failed_command_is_named_without_what_it_printed() {
    let env = TestEnv::empty().with("PATH", "/usr/bin:/bin");
    put_private(
        &env,
        "own.toml",
        "[users.ann]\npublic-key = \"ann\"\nprivate-key-command = [\"sh\", \"-c\", \"echo s3cr3t; echo locked >&2; exit 7\"]\n",
    );
    let ran = env.audit_at("http://127.0.0.1:1", &["--user", "ann", "--credentials", "own.toml"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    for expected in ["own.toml:1", "\"ann\"", "`sh`", "7", "locked"] {
        assert!(ran.stderr.contains(expected), "{expected}: {ran:?}");
    }
    assert!(!ran.stderr.contains("s3cr3t"), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_refused_with_what_to_type() {
    for (open, name) in [(0o644, "own.toml"), (0o640, "own.toml"), (0o604, "my own.csv"), (0o620, "own.toml")]
    {
        let env = TestEnv::empty();
        put_private(&env, name, "");
        mode(&env, name, open);
        let ran = env.audit_at("http://127.0.0.1:1", &["--user", USER, "--credentials", name]);
        assert_eq!(ran.code, 5, "{ran:?}");
        let typed = if name.contains(' ') { "chmod 600 'my own.csv'" } else { "chmod 600 own.toml" };
        assert!(ran.stderr.contains(typed) && ran.stderr.contains("help:"), "{ran:?}");
    }
}

#[test]
fn an_invalid_credentials_file_is_reported_before_any_request() {
    let stub = Stub::of_keys(Vec::new());
    for (name, content, expected) in [
        ("own.toml", "", "no credentials"),
        ("own.toml", "[users.ann]\npublic-key = \"a\"\n", "own.toml:1: the private key is missing"),
        ("own.toml", "[user.ann]\n", "own.toml:1:"),
        ("own.csv", "name,secret\n", "own.csv:1: column 1"),
    ] {
        let env = TestEnv::empty();
        put_private(&env, name, content);
        let ran = env.audit_at(&stub.url(), &["--user", USER, "--credentials", name]);
        assert!(ran.code == 5 && ran.stderr.contains(expected), "{expected}: {ran:?}");
    }
    let ran = TestEnv::empty().audit_at(&stub.url(), &["--user", USER, "--credentials", "nothing.toml"]);
    assert!(ran.code == 5 && ran.stderr.contains("nothing.toml"), "{ran:?}");
    assert!(stub.asked().is_empty());
}

#[test]
fn without_credentials_all_that_was_tried_is_listed() {
    let stub = Stub::of_keys(Vec::new());
    let ran = TestEnv::empty().audit_at(&stub.url(), &["--user", USER]);
    assert_eq!(ran.code, 5, "{ran:?}");
    for tried in [
        "KEYSUNSET_PRIVATE_KEY",
        "MONGODB_ATLAS_PUBLIC_KEY",
        "--credentials",
        "--profile",
        "tried: prompt: ",
        "help:",
    ] {
        assert!(ran.stderr.contains(tried), "{tried}: {ran:?}");
    }
}

/// Which public part the reports name when all these are there.
fn used(stub: &Stub, environment: bool, file: bool, profile_too: bool) -> (CliOutput, String) {
    let mut env = TestEnv::empty();
    let pair = |right: bool| if right { (PUBLIC, PRIVATE) } else { ("other", WRONG) };
    // Only the best of those there is right, so that the run shows which was used.
    if environment {
        env = env.with("KEYSUNSET_PUBLIC_KEY", PUBLIC).with("KEYSUNSET_PRIVATE_KEY", PRIVATE);
    }
    let mut arguments = vec!["--user", USER];
    if file {
        let (public, private) = pair(!environment);
        put_private(
            &env,
            "own.toml",
            &format!("[default]\npublic-key = \"{public}\"\nprivate-key = \"{private}\"\n"),
        );
        arguments.extend(["--credentials", "own.toml"]);
    }
    if profile_too {
        let (public, private) = pair(!environment && !file);
        put_private(
            &env,
            ".config/mongocli/config.toml",
            &format!("[default]\npublic_api_key = \"{public}\"\nprivate_api_key = \"{private}\"\n"),
        );
        arguments.extend(["--profile", "default"]);
    }
    let ran = env.audit_at(&stub.url(), &[&arguments[..], &["-v"]].concat());
    let line = ran.stderr.lines().find(|line| line.contains("credential from")).map(str::to_owned);
    (ran, line.unwrap_or_default())
}

#[cfg(target_os = "linux")]
#[test]
fn the_environment_beats_the_file_and_the_file_the_profile() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    for (there, place) in [
        ((true, true, true), "KEYSUNSET_PUBLIC_KEY"),
        ((false, true, true), "--credentials"),
        ((false, false, true), "profile default"),
        ((true, false, true), "KEYSUNSET_PUBLIC_KEY"),
    ] {
        let (ran, line) = used(&stub, there.0, there.1, there.2);
        assert_eq!(ran.code, 1, "{there:?}: {ran:?}");
        assert!(line.contains(place) && line.contains(PUBLIC), "{there:?}: {line}");
    }
}
