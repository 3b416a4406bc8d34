//! What holds for any file of credentials.

use std::path::Path;

use super::{checked, entries, without_commands};
use crate::input::Problems;

/// A file of `--credentials`, as TOML and as CSV.
pub(crate) fn credentials_file(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    for name in ["credentials.toml", "credentials.csv", "credentials"] {
        let mut problems = Problems::new(name);
        let entries = entries(Path::new(name), text, &mut problems);
        let _ = without_commands(name, &entries);
        let Err(why) = checked(problems) else { continue };
        for secret in values(text).filter(|_| name == "credentials.toml") {
            assert!(!why.to_string().contains(secret), "{secret:?} is in {why}");
        }
    }
}

/// What is the value of a private key on a line of its own, whatever is around it.
fn values(text: &str) -> impl Iterator<Item = &str> {
    let values = text.lines().filter_map(|line| line.strip_prefix("private-key = \"")?.strip_suffix('"'));
    values.filter(|value| value.len() > 12 && value.chars().all(|c| c.is_ascii_alphanumeric()))
}
