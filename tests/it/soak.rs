//! A large, half-broken deployment, killed twice: the report equals the world's truth, or the row says why not.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};

use keysunset_sandbox::{
    AuthFault, ExpectedUser, Fault, FaultKind, Options, Replacement, Sandbox, Transport, WrongData,
};

use crate::stub::Silent;
use crate::support::{Row, TestEnv, rfc3339, sandbox};

/// A tenth of all requests, in every way that the sandbox knows. `.ci/run` asks for 50,000 users.
fn faults(elsewhere: &str) -> Vec<Fault> {
    let away = format!("redirect-away={elsewhere}@0.1%:keys");
    let passing = [
        "503x2@2%:keys",
        "500x1@1%:keys",
        "429x1@1%:keys",
        "400x1=RATE_LIMITED_IP@0.5%:keys",
        "408x1@0.5%:keys",
        "resetx1@1%:keys",
        "closex1@0.5%:keys",
        "cutx2@1%:keys",
        "502x1=html@0.5%:keys",
        "504x3=empty@0.2%:keys",
        "429x1=1@0.01%:keys",
        "503x1=remaining@0.01%:keys",
        "503x1@20%:orgs+users",
        "resetx1@10%:orgs+users",
    ];
    let lasting = [
        "404@0.2%:keys",
        "401@0.1%:keys",
        "403@0.1%:keys",
        "html@0.2%:keys",
        "empty@0.1%:keys",
        "garbage@0.1%:keys",
        "truncated@0.1%:keys",
        "deep@0.1%:keys",
        "gigabytes@0.01%:keys",
        "endless@0.01%:keys",
        "content-type@0.3%:keys",
        "total@0.2%:keys",
        "repeats@0.1%:keys",
        "never-ends@0.02%:keys",
        "path-ids@0.1%:keys",
        "another-user@0.1%:keys",
        "redirect@0.3%:keys",
        "redirect-loop@0.1%:keys",
        "basic@0.05%:keys",
        "stale@0.05%:keys",
        "refused@0.05%:keys",
        "hang@0.01%:keys",
        "slow-drip@0.01%:keys",
        &away,
    ];
    passing.into_iter().chain(lasting).map(|spec| spec.parse().unwrap()).collect()
}

/// The program's default.
const RETRIES: u32 = 4;

fn users() -> u64 {
    std::env::var("KEYSUNSET_SOAK_USERS").map_or(1500, |users| users.parse().unwrap())
}

/// The read statuses that a lasting fault may end in; `None` where the keys are read all the same.
fn ends_in(kind: &FaultKind) -> Option<&'static [&'static str]> {
    match kind {
        FaultKind::Auth(AuthFault::Refused) | FaultKind::Replacement(Replacement::Status(401 | 403, _)) => {
            Some(&["forbidden"])
        }
        FaultKind::Replacement(Replacement::Status(404, _)) => Some(&["not-found"]),
        FaultKind::Replacement(Replacement::Redirect(_))
        | FaultKind::Transport(Transport::ContentType(_) | Transport::Latency(_)) => None,
        // Pages that are only there because of the lie may be hit by another fault.
        FaultKind::WrongData(WrongData::Total(_) | WrongData::Repeats | WrongData::NeverEnds(_)) => {
            Some(&["partial", "malformed", "error", "forbidden", "not-found"])
        }
        FaultKind::WrongData(WrongData::AnotherUser | WrongData::PathIds)
        | FaultKind::Replacement(
            Replacement::Html
            | Replacement::Empty
            | Replacement::Garbage
            | Replacement::Deep(_)
            | Replacement::Gigabytes(_)
            | Replacement::Endless,
        )
        | FaultKind::Transport(Transport::Truncated) => Some(&["malformed"]),
        FaultKind::Auth(AuthFault::Basic | AuthFault::Stale)
        | FaultKind::Replacement(
            Replacement::RedirectLoop | Replacement::RedirectAway(_) | Replacement::Status(..),
        )
        | FaultKind::Transport(
            Transport::Reset
            | Transport::Close
            | Transport::Cut(_)
            | Transport::Hang
            | Transport::SlowDrip(_),
        ) => Some(&["error"]),
    }
}

