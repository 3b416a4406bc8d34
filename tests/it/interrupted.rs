//! A signal ends the program from its first moment on, whatever it waits for, with 130 or 143.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::process::{Child, Command, Stdio};

use crate::stub::{PUBLIC, USER};
use crate::support::{CliOutput, TestEnv, ops_manager, until_echo_is_off};

/// Nobody listens there, and nobody is asked.
const NOWHERE: [&str; 3] = ["audit", "--url", "http://127.0.0.1:9"];

fn signal(id: u32, name: &str) {
    assert!(Command::new("kill").args([name, &id.to_string()]).status().unwrap().success());
}

fn fifo(env: &TestEnv, name: &str) {
    assert!(Command::new("mkfifo").arg(env.path(name)).status().unwrap().success());
}

/// Opens the pipe once the program, or its command, has opened it to read.
fn opened(env: &TestEnv, child: &mut Child) -> File {
    loop {
        let mut options = OpenOptions::new();
        if let Ok(pipe) = options.write(true).custom_flags(libc::O_NONBLOCK).open(env.path("pipe")) {
            return pipe;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended without reading the pipe");
        std::thread::yield_now();
    }
}

/// Interrupts the program, which waits for what never comes; holds that it ends by itself, and leaves nothing.
fn assert_ends(env: &TestEnv, child: Child, name: &str, code: i32) {
    let before = env.files().len();
    signal(child.id(), name);
    let ran = CliOutput::of(child);
    assert_eq!(ran.code, code, "{ran:?}");
    assert!(ran.stderr.contains("interrupted") && ran.stdout.is_empty(), "{ran:?}");
    assert_eq!(env.files().len(), before, "{ran:?}");
}

#[test]
fn a_signal_ends_a_program_that_waits_for_its_input() {
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let env = TestEnv::of((PUBLIC.to_owned(), "x".to_owned()));
        let mut child = env.spawn(&[&NOWHERE[..], &["--users", "-"]].concat());
        // More than a pipe holds: it is being read.
        let mut input = child.stdin.take().unwrap();
        input.write_all("ann@example.com\n".repeat(20_000).as_bytes()).unwrap();
        assert_ends(&env, child, name, code);
    }
}

#[test]
fn a_signal_ends_a_search_and_leaves_no_file() {
    let header = "deployment,user_id,username,read_status,key_id,key_suffix,description,verdict,severity\n";
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let env = TestEnv::empty();
        env.put("keys.csv", format!("{header}east,{USER},ann@example.com,read,,,,,\n"));
        let mut child = env.spawn(&["locate", "-", "--keys", "keys.csv"]);
        let mut input = child.stdin.take().unwrap();
        input.write_all("ann@example.com\n".repeat(20_000).as_bytes()).unwrap();
        assert_ends(&env, child, name, code);
    }
}

#[test]
fn a_signal_ends_a_program_that_waits_for_a_pipe() {
    for arguments in [&[&NOWHERE[..], &["--users", "pipe"]].concat()[..], &["import", "pipe"]] {
        let env = TestEnv::of((PUBLIC.to_owned(), "x".to_owned()));
        fifo(&env, "pipe");
        let mut child = env.spawn(arguments);
        let pipe = opened(&env, &mut child);
        signal(child.id(), "-TERM");
        let ran = CliOutput::of(child);
        assert_eq!(ran.code, 143, "{ran:?}");
        drop(pipe);
    }
}

#[test]
fn a_signal_ends_a_program_that_waits_for_a_command() {
    let env = TestEnv::empty();
    fifo(&env, "pipe");
    env.put("list.txt", USER);
    env.put(
        "keys.toml",
        format!("[users.{USER}]\npublic-key = '{PUBLIC}'\nprivate-key-command = ['cat', 'pipe']\n"),
    );
    std::fs::set_permissions(env.path("keys.toml"), Permissions::from_mode(0o600)).unwrap();
    let arguments = [&NOWHERE[..], &["--users", "list.txt", "--credentials", "keys.toml"]].concat();
    let mut child = env.spawn(&arguments);
    let pipe = opened(&env, &mut child);
    signal(child.id(), "-INT");
    child.wait().unwrap();
    // The command itself is still there, and keeps the standard error.
    drop(pipe);
    let ran = CliOutput::of(child);
    assert_eq!(ran.code, 130, "{ran:?}");
}

