//! A store that can't be used, or no longer: a clear error, the right exit code, and nothing lost.
#![cfg(unix)]

use std::process::Command;

use crate::support::{CliOutput, TestEnv, ops_manager};

#[test]
fn a_store_of_a_newer_version_is_not_changed() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    store.pragma_update(None, "user_version", 99).unwrap();
    store.pragma_update(None, "journal_mode", "delete").unwrap();
    drop(store);
    let before = env.files();
    for ran in [env.audit(&sandbox, &["--all-orgs"]), env.run(&["report"])] {
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.stderr.contains("newer") && ran.stderr.contains("keysunset.db"), "{ran:?}");
    }
    assert_eq!(env.files(), before);
}

#[test]
fn a_damaged_store_leaves_the_reports_alone() {
    let sandbox = ops_manager(200);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    let (csv, page) = (env.bytes("reports/keys.csv"), env.markdown());
    // The header stays, so that it is recognized as ours.
    let mut bytes = env.bytes("reports/keysunset.db");
    bytes[4096..].fill(0xa5);
    env.put("reports/keysunset.db", bytes);
    let ran = env.run(&["report"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("keysunset.db"), "{ran:?}");
    assert_eq!((env.bytes("reports/keys.csv"), env.markdown()), (csv, page));
}

#[test]
fn a_value_that_no_version_wrote_is_damage() {
    let sandbox = ops_manager(5);
    for change in [
        "UPDATE readings SET status = 'weird'",
        "UPDATE runs SET settings = '{}'",
        "UPDATE memberships SET roles = '['",
    ] {
        let env = TestEnv::at(&sandbox);
        assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
        let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
        store.execute(change, []).unwrap();
        drop(store);
        let ran = env.run(&["report"]);
        assert_eq!(ran.code, 6, "{change}: {ran:?}");
        assert!(ran.stderr.contains("can't use the run database"), "{change}: {ran:?}");
        assert!(ran.stderr.contains("restore the file from a backup"), "{change}: {ran:?}");
    }
}

/// Runs the program where no file may grow past so many blocks: what a full disk does to it, without one.
fn on_a_full_disk(env: &TestEnv, url: &str, blocks: u32) -> CliOutput {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" audit --all-orgs --url \"$1\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_keysunset"), url]);
    CliOutput::of(env.start(&mut shell))
}

#[test]
fn a_full_disk_ends_with_6_and_existing_files_stay() {
    let sandbox = ops_manager(3000);
    let env = TestEnv::at(&sandbox);
    env.put("reports/keys.csv", "what was there before");
    let url = &sandbox.announcement().url;
    // In the making of the store, in the middle of the run, and in the reports.
    for blocks in [8, 300, 1400] {
        let ran = on_a_full_disk(&env, url, blocks);
        assert_eq!(ran.code, 6, "{blocks}: {ran:?}");
        assert!(ran.stderr.contains("error: can't write "), "{blocks}: {ran:?}");
        assert_eq!(env.text("reports/keys.csv"), "what was there before");
    }
    let ran = env.audit(&sandbox, &["--all-orgs", "--resume"]);
    assert_eq!(ran.code, 1, "with room again it goes on: {ran:?}");
}

#[test]
fn contradictory_numbers_end_with_70_and_existing_files_stay() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    let (csv, page) = (env.bytes("reports/keys.csv"), env.markdown());
    let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    // A user entered twice, which the store itself never allows, with the index that says so as it was.
    store
        .execute_batch(
            "CREATE TEMP TABLE saved AS SELECT * FROM sqlite_schema WHERE name = 'readings_once';
             PRAGMA writable_schema = ON;
             DELETE FROM sqlite_schema WHERE name = 'readings_once';
             PRAGMA writable_schema = RESET;
             INSERT INTO readings (run, user_id, username, status, http_status, attempts)
             SELECT run, user_id, username, status, http_status, attempts FROM readings LIMIT 1;
             PRAGMA writable_schema = ON;
             INSERT INTO sqlite_schema SELECT * FROM saved",
        )
        .unwrap();
    drop(store);
    let ran = env.run(&["report", "--cutoff", "2022-02-02"]);
    assert_eq!(ran.code, 70, "{ran:?}");
    assert!(ran.stderr.contains("do not add up: 6 users requested"), "{ran:?}");
    assert_eq!((env.bytes("reports/keys.csv"), env.markdown()), (csv, page));
}

