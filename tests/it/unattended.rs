//! Where `CI` is set nobody looks on and nobody answers, even if there is a terminal: no bar, no prompt, no colours. On a
//! pseudo-terminal of the real kind.

use std::io::Write as _;
use std::process::{Command, Stdio};

use keysunset_sandbox::Options;

use crate::stub::{Stub, USER, key};
use crate::support::{TestEnv, sandbox};

/// What a terminal shows of a command line, and how it ended; `None` where there is no `script`.
pub(crate) fn screen(env: &TestEnv, environment: &[(&str, &str)], arguments: &str) -> Option<(i32, String)> {
    let program = env!("CARGO_BIN_EXE_keysunset");
    let child = Command::new("script")
        .args(["-qec", &format!("'{program}' {arguments}"), "/dev/null"])
        .current_dir(env.path(""))
        .env_clear()
        .env("HOME", env.path(""))
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm-256color")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        assert!(
            std::env::var_os("KEYSUNSET_CI").is_none(),
            "util-linux's script has to be installed for this"
        );
        let mut stderr = std::io::stderr();
        writeln!(stderr, "skipped: there is no `script` here").unwrap();
        return None;
    };
    // Kept open: the end of its input would end the terminal, and with it a prompt that should not be there.
    let keyboard = child.stdin.take();
    let output = {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(child.stdout.as_mut().unwrap(), &mut bytes).unwrap();
        bytes
    };
    drop(keyboard);
    Some((child.wait().unwrap().code().unwrap(), String::from_utf8_lossy(&output).into_owned()))
}

pub(crate) const ESCAPE: char = '\u{1b}';

#[test]
fn progress_is_a_bar_on_a_terminal_but_never_in_ci() {
    // Longer than the bar takes to be drawn for the first time.
    let faults = vec!["latency=700@1:keys".parse().unwrap()];
    let sandbox = sandbox(Options { users: 2, faults, ..Options::default() });
    let announced = sandbox.announcement();
    let env = TestEnv::empty();
    let credentials =
        [("KEYSUNSET_PUBLIC_KEY", &announced.public_key), ("KEYSUNSET_PRIVATE_KEY", &announced.private_key)];
    let credentials = credentials.map(|(name, value)| (name, value.as_str()));
    let arguments = format!("audit --url {} --all-orgs --retries 0 --fail-on never", announced.url);
    for (ci, has_bar) in [(None, true), (Some("false"), true), (Some("true"), false), (Some("1"), false)] {
        let environment: Vec<_> = credentials.into_iter().chain(ci.map(|ci| ("CI", ci))).collect();
        let Some((code, screen)) = screen(&env, &environment, &arguments) else { return };
        assert_eq!(code, 0, "{screen}");
        assert_eq!(screen.contains(" users, "), has_bar, "{ci:?}: {screen:?}");
        assert_eq!(screen.contains(ESCAPE), has_bar, "{ci:?}: {screen:?}");
    }
}

#[test]
fn no_prompt_asks_for_credentials_on_a_ci_server() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = TestEnv::empty();
    let arguments = format!("audit --url {} --user {USER} --retries 0", stub.url());
    let Some((code, screen)) = screen(&env, &[("CI", "true")], &arguments) else { return };
    assert_eq!(code, 5, "{screen}");
    assert!(!screen.contains("Public key (or username)"), "{screen}");
    for expected in ["no credentials", "prompt: disabled because CI is set", "help: set KEYSUNSET_PUBLIC_KEY"]
    {
        assert!(screen.contains(expected), "{expected} in {screen}");
    }
    assert!(stub.asked().is_empty());
}

#[test]
fn help_and_errors_are_coloured_on_terminals_only() {
    let env = TestEnv::empty();
    for (environment, coloured) in [
        (&[][..], true),
        (&[("CI", "true")], false),
        (&[("CI", "")], true),
        (&[("NO_COLOR", "1")], false),
        (&[("CI", "true"), ("CLICOLOR_FORCE", "1")], true),
    ] {
        for arguments in ["audit --help", "audit --no-such-flag"] {
            let Some((_, screen)) = screen(&env, environment, arguments) else { return };
            assert!(screen.contains("Usage"), "{screen}");
            assert_eq!(screen.contains(ESCAPE), coloured, "{environment:?} {arguments}: {screen:?}");
        }
    }
}
