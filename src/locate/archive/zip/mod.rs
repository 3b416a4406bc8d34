//! Zip archives: by their central directory where it can be read, from front to back where it cannot, and where the directory
//! has no member for what is there.

mod forward;
mod unlisted;

use std::io::{self, Read, Seek};
use std::ops::Range;
use std::rc::Rc;

use flate2::Crc;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::Kind;
use super::compression::Compression;
use super::limit::Budget;
use crate::place::NotSearched;

pub(crate) use forward::{Forward, Length};
pub(crate) use unlisted::{find_header, gaps};

/// The signature of the end of a central directory, and its length without a comment.
const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;
/// The end of a central directory with the longest comment.
pub(crate) const LONGEST_END: usize = END_LENGTH + (1 << 16);
/// What programs that unpack an archive behind their own code begin with.
const PROGRAMS: [&[u8]; 2] = [b"MZ", b"\x7fELF"];
/// Of a directory that is kept in memory, which needs some times as much.
const LARGEST_DIRECTORY: u32 = 4 << 20;

/// Where the central directory of a zip archive that ends a file is, behind a program or anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Directory {
    /// Nothing at the end of the file is one.
    None,
    /// With so many members.
    Small(u16),
    /// Too large to be kept in memory.
    Large,
}

impl Directory {
    /// In what may have one by its first bytes.
    pub(crate) fn find<B: AsRef<[u8]>>(
        kind: Option<Kind>,
        head: &[u8],
        end: impl FnOnce() -> io::Result<B>,
    ) -> Self {
        match kind {
            Some(Kind::Zip) | None => end().map_or(Self::None, |end| Self::new(head, end.as_ref())),
            Some(Kind::Compressed(_) | Kind::Tar | Kind::Ar | Kind::Cpio | Kind::Rpm | Kind::Unknown) => {
                Self::None
            }
        }
    }

    /// From the first and the last bytes of a file. Only an archive or a program is worth a search for a comment.
    pub(crate) fn new(head: &[u8], end: &[u8]) -> Self {
        let end = &end[end.len().saturating_sub(LONGEST_END)..];
        let has_right_comment = |at: usize| {
            let Some(&[low, high]) = end.get(at + END_LENGTH - 2..at + END_LENGTH) else { return false };
            at + END_LENGTH + usize::from(u16::from_le_bytes([low, high])) == end.len()
        };
        let last = end.len().checked_sub(END_LENGTH).filter(|at| end[*at..].starts_with(END));
        let mut found = last.filter(|at| has_right_comment(*at));
        if found.is_none() && (is_archive(head) || PROGRAMS.iter().any(|program| head.starts_with(program))) {
            found = memchr::memmem::rfind_iter(end, END).find(|at| has_right_comment(*at));
        }
        let Some(&[low, high, a, b, c, d]) = found.and_then(|at| end[at + 10..].first_chunk()) else {
            return Self::None;
        };
        if u32::from_le_bytes([a, b, c, d]) <= LARGEST_DIRECTORY {
            Self::Small(u16::from_le_bytes([low, high]))
        } else {
            Self::Large
        }
    }
}

/// Whether bytes begin as an archive does.
pub(crate) fn is_archive(head: &[u8]) -> bool {
    [&b"PK\x03\x04"[..], END, b"PK\x07\x08"].iter().any(|signature| head.starts_with(signature))
}

/// How a member is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Stored,
    Deflated,
    Compressed(Compression),
    Unknown,
}

impl Method {
    /// As archives number them.
    fn from_number(number: u16) -> Self {
        match number {
            0 => Self::Stored,
            8 => Self::Deflated,
            12 => Self::Compressed(Compression::Bzip2),
            93 => Self::Compressed(Compression::Zstandard),
            95 => Self::Compressed(Compression::Xz),
            _ => Self::Unknown,
        }
    }