#[test]
fn a_half_broken_deployment_is_read_truly_or_the_row_says_why() {
    let elsewhere = Silent::start();
    let faults = faults(&elsewhere.origin());
    let sandbox = sandbox(Options { users: users(), faults, ..Options::default() });
    let env = TestEnv::at(&sandbox);
    let url = &sandbox.announcement().url;
    let arguments = ["audit", "--all-orgs", "--resume", "--timeout", "2", "--url", url];
    for part in [3, 2] {
        let (mut child, goal) = (env.spawn(&arguments), sandbox.counts().exchanges + users() / part);
        while sandbox.counts().exchanges < goal && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let ran = env.run(&arguments);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(elsewhere.saw_nobody(), "nothing of ours goes to another host");

    let mut by_user: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in env.rows() {
        by_user.entry(row["user_id"].clone()).or_default().push(row);
    }
    let mut counts = ReadCounts::default();
    for user in sandbox.ground_truth() {
        let rows = by_user.remove(&user.id).unwrap_or_else(|| panic!("{} is missing", user.id));
        counts.check(&sandbox, &user, &rows);
    }
    assert!(by_user.is_empty(), "nobody else: {:?}", by_user.keys());
    let (read, unread, late) = (counts.read, counts.unread, counts.late);
    assert!(
        ran.stdout.contains(&format!("{} requested = {read} read + {unread} not read", users())),
        "{ran:?}"
    );
    assert!(late * 200 <= users(), "{late} of {} timed out on a busy machine", users());
}

#[derive(Default)]
struct ReadCounts {
    read: u64,
    unread: u64,
    /// Nothing was wrong with them but the time they took.
    late: u64,
}

impl ReadCounts {
    fn check(&mut self, sandbox: &Sandbox, user: &ExpectedUser, rows: &[Row]) {
        let path = format!("/users/{}/keys?pageNum=1&itemsPerPage=500", user.id);
        let faults = sandbox.faults_for(&path);
        let passing: u32 = faults.iter().filter_map(|fault| fault.failures()).sum();
        // The first that lasts is the one that stays; it may be one that does no harm.
        let lasting = faults.iter().find(|fault| fault.is_permanent());
        let lasting = lasting.filter(|fault| ends_in(fault.kind()).is_some());
        let status = rows[0]["read_status"].as_str();
        if status == "read" {
            self.read += 1;
            // A lie about an empty list may be no lie.
            assert!(lasting.is_none_or(|_| user.keys.is_empty()), "{lasting:?}: {rows:?}");
            truth(user, rows);
            return;
        }
        self.unread += 1;
        assert!(rows.iter().all(|row| row["read_status"] == status), "{rows:?}");
        let alone = rows.iter().find(|row| row["key_id"].is_empty()).unwrap();
        assert!(!alone["reason"].is_empty(), "{rows:?}");
        match lasting {
            Some(fault) if ends_in(fault.kind()).is_some_and(|statuses| statuses.contains(&status)) => {}
            // Several that pass, one after the other, may outlast the attempts.
            None if passing > RETRIES && matches!(status, "error" | "rate-limited") => {}
            _ if status == "error" && alone["reason"].contains("timed out") => self.late += 1,
            other => panic!("{other:?} of {faults:?} came to {rows:?}"),
        }
    }
}

/// Every key of a user who was read, field by field.
fn truth(user: &ExpectedUser, rows: &[Row]) {
    let found: BTreeSet<_> = rows
        .iter()
        .filter(|row| !row["key_id"].is_empty())
        .map(|row| {
            ["key_id", "key_suffix", "created_at", "last_used", "used_count", "enabled"]
                .map(|field| row[field].clone())
        })
        .collect();
    let time = |time: Option<chrono::DateTime<chrono::Utc>>| time.map_or_else(String::new, rfc3339);
    let true_keys: BTreeSet<_> = user
        .keys
        .iter()
        .map(|key| {
            let count = key.used_count.map_or_else(String::new, |count| count.to_string());
            [
                key.id.clone(),
                key.suffix.clone(),
                rfc3339(key.created),
                time(key.last_used),
                count,
                key.enabled.to_string(),
            ]
        })
        .collect();
    assert_eq!(found, true_keys, "{}", user.id);
}
