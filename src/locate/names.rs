//! Paths as the outputs have them: the same text on every system, and never a key.

use std::path::{Component, Path, PathBuf};

use crate::printable::{masked, name_of_bytes};

/// A path with `/` between folders. Bytes that are not UTF-8 are written as `\xNN`, and keys in it are masked.
pub(super) fn text(path: &Path) -> String {
    let text = of_bytes(path.as_os_str().as_encoded_bytes());
    if std::path::MAIN_SEPARATOR == '\\' { text.replace('\\', "/") } else { text }
}

/// As [`text`], of a path in a git repository.
pub(super) fn of_bytes(path: &[u8]) -> String {
    masked(&name_of_bytes(path))
}

/// A path without `.`, and without `..` where it can be left out. Empty is `.`.
pub(super) fn lexical(path: &Path) -> PathBuf {
    let mut parts: Vec<Component> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Component::CurDir, _)
            | (Component::ParentDir, Some(Component::RootDir | Component::Prefix(_))) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    if parts.is_empty() { PathBuf::from(".") } else { parts.into_iter().collect() }
}

/// The way from one folder to another, both absolute: `.` for the same.
pub(super) fn relative(from: &Path, to: &Path) -> PathBuf {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let same = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    if same == 0 {
        return to.into_iter().collect();
    }
    let up = std::iter::repeat_n(Component::ParentDir, from.len() - same);
    lexical(&up.chain(to[same..].iter().copied()).collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_text() {
        for (path, expected) in [
            ("./a//b/", "a/b"),
            ("a/../b", "b"),
            ("../a/./b", "../a/b"),
            (".", "."),
            ("a/..", "."),
            ("/../a", "/a"),
        ] {
            assert_eq!(text(&lexical(Path::new(path))), expected, "{path}");
        }
        for (from, to, expected) in
            [("/a/b", "/a/b", "."), ("/a/b", "/a", ".."), ("/a", "/a/b/c", "b/c"), ("/a/b", "/c", "../../c")]
        {
            assert_eq!(relative(Path::new(from), Path::new(to)), Path::new(expected), "{from} {to}");
        }
    }

    #[test]
    fn a_key_in_a_path_is_masked() {
        let path = Path::new("old/b5e7b0c4-3a1d-4e0e-8f55-92732876eeae.txt");
        assert_eq!(text(path), "old/********-****-****-92732876eeae.txt");
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_not_utf_8_are_numbers() {
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"caf\xe9/\xff.txt"));
        assert_eq!(text(path), "caf\\xE9/\\xFF.txt");
    }
}
