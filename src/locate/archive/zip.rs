//! What the central directory of a zip archive shows before its members are read.

use std::io::{Read, Seek};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::place::NotSearched;

/// The signature of the end of a central directory, and its length without a comment.
const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;
/// The end of a central directory with the longest comment.
pub(crate) const LONGEST_END: usize = END_LENGTH + (1 << 16);
/// What programs that unpack an archive behind their own code begin with.
const PROGRAMS: [&[u8]; 2] = [b"MZ", b"\x7fELF"];

/// Whether a zip archive ends a file, behind a program or anything else. Only a program is worth a search for a comment.
pub(crate) fn ends(head: &[u8], end: &[u8]) -> bool {
    let end = &end[end.len().saturating_sub(LONGEST_END)..];
    let has_right_comment = |at: usize| {
        let Some(&[low, high]) = end.get(at + END_LENGTH - 2..at + END_LENGTH) else { return false };
        at + END_LENGTH + usize::from(u16::from_le_bytes([low, high])) == end.len()
    };
    if PROGRAMS.iter().any(|program| head.starts_with(program)) {
        return memchr::memmem::find_iter(end, END).any(has_right_comment);
    }
    end.len().checked_sub(END_LENGTH).is_some_and(|at| end[at..].starts_with(END) && has_right_comment(at))
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: Vec<u8>,
    pub(crate) is_folder: bool,
    /// Of its header in the file.
    pub(crate) start: u64,
    /// Why it cannot be read.
    pub(crate) obstacle: Option<NotSearched>,
}

/// A member by its number.
pub(crate) fn member<R: Read + Seek>(archive: &mut ZipArchive<R>, at: usize) -> Result<Member, NotSearched> {
    let raw = archive.by_index_raw(at).map_err(|error| reason(&error))?;
    let mut member = Member {
        name: raw.name_raw().to_vec(),
        is_folder: raw.is_dir(),
        start: raw.header_start(),
        obstacle: None,
    };
    if raw.encrypted() {
        member.obstacle = Some(NotSearched::Encrypted);
    }
    drop(raw);
    if member.obstacle.is_none() {
        member.obstacle = archive.by_index(at).err().map(|error| reason(&error));
    }
    Ok(member)
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
        assert!(ends(b"text", &[b"text", &end(b"")[..]].concat()));
        assert!(ends(b"MZ", &[b"MZ", &end(b"a comment")[..]].concat()));
        assert!(!ends(b"MZ", &[b"MZ", &end(b"a comment")[..], b"more"].concat()));
        assert!(!ends(b"\x7fELF", b"\x7fELF a program that knows PK\x05\x06 and has more text behind it"));
        assert!(!ends(b"", b"") && !ends(b"MZ", END));
    }
}
