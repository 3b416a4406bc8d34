//! Base64 and base64url: found by their alphabet, read across the ends of lines, and decoded in all four alignments where the
//! decoded text can hold a key.

use std::ops::Range;

use super::{Encoding, escape};

/// Lines of wrapped text are at least so long, but for the first and last one.
const LINE: usize = 16;
/// Of the line before the one at hand, so much is read.
const LINE_BEFORE: usize = 32;
/// 32 digits without padding.
const SHORTEST: usize = 43;
/// Between the lines of wrapped text: indentation, quotes, comment signs.
const LONGEST_GAP: usize = 256;
/// Groups of four characters, three bytes each, that 32 digits fill at least.
const QUADS: usize = 10;
/// Where more of a text is needed to know its alphabet.
const AROUND: usize = 128;

const INVALID: u8 = 64;
/// The six bits of each character; [`INVALID`] outside of both alphabets.
const BITS: [u8; 256] = bits();

const fn bits() -> [u8; 256] {
    let alphabet = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [INVALID; 256];
    let mut at = 0;
    while at < alphabet.len() {
        #[expect(clippy::cast_possible_truncation, reason = "at is below 64")]
        let value = at as u8;
        table[alphabet[at] as usize] = value;
        at += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
}

pub(crate) fn is_base64(byte: u8) -> bool {
    BITS[usize::from(byte)] != INVALID
}

/// Encoded text: its lines without what is between them.
#[derive(Debug, Default)]
pub(crate) struct Blob {
    /// In the bytes, in their order.
    pub(crate) lines: Vec<Range<usize>>,
    /// Of all lines.
    pub(crate) length: usize,
}

impl Blob {
    /// Around the line of characters that begins at `start`. `floor` is where an earlier one ended.
    pub(crate) fn new(bytes: &[u8], start: usize, floor: usize) -> Self {
        let mut blob = Self::default();
        if let Some(first) = line_before(bytes, start, floor) {
            blob.push(first);
        }
        let (mut start, mut length) = (start, 0);
        loop {
            let line = line(bytes, start);
            let end = line.end;
            length += line.len();
            blob.push(line);
            match gap(bytes, end) {
                Some(Gap::Sign(next)) => start = next,
                Some(Gap::Line(next)) if length >= LINE && is_line(bytes, next) => {
                    (start, length) = (next, 0);
                }
                _ => return blob,
            }
        }
    }

    fn push(&mut self, line: Range<usize>) {
        self.length += line.len();
        self.lines.push(line);
    }

    /// The part before a line.
    pub(crate) fn up_to_line(&self, line: usize) -> Self {
        Self::from_lines(self.lines[..line].to_vec())
    }

    /// One line alone.
    pub(crate) fn line(&self, line: usize) -> Self {
        Self::from_lines(vec![self.lines[line].clone()])
    }

    fn from_lines(lines: Vec<Range<usize>>) -> Self {
        let length = lines.iter().map(Range::len).sum();
        Self { lines, length }
    }

    pub(crate) fn is_long_enough(&self) -> bool {
        self.length >= SHORTEST
    }

    /// From a line on, without what is between the lines.
    pub(crate) fn characters<'b>(
        &self,
        bytes: &'b [u8],
        line: usize,
    ) -> impl Iterator<Item = u8> + use<'_, 'b> {
        self.lines[line..].iter().flat_map(|line| bytes[line.clone()].iter().copied())
    }

    pub(crate) fn start(&self) -> usize {
        self.lines[0].start
    }

    pub(crate) fn end(&self) -> usize {
        self.lines[self.lines.len() - 1].end
    }
}

fn line(bytes: &[u8], start: usize) -> Range<usize> {
    let length = bytes[start..].iter().take_while(|byte| is_base64(**byte)).count();
    start..start + length
}

