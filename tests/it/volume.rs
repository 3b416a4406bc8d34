//! Many keys, in every format at once: the memory does not grow with them.
#![cfg(unix)]

use std::path::Path;

use crate::foreign;
use crate::support::{TestEnv, ops_manager};

/// MiB, for 200,000 keys.
const MOST: u64 = 48;
const FORMATS: &str = "csv,markdown,html,xlsx,json,ndjson,sarif,junit,gitlab,github,prometheus";

/// How many; `.ci/run` asks for more.
fn keys() -> u64 {
    std::env::var("KEYSUNSET_VOLUME_KEYS").map_or(5_000, |keys| keys.parse().unwrap())
}

/// Users of 40 organizations with two keys each, every fifth unreadable, entered into the store by SQL alone: a service that
/// serves so many would take longer than the report.
pub(crate) fn fill(store: &Path, keys: u64) {
    let connection = rusqlite::Connection::open(store).unwrap();
    let users = keys / 2 * 5 / 4;
    connection
        .execute_batch(&format!(
            "BEGIN;
             DELETE FROM readings;
             DELETE FROM organizations;
             WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {users})
             INSERT INTO readings (id, run, user_id, username, status, http_status, detail, attempts, read_at)
             SELECT n, 1, printf('%024x', n), printf('user-%d@example.com', n * 7919 % {users}),
                 iif(n % 5 = 0, 'forbidden', 'read'), iif(n % 5 = 0, 401, 200), iif(n % 5 = 0, 'It says no.', NULL), 1,
                 1735689600 FROM number;
             INSERT INTO organizations (run, org_id, name, is_deleted, status, http_status)
             SELECT DISTINCT 1, printf('%024x', id % 40), 'Example ' || id % 40, 0, 'read', 200 FROM readings;
             INSERT INTO memberships (reading, scope, id, roles, team_ids)
             SELECT id, 'organization', printf('%024x', (id + at * 7) % 40), '[]', '[]'
             FROM readings, (SELECT 0 AS at UNION SELECT 1) WHERE at = 0 OR id % 9 = 0;
             INSERT INTO keys (reading, key_id, suffix, description, enabled, created_at, last_used, used_count, auditing)
             SELECT id, printf('%012x%012x', id, k), printf('%012x', id), 'nightly export of the ledger, | \"` &lt;' || id,
                 id % 7 > 0, 1500000000 + id, 1735689600 - (id * 104729 + k) % 300000000, id, 0
             FROM readings, (SELECT 1 AS k UNION SELECT 2) WHERE status = 'read';
             COMMIT"
        ))
        .unwrap();
}

/// A run with so many keys, two for each owner.
pub(crate) fn large(keys: u64) -> TestEnv {
    let sandbox = ops_manager(1);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &["--all-orgs", "--format", "csv"]);
    fill(&env.path("reports/keysunset.db"), keys);
    env
}

/// Runs the report as the only child of a Python, which prints the child's peak in KiB.
pub(crate) const PEAK: &str = "
import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(ended.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
";

/// The same, and the most data that the child has in memory. Its code does not count: that of an unoptimized program is twice
/// as large as that of a release.
const PEAK_OF_DATA: &str = "
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
peak = 0
while child.poll() is None:
    with open(f'/proc/{child.pid}/status') as status:
        peak = max([peak] + [int(line.split()[1]) for line in status if line.startswith('RssAnon:')])
    time.sleep(0.005)
print(child.returncode, peak)
";

#[cfg(target_os = "linux")]
#[test]
fn a_report_in_all_formats_needs_no_more_memory_than_it_may() {
    let env = large(keys());
    let (program, out) = (env!("CARGO_BIN_EXE_keysunset"), env.path("reports"));
    let arguments = ["report", "--out", out.to_str().unwrap(), "--format", FORMATS].map(Path::new);
    let Some(measured) =
        foreign::python(&["subprocess"], PEAK_OF_DATA, &[&[Path::new(program)], &arguments[..]].concat())
    else {
        return;
    };
    let measured: Vec<u64> = measured.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert_eq!(measured[0], 4, "findings, and incomplete");
    let peak = measured[1] >> 10;
    assert!(peak <= MOST, "{peak} MiB for {} keys", keys());
    let lines = env.text("reports/keys.ndjson").lines().count() as u64;
    assert_eq!(lines, keys() + keys() / 2 / 4, "a line a key, and one for each user who could not be read");
    println!("{} keys in all formats: {peak} MiB at most", keys());
}
