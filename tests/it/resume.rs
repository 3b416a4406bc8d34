//! Killed, interrupted, or kept out: what was read is kept, `--resume` goes on, and the reports come out as from one
//! undisturbed run.
#![cfg(unix)]

use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keysunset_sandbox::Sandbox;

use crate::stub::{self, Digest, Reply, Stub, USER};
use crate::support::{CliOutput, TestEnv, ops_manager};

/// The same deployment by the same name, so that the reports of different sandboxes compare.
fn arguments(sandbox: &Sandbox) -> Vec<String> {
    let url = &sandbox.announcement().url;
    ["audit", "--all-orgs", "--resume", "--name", "prod", "--url", url].map(str::to_owned).to_vec()
}

fn reports(env: &TestEnv) -> (String, String) {
    (env.text("reports/keys.csv"), env.markdown())
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Busy, since a sleep would be coarser than what is to be hit.
fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} never came");
        std::thread::yield_now();
    }
}

/// How many kills; `.ci/run` asks for more.
fn kills() -> u32 {
    std::env::var("KEYSUNSET_KILLS").map_or(25, |kills| kills.parse().unwrap())
}

#[test]
fn a_run_killed_and_resumed_reports_as_one_that_was_not() {
    let sandbox = ops_manager(300);
    let undisturbed = TestEnv::at(&sandbox);
    let started = Instant::now();
    let arguments = arguments(&sandbox);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_eq!(undisturbed.run(&arguments).code, 1);
    let whole = started.elapsed();
    let expected = reports(&undisturbed);
    let mut killed = 0;
    let mut moment = 0_u32;
    while killed < kills() {
        let env = TestEnv::at(&sandbox);
        // Several kills of one run, so that a resumed run is killed as well; then it may end.
        for _ in 0..4 {
            let mut child = env.spawn(&arguments);
            // A low-discrepancy walk over the length of a run and a bit: no moment is left out for long.
            moment = moment.wrapping_add(2_654_435_769);
            let at = whole.mul_f64(1.2 * f64::from(moment) / f64::from(u32::MAX));
            let start = Instant::now();
            wait_until("the end", || start.elapsed() >= at || child.try_wait().unwrap().is_some());
            child.kill().unwrap();
            killed += u32::from(child.wait().unwrap().code().is_none());
        }
        let ran = env.run(&arguments);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_eq!(reports(&env), expected);
        let integrity = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
        let sound: String = integrity.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
    }
}

#[test]
fn an_interrupted_run_is_kept_and_resume_reads_the_rest() {
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let sandbox = ops_manager(400);
        let undisturbed = TestEnv::at(&sandbox);
        let arguments = arguments(&sandbox);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        undisturbed.run(&arguments);
        let alone = sandbox.counts().exchanges;

        let env = TestEnv::at(&sandbox);
        let child = env.spawn(&[&arguments[..], &["--rate", "200"]].concat());
        wait_until("a tenth", || sandbox.counts().exchanges > alone + 40);
        signal(&child, name);
        let ran = CliOutput::of(child);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.contains("--resume"), "{ran:?}");
        assert!(!env.path("reports/keys.csv").exists(), "no report of half a run unasked");

        let shown = env.run(&["report"]);
        assert_eq!(shown.code, 4, "{shown:?}");
        assert!(env.markdown().contains("INCOMPLETE") && env.text("reports/keys.csv").contains("INCOMPLETE"));

        let half = sandbox.counts().exchanges - alone;
        assert!(half < 300, "it was stopped early: {half}");
        let ran = env.run(&arguments);
        assert_eq!(ran.code, 1, "{ran:?}");
        let rest = sandbox.counts().exchanges - alone - half;
        // The lists are read again, and what was in flight is asked for again.
        assert!(half + rest <= alone + 30, "{half} and {rest} instead of {alone}");
        assert_eq!(reports(&env).0, reports(&undisturbed).0);
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let (asked, was_asked) = std::sync::mpsc::channel();
    let stub = Stub::start(Digest::On, move |_| {
        let _ = asked.send(());
        Reply::never()
    });
    let env = stub::env();
    let child = env.spawn(&["audit", "--url", &stub.url(), "--user", USER, "--timeout", "600"]);
    was_asked.recv().unwrap();
    signal(&child, "-INT");
    signal(&child, "-INT");
    assert_eq!(CliOutput::of(child).code, 130);
}

