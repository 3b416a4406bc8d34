//! The two parts of a credential: where each may be given, and what is around it there.

use super::put_private;
use crate::stub::{PRIVATE, PUBLIC, Stub, USER, key};
use crate::support::TestEnv;

#[test]
fn a_part_comes_inline_or_from_the_environment_a_file_or_a_command() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let all = [
        format!("private-key = \"{PRIVATE}\""),
        "private-key-env = \"SOME_VARIABLE\"".to_owned(),
        "private-key-file = \"secret.txt\"".to_owned(),
        format!("private-key-command = [\"printf\", \"%s\\\\nuser: x\\\\n\", \"{PRIVATE}\"]"),
    ];
    for part in &all {
        for whose in ["default", &format!("users.{USER}")] {
            let env = TestEnv::empty().with("SOME_VARIABLE", PRIVATE).with("PATH", "/usr/bin:/bin");
            put_private(&env, "secret.txt", &format!("{PRIVATE}\nand more\n"));
            put_private(&env, "own.toml", &format!("[{whose}]\npublic-key = \"{PUBLIC}\"\n{part}\n"));
            let ran = env.audit_at(&stub.url(), &["--user", USER, "--credentials", "own.toml"]);
            assert_eq!(ran.code, 1, "{part} of {whose}: {ran:?}");
        }
    }
    for (column, value) in
        [("private_key", PRIVATE), ("private_key_env", "SOME_VARIABLE"), ("private_key_file", "secret.txt")]
    {
        let env = TestEnv::empty().with("SOME_VARIABLE", PRIVATE);
        put_private(&env, "secret.txt", PRIVATE);
        put_private(&env, "own.csv", &format!("user,public_key,{column}\n{USER},{PUBLIC},{value}\n"));
        let ran = env.audit_at(&stub.url(), &["--user", USER, "--credentials", "own.csv"]);
        assert_eq!(ran.code, 1, "{column}: {ran:?}");
    }
}

/// cli/cli#9731, kubernetes/kubernetes#52919: a line break behind the secret made the service refuse it.
#[test]
fn white_space_and_marks_around_a_part_are_no_part_of_it() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    for (before, after) in
        [("", "\n"), ("", "\r\n"), (" ", " \t"), ("\u{feff}", "\r\n"), ("\u{200b}", "\u{a0}")]
    {
        let around = |part: &str| format!("{before}{part}{after}");
        let env = TestEnv::of((around(PUBLIC), around(PRIVATE)));
        assert_eq!(env.audit_at(&stub.url(), &["--user", USER]).code, 1, "{before:?} {after:?}");
        let quoted = |part: &str| serde_json::to_string(&around(part)).unwrap();
        for private in [
            &format!("private-key = {}", quoted(PRIVATE)),
            "private-key-env = 'SECRET'",
            "private-key-file = 'secret.txt'",
            "private-key-command = ['cat', 'secret.txt']",
        ] {
            let env = TestEnv::empty().with("SECRET", &around(PRIVATE)).with("PATH", "/usr/bin:/bin");
            put_private(&env, "secret.txt", &around(PRIVATE));
            put_private(
                &env,
                "own.toml",
                &format!("[default]\npublic-key = {}\n{private}\n", quoted(PUBLIC)),
            );
            let ran = env.audit_at(&stub.url(), &["--user", USER, "--credentials", "own.toml"]);
            assert_eq!(ran.code, 1, "{private}, {before:?}, {after:?}: {ran:?}");
        }
    }
}

#[test]
fn a_private_part_of_two_lines_is_refused_before_any_request() {
    let stub = Stub::of_keys(Vec::new());
    let (start, end) = PRIVATE.split_at(20);
    for between in ["\n", "\r", "\t", "\u{200b}"] {
        let env = TestEnv::of((PUBLIC.to_owned(), [start, end].join(between)));
        let ran = env.audit_at(&stub.url(), &["--user", USER]);
        assert!(ran.code == 5 && ran.stderr.contains("the private key contains a line break"), "{ran:?}");
        assert!(!ran.stderr.contains(start), "{ran:?}");
    }
    assert!(stub.asked().is_empty());
}