/// Whether what begins on a new line is more of a text: a long line, or a last one, which nothing but padding and signs follow.
fn is_line(bytes: &[u8], start: usize) -> bool {
    let line = line(bytes, start);
    let rest = &bytes[line.end..];
    let padding = rest.iter().take(2).take_while(|byte| **byte == b'=').count();
    let rest = &rest[padding..];
    let rest = &rest[rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count().min(LONGEST_GAP)..];
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`\\,)<;&%|}]*#".contains(byte);
    line.len() >= LINE || padding > 0 || rest.first().is_none_or(is_end)
}

/// A shorter line before the one at `start`, whose text began behind something else: `key: c2Vj…`.
fn line_before(bytes: &[u8], start: usize, floor: usize) -> Option<Range<usize>> {
    let earliest = start.saturating_sub(LONGEST_GAP).max(floor);
    let end = earliest + bytes[earliest..start].iter().rposition(|byte| is_base64(*byte))? + 1;
    let before = &bytes[end.saturating_sub(LINE_BEFORE).max(floor)..end];
    let length = before.iter().rev().take_while(|byte| is_base64(**byte)).count();
    // What a line feed is written as, `\n`, ends with a letter.
    if gap(bytes, end) == Some(Gap::Line(start)) {
        return Some(end - length..end);
    }
    let end = end.checked_sub(1)?;
    (length > 1 && gap(bytes, end) == Some(Gap::Line(start))).then(|| end + 1 - length..end)
}

/// What is between characters of base64, with the position where they continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// The end of a line.
    Line(usize),
    /// An escaped `+` or `/`. No key has one, so that it may be missing: what is behind it is found in another alignment.
    Sign(usize),
}

/// What begins at `at`, if it is nothing but a gap.
fn gap(bytes: &[u8], at: usize) -> Option<Gap> {
    let window = &bytes[at..bytes.len().min(at + LONGEST_GAP)];
    let mut lines = false;
    let mut at_gap = 0;
    while let Some(rest) = window.get(at_gap..).filter(|rest| !rest.is_empty()) {
        let sign = if lines { comment_sign(rest) } else { 0 };
        if sign > 0 {
            at_gap += sign;
            continue;
        }
        // An escaped character counts as what it means.
        let (byte, length) = escape::escaped(rest).unwrap_or((rest[0], 1));
        let is_joint =
            || byte == b'+' && at_gap > 0 && rest.get(length).is_some_and(|byte| !is_base64(*byte));
        let (length, ends_line) = match byte {
            b'\n' | b'\r' => (length, true),
            b' ' | b'\t' | b'"' | b'\'' | b',' | b'>' | b'#' | b'*' | b'|' | b'.' | b';' | b'\\' | b'%' => {
                (length, false)
            }
            b'+' | b'/' if length > 1 && at_gap == 0 => return Some(Gap::Sign(at + length)),
            // Texts of source code that are put together.
            b'+' if is_joint() => (length, false),
            byte if length == 1 && is_base64(byte) && lines => return Some(Gap::Line(at + at_gap)),
            _ => return None,
        };
        lines |= ends_line;
        at_gap += length;
    }
    None
}

/// The length of a comment sign of characters that may be base64, too: a space is behind it.
fn comment_sign(rest: &[u8]) -> usize {
    const SIGNS: [&[u8]; 6] = [b"///", b"//!", b"//", b"--", b"/*", b"rem"];
    let is_here = |sign: &&&[u8]| {
        rest.get(..sign.len()).is_some_and(|found| found.eq_ignore_ascii_case(sign))
            && matches!(rest.get(sign.len()), Some(b' ' | b'\t'))
    };
    SIGNS.iter().find(is_here).map_or(0, |sign| sign.len())
}

/// Characters of a blob without gaps, and where they are.
#[derive(Debug)]
pub(crate) struct Joined<'b> {
    pub(crate) text: &'b [u8],
    /// Where a line begins in the text, and where in the bytes, in their order.
    pub(crate) lines: &'b [(usize, usize)],
}

impl Joined<'_> {
    /// Where a character is in the bytes.
    pub(crate) fn source(&self, at: usize) -> usize {
        let line = self.lines.partition_point(|(start, _)| *start <= at) - 1;
        let (joined, source) = self.lines[line];
        source + at - joined
    }

    /// The lines of the text without what is before a character.
    pub(crate) fn lines_from(&self, start: usize) -> Vec<(usize, usize)> {
        let later = self.lines.iter().filter(|(at, _)| *at > start).map(|(at, source)| (at - start, *source));
        std::iter::once((0, self.source(start))).chain(later).collect()
    }
}

/// Calls for each part of a text that decodes to ASCII for long enough, in each alignment, with the first character and the
/// decoded bytes.
pub(crate) fn each_part(text: &[u8], decoded: &mut Vec<u8>, mut part: impl FnMut(usize, &[u8])) {
    for phase in 0..4.min(text.len()) {
        let aligned = &text[phase..];
        let quads = aligned.len() / 4;
        let mut at = QUADS / 2 - 1;
        while at < quads {
            if !decodes_to_ascii(aligned, at) {
                at += QUADS / 2;
                continue;
            }
            let before = (0..at).rev().take_while(|quad| decodes_to_ascii(aligned, *quad)).count();
            let after = (at + 1..quads).take_while(|quad| decodes_to_ascii(aligned, *quad)).count();
            if before + after + 1 >= QUADS {
                // A key may begin and end in a group with other bytes. Text of UTF-16 needs an even number of bytes before it.
                let first = (at - before).saturating_sub(1) & !1;
                let last = (at + after + 2) * 4;
                decode(&aligned[first * 4..last.min(aligned.len())], decoded);
                part(phase + first * 4, decoded);
            }
            at += after + QUADS / 2;
        }
    }
}

/// The upper bit of all three bytes is 0.
fn decodes_to_ascii(aligned: &[u8], quad: usize) -> bool {
    let of = |at: usize| BITS[usize::from(aligned[quad * 4 + at])];
    of(0) & 0b10_0000 == 0 && of(1) & 0b1000 == 0 && of(2) & 0b10 == 0
}

/// All bytes of a text of the alphabet, into an emptied buffer.
pub(crate) fn decode(text: &[u8], decoded: &mut Vec<u8>) {
    decoded.clear();
    for quad in text.chunks(4) {
        let bits = quad.iter().fold(0_u32, |bits, byte| bits << 6 | u32::from(BITS[usize::from(*byte)] & 63));
        let [_, bytes @ ..] = (bits << (6 * (4 - quad.len()))).to_be_bytes();
        decoded.extend_from_slice(&bytes[..quad.len() * 6 / 8]);
    }
}

/// The characters in which decoded bytes are: from the first to behind the last one.
pub(crate) fn characters(first: usize, decoded: &Range<usize>) -> Range<usize> {
    let of = |byte: usize| first + byte / 3 * 4 + byte % 3;
    of(decoded.start)..of(decoded.end - 1) + 2
}

/// Which alphabet the text around a range is of.
pub(crate) fn alphabet(bytes: &[u8], range: &Range<usize>, blob: &Range<usize>) -> Encoding {
    let start = blob.start.max(range.start.saturating_sub(AROUND));
    let end = blob.end.min(range.end + AROUND);
    let around = &bytes[start..end];
    // Comment signs between lines touch no letter or digit.
    let touches = |at: usize| {
        let neighbours = [at.checked_sub(1), Some(at + 1)].into_iter().flatten();
        neighbours.filter_map(|at| around.get(at)).any(u8::is_ascii_alphanumeric)
    };
    let has_url_sign = memchr::memchr2_iter(b'-', b'_', around).any(touches);
    let is_url = has_url_sign && !memchr::memchr2_iter(b'+', b'/', around).any(touches);
    if is_url { Encoding::Base64Url } else { Encoding::Base64 }
}
