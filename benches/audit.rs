//! What an audit costs, measured from outside: the program as its own process, the sandbox in this one, over loopback.
//! `cargo bench --bench audit` prints a table; docs/benchmarks.md has the numbers and what they mean.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::process::{Command, Stdio};

use keysunset_sandbox::{Options, Sandbox};

/// CPU is measured over so many users.
const USERS: u64 = 20_000;
const RUNS: usize = 5;

#[cfg(not(unix))]
fn main() {
    println!("skipped: what a child process used is asked of the operating system in the way of Unix");
}

#[cfg(unix)]
fn main() {
    println!("{:>9} {:>12} {:>14} {:>12} {:>10}", "users", "CPU", "CPU a user", "peak memory", "exchanges");
    // The peak of all children is the system's figure, so the small run comes first.
    let small = row(10_000);
    let mut costs: Vec<f64> = (0..RUNS).map(|_| row(USERS).0).collect();
    let large = row(200_000);
    costs.sort_by(f64::total_cmp);
    println!("CPU a user over {USERS} users, median of {RUNS}: {:.4} ms (aim: at most 0.1)", costs[RUNS / 2]);
    println!("peak at 200,000 users: {:.1} MiB (aim: at most 64)", large.1);
    println!("against 10,000 users: {:.2} times (aim: at most 1.3)", large.1 / small.1);
}

/// CPU milliseconds a user, and the peak in MiB.
#[cfg(unix)]
#[expect(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn row(users: u64) -> (f64, f64) {
    let sandbox = Sandbox::start(Options { users, ..Options::default() }).expect("a sandbox");
    let announced = sandbox.announcement();
    let folder = tempfile::tempdir().expect("a folder");
    let (cpu_before, _) = children();
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
    let (cpu_after, peak) = children();
    let cpu = cpu_after - cpu_before;
    let cost = cpu / users as f64;
    println!("{users:>9} {cpu:>9.0} ms {cost:>11.4} ms {peak:>8.1} MiB {:>10}", sandbox.counts().exchanges);
    (cost, peak)
}

/// CPU milliseconds of all children so far, and the largest peak among them in MiB.
#[cfg(unix)]
#[expect(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn children() -> (f64, f64) {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike as _;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system's own figures");
    let cpu = usage.user_time() + usage.system_time();
    let per_mib = if cfg!(target_os = "macos") { 1024.0 * 1024.0 } else { 1024.0 };
    (cpu.num_microseconds() as f64 / 1000.0, usage.max_rss() as f64 / per_mib)
}
