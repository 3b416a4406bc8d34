//! What an audit costs, measured from outside: the program as its own process, the sandbox in this one, over loopback.
//! `cargo bench --bench audit` prints a table; docs/benchmarks.md has the numbers and what they mean.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod tables;
mod usage;

use std::process::{Command, Stdio};

use keysunset_sandbox::{Options, Sandbox};

/// CPU is measured over so many users.
const USERS: u64 = 20_000;
const RUNS: usize = 5;

fn main() {
    tables::print(&[("audit", audit)]);
}

fn audit() {
    tables::heading(&["users", "CPU", "CPU per user", "peak memory", "exchanges"]);
    // The peak of all children is the system's figure, so the small run comes first.
    let small = row(10_000);
    let mut costs: Vec<f64> = (0..RUNS).map(|_| row(USERS).0).collect();
    let large = row(200_000);
    costs.sort_by(f64::total_cmp);
    tables::aims();
    let cost = costs[RUNS / 2];
    tables::aim("CPU per user, 20,000 users, median of 5", "0.104 ms", Some(cost), " ms", ..=0.1);
    tables::aim("peak memory, 200,000 users", "23.7 MiB", Some(large.1), " MiB", ..=64.0);
    tables::aim("the same, compared with 10,000 users", "1.06 ×", Some(large.1 / small.1), " ×", ..=1.3);
}

/// CPU milliseconds a user, and the peak in MiB.
#[expect(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn row(users: u64) -> (f64, f64) {
    let sandbox = Sandbox::start(Options { users, ..Options::default() }).expect("a sandbox");
    let announced = sandbox.announcement();
    let folder = tempfile::tempdir().expect("a folder");
    let (cpu_before, _) = usage::children();
    let status = Command::new(env!("CARGO_BIN_EXE_keysunset"))
        .args([
            "audit",
            "--quiet",
            "--exit-zero",
            "--url",
            &announced.url,
            "--org",
            &announced.org_id,
            "--out",
        ])
        .arg(folder.path())
        .env("KEYSUNSET_PUBLIC_KEY", &announced.public_key)
        .env("KEYSUNSET_PRIVATE_KEY", &announced.private_key)
        .stdin(Stdio::null())
        .status()
        .expect("the program");
    assert!(status.success(), "the audit ended with {status}");
    let (cpu_after, peak) = usage::children();
    let cpu = cpu_after - cpu_before;
    let cost = cpu / users as f64;
    tables::row(&[
        users.to_string(),
        format!("{:.2} s", cpu / 1000.0),
        format!("{cost:.3} ms"),
        format!("{peak:.1} MiB"),
        sandbox.counts().exchanges.to_string(),
    ]);
    (cost, peak)
}
