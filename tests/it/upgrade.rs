//! A store that an earlier version wrote: it opens, what is in it stays, and it is of this version afterwards.

use std::process::Command;

use crate::support::{CUTOFF, NOW, TestEnv, ops_manager, rows};

/// The tables of schema version 1, as they were written down when it was in use, and one run of two users in them.
const VERSION_1: &str = "
PRAGMA application_id = 0x6b73756e;
PRAGMA user_version = 1;
CREATE TABLE runs (
    id              INTEGER PRIMARY KEY,
    deployment      TEXT NOT NULL,
    address         TEXT NOT NULL,
    product         TEXT NOT NULL,
    service_version TEXT,
    credential      TEXT NOT NULL,
    started_at      INTEGER NOT NULL,
    finished_at     INTEGER,
    reported        INTEGER NOT NULL DEFAULT 0,
    tool_version    TEXT NOT NULL,
    settings        TEXT NOT NULL
) STRICT;
CREATE TABLE readings (
    id          INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    user_id     TEXT NOT NULL,
    username    TEXT,
    status      TEXT,
    http_status INTEGER,
    error_code  TEXT,
    detail      TEXT,
    attempts    INTEGER NOT NULL DEFAULT 0,
    read_at     INTEGER
) STRICT;
CREATE UNIQUE INDEX readings_once ON readings (run, user_id, iif(user_id = '', username, ''));
CREATE INDEX readings_of_run ON readings (run);
CREATE TABLE keys (
    reading     INTEGER NOT NULL REFERENCES readings ON DELETE CASCADE,
    key_id      TEXT NOT NULL,
    suffix      TEXT,
    description TEXT NOT NULL,
    enabled     INTEGER,
    created_at  INTEGER,
    last_used   INTEGER,
    used_count  INTEGER,
    auditing    INTEGER NOT NULL,
    PRIMARY KEY (reading, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE gaps (
    run         INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    source      TEXT NOT NULL,
    status      TEXT NOT NULL,
    http_status INTEGER,
    error_code  TEXT,
    detail      TEXT,
    PRIMARY KEY (run, source)
) STRICT, WITHOUT ROWID;
INSERT INTO runs VALUES (1, 'prod', 'https://om.example', 'ops-manager', '4.4.12', 'abcdwxyz', STARTED, STARTED, 1, '0.0.9',
    '{\"sources\":[\"everybody\"],\"cutoff\":\"2021-03-01T00:00:00Z\",\"active_within\":90,\"concurrency\":16,\"rate\":null,\"timeout\":30,\"retries\":4}');
INSERT INTO readings VALUES
    (1, 1, '5af9a1d29cc0cdb6ac0bf3f8', 'ann', 'read', 200, NULL, NULL, 1, STARTED),
    (2, 1, '5af9a1d29cc0cdb6ac0bf3f9', 'boris', 'read', 200, NULL, NULL, 1, STARTED);
INSERT INTO keys VALUES (1, '5af9a1d29cc0cdb6acdca6d5', '92732876eeae', 'ci', 1, 1526309122, LAST, 7, 0);
";

/// What version 2 added and 1 had not, beside what both have.
const OLD: &str = "SELECT id, deployment, address, product, service_version, credential, started_at, finished_at, reported,
    tool_version, settings FROM runs WHERE id = 1;
    SELECT id, run, user_id, username, status, http_status, attempts, read_at FROM readings WHERE run = 1 ORDER BY id;
    SELECT keys.* FROM keys JOIN readings ON id = reading WHERE run = 1";

fn sqlite3(env: &TestEnv, queries: &str) -> String {
    let output = Command::new("sqlite3").arg(env.path("reports/keysunset.db")).arg(queries).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A store of version 1, in a folder with the credential of a sandbox.
fn old(env: &TestEnv) {
    std::fs::create_dir_all(env.path("reports")).unwrap();
    let script = VERSION_1
        .replace("STARTED", &(NOW - 86_400).to_string())
        .replace("LAST", &(CUTOFF + 86_400).to_string());
    sqlite3(env, &script);
}

#[test]
fn a_store_of_version_1_is_brought_up_and_keeps_its_run() {
    let sandbox = ops_manager(5);
    for command in
        [&["report"][..], &["audit", "--all-orgs"], &["history"], &["prune", "--keep", "1", "--dry-run"]]
    {
        let env = TestEnv::at(&sandbox);
        old(&env);
        let before = sqlite3(&env, OLD);
        assert_eq!(before.lines().count(), 4, "{before}");
        let ran = match command {
            ["audit", arguments @ ..] => env.audit(&sandbox, arguments),
            _ => env.run(command),
        };
        assert!(matches!(ran.code, 0 | 1), "{command:?}: {ran:?}");
        assert_eq!(sqlite3(&env, "PRAGMA user_version; PRAGMA integrity_check"), "6\nok\n", "{command:?}");
        assert_eq!(sqlite3(&env, OLD), before, "{command:?}");
        let columns = "SELECT clock_skew FROM runs; SELECT list, line FROM readings; SELECT * FROM manifests; SELECT * FROM organizations; SELECT * FROM memberships; SELECT * FROM searched_keys";
        sqlite3(&env, columns);
        let ran = env.run(&["report", "--run", "1", "--out", "old", "--store", "reports/keysunset.db"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        let rows = rows(&env.bytes("old/keys.csv"));
        let expected: Vec<_> =
            rows.iter().map(|row| [&row["username"][..], &row["verdict"], &row["org_id"]]).collect();
        assert_eq!(expected, [["ann", "used-after-cutoff", ""], ["boris", "", ""]]);
    }
}

/// SQLite does not wait for a lock that is in the way of a change of journal mode.
#[test]
fn four_processes_may_open_one_old_store_at_once() {
    let sandbox = ops_manager(1);
    for round in 0..8 {
        let env = TestEnv::at(&sandbox);
        old(&env);
        if round % 2 == 1 {
            // Of this version, and not in WAL mode.
            assert_eq!(env.run(&["history"]).code, 0);
            sqlite3(&env, "PRAGMA journal_mode = delete");
        }
        let url = &sandbox.announcement().url;
        let audit = ["audit", "--url", url, "--all-orgs", "--fail-on", "never"];
        let commands: [&[&str]; 4] =
            [&["history"], if round < 4 { &["history"] } else { &audit }, &["export"], &["history"]];
        let children = commands.map(|command| env.spawn(command));
        for child in children {
            let ran = crate::support::CliOutput::of(child);
            assert_eq!(ran.code, 0, "round {round}: {ran:?}");
        }
        assert_eq!(sqlite3(&env, "PRAGMA user_version; PRAGMA integrity_check"), "6\nok\n");
    }
}

/// Whatever else has the run database open, such as a backup, is waited for.
#[test]
fn another_programs_lock_is_waited_for() {
    let sandbox = ops_manager(1);
    let env = TestEnv::at(&sandbox);
    old(&env);
    let other = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut audit =
        env.spawn(&["audit", "--url", &sandbox.announcement().url, "--all-orgs", "--fail-on", "never"]);
    // Told on stderr after a second; the end of the lock is the end of the wait.
    let mut line = String::new();
    let mut stderr = std::io::BufReader::new(audit.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    assert!(line.contains("another program has locked"), "{line}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(audit.wait().unwrap().code(), Some(0));
}
