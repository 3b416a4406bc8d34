//! A zip archive in a stream: each member has a header of its own, and the central directory behind them is skipped.

use std::io::{self, BufRead as _, BufReader, Read};

use super::{Member, Method};
use crate::locate::archive;

const BUFFER: usize = 64 << 10;
/// Of a member whose header has the field.
const IS_ENCRYPTED: u16 = 1;
const LENGTHS_FOLLOW: u16 = 1 << 3;
/// The extra field with sizes of 64 bits.
const ZIP64: u16 = 1;

/// An archive that is read from front to back.
pub(crate) struct Forward<'r> {
    pub(crate) reader: BufReader<&'r mut dyn Read>,
    has_end: bool,
    /// The lengths of the last member, which its header has and which are behind it again.
    again: Option<[u64; 2]>,
}

/// How many bytes of the archive a member has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Known(u64),
    /// It ends where its decoder says so, and its lengths are behind it.
    Follows,
}

impl<'r> Forward<'r> {
    pub(crate) fn new(reader: &'r mut dyn Read) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER, reader), has_end: false, again: None }
    }

    /// A part of an archive, which may end behind any member.
    pub(crate) fn part(reader: &'r mut dyn Read) -> Self {
        Self { has_end: true, ..Self::new(reader) }
    }

    /// The next member, whose bytes follow; `None` at the end of the archive.
    ///
    /// # Errors
    /// Those of the reader, and wrong or missing bytes.
    pub(crate) fn next(&mut self) -> io::Result<Option<(Member, Length)>> {
        if let Some([compressed, size]) = self.again.take() {
            self.end(compressed, size)?;
        }
        loop {
            if self.reader.fill_buf()?.is_empty() && self.has_end {
                return Ok(None);
            }
            match &self.bytes()? {
                b"PK\x03\x04" => return self.member().map(Some),
                // Of an archive in parts, at its beginning.
                b"PK\x07\x08" | b"PK00" => {}
                b"PK\x01\x02" => {
                    self.skip(24)?;
                    let length = self.number()? + self.number()? + self.number()?;
                    self.skip(12 + length)?;
                }
                b"PK\x05\x06" => {
                    self.skip(16)?;
                    let comment = self.number()?;
                    self.skip(comment)?;
                    self.has_end = true;
                }
                b"PK\x06\x06" => {
                    let length = u64::from_le_bytes(self.bytes()?);
                    self.skip(length)?;
                }
                b"PK\x06\x07" => self.skip(16)?,
                b"PK\x05\x05" => {
                    let length = self.number()?;
                    self.skip(length)?;
                }
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    fn member(&mut self) -> io::Result<(Member, Length)> {
        let [_, _, flags_low, flags_high, method_low, method_high, _, _, _, _] = self.bytes()?;
        let (flags, method) =
            (u16::from_le_bytes([flags_low, flags_high]), u16::from_le_bytes([method_low, method_high]));
        let checksum = u32::from_le_bytes(self.bytes()?);
        let lengths = [self.bytes()?, self.bytes()?].map(u32::from_le_bytes);
        let (name, extra) = (self.number()?, self.number()?);
        let [name, extra] = [name, extra].map(|length| archive::content(&mut self.reader, length));
        let (name, extra) = (name?, extra?);
        let is_encrypted = flags & IS_ENCRYPTED != 0;
        let method = Method::from_number(method);
        let lengths_follow = flags & LENGTHS_FOLLOW != 0;
        let lengths = lengths_64(&extra, lengths).ok_or(io::ErrorKind::InvalidData)?;
        if lengths_follow && lengths == [0; 2] {
            return Ok((Member::new(&name, is_encrypted, method, None), Length::Follows));
        }
        self.again = lengths_follow.then_some(lengths);
        Ok((Member::new(&name, is_encrypted, method, Some(checksum)), Length::Known(lengths[0])))
    }

    /// Reads what is behind a member whose lengths were not known before, and gives its checksum.
    ///
    /// # Errors
    /// As [`Forward::next`], and other lengths than these.
    pub(crate) fn end(&mut self, compressed: u64, size: u64) -> io::Result<u32> {
        let mut checksum = self.bytes()?;
        if checksum == *b"PK\x07\x08" {
            checksum = self.bytes()?;
        }
        // Both have 32 bits or both have 64.
        let [one, other] = [self.bytes()?, self.bytes()?].map(u32::from_le_bytes);
        if (u64::from(one), u64::from(other)) != (compressed, size) {
            let found = u64::from(one) | u64::from(other) << 32;
            if (found, u64::from_le_bytes(self.bytes()?)) != (compressed, size) {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(u32::from_le_bytes(checksum))
    }

    /// Skips bytes of a member.
    ///
    /// # Errors
    /// As [`Forward::next`].
    pub(crate) fn skip(&mut self, length: u64) -> io::Result<()> {
        archive::skip(&mut self.reader, length)
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Of 16 bits.
    fn number(&mut self) -> io::Result<u64> {
        Ok(u16::from_le_bytes(self.bytes()?).into())
    }
}

/// The compressed and the other size of a member; those that are too large for its header are in an extra field.
fn lengths_64(mut extra: &[u8], lengths: [u32; 2]) -> Option<[u64; 2]> {
    let [mut compressed, mut size] = lengths.map(u64::from);
    if !lengths.contains(&u32::MAX) {
        return Some([compressed, size]);
    }
    loop {
        let [kind, length] =
            [extra.first_chunk()?, extra.get(2..)?.first_chunk()?].map(|it| u16::from_le_bytes(*it));
        let mut field = extra.get(4..4 + usize::from(length))?;
        extra = &extra[4 + field.len()..];
        if kind != ZIP64 {
            continue;
        }
        for (length, found) in [(lengths[1], &mut size), (lengths[0], &mut compressed)] {
            if length == u32::MAX {
                *found = u64::from_le_bytes(*field.first_chunk()?);
                field = &field[8..];
            }
        }
        return Some([compressed, size]);
    }
}
