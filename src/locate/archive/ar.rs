//! The members of an ar archive: Debian packages, static libraries.

use std::io::{self, Read};

use super::{Member, content, header};

/// The first bytes of an archive, which no member has.
pub(crate) const START: &[u8] = b"!<arch>\n";
/// Behind each header.
const END: &[u8] = b"`\n";
/// Of BSD: what is in the name's place, before the length of the name, which is before the content.
const LONG_NAME: &[u8] = b"#1/";

/// The next member; `None` at the end.
///
/// # Errors
/// Those of the reader, and wrong or missing bytes.
pub(crate) fn next(reader: &mut dyn Read) -> io::Result<Option<Member>> {
    let Some(header) = header::<60>(reader)? else { return Ok(None) };
    let name = header[..16].trim_ascii_end();
    let size = number(&header[48..58]).filter(|_| header.ends_with(END)).ok_or(io::ErrorKind::InvalidData)?;
    let fill = size % 2;
    let Some(length) = name.strip_prefix(LONG_NAME) else {
        let name = name.strip_suffix(b"/").unwrap_or(name).to_vec();
        return Ok(Some(Member { name, size, fill }));
    };
    let length = number(length).filter(|length| *length <= size).ok_or(io::ErrorKind::InvalidData)?;
    let name = content(reader, length)?.trim_ascii_end().to_vec();
    Ok(Some(Member { name, size: size - length, fill }))
}

fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field.trim_ascii_end()).ok()?.parse().ok()
}
