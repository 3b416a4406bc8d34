//! What holds for any settings file.

use std::path::Path;

use super::{SettingsFile, refuse, unknown_settings};

/// A `keysunset.toml`.
pub(crate) fn settings(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let names = SettingsFile::from_toml(text).map(|file| file.deciding()).unwrap_or_default();
    // Each setting that a pull request may not decide is found again in the text, with its line.
    assert_eq!(refuse(&names, text).is_err(), !names.is_empty(), "{names:?}");
    let _ = unknown_settings(Path::new("keysunset.toml"), text);
}
