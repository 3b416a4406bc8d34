//! Small files of a repository, read without trust: a fifo or device is never opened.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The content of a regular file, `None` if there is none, it is longer or cannot be read.
pub(super) fn read_up_to(path: &Path, limit: u64) -> Option<Vec<u8>> {
    if !is_file(path) {
        return None;
    }
    let mut content = Vec::new();
    File::open(path).ok()?.take(limit + 1).read_to_end(&mut content).ok()?;
    (content.len() as u64 <= limit).then_some(content)
}

/// The first line of a small file, without white space at its end.
pub(super) fn line(path: &Path) -> Option<String> {
    let content = String::from_utf8(read_up_to(path, 1 << 16)?).ok()?;
    Some(content.lines().next().unwrap_or_default().trim_end().to_owned())
}

/// Whether this is a regular file, or a link to one.
pub(super) fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file())
}
