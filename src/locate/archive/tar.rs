//! The members of a tar archive, read from front to back: ustar, GNU and pax. Names have a limit, since archives may be
//! hostile; what a member holds is a stream.

use std::io::{self, Read};

use super::{Member, content, skip};

const BLOCK: usize = 512;

/// What is known of the next member before its header.
#[derive(Debug, Default)]
struct Attributes {
    name: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Whether bytes begin with the header of a member: its checksum is right.
pub(crate) fn is_header(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<BLOCK>() else { return false };
    // Most files fail here, without a sum.
    let checksum = &header[148..156];
    header[0] != 0
        && checksum.iter().all(|byte| matches!(byte, b'0'..=b'7' | b' ' | 0))
        && number(checksum) == Some(sum(header))
}

fn sum(header: &[u8; BLOCK]) -> u64 {
    let all: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    let checksum: u64 = header[148..156].iter().map(|byte| u64::from(*byte)).sum();
    all - checksum + 8 * u64::from(b' ')
}

/// Octal, or in base 256 with the upper bit of the first byte.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (zeros, number) = field.split_at(field.len() - 8);
        let is_small = zeros[0] == 0x80 && zeros[1..].iter().all(|byte| *byte == 0);
        return is_small.then(|| number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
    }
    let mut digits =
        field.iter().skip_while(|byte| **byte == b' ').take_while(|byte| matches!(byte, b'0'..=b'7'));
    digits.try_fold(0_u64, |number, digit| number.checked_mul(8)?.checked_add(u64::from(digit - b'0')))
}

/// The next member, whose bytes follow; `None` at the end of the archive.
///
/// # Errors
/// Those of the reader, and wrong or missing bytes.
pub(crate) fn next(reader: &mut dyn Read) -> io::Result<Option<Member>> {
    let mut attributes = Attributes::default();
    loop {
        let Some(header) = header(reader)? else { return Ok(None) };
        let size = number(&header[124..136]).ok_or(io::ErrorKind::InvalidData)?;
        match header[156] {
            b'L' => attributes.name = Some(until_zero(&block_content(reader, size)?).to_vec()),
            b'x' => attributes.read(&block_content(reader, size)?),
            b'K' | b'g' | b'V' => {
                skip(reader, size)?;
                skip(reader, fill(size))?;
            }
            // Links, devices and folders.
            b'1'..=b'6' => attributes = Attributes::default(),
            kind => {
                if kind == b'S' {
                    skip_sparse_map(reader, &header)?;
                }
                let name = attributes.name.unwrap_or_else(|| name(&header));
                let size = attributes.size.unwrap_or(size);
                return Ok(Some(Member { name, size, fill: fill(size) }));
            }
        }
    }
}

/// The next header that is not of zeros; `None` at the end, which blocks of zeros are before.
fn header(reader: &mut dyn Read) -> io::Result<Option<[u8; BLOCK]>> {
    let mut has_end = false;
    loop {
        let header = match super::header(reader)? {
            Some(header) => header,
            None if has_end => return Ok(None),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        if header != [0; BLOCK] {
            return if is_header(&header) {
                Ok(Some(header))
            } else {
                Err(io::ErrorKind::InvalidData.into())
            };
        }
        has_end = true;
    }
}

/// The bytes of a member, without what fills its last block.
fn block_content(reader: &mut dyn Read, size: u64) -> io::Result<Vec<u8>> {
    let content = content(reader, size)?;
    skip(reader, fill(size))?;
    Ok(content)
}

fn fill(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// Old GNU archives continue the map of a sparse member in blocks behind its header.
fn skip_sparse_map(reader: &mut dyn Read, header: &[u8; BLOCK]) -> io::Result<()> {
    let mut is_extended = header[482] != 0;
    while is_extended {
        let mut block = [0; BLOCK];
        reader.read_exact(&mut block)?;
        is_extended = block[504] != 0;
    }
    Ok(())
}

fn until_zero(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn name(header: &[u8; BLOCK]) -> Vec<u8> {
    let name = until_zero(&header[..100]);
    let prefix = until_zero(&header[345..500]);
    // Before POSIX, and in GNU archives, the field is another.
    if prefix.is_empty() || &header[257..263] != b"ustar\0" {
        return name.to_vec();
    }
    [prefix, b"/", name].concat()
}

impl Attributes {
    /// From the records of pax: a length, a key and a value each.
    fn read(&mut self, mut records: &[u8]) {
        while let Some(space) = records.iter().position(|byte| *byte == b' ') {
            let length = std::str::from_utf8(&records[..space]).ok().and_then(|length| length.parse().ok());
            let Some(record) = length.and_then(|length: usize| records.get(space + 1..length)) else {
                return;
            };
            records = &records[space + 1 + record.len()..];
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            if let Some(path) =
                record.strip_prefix(b"path=").or_else(|| record.strip_prefix(b"GNU.sparse.name="))
            {
                self.name = Some(path.to_vec());
            } else if let Some(size) = record.strip_prefix(b"size=") {
                self.size = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
            }
        }
    }
}
