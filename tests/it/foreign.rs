//! Programs that nobody here wrote, which read back what ours left: whether a file is right is not for us to say.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

/// Says that a test is skipped, for want of something; where nothing may be skipped, it fails.
pub(crate) fn skipped(missing: &str) {
    assert!(std::env::var_os("KEYSUNSET_CI").is_none(), "{missing} has to be installed for this");
    // Not `eprintln`, which a passing test keeps to itself.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "skipped: {missing} is not installed").unwrap();
}

/// A program by its variable, or else by its name.
pub(crate) fn program(variable: &str, name: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| name.into())
}

/// Runs a Python script that needs these modules, with these arguments, and returns what it printed. `None`, having said
/// so, where a module is missing. `KEYSUNSET_PYTHON` says which Python.
pub(crate) fn python(modules: &[&str], script: &str, arguments: &[&Path]) -> Option<String> {
    let modules = modules.join(", ");
    if !run(&["-c", &format!("import {modules}")], &[]).status.success() {
        skipped(&format!("Python with {modules}"));
        return None;
    }
    let Output { status, stdout, stderr } = run(&["-c", script], arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert!(status.success(), "{}{}", text(stdout), text(stderr));
    Some(text(stdout))
}

fn run(options: &[&str], arguments: &[&Path]) -> Output {
    let mut python = Command::new(program("KEYSUNSET_PYTHON", "python3"));
    python.args(options).args(arguments).env("PYTHONUTF8", "1").output().unwrap()
}
