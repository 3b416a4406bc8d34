//! Programs that nobody here wrote, which read back what ours left: whether a file is right is not for us to say.

mod clients;

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

/// Runs a Python script that needs these modules, with these arguments, and returns its output. `None`, with a note, where
/// a module is missing. `KEYSUNSET_PYTHON` is the Python to use.
pub(crate) fn python(modules: &[&str], script: &str, arguments: &[&Path]) -> Option<String> {
    let modules = modules.join(", ");
    let python = || {
        let mut python = Command::new(program("KEYSUNSET_PYTHON", "python3"));
        python.env("PYTHONUTF8", "1").arg("-c");
        python
    };
    let imports = format!("import {modules}");
    output(&python, &imports, script, arguments, &format!("Python with {modules}"))
}

/// As [`python`], for Node.js and one module. `KEYSUNSET_NODE_MODULES` is the folder that has it.
pub(crate) fn node(module: &str, script: &str, arguments: &[&Path]) -> Option<String> {
    let node = || {
        let mut node = Command::new("node");
        if let Some(folder) = std::env::var_os("KEYSUNSET_NODE_MODULES") {
            node.env("NODE_PATH", folder);
        }
        node.arg("-e");
        node
    };
    let requires = format!("require({module:?})");
    output(&node, &requires, script, arguments, &format!("Node.js with {module}"))
}

/// The output of a script, if a first script shows that the `needed` modules are there.
fn output(
    interpreter: &dyn Fn() -> Command,
    modules: &str,
    script: &str,
    arguments: &[&Path],
    needed: &str,
) -> Option<String> {
    let has_modules = interpreter().arg(modules).output().is_ok_and(|output| output.status.success());
    if !has_modules {
        skipped(needed);
        return None;
    }
    let Output { status, stdout, stderr } = interpreter().arg(script).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert!(status.success(), "{}{}", text(stdout), text(stderr));
    Some(text(stdout))
}