    fn new(method: CompressionMethod) -> Self {
        match method {
            CompressionMethod::Stored => Self::Stored,
            CompressionMethod::DEFLATE => Self::Deflated,
            CompressionMethod::BZIP2 => Self::Compressed(Compression::Bzip2),
            CompressionMethod::ZSTD => Self::Compressed(Compression::Zstandard),
            CompressionMethod::XZ => Self::Compressed(Compression::Xz),
            _ => Self::Unknown,
        }
    }
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: Vec<u8>,
    /// Why it cannot be read.
    pub(crate) obstacle: Option<NotSearched>,
    pub(crate) method: Method,
    /// Of its content; `None` where it is not known before.
    pub(crate) checksum: Option<u32>,
}

impl Member {
    fn new(name: &[u8], is_encrypted: bool, method: Method, checksum: Option<u32>) -> Self {
        let obstacle = match method {
            _ if is_encrypted => Some(NotSearched::Encrypted),
            // A folder.
            Method::Unknown if name.ends_with(b"/") => None,
            Method::Unknown => Some(NotSearched::UnknownFormat),
            Method::Stored | Method::Deflated | Method::Compressed(_) => None,
        };
        Self { name: name.to_vec(), obstacle, method, checksum }
    }

    /// What its bytes decompress to.
    ///
    /// # Errors
    /// As [`Compression::decoder`].
    pub(crate) fn decoder<'r>(
        &self,
        reader: &'r mut dyn Read,
        budget: &Rc<Budget>,
    ) -> io::Result<Box<dyn Read + 'r>> {
        let reader: Box<dyn Read + 'r> = match self.method {
            Method::Stored | Method::Unknown => Box::new(reader),
            Method::Deflated => Box::new(flate2::read::DeflateDecoder::new(reader)),
            Method::Compressed(compression) => compression.decoder(reader, budget)?,
        };
        Ok(Box::new(Checked { reader, checksum: Crc::new(), expected: self.checksum }))
    }
}

/// A content whose checksum is compared at its end.
struct Checked<R> {
    reader: R,
    checksum: Crc,
    expected: Option<u32>,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.checksum.update(&buffer[..read]);
        let is_end = read == 0 && !buffer.is_empty();
        if is_end && self.expected.is_some_and(|expected| expected != self.checksum.sum()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(read)
    }
}

/// A member of the central directory by its number, with its place in the file.
pub(crate) fn member<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    at: usize,
) -> Result<(Member, Range<u64>), NotSearched> {
    let raw = archive.by_index_raw(at).map_err(|error| reason(&error))?;
    let method = Method::new(raw.compression());
    let member = Member::new(raw.name_raw(), raw.encrypted(), method, Some(raw.crc32()));
    let end = raw.data_start().and_then(|start| start.checked_add(raw.compressed_size()));
    Ok((member, raw.header_start()..end.ok_or(NotSearched::Damaged)?))
}

/// Why an archive or a member cannot be read.
pub(crate) fn reason(error: &ZipError) -> NotSearched {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => NotSearched::Encrypted,
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            NotSearched::UnknownFormat
        }
        _ => NotSearched::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_an_archive_ends_one() {
        let end = |comment: &[u8]| {
            let length = u16::try_from(comment.len()).expect("a short comment").to_le_bytes();
            [END, &[0; 16], &length, comment].concat()
        };
        let is_end = |head: &[u8], end: &[u8]| Directory::new(head, end) != Directory::None;
        assert!(is_end(b"text", &[b"text", &end(b"")[..]].concat()));
        assert!(is_end(b"MZ", &[b"MZ", &end(b"a comment")[..]].concat()));
        assert!(!is_end(b"MZ", &[b"MZ", &end(b"a comment")[..], b"more"].concat()));
        assert!(!is_end(b"\x7fELF", b"\x7fELF a program that knows PK\x05\x06 and has more text behind it"));
        assert!(!is_end(b"", b"") && !is_end(b"MZ", END));
        let large = [END, &[0; 8], &[0xff; 4], &[0; 6]].concat();
        assert_eq!(Directory::new(b"PK\x03\x04", &large), Directory::Large, "it has 64 bits");
    }
}