#[test]
fn a_run_of_other_settings_is_not_resumed() {
    let sandbox = ops_manager(400);
    let env = TestEnv::at(&sandbox);
    let arguments = arguments(&sandbox);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let child = env.spawn(&[&arguments[..], &["--rate", "200"]].concat());
    wait_until("a tenth", || sandbox.counts().exchanges > 40);
    signal(&child, "-INT");
    assert_eq!(CliOutput::of(child).code, 130);
    let before = sandbox.counts().exchanges;
    let other = env.run(&[&arguments[..], &["--cutoff", "2022-02-02"]].concat());
    assert_eq!(other.code, 5, "{other:?}");
    assert!(other.stderr.contains("2021-03-01") && other.stderr.contains("2022-02-02"), "{other:?}");
    assert_eq!(sandbox.counts().exchanges, before, "nothing was asked");
    assert_eq!(env.run(&[&arguments[..], &["--rate", "5000"]].concat()).code, 1, "the pace may change");
}

#[test]
fn two_audits_never_write_to_one_store_at_once() {
    let (asked, was_asked) = std::sync::mpsc::channel();
    let stub = Stub::start(Digest::On, move |_| {
        let _ = asked.send(());
        Reply::never()
    });
    let env = stub::env();
    let mut first = env.spawn(&["audit", "--url", &stub.url(), "--user", USER, "--timeout", "600"]);
    was_asked.recv().unwrap();
    let second = env.audit_at(&stub.url(), &["--user", USER]);
    assert_eq!(second.code, 5, "{second:?}");
    assert!(second.stderr.contains("another audit"), "{second:?}");
    first.kill().unwrap();
    first.wait().unwrap();
}

/// What every user's answer is while the deployment is half down, and then not.
fn half_down(lists: bool) -> (Arc<AtomicBool>, Stub) {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let stub = Stub::start(Digest::On, move |asked| {
        let down = is_down.load(Ordering::Relaxed);
        let user = asked.path.split('/').nth(2).unwrap_or_default().to_owned();
        if lists && asked.path.starts_with("/orgs") {
            return organization(asked, down);
        }
        match (down, user.chars().last()) {
            (true, Some('1')) => Reply::text(500, "text/plain", "x"),
            (true, Some('2')) => Reply::text(429, "text/plain", "x"),
            (true, Some('3')) => Reply::text(401, "text/plain", "x").header("Via", "1.1 proxy"),
            (_, Some('4')) => Reply::error(403, "USER_UNAUTHORIZED"),
            _ => Reply::ok(&stub::list(&[])),
        }
    });
    (down, stub)
}

/// An organization of one user, whose list breaks off while it is down.
fn organization(asked: &stub::Asked, down: bool) -> Reply {
    if !asked.path.ends_with("/users") {
        return Reply::ok(&stub::list(&[serde_json::json!({"id": stub::id(9), "name": "one"})]));
    }
    if down {
        Reply::text(500, "text/plain", "x")
    } else {
        Reply::ok(&stub::list(&[serde_json::json!({"id": stub::id(5), "username": "e"})]))
    }
}

