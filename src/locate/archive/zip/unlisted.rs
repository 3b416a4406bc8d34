//! What is in a zip archive and in no member that its directory lists: one that was dropped from it, or put in front of the
//! archive. Some programs have data of their own there, such as the signature of an apk file.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use memchr::memmem;

const BUFFER: usize = 64 << 10;
/// The header of a member: its first bytes, and its length without the name.
const HEADER: &[u8] = b"PK\x03\x04";
const HEADER_LENGTH: usize = 30;
/// The highest version that a program may need to have to read a member, times ten.
const LATEST: u8 = 63;
/// The highest number of a system.
const SYSTEMS: u8 = 20;
/// The numbers of methods, as ranges.
const METHODS: [(u16, u16); 3] = [(0, 20), (92, 99), (u16::MAX, u16::MAX)];
/// The bytes from the first member to the directory that no member has. The lengths behind a member, and what fills it up, have
/// no room for one.
pub(crate) fn gaps(mut members: Vec<Range<u64>>, directory: u64) -> Vec<Range<u64>> {
    members.sort_unstable_by_key(|member| member.start);
    let starts = members.iter().skip(1).map(|member| member.start).chain([directory]);
    let ends = members.iter().scan(0, |end, member| {
        *end = member.end.max(*end);
        Some(*end)
    });
    let gaps = ends.zip(starts).map(|(end, next)| end..next);
    gaps.filter(|gap| gap.end.saturating_sub(gap.start) > HEADER_LENGTH as u64).collect()
}

/// The first position in a range at which the header of a member is, or the end of the range. Programs that unpack an archive
/// know the first bytes of a header, so that these alone are none.
///
/// # Errors
/// Those of the reader.
pub(crate) fn find_header(reader: &mut (impl Read + Seek), range: &Range<u64>) -> io::Result<u64> {
    reader.seek(SeekFrom::Start(range.start))?;
    let mut reader = Read::take(reader, range.end - range.start);
    let mut chunk = Vec::with_capacity(BUFFER);
    let mut start = range.start;
    loop {
        let missing = BUFFER - chunk.len();
        Read::take(&mut reader, missing as u64).read_to_end(&mut chunk)?;
        for at in memmem::find_iter(&chunk, HEADER) {
            let position = start + at as u64;
            let header = chunk[at..].first_chunk();
            if header.is_some_and(|header| is_header(header, range.end - position)) {
                return Ok(position);
            }
        }
        if chunk.len() < BUFFER {
            return Ok(range.end);
        }
        start += chunk.drain(..=BUFFER - HEADER_LENGTH).len() as u64;
    }
}

/// Whether a program would read a member here, of which so many bytes are there.
fn is_header(header: &[u8; HEADER_LENGTH], left: u64) -> bool {
    let number = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let (version, system, method) = (header[4], header[5], number(8));
    let compressed = u32::from_le_bytes([header[18], header[19], header[20], header[21]]);
    let compressed = if compressed == u32::MAX { 0 } else { compressed };
    let length = HEADER_LENGTH as u64 + u64::from(number(26)) + u64::from(number(28)) + u64::from(compressed);
    let is_method = METHODS.iter().any(|(first, last)| (*first..=*last).contains(&method));
    version <= LATEST && system <= SYSTEMS && is_method && number(26) > 0 && length <= left
}
