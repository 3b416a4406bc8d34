//! The command line itself: its help.

use crate::support::TestEnv;

/// All commands, and none.
fn commands(env: &TestEnv) -> Vec<String> {
    let help = env.run(&["-h"]).stdout;
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let names = list.lines().map(|line| line.split_whitespace().next().unwrap().to_owned());
    std::iter::once(String::new()).chain(names.filter(|name| name != "help")).collect()
}

/// The help that a command prints for this flag.
fn help(env: &TestEnv, command: &str, flag: &str) -> String {
    let arguments: Vec<_> = [command, flag].into_iter().filter(|word| !word.is_empty()).collect();
    let ran = env.run(&arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
    ran.stdout
}

#[test]
fn no_line_of_a_help_is_wider_than_80_columns() {
    // A wider terminal changes nothing.
    let env = TestEnv::empty().with("COLUMNS", "200");
    for command in commands(&env) {
        for flag in ["-h", "--help"] {
            for line in help(&env, &command, flag).lines() {
                assert!(line.chars().count() <= 80, "{command} {flag}: {line}");
            }
        }
    }
}

#[test]
fn the_short_help_has_one_line_a_flag_and_no_sections() {
    let env = TestEnv::empty();
    for command in commands(&env) {
        let short = help(&env, &command, "-h");
        for line in short.lines() {
            let is_continued = line.starts_with("       ");
            assert!(!is_continued, "{command}: the help of a flag has a second line: {line}");
        }
        for long in ["Examples:", "Exit codes:", "KEYSUNSET_", "Possible values:", "[possible values:"] {
            assert!(!short.contains(long), "{command}: {long}");
        }
    }
}

#[test]
fn the_long_help_has_examples_and_all_flags_of_the_short_one() {
    let env = TestEnv::empty();
    for command in commands(&env) {
        let (short, long) = (help(&env, &command, "-h"), help(&env, &command, "--help"));
        assert!(
            long.contains("\nExamples:\n  keysunset ") || long.contains("\nExamples:\n  # "),
            "{command}"
        );
        let flag = |line: &str| line.trim_start().starts_with('-').then(|| line.to_owned());
        for line in short.lines().filter_map(flag) {
            let (flag, about) = line.trim().split_once("  ").unwrap();
            assert!(long.contains(&format!(" {flag}\n")), "{command}: {flag}");
            // The defaults that clap adds are on a line of their own.
            let about = about.split(" [default").next().unwrap().trim();
            assert!(long.contains(about), "{command} {flag}: {about}");
        }
    }
    let audit = help(&env, "audit", "--help");
    for part in
        ["KEYSUNSET_PRIVATE_KEY", "KEYSUNSET_FAIL_ON=used", "Exit codes:", "- critical  Severity critical"]
    {
        assert!(audit.contains(part), "{part}");
    }
}

#[test]
fn help_command_is_the_long_help() {
    let env = TestEnv::empty();
    for command in commands(&env) {
        let asked: Vec<_> = ["help", &command].into_iter().filter(|word| !word.is_empty()).collect();
        assert_eq!(env.run(&asked).stdout, help(&env, &command, "--help"), "{asked:?}");
    }
}