/// On a pseudo-terminal, with the private part asked for.
#[test]
fn a_signal_at_the_prompt_gives_the_terminal_back() {
    for (signal_name, code) in [("", 130), ("-INT", 130), ("-TERM", 143)] {
        let env = TestEnv::empty();
        let program = env!("CARGO_BIN_EXE_keysunset");
        let audit =
            format!("echo id=$$= terminal=$(tty)=; exec '{program}' {} --user {USER}", NOWHERE.join(" "));
        let script = format!("sh -c \"{}\"; echo code=$?=; stty -a; echo end", audit.replace('$', "\\$"));
        let child = Command::new("script")
            .args(["-qec", &script, "/dev/null"])
            .current_dir(env.path(""))
            .env_clear()
            .env("HOME", env.path(""))
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = child else { return };
        let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut seen = String::new();
        let mut until = |text: &str| {
            let mut byte = [0];
            while !seen.contains(text) && screen.read(&mut byte).unwrap() > 0 {
                seen.push(char::from(byte[0]));
            }
            seen.clone()
        };
        until("Public key");
        keyboard.write_all(format!("{PUBLIC}\n").as_bytes()).unwrap();
        let seen = until("Private key");
        let value = |name: &str| seen.split(name).nth(1).unwrap().split('=').next().unwrap();
        until_echo_is_off(value("terminal="));
        if signal_name.is_empty() {
            keyboard.write_all(b"\x03").unwrap();
        } else {
            signal(value("id=").parse().unwrap(), signal_name);
        }
        let seen = until("\r\nend");
        assert!(seen.contains(&format!("code={code}=")), "{seen}");
        assert!(seen.contains(" echo ") && seen.contains(" icanon ") && !seen.contains("-echo "), "{seen}");
        child.wait().unwrap();
    }
}

#[test]
fn a_signal_leaves_no_part_of_a_report_or_plan() {
    let env = crate::volume::large(5_000);
    for (command, name, code) in [("report", "-INT", 130), ("report", "-TERM", 143), ("plan", "-INT", 130)] {
        let mut child = env.spawn(&[command, "--store", "reports/keysunset.db", "--out", "new"]);
        let parts = || {
            let entries = std::fs::read_dir(env.path("new")).into_iter().flatten();
            entries.filter(|it| it.as_ref().unwrap().path().extension() == Some("part".as_ref())).count()
        };
        while parts() == 0 {
            assert!(child.try_wait().unwrap().is_none(), "{command} ended before it was seen");
            std::thread::yield_now();
        }
        signal(child.id(), name);
        let ran = CliOutput::of(child);
        assert_eq!((ran.code, parts()), (code, 0), "{command}: {ran:?}");
        let _ = std::fs::remove_dir_all(env.path("new"));
    }
}

/// Reports of one policy beside a manifest of another would be no evidence of either.
#[test]
fn a_signal_comes_before_all_names_of_a_report_or_after_them() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    let before = env.bytes("reports/keys.csv");
    // Another program's lock, which the record of the manifest waits for.
    let other = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut child = env.spawn(&["report", "--cutoff", "2016-01-01"]);
    while env.bytes("reports/keys.csv") == before {
        assert!(child.try_wait().unwrap().is_none(), "it ended without a report");
        std::thread::yield_now();
    }
    signal(child.id(), "-TERM");
    std::thread::sleep(std::time::Duration::from_millis(100));
    other.execute_batch("ROLLBACK").unwrap();
    let ran = CliOutput::of(child);
    assert_eq!(ran.code, 143, "{ran:?}");
    let ran = env.run(&["verify"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_signal_while_an_audit_writes_its_reports_keeps_all_that_was_read() {
    let sandbox = ops_manager(400);
    let env = TestEnv::at(&sandbox);
    let announcement = sandbox.announcement();
    let audit = ["audit", "--url", &announcement.url, "--org", &announcement.org_id, "--format", "csv"];
    // It can't write more than a pipe holds.
    let mut child = env.spawn(&[&audit[..], &["--out", "-", "--store", "kept.db"]].concat());
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let exchanges = sandbox.counts().exchanges;
    signal(child.id(), "-TERM");
    // Its output is read afterwards, so that it can't end before it sees the signal.
    child.wait().unwrap();
    let ran = CliOutput::of(child);
    assert_eq!(ran.code, 143, "{ran:?}");
    assert!(
        ran.stderr.contains("all users were read and stored") && ran.stderr.contains("--resume"),
        "{ran:?}"
    );
    let ran = env.run(&[&audit[..], &["--store", "kept.db", "--resume"]].concat());
    assert_eq!((ran.code, sandbox.counts().exchanges), (1, exchanges), "{ran:?}");
}
