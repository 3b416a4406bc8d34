//! Archives and compressed files: recognized by their bytes, read as streams, never written anywhere.

pub(super) mod ar;
pub(super) mod compression;
pub(super) mod cpio;
pub(super) mod limit;
pub(super) mod rpm;
pub(super) mod tar;
pub(super) mod zip;

use std::io::{self, Read};

use compression::Compression;

/// Archives in one another, at most; a compressed archive is one.
pub(super) const MAX_DEPTH: usize = 4;

/// What bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Compressed(Compression),
    Tar,
    Zip,
    Ar,
    Cpio,
    Rpm,
    /// Compressed in a way that is not read.
    Unknown,
}

/// The first bytes of formats that are compressed and not read: 7z, RAR, LZ4 of both kinds, lzip, compress, CAB, xar, WIM, lzop,
/// framed snappy, squashfs, cramfs, PDF.
const UNKNOWN: [&[u8]; 14] = [
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\x04\x22\x4d\x18",
    b"\x02\x21\x4c\x18",
    b"LZIP\x01",
    b"\x1f\x9d",
    b"MSCF\0\0\0\0",
    b"xar!\0",
    b"MSWIM\0\0\0",
    b"\x89LZO\0\r\n\x1a\n",
    b"\xff\x06\0\0sNaPpY",
    b"hsqs",
    b"\x45\x3d\xcd\x28",
    b"%PDF-",
];
/// Ends of names of compressed formats whose bytes do not show them.
const UNKNOWN_NAMES: [&str; 3] = [".br", ".lzma", ".tlz"];

/// In upper or lower case.
fn ends_with(name: &str, end: &str) -> bool {
    let name = name.as_bytes();
    name.len() >= end.len() && name[name.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
}

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
        let by_start = [(ar::START, Self::Ar), (rpm::START, Self::Rpm)];
        if let Some((_, kind)) = by_start.into_iter().find(|(start, _)| head.starts_with(start)) {
            return Some(kind);
        }
        if cpio::is_header(head) {
            return Some(Self::Cpio);
        }
        let is_unknown = UNKNOWN.iter().any(|magic| head.starts_with(magic))
            || (UNKNOWN_NAMES.iter().any(|end| ends_with(name, end)) && !head.is_empty());
        is_unknown.then_some(Self::Unknown)
    }
}

/// Of a name or of the attributes of a member: archives may be hostile.
const LONGEST: u64 = 1 << 20;

/// A member of an archive that is read from front to back. Its bytes follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: Vec<u8>,
    pub(crate) size: u64,
    /// Bytes between it and the next one.
    fill: u64,
}

/// Skips what is before the next member, and what of this one was not read.
///
/// # Errors
/// Those of the reader, and missing bytes.
pub(super) fn finish(reader: &mut dyn Read, member: &Member, left: u64) -> io::Result<()> {
    skip(reader, left.checked_add(member.fill).ok_or(io::ErrorKind::InvalidData)?)
}

pub(super) fn skip(reader: &mut dyn Read, length: u64) -> io::Result<()> {
    let skipped = io::copy(&mut reader.take(length), &mut io::sink())?;
    if skipped < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// Bytes that are kept, such as a name.
fn content(reader: &mut dyn Read, length: u64) -> io::Result<Vec<u8>> {
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut content = Vec::new();
    reader.take(length).read_to_end(&mut content)?;
    if (content.len() as u64) < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(content) }
}

/// The next header; `None` if there are no more bytes.
fn header<const N: usize>(reader: &mut dyn Read) -> io::Result<Option<[u8; N]>> {
    let mut header = [0; N];
    let mut filled = 0;
    while filled < N {
        match reader.read(&mut header[filled..])? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(Some(header))
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
