//! RPM packages: headers, which have scripts as text, before a compressed cpio archive.

use std::io::{self, Read};

use super::header;

/// The first bytes of a package.
pub(crate) const START: &[u8] = b"\xed\xab\xee\xdb";
/// Of what is before the headers, with these bytes.
pub(crate) const LEAD: u64 = 96;
const HEADER: &[u8] = b"\x8e\xad\xe8\x01";
/// Of an entry in the index of a header.
const ENTRY: u64 = 16;

/// The length of the header that begins here, behind its first 16 bytes.
///
/// # Errors
/// Those of the reader, and wrong or missing bytes.
pub(crate) fn length(reader: &mut dyn Read) -> io::Result<u64> {
    let start: [u8; 16] = header(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let [_, _, entries, size] = start.as_chunks::<4>().0 else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    if !start.starts_with(HEADER) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let [entries, size] = [entries, size].map(|number| u64::from(u32::from_be_bytes(*number)));
    Ok(entries * ENTRY + size)
}