#[test]
fn resume_asks_again_for_those_of_an_ended_run_who_may_be_read() {
    let (down, stub) = half_down(false);
    let env = stub::env();
    env.put("users.txt", (0..6).map(|number| stub::id(number) + "\n").collect::<String>());
    let ran = env.audit_at(&stub.url(), &["--users", "users.txt"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let before = env.rows();
    let asked = stub.asked().len();
    down.store(false, Ordering::Relaxed);
    let ran = env.audit_at(&stub.url(), &["--users", "users.txt", "--resume"]);
    assert_eq!(ran.code, 3, "one is still refused: {ran:?}");
    assert!(ran.stderr.contains("resuming run 1") && ran.stderr.contains("3 of 6 users"), "{ran:?}");
    let again: Vec<_> = stub.asked()[asked..].iter().map(|asked| asked.path.clone()).collect();
    for number in 0..6 {
        let path = format!("/users/{}/keys", stub::id(number));
        assert_eq!(again.iter().filter(|it| **it == path).count(), usize::from((1..4).contains(&number)));
    }
    let after = env.rows();
    assert_eq!(after.len(), before.len());
    for (number, (before, after)) in before.iter().zip(&after).enumerate() {
        if (1..4).contains(&number) {
            let attempts = |row: &crate::support::Row| row["attempts"].parse::<u64>().unwrap();
            assert_eq!(after["read_status"], "read");
            assert!(attempts(after) > attempts(before), "{before:?} {after:?}");
        } else {
            assert_eq!(after, before);
        }
    }
    assert_eq!(env.run(&["verify"]).code, 0);
    // Nobody is left of whom another try would find out more: a new run.
    let ran = env.audit_at(&stub.url(), &["--users", "users.txt", "--resume"]);
    assert!(ran.code == 3 && !ran.stderr.contains("resuming"), "{ran:?}");
}

#[test]
fn resume_reads_an_incomplete_list_of_an_ended_run_again() {
    let (down, stub) = half_down(true);
    let env = stub::env();
    let audit = |more: &[&str]| env.audit_at(&stub.url(), &[&["--user", USER, "--all-orgs"], more].concat());
    let ran = audit(&[]);
    assert_eq!(ran.code, 3, "{ran:?}");
    down.store(false, Ordering::Relaxed);
    let ran = audit(&["--resume"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(env.rows().len(), 2);
}

/// Whether run 1 has ended, and was reported; and its incomplete lists.
fn ended_and_reported(env: &TestEnv) -> (bool, bool, Vec<String>) {
    let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    let run = "SELECT finished_at IS NOT NULL, reported FROM runs WHERE id = 1";
    let (ended, reported) = store.query_row(run, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut lists = store.prepare("SELECT source FROM gaps WHERE run = 1 ORDER BY source").unwrap();
    let lists = lists.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    (ended, reported, lists)
}

#[test]
fn a_resume_that_fails_at_its_start_leaves_an_ended_run_as_it_was() {
    let refuses = Arc::new(AtomicBool::new(false));
    let is_refusing = Arc::clone(&refuses);
    let stub = Stub::start(Digest::On, move |asked| {
        if is_refusing.load(Ordering::Relaxed) {
            let challenge = r#"Digest realm="x", nonce="n", qop="auth""#;
            Reply::text(401, "application/json", "{}").header("WWW-Authenticate", challenge)
        } else if asked.path.starts_with("/orgs") {
            organization(asked, true)
        } else {
            Reply::text(500, "text/plain", "x")
        }
    });
    let env = stub::env();
    let url = stub.url();
    let resume = ["--name", "x", "--user", USER, "--all-orgs", "--resume"];
    assert_eq!(env.audit_at(&url, &resume[..5]).code, 3);
    let before = ended_and_reported(&env);
    assert_eq!(before, (true, true, vec![format!("organization {}", stub::id(9))]));
    refuses.store(true, Ordering::Relaxed);
    let ran = env.audit_at(&url, &resume);
    assert_eq!((ran.code, ran.stderr.contains("refused the credentials")), (5, true), "{ran:?}");
    drop(stub);
    let ran = env.audit_at(&url, &resume);
    assert_eq!((ran.code, ran.stderr.contains("no connection")), (5, true), "{ran:?}");
    assert_eq!(ended_and_reported(&env), before);
    assert_eq!(env.run(&["verify"]).code, 0);
}

#[test]
fn a_resume_that_finds_nothing_new_ends_the_run_again() {
    let (down, stub) = half_down(true);
    let env = stub::env();
    let audit =
        |more: &[&str]| env.audit_at(&stub.url(), &[&["--user", &stub::id(5), "--all-orgs"], more].concat());
    assert_eq!(audit(&[]).code, 3);
    down.store(false, Ordering::Relaxed);
    assert_eq!(audit(&["--resume"]).code, 0);
    assert_eq!(ended_and_reported(&env), (true, true, Vec::new()));
}
