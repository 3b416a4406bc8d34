//! Archives and compressed files: recognized by their bytes, read as streams, never written anywhere.

pub(super) mod compression;
pub(super) mod limit;
pub(super) mod tar;
pub(super) mod zip;

use compression::Compression;

/// Archives in one another, at most; a compressed archive is one.
pub(super) const MAX_DEPTH: usize = 4;

/// What bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Compressed(Compression),
    Tar,
    Zip,
    /// Compressed in a way that is not read.
    Unknown,
}

/// The first bytes of formats that are compressed and not read: 7z, RAR, LZ4, lzip, compress, CAB, RPM, lzop, framed snappy,
/// squashfs, Debian packages.
const UNKNOWN: [&[u8]; 11] = [
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\x04\x22\x4d\x18",
    b"LZIP\x01",
    b"\x1f\x9d",
    b"MSCF\0\0\0\0",
    b"\xed\xab\xee\xdb",
    b"\x89LZO\0\r\n\x1a\n",
    b"\xff\x06\0\0sNaPpY",
    b"hsqs",
    b"!<arch>\ndebian-binary",
];
/// Ends of names of compressed formats whose bytes do not show them.
const UNKNOWN_NAMES: [&str; 2] = [".br", ".lzma"];

impl Kind {
    /// From the first bytes, at least 512 if there are so many, and the name.
    pub(super) fn new(name: &str, head: &[u8]) -> Option<Self> {
        if let Some(compression) = Compression::new(head) {
            return Some(Self::Compressed(compression));
        }
        if zip::is_archive(head) {
            return Some(Self::Zip);
        }
        if tar::is_header(head) {
            return Some(Self::Tar);
        }
        let is_unknown = UNKNOWN.iter().any(|magic| head.starts_with(magic))
            || (UNKNOWN_NAMES.iter().any(|end| name.ends_with(end)) && !head.is_empty());
        is_unknown.then_some(Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_and_the_name_only_where_they_cannot() {
        assert_eq!(Kind::new("a.zip", b"text"), None);
        assert_eq!(Kind::new("a.txt", b"PK\x03\x04"), Some(Kind::Zip));
        assert_eq!(Kind::new("", b"7z\xbc\xaf\x27\x1c\0\x04"), Some(Kind::Unknown));
        assert_eq!(Kind::new("page.html.br", b"\x1b\x03"), Some(Kind::Unknown));
        assert_eq!(Kind::new("page.br", b""), None);
        assert_eq!(Kind::new("", b""), None);
        assert_eq!(Kind::new("", &[b'0'; 512]), None);
    }
}
