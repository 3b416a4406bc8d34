//! What processes used, as the operating system counts it.

/// CPU in milliseconds, user and system time, and the largest peak of memory in MiB.
#[cfg(unix)]
#[expect(clippy::cast_precision_loss, reason = "figures of a few digits")]
pub(crate) fn of(who: nix::sys::resource::UsageWho) -> (f64, f64) {
    use nix::sys::time::TimeValLike as _;
    let usage = nix::sys::resource::getrusage(who).expect("the system's own figures");
    let cpu = usage.user_time() + usage.system_time();
    let per_mib = if cfg!(target_os = "macos") { 1024.0 * 1024.0 } else { 1024.0 };
    (cpu.num_microseconds() as f64 / 1000.0, usage.max_rss() as f64 / per_mib)
}

/// CPU in milliseconds and peak in MiB of all children that have ended.
pub(crate) fn children() -> (f64, f64) {
    #[cfg(unix)]
    return of(nix::sys::resource::UsageWho::RUSAGE_CHILDREN);
    #[cfg(not(unix))]
    panic!("what a child process used is asked of the operating system in the way of Unix");
}
