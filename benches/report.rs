//! What a report of a large run costs beside sqlite3: `cargo bench --bench report -- [RUN_DATABASE]`. Without a run database it
//! audits 650,000 simulated users first, which takes some minutes. Each program runs as its own process and writes to a
//! temporary folder (`TMPDIR`). docs/benchmarks.md has the numbers.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[cfg(not(unix))]
fn main() {
    println!("skipped: what a process used is asked of the operating system in the way of Unix");
}

#[cfg(unix)]
#[allow(dead_code, reason = "there is no table to choose")]
mod tables;
#[cfg(unix)]
mod usage;

#[cfg(unix)]
fn main() {
    unix::main();
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, File};
    use std::io::{BufRead as _, BufReader};
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use keysunset_sandbox::{Options, Sandbox};

    use super::{tables, usage};

    /// They have some 999,000 keys.
    const USERS: u64 = 650_000;
    const EIGHT: &str = "csv,markdown,html,xlsx,json,ndjson,sarif,junit";
    const RUNS: usize = 3;
    /// Between two looks at the memory of a process.
    const SAMPLE: Duration = Duration::from_millis(5);
    /// The columns of `keys.csv` as far as SQL has them, in the same order, judged by the same rules. Waivers and places are
    /// empty, and no text is neutralised.
    const ROWS: &str = "
        WITH results AS (
            SELECT deployment, readings.*, started_at + iif(abs(clock_skew) > 30, clock_skew, 0) AS now,
                unixepoch('2021-03-01') AS cutoff
            FROM runs JOIN readings ON readings.run = runs.id WHERE runs.id = (SELECT max(id) FROM runs)
        ), uses AS (
            SELECT results.*, keys.*,
                iif(last_used > 0 AND last_used >= coalesce(created_at, last_used), last_used, NULL) AS use
            FROM results LEFT JOIN keys ON keys.reading = results.id
        ), verdicts AS (
            SELECT *, CASE
                WHEN key_id IS NULL THEN NULL WHEN use >= cutoff THEN 'used-after-cutoff'
                WHEN use IS NOT NULL THEN 'not-used-since-cutoff' WHEN used_count = 0 THEN 'never-used'
                ELSE 'usage-unknown' END AS verdict
            FROM uses
        ), judged AS (
            SELECT *, CASE
                WHEN key_id IS NULL THEN NULL WHEN enabled = 0 THEN 'info'
                WHEN verdict = 'used-after-cutoff' THEN iif(use >= now - 90 * 86400, 'critical', 'high')
                WHEN verdict = 'usage-unknown' THEN 'medium' ELSE 'low' END AS severity
            FROM verdicts
        )
        SELECT deployment, user_id, username, status, http_status, error_code, attempts,
            strftime('%Y-%m-%dT%H:%M:%SZ', read_at, 'unixepoch') AS read_at, key_id, suffix, description,
            CASE enabled WHEN 1 THEN 'true' WHEN 0 THEN 'false' END AS enabled,
            strftime('%Y-%m-%dT%H:%M:%SZ', created_at, 'unixepoch') AS created, max(0, (now - created_at) / 86400) AS age,
            strftime('%Y-%m-%dT%H:%M:%SZ', use, 'unixepoch') AS last_used, max(0, (now - use) / 86400) AS days,
            used_count, verdict, severity,
            CASE severity WHEN 'critical' THEN 'migrate' WHEN 'high' THEN 'migrate' WHEN 'medium' THEN 'investigate'
                WHEN 'low' THEN 'disable-and-delete' WHEN 'info' THEN 'delete' END AS action,
            CASE verdict
                WHEN 'used-after-cutoff' THEN printf('last used %s, %d days after the cutoff',
                    strftime('%Y-%m-%dT%H:%M:%SZ', use, 'unixepoch'), (use - cutoff) / 86400)
                WHEN 'not-used-since-cutoff' THEN printf('last used %s, %d days before the cutoff',
                    strftime('%Y-%m-%dT%H:%M:%SZ', use, 'unixepoch'), (cutoff - use) / 86400)
                WHEN 'never-used' THEN 'never used: no last use, use count 0'
                WHEN 'usage-unknown' THEN printf('used %s times, time of last use unknown', used_count)
                ELSE coalesce(detail, 'no personal API keys') END AS reason,
            strftime('%Y-%m-%dT%H:%M:%SZ', cutoff, 'unixepoch'), CASE auditing WHEN 1 THEN 'true' WHEN 0 THEN 'false' END,
            (SELECT min(memberships.id) FROM memberships
                WHERE memberships.reading = judged.id AND scope = 'organization') AS org_id,
            '', '', '', '', '',
            (SELECT group_concat(memberships.id, ';') FROM memberships
                WHERE memberships.reading = judged.id AND scope = 'organization') AS org_ids,
            (SELECT group_concat(name, ';') FROM memberships CROSS JOIN organizations
                ON organizations.run = judged.run AND org_id = memberships.id
                WHERE memberships.reading = judged.id AND scope = 'organization') AS org_names, '', ''
        FROM judged ORDER BY coalesce(username, ''), user_id, created_at, key_id";
    /// The same rows and order with no more than the columns of the tables and the severity.
    const SEVERITIES: &str = "
        SELECT user_id, username, status, http_status, error_code, attempts, read_at, key_id, suffix, description, enabled,
            created_at, last_used, used_count, auditing, CASE
                WHEN key_id IS NULL THEN NULL WHEN enabled = 0 THEN 'info'
                WHEN last_used > 0 AND last_used >= coalesce(created_at, last_used) THEN CASE
                    WHEN last_used < unixepoch('2021-03-01') THEN 'low'
                    WHEN last_used >= started_at - 90 * 86400 THEN 'critical' ELSE 'high' END
                WHEN used_count = 0 THEN 'low' ELSE 'medium' END
        FROM runs JOIN readings ON readings.run = runs.id LEFT JOIN keys ON keys.reading = readings.id
        WHERE runs.id = (SELECT max(id) FROM runs)
        ORDER BY coalesce(username, ''), user_id, created_at, key_id";

    pub(super) fn main() {
        let folder = tempfile::tempdir().expect("a folder");
        let named = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
        let store = named.map_or_else(|| audit(folder.path()), PathBuf::from);
        tables::heading(&[&format!("least of {RUNS}"), "wall", "CPU", "peak memory"]);
        let out = folder.path().join("out");
        let report = |formats: &str| {
            let mut report = Command::new(env!("CARGO_BIN_EXE_keysunset"));
            report.args(["report", "--quiet", "--exit-zero", "--format", formats, "--store"]);
            report.arg(&store).arg("--out").arg(&out);
            report
        };
        let sqlite = |query: &str| {
            let file = File::create(folder.path().join("rows.csv")).expect("a file");
            let mut sqlite = Command::new("sqlite3");
            sqlite.args(["-readonly", "-csv"]).arg(&store).arg(query).stdout(file);
            sqlite
        };
        let csv = measure("keysunset, CSV", || report("csv"));
        let eight = measure("keysunset, eight formats", || report(EIGHT));
        let dump = measure("sqlite3 .dump", || sqlite(".dump"));
        let rows = measure("sqlite3, the rows of keys.csv", || sqlite(ROWS));
        let lines = |path: &Path| {
            let file = BufReader::new(File::open(path).expect("a file"));
            file.split(b'\n').count()
        };
        let header = 1;
        let [own, others] = [out.join("keys.csv"), folder.path().join("rows.csv")].map(|path| lines(&path));
        assert!(others == own - header, "sqlite3 has {others} rows, and keys.csv {own} lines");
        let severities = measure("sqlite3, tables and severity", || sqlite(SEVERITIES));
        let (csv, eight) = (csv.expect("this program"), eight.expect("this program"));
        tables::aims();
        for (name, before, other, most) in [
            ("sqlite3 with the same rows", "1.9 ×", rows, 1.0),
            ("sqlite3 with tables and severity", "", severities, 1.0),
            ("sqlite3 .dump", "4.9 ×", dump, 2.0),
        ] {
            let what = format!("report of a million keys as CSV: duration, compared with {name}");
            tables::aim(&what, before, other.map(|other| csv.wall / other.wall), " ×", ..=most);
        }
        tables::aim("the same in eight formats", "37.6 s", Some(eight.wall), " s", ..=15.0);
        tables::aim("the same: peak memory", "", Some(eight.peak), " MiB", ..=64.0);
    }

    fn audit(folder: &Path) -> PathBuf {
        let sandbox = Sandbox::start(Options { users: USERS, ..Options::default() }).expect("a sandbox");
        let announced = sandbox.announcement();
        let status = Command::new(env!("CARGO_BIN_EXE_keysunset"))
            .args([
                "audit",
                "--quiet",
                "--exit-zero",
                "--all-orgs",
                "--format",
                "csv",
                "--url",
                &announced.url,
            ])
            .arg("--out")
            .arg(folder)
            .env("KEYSUNSET_PUBLIC_KEY", &announced.public_key)
            .env("KEYSUNSET_PRIVATE_KEY", &announced.private_key)
            .stdin(Stdio::null())
            .status()
            .expect("the program");
        assert!(status.success(), "the audit ended with {status}");
        folder.join("keysunset.db")
    }

    /// In seconds and MiB.
    struct Used {
        wall: f64,
        peak: f64,
    }

    /// Runs a command several times and prints the least of each figure; `None` if the program is not installed.
    fn measure(name: &str, command: impl Fn() -> Command) -> Option<Used> {
        let (mut wall, mut cpu, mut peak) = (f64::MAX, f64::MAX, f64::MAX);
        for _ in 0..RUNS {
            let (before, began) = (usage::children().0, Instant::now());
            let Ok(mut child) = command().stdin(Stdio::null()).spawn() else {
                println!("{name}: left out, since it is not installed");
                return None;
            };
            let mut highest = 0.0;
            let status = loop {
                if let Some(status) = child.try_wait().expect("a child") {
                    break status;
                }
                highest = peak_of(child.id()).max(highest);
                std::thread::sleep(SAMPLE);
            };
            assert!(status.success(), "{name} ended with {status}");
            wall = began.elapsed().as_secs_f64().min(wall);
            cpu = ((usage::children().0 - before) / 1000.0).min(cpu);
            peak = highest.min(peak);
        }
        let figures = [format!("{wall:.1} s"), format!("{cpu:.1} s"), format!("{peak:.0} MiB")];
        tables::row(&[&[name.to_owned()], &figures[..]].concat());
        Some(Used { wall, peak })
    }

    /// In MiB; 0 where the system does not show it.
    fn peak_of(process: u32) -> f64 {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|size| size.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or_default() / 1024.0
    }
}
