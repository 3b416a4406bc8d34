//! The members of a cpio archive of the newer kind, in which RPM packages and images of Linux have their files.

use std::io::{self, Read};

use super::{Member, content, header, skip};

/// The first bytes of each header, without and with a checksum.
const STARTS: [&[u8]; 2] = [b"070701", b"070702"];
const LENGTH: usize = 110;
/// The name of the last member.
const TRAILER: &[u8] = b"TRAILER!!!";

/// Whether bytes begin with the header of a member, which is text.
pub(crate) fn is_header(bytes: &[u8]) -> bool {
    STARTS.iter().any(|start| bytes.starts_with(start))
        && bytes.first_chunk::<LENGTH>().is_some_and(|header| header.iter().all(u8::is_ascii_hexdigit))
}

/// The next member; `None` at the end of the archive.
///
/// # Errors
/// Those of the reader, and wrong or missing bytes.
pub(crate) fn next(reader: &mut dyn Read) -> io::Result<Option<Member>> {
    let header: [u8; LENGTH] = header(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let [size, length] = [6, 11].map(|field| number(&header[6 + 8 * field..14 + 8 * field]));
    let (size, length) = size.zip(length).filter(|_| is_header(&header)).ok_or(io::ErrorKind::InvalidData)?;
    let mut name = content(reader, length)?;
    skip(reader, fill(LENGTH as u64 + length))?;
    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
    Ok(Some(Member { name, size, fill: fill(size) }).filter(|member| member.name != TRAILER))
}

fn number(field: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(field).ok()?, 16).ok()
}

fn fill(length: u64) -> u64 {
    length.wrapping_neg() % 4
}