/// An empty file that somebody made, named where a store is only to be read.
#[test]
fn reading_a_store_replaces_nothing() {
    let env = crate::stub::env();
    for arguments in
        [&["report"][..], &["history"], &["diff"], &["export"], &["explain", "x"], &["prune", "--keep", "1"]]
    {
        env.put("empty.db", "");
        let ran = env.run(&[arguments, &["--store", "empty.db"]].concat());
        assert_eq!((ran.code, env.bytes("empty.db").len()), (5, 0), "{arguments:?}: {ran:?}");
    }
    let ran = env.run(&["merge", "empty.db"]);
    assert_eq!((ran.code, env.bytes("empty.db").len()), (5, 0), "{ran:?}");
}

/// Names that SQLite takes for a database in memory, or for an address.
#[test]
fn a_store_is_a_file_whatever_its_name() {
    let stub = crate::stub::Stub::of_keys(vec![crate::stub::key(1, "ci")]);
    let without = "if test $(id -u) = 0; then without='setpriv --bounding-set=-all --inh-caps=-all'; fi";
    for name in [":memory:", "file:x.db", "file:x.db?mode=memory", "file:folder/x.db", "a#b%20c.db"] {
        let env = crate::stub::env();
        std::fs::create_dir_all(env.path(name).parent().unwrap()).unwrap();
        let ran = env.audit_at(&stub.url(), &["--user", crate::stub::USER, "--store", name]);
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        assert!(env.path(name).metadata().unwrap().len() > 0, "{name}");
        for command in [&["report"][..], &["export"], &["export", "--pack", "file:pack"], &["history"]] {
            let ran = env.run(&[command, &["--store", name]].concat());
            assert!(ran.code < 2, "{name} {command:?}: {ran:?}");
        }
        // Also where it is read without being written to.
        let folder = std::path::Path::new(name).parent().unwrap();
        let script = format!(
            "rm -f './{name}-wal' './{name}-shm'; chmod 444 './{name}'; chmod 555 './{}'; {without};
             exec $without {} export --store '{name}'",
            folder.display(),
            env!("CARGO_BIN_EXE_keysunset"),
        );
        let ran = CliOutput::of(env.start(Command::new("sh").args(["-c", &script])));
        assert_eq!(
            (ran.code, ran.stdout.starts_with("{\"keysunset\":\"run\"")),
            (0, true),
            "{name}: {ran:?}"
        );
        assert!(
            Command::new("chmod")
                .arg("755")
                .arg(env.path(name).parent().unwrap())
                .status()
                .unwrap()
                .success()
        );
    }
}

/// A pipe is no file that an audit could make its own, nor one to wait for.
#[cfg(unix)]
#[test]
fn a_store_that_is_no_regular_file_is_not_touched() {
    use std::os::unix::fs::FileTypeExt as _;

    let stub = crate::stub::Stub::of_keys(Vec::new());
    let env = crate::stub::env();
    assert!(std::process::Command::new("mkfifo").arg(env.path("pipe")).status().unwrap().success());
    for ran in [
        env.run(&["report", "--store", "pipe"]),
        env.audit_at(&stub.url(), &["--user", crate::stub::USER, "--store", "pipe"]),
    ] {
        assert_eq!((ran.code, ran.stderr.contains("it is not a regular file")), (5, true), "{ran:?}");
    }
    assert!(env.path("pipe").metadata().unwrap().file_type().is_fifo());
}

