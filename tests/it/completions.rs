//! `keysunset completions`: each script is taken by the shell that it is for, and bash really completes with it.

use std::process::{Command, Stdio};

use super::foreign::skipped;
use super::support::{CliOutput, TestEnv};

const COMMANDS: [&str; 7] = ["demo", "sandbox", "audit", "doctor", "report", "completions", "man"];

fn script(shell: &str) -> String {
    let ran = TestEnv::empty().run(&["completions", shell]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{shell}");
    ran.stdout
}

/// What bash offers at the end of these words, by the function that the script registers.
fn offered(words: &[&str]) -> Vec<String> {
    let env = TestEnv::empty();
    env.put("completions", script("bash"));
    let complete = r#"
        source ./completions
        function=$(complete -p keysunset | sed -n 's/.* -F \([^ ]*\) keysunset$/\1/p')
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        "$function" "$1" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let child = env.start(
        Command::new("bash")
            .args(["--norc", "--noprofile", "-euc", complete, "bash", "keysunset"])
            .args(words),
    );
    let ran = CliOutput::of(child);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{words:?}");
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    assert_eq!(offered(&["au"]), ["audit"]);
    assert_eq!(offered(&["completions", "po"]), ["powershell"]);
    assert_eq!(offered(&["audit", "--fail-on", ""]), ["any", "enabled", "used", "high", "critical", "never"]);
    assert_eq!(offered(&["audit", "--all-o"]), ["--all-orgs"]);
    assert_eq!(offered(&["doctor", "--all-o"]), ["--all-orgs"]);
    assert_eq!(offered(&["demo", "--he"]), ["--help"]);
    for command in COMMANDS {
        assert!(offered(&[""]).iter().any(|word| word == command), "{command}");
    }
}

#[test]
fn every_shell_that_is_here_takes_its_script() {
    for (shell, program, check) in
        [("bash", "bash", "-n"), ("zsh", "zsh", "-n"), ("fish", "fish", "--no-execute")]
    {
        let env = TestEnv::empty();
        env.put("script", script(shell));
        let found =
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if found.is_err() {
            skipped(program);
            continue;
        }
        let ran = Command::new(program).arg(check).arg(env.path("script")).output().unwrap();
        assert_eq!(
            (ran.status.code(), String::from_utf8(ran.stderr).unwrap().as_str()),
            (Some(0), ""),
            "{shell}"
        );
    }
}

#[test]
fn every_script_knows_every_command_and_is_the_same_every_time() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let first = script(shell);
        for command in COMMANDS {
            assert!(first.contains(command), "{shell}: {command}");
        }
        assert_eq!(first, script(shell), "{shell}");
    }
}

#[test]
fn an_unknown_shell_is_a_usage_error() {
    let ran = TestEnv::empty().run(&["completions", "tcsh"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("bash, elvish, fish, powershell, zsh"), "{}", ran.stderr);
}
