//! Small files of a repository, read without trust: a fifo or device is never opened.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The most that a file of git other than a pack may have: a list of references with a million lines.
const LIMIT: u64 = 128 << 20;

/// The content of a regular file, `None` if there is none or it cannot be read.
pub(super) fn read(path: &Path) -> Option<Vec<u8>> {
    read_up_to(path, LIMIT)
}

/// As [`read`], and a longer file is none.
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

/// The names in a folder, sorted; none if it cannot be read.
pub(super) fn names(folder: &Path) -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    names.sort_unstable();
    names
}