/// A report records its manifest while a run is being written, between any two of its batches.
#[test]
fn a_manifest_recorded_meanwhile_does_not_stop_a_run() {
    let env = crate::stub::env();
    for number in 0..3_000 {
        let user = crate::stub::id(number);
        let answer = format!(
            r#"{{"results":[{{"id":"{}","usedCount":0,"userId":"{user}"}}],"totalCount":1,"links":[]}}"#,
            crate::stub::id(10_000 + number)
        );
        env.put(&format!("answers/{user}.json"), answer);
    }
    env.put("one/5af9a1d29cc0cdb6ac0bf3f8.json", r#"{"results":[],"totalCount":0,"links":[]}"#);
    assert!(env.run(&["import", "one", "--name", "x"]).code < 5);
    let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    let mut import = env.spawn(&["import", "answers", "--name", "x"]);
    let (mut recorded, mut written) = (0, 0);
    while import.try_wait().unwrap().is_none() {
        // After each batch, so that the run comes on.
        let now = store.query_row("SELECT count(*) FROM readings", [], |row| row.get::<_, i64>(0)).unwrap();
        if now > written {
            (recorded, written) = (recorded + 1, now);
            let entry = "INSERT INTO manifests (run, sha256, document) VALUES (1, ?, '{}')";
            store.execute(entry, [format!("of the test, {recorded}")]).unwrap();
        }
    }
    let ran = crate::support::CliOutput::of(import);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(recorded > 0);
}

/// What came out of somebody's cache may hold triggers or views that change what is written and read.
#[test]
fn a_store_with_another_schema_is_not_used() {
    let stub = crate::stub::Stub::of_keys(vec![crate::stub::key(1, "ci")]);
    for (change, found) in [
        (
            "CREATE TRIGGER t AFTER INSERT ON keys BEGIN DELETE FROM keys WHERE key_id = NEW.key_id; END",
            "the trigger \"t\"",
        ),
        (
            "ALTER TABLE keys RENAME TO k2; CREATE VIEW keys AS SELECT * FROM k2 WHERE 0;
             CREATE TRIGGER v INSTEAD OF INSERT ON keys BEGIN SELECT 1; END",
            "the table \"k2\"",
        ),
        ("CREATE VIEW v AS SELECT 1", "the view \"v\""),
        ("CREATE INDEX i ON keys (enabled)", "the index \"i\""),
        ("CREATE TABLE \"a\u{1b}[2J\" (x)", "the table \"a\\u{1b}[2J\""),
        ("ALTER TABLE keys ADD COLUMN more TEXT", "its table \"keys\" differs from the one"),
        ("DROP INDEX readings_once", "its index \"readings_once\" is missing"),
        (
            "DROP INDEX places_of_search; DROP TABLE manifests; PRAGMA user_version = 1",
            "its table \"gaps\" differs from the one",
        ),
    ] {
        let env = crate::stub::env();
        let audit = || env.audit_at(&stub.url(), &["--user", crate::stub::USER]);
        assert_eq!(audit().code, 1);
        let asked = stub.asked().len();
        let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
        store.execute_batch(change).unwrap();
        drop(store);
        let before = env.bytes("reports/keysunset.db");
        for ran in [audit(), env.run(&["report"]), env.run(&["prune", "--keep", "1"])] {
            assert_eq!(ran.code, 5, "{change}: {ran:?}");
            assert!(ran.stderr.contains(found) && ran.stderr.contains("keysunset.db"), "{change}: {ran:?}");
        }
        assert_eq!(env.bytes("reports/keysunset.db"), before, "{change}");
        assert_eq!(stub.asked().len(), asked, "{change}");
    }
}

/// A pipe would be waited for, and a link leads elsewhere.
#[test]
fn files_beside_a_store_must_be_regular_files() {
    let stub = crate::stub::Stub::of_keys(Vec::new());
    for name in ["keysunset.db.lock", "keysunset.db-wal", "keysunset.db-shm", "keysunset.db-journal"] {
        for make in [&["mkfifo"][..], &["mkdir"], &["ln", "-s", "/dev/null"]] {
            let env = crate::stub::env();
            let audit = || env.audit_at(&stub.url(), &["--user", crate::stub::USER]);
            assert_eq!(audit().code, 0);
            let path = env.path("reports").join(name);
            // The lock file is there.
            let _ = std::fs::remove_file(&path);
            assert!(Command::new(make[0]).args(&make[1..]).arg(&path).status().unwrap().success());
            let ran = audit();
            assert_eq!(ran.code, 5, "{make:?} {name}: {ran:?}");
            assert!(ran.stderr.contains(name) && ran.stderr.contains("not a regular file"), "{ran:?}");
        }
    }
}

/// `prometheus/client_golang#489`, NethServer/ns8-core#820: a file of metrics that its collector could not read.
#[test]
fn a_store_is_for_its_owner_alone_and_reports_follow_the_umask() {
    use std::os::unix::fs::PermissionsExt as _;

    let (asked, was_asked) = std::sync::mpsc::channel();
    let stub = crate::stub::Stub::start(crate::stub::Digest::On, move |_| {
        let _ = asked.send(());
        crate::stub::Reply::never()
    });
    let env = crate::stub::env();
    let mode = |name: &str| env.path(name).metadata().unwrap().permissions().mode() & 0o777;
    let mut audit =
        env.spawn(&["audit", "--url", &stub.url(), "--user", crate::stub::USER, "--timeout", "600"]);
    was_asked.recv().unwrap();
    for name in ["keysunset.db", "keysunset.db-wal", "keysunset.db-shm", "keysunset.db.lock"] {
        assert_eq!(mode(&format!("reports/{name}")), 0o600, "{name}");
    }
    audit.kill().unwrap();
    audit.wait().unwrap();
    assert_eq!(env.run(&["report", "--format", "csv,prometheus"]).code, 3);
    env.put("ordinary", "");
    for name in ["keys.csv", "organizations.csv", "keysunset.prom", "manifest.json"] {
        assert_eq!(mode(&format!("reports/{name}")), mode("ordinary"), "{name}");
    }
}

/// A link to a store is the store, and so is its lock.
#[test]
fn a_store_behind_a_link_has_one_lock() {
    let (asked, was_asked) = std::sync::mpsc::channel();
    let stub = crate::stub::Stub::start(crate::stub::Digest::On, move |_| {
        let _ = asked.send(());
        crate::stub::Reply::never()
    });
    let env = crate::stub::env();
    env.put("one.db", "");
    std::os::unix::fs::symlink(env.path("one.db"), env.path("other.db")).unwrap();
    let url = stub.url();
    let audit =
        |store| ["audit", "--url", &url, "--user", crate::stub::USER, "--timeout", "600", "--store", store];
    let mut first = env.spawn(&audit("one.db"));
    was_asked.recv().unwrap();
    let second = env.run(&audit("other.db"));
    assert_eq!(second.code, 5, "{second:?}");
    assert!(second.stderr.contains("another audit"), "{second:?}");
    first.kill().unwrap();
    first.wait().unwrap();
}

/// Takes away, or replaces, what `change` is about as soon as the first user is asked for; the audit goes on afterwards.
fn changed_in_mid_run(
    arguments: &[&str],
    change: impl Fn(&std::path::Path) + Send + Sync + 'static,
) -> (TestEnv, CliOutput) {
    let env = crate::stub::env();
    let folder = env.path("");
    let changed = std::sync::Once::new();
    let stub = crate::stub::Stub::start(crate::stub::Digest::On, move |asked| {
        if asked.path.starts_with("/users/") {
            changed.call_once(|| change(&folder));
        }
        crate::stub::Reply::ok(&crate::stub::list(&[]))
    });
    let ran = env.audit_at(&stub.url(), &[&["--user", crate::stub::USER], arguments].concat());
    (env, ran)
}

#[test]
fn a_store_removed_or_replaced_in_mid_run_ends_with_6_and_no_report() {
    let remove = |folder: &std::path::Path| {
        for entry in folder.join("reports").read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().contains("keysunset.db") {
                std::fs::remove_file(path).unwrap();
            }
        }
    };
    let remove_folder = |folder: &std::path::Path| std::fs::remove_dir_all(folder.join("reports")).unwrap();
    let replace = |folder: &std::path::Path| {
        let store = folder.join("reports/keysunset.db");
        std::fs::copy(&store, folder.join("copy.db")).unwrap();
        std::fs::rename(folder.join("copy.db"), &store).unwrap();
    };
    for (env, ran) in [
        changed_in_mid_run(&[], remove),
        changed_in_mid_run(&[], remove_folder),
        changed_in_mid_run(&[], replace),
    ] {
        assert_eq!(ran.code, 6, "{ran:?}");
        assert!(ran.stderr.contains("was removed or replaced during the run"), "{ran:?}");
        assert!(!env.path("reports/keys.csv").exists() && !env.path("reports/manifest.json").exists());
    }
}

#[test]
fn a_folder_of_reports_replaced_in_mid_run_ends_with_6_and_the_run_stays() {
    let replace = |folder: &std::path::Path| {
        // The old one stays, so that its number is not given to the new one.
        std::fs::rename(folder.join("reports"), folder.join("old")).unwrap();
        std::fs::create_dir(folder.join("reports")).unwrap();
    };
    let (env, ran) = changed_in_mid_run(&["--store", "run.db"], replace);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("folder reports was removed or replaced"), "{ran:?}");
    assert!(!env.path("reports/keys.csv").exists());
    assert_eq!(env.run(&["report", "--store", "run.db"]).code, 0);
}
