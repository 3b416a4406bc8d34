//! Pointers of Git LFS: a file, a member or an object with the name of its content in place of it.

use std::path::Path;

/// A pointer is smaller.
const LONGEST: usize = 1024;

/// The name of the content that a pointer is to.
pub(super) fn content_of(pointer: &[u8]) -> Option<String> {
    if pointer.len() >= LONGEST || !pointer.starts_with(b"version https://") {
        return None;
    }
    let mut lines = std::str::from_utf8(pointer).ok()?.lines();
    lines.next().filter(|line| line.contains("git-lfs") || line.contains("hawser"))?;
    let name = lines.find_map(|line| line.strip_prefix("oid sha256:"))?;
    is_name(name).then(|| name.to_ascii_lowercase())
}

/// The name of the content that a file is: `lfs/objects/ab/cd/abcd…` of a repository.
pub(super) fn content_at(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str().filter(|name| is_name(name))?;
    path.parent()?.ends_with(Path::new("lfs/objects").join(&name[..2]).join(&name[2..4])).then_some(name)
}

fn is_name(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
