//! What a migration plan costs beside a report of the same run: `cargo bench --bench plan -- FOLDER` writes to a temporary
//! folder there, since most of the cost is that of the file system. docs/benchmarks.md has the numbers.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[cfg(unix)]
mod usage;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keysunset_sandbox::{Options, Sandbox};

/// Of whom some 10,000 own a key.
const USERS: u64 = 14_000;
const RUNS: usize = 5;

#[cfg(not(unix))]
fn main() {
    println!("skipped: what a process used is asked of the operating system in the way of Unix");
}

#[cfg(unix)]
fn main() {
    let parent = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let parent = parent.map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent).expect("a folder");
    audit(folder.path());
    let median = |measure: &dyn Fn(usize) -> f64| {
        let mut costs: Vec<f64> = (0..RUNS).map(measure).collect();
        costs.sort_by(f64::total_cmp);
        costs[RUNS / 2]
    };
    let path = |name: &str, run: usize| folder.path().join(format!("{name}-{run}"));
    let report = median(&|run| cpu_of("report", folder.path(), &path("report", run)));
    let plan = median(&|run| cpu_of("plan", folder.path(), &path("plan", run)));
    let again = median(&|run| cpu_of("plan", folder.path(), &path("plan", run)));
    let files = files(&path("plan", 0));
    let bare = median(&|run| cpu_of_writing(&files, &path("bare", run)));
    println!("{} files; CPU, median of {RUNS}", files.len());
    println!("report      {report:>6.0} ms");
    println!("plan        {plan:>6.0} ms, {:.1} times (aim: at most 3)", plan / report);
    println!("plan again  {again:>6.0} ms, {:.1} times", again / report);
    println!(
        "only files  {bare:>6.0} ms, {:.1} times: the same files and bytes, by a bare loop",
        bare / report
    );
    println!("peak memory {:>6.1} MiB (aim: at most 64)", usage::children().1);
}

fn audit(folder: &Path) {
    let sandbox = Sandbox::start(Options { users: USERS, ..Options::default() }).expect("a sandbox");
    let announced = sandbox.announcement();
    let status = Command::new(env!("CARGO_BIN_EXE_keysunset"))
        .args(["audit", "--quiet", "--exit-zero", "--all-orgs", "--url", &announced.url, "--out"])
        .arg(folder)
        .env("KEYSUNSET_PUBLIC_KEY", &announced.public_key)
        .env("KEYSUNSET_PRIVATE_KEY", &announced.private_key)
        .stdin(Stdio::null())
        .status()
        .expect("the program");
    assert!(status.success(), "the audit ended with {status}");
}

/// CPU milliseconds of a command that writes to `out`.
#[cfg(unix)]
fn cpu_of(command: &str, folder: &Path, out: &Path) -> f64 {
    let before = usage::children().0;
    let status = Command::new(env!("CARGO_BIN_EXE_keysunset"))
        .args([command, "--quiet", "--store"])
        .arg(folder.join("keysunset.db"))
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null())
        .status()
        .expect("the program");
    assert!(matches!(status.code(), Some(0 | 1 | 3 | 4)), "{command} ended with {status}");
    usage::children().0 - before
}

/// All files below `plan` and `letters`, with their bytes.
fn files(out: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let folders = ["plan", "letters"].into_iter();
    let entries = folders.flat_map(|name| {
        let entries = std::fs::read_dir(out.join(name)).expect("a folder of the plan");
        entries.map(move |entry| Path::new(name).join(entry.expect("a file").file_name()))
    });
    entries.map(|path| (path.clone(), std::fs::read(out.join(path)).expect("a file"))).collect()
}

/// CPU milliseconds of this process.
#[cfg(unix)]
fn cpu_of_writing(files: &[(PathBuf, Vec<u8>)], out: &Path) -> f64 {
    use nix::sys::resource::UsageWho::RUSAGE_SELF;
    let before = usage::of(RUSAGE_SELF).0;
    for name in ["plan", "letters"] {
        std::fs::create_dir_all(out.join(name)).expect("a folder");
    }
    for (path, bytes) in files {
        std::fs::write(out.join(path), bytes).expect("a file");
    }
    usage::of(RUSAGE_SELF).0 - before
}
