//! What holds for any manifest.

use super::{is_name, itself, parse};

/// A `manifest.json`.
pub(crate) fn manifest(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(manifest) = parse(text, "manifest.json") else { return };
    assert!(manifest.files.iter().all(|file| is_name(&file.name)));
    let _ = itself(&manifest, text, "");
    let written = manifest.text().expect("what was read can be written");
    let again = parse(&written, "manifest.json").expect("what was written can be read");
    assert_eq!(again, manifest);
    assert_eq!(again.text().expect("a text"), written);
}
