//! What a person has to know although the run goes on: on standard error, whatever else is quiet, since every warning says
//! that the evidence is doubtful, or that something was not done that was asked for. What only explains is logged with
//! `tracing`, for `-v`.

use std::io::Write as _;

/// Prints what is doubtful, and what to do about it. Who can't be warned can't be helped.
pub(crate) fn warn(message: &str, help: Option<&str>) {
    let help = help.map_or_else(String::new, |help| format!("\n  help: {help}"));
    let _ = writeln!(std::io::stderr().lock(), "warning: {message}{help}");
}
