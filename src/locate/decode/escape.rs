//! Characters that are written by their number: `%2D`, `%u002D`, `\u002d`, `\x2d`, `&#45;`, `&#x2d;`.

use std::ops::Range;

use super::Encoding;

/// Text that is escaped in escaped text, such as `%252D`, is decoded so often.
const PASSES: usize = 3;
/// Digits of an entity, with zeros before them.
const LONGEST_NUMBER: usize = 16;

/// Decoded text, and where each byte of it comes from.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) text: Vec<u8>,
    /// The range of each byte in what was decoded.
    from: Vec<Range<usize>>,
}

impl Decoded {
    /// `None` if nothing is escaped.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        memchr::memchr3(b'%', b'\\', b'&', bytes)?;
        let mut decoded =
            Self { text: bytes.to_vec(), from: (0..bytes.len()).map(|at| at..at + 1).collect() };
        let mut changed = false;
        for _ in 0..PASSES {
            let length = decoded.text.len();
            decoded.pass();
            if decoded.text.len() == length {
                break;
            }
            changed = true;
        }
        changed.then_some(decoded)
    }

    fn pass(&mut self) {
        let (mut read, mut write) = (0, 0);
        while read < self.text.len() {
            let (byte, length) = escaped(&self.text[read..]).unwrap_or((self.text[read], 1));
            let end = self.from[read + length - 1].end;
            self.from[write] = self.from[read].start..end;
            self.text[write] = byte;
            read += length;
            write += 1;
        }
        self.text.truncate(write);
        self.from.truncate(write);
    }

    /// Where decoded bytes are in what was decoded.
    pub(crate) fn source(&self, range: &Range<usize>) -> Range<usize> {
        self.from[range.start].start..self.from[range.end - 1].end
    }
}

/// Which escapes a range has, or the byte before it is.
pub(crate) fn kind(bytes: &[u8], range: &Range<usize>) -> Encoding {
    let around = &bytes[range.start.saturating_sub(8)..range.end];
    let inside = &bytes[range.clone()];
    let first = |bytes: &[u8]| memchr::memchr3(b'%', b'\\', b'&', bytes).map(|at| bytes[at]);
    match first(inside).or_else(|| first(around)) {
        Some(b'%') => Encoding::Percent,
        Some(b'&') => Encoding::Html,
        _ => Encoding::UnicodeEscape,
    }
}

/// The byte that an escape at the start of a text means, and the length of the escape. A character outside of ASCII is 0xff.
pub(super) fn escaped(text: &[u8]) -> Option<(u8, usize)> {
    match (text[0], text.get(1)?) {
        (b'%' | b'\\', b'u' | b'U') => Some((ascii(number(text.get(2..6)?, 16)?), 6)),
        (b'%', _) => Some((ascii(number(text.get(1..3)?, 16)?), 3)),
        (b'\\', b'x') => Some((ascii(number(text.get(2..4)?, 16)?), 4)),
        (b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0') => Some((b'\n', 2)),
        // In text that was escaped twice there are two of them before a `u`.
        (b'\\', b'\\' | b'-' | b'/') => Some((text[1], 2)),
        (b'&', b'#') => entity(text),
        (b'&', _) => text.starts_with(b"&amp;").then_some((b'&', 5)),
        _ => None,
    }
}

/// A numeric entity of HTML.
fn entity(text: &[u8]) -> Option<(u8, usize)> {
    let is_hexadecimal = matches!(text.get(2)?, b'x' | b'X');
    let start = if is_hexadecimal { 3 } else { 2 };
    let digits =
        text[start..].iter().take(LONGEST_NUMBER).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let end = start + digits;
    if text.get(end) != Some(&b';') {
        return None;
    }
    Some((ascii(number(&text[start..end], if is_hexadecimal { 16 } else { 10 })?), end + 1))
}

fn number(digits: &[u8], base: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u32::from_str_radix(digits, base).ok()
}

fn ascii(number: u32) -> u8 {
    u8::try_from(number).ok().filter(u8::is_ascii).unwrap_or(0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_escape_of_a_dash_is_decoded() {
        for dash in [
            "%2D",
            "%2d",
            "%u002D",
            r"\u002d",
            r"\u002D",
            r"\x2d",
            r"\-",
            r"\\u002d",
            "&#45;",
            "&#045;",
            "&#000000000045;",
            "&#x2d;",
            "&#X002D;",
            "%252D",
            "&amp;#45;",
            "%25252d",
            r"\\\\u002d",
        ] {
            let text = format!("ab{dash}cd");
            let decoded = Decoded::new(text.as_bytes()).expect("an escape");
            assert_eq!(decoded.text.escape_ascii().to_string(), "ab-cd", "{dash}");
            assert_eq!(decoded.source(&(1..3)), 1..2 + dash.len(), "{dash}");
            assert_eq!(decoded.source(&(3..5)), 2 + dash.len()..text.len(), "{dash}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in
            ["%", "%2", "%zz", "&", "&#", "&#;", "&#45", r"\", r"\u00", "a%+1b", "100%!", "&#99999999999;"]
        {
            assert!(Decoded::new(text.as_bytes()).is_none(), "{text}");
        }
        assert_eq!(Decoded::new("%e9%41".as_bytes()).expect("escapes").text, [0xff, b'A']);
    }

    #[test]
    fn the_kind_is_that_of_the_first_escape() {
        assert_eq!(kind(b"%22ab", &(3..5)), Encoding::Percent);
        assert_eq!(kind(br"ab\u002dcd", &(0..10)), Encoding::UnicodeEscape);
        assert_eq!(kind(b"%22ab&#45;cd", &(3..12)), Encoding::Html);
    }
}
