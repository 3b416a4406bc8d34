//! The bytes of a file as UTF-8: a mark at its start says whether they are UTF-16, as PowerShell's `>` writes them.

use std::io::{self, Read};

/// A reader of a file in whatever encoding its first bytes tell. What is wrong with UTF-16 becomes U+FFFD, as everywhere;
/// UTF-8 passes as it is.
pub(super) struct Decoded<R> {
    file: R,
    encoding: Option<Encoding>,
    /// Raw bytes that wait for their other half.
    raw: Vec<u8>,
    /// UTF-8 that nobody has read yet, from `given` on.
    text: Vec<u8>,
    given: usize,
}

#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Utf16(fn([u8; 2]) -> u16),
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(file: R) -> Self {
        Self { file, encoding: None, raw: Vec::new(), text: Vec::new(), given: 0 }
    }

    /// Reads on and decodes; `false` at the end.
    fn refill(&mut self) -> io::Result<bool> {
        let read = Read::by_ref(&mut self.file).take(64 << 10).read_to_end(&mut self.raw)?;
        let encoding = *self.encoding.get_or_insert_with(|| encoding(&self.raw));
        self.given = 0;
        self.text.clear();
        match encoding {
            Encoding::Utf8 => self.text.append(&mut self.raw),
            Encoding::Utf16(unit) => self.decode(unit, read == 0),
        }
        Ok(read > 0)
    }

    fn decode(&mut self, unit: fn([u8; 2]) -> u16, ended: bool) {
        let mut whole = self.raw.len() & !1;
        let last = self.raw[..whole].last_chunk::<2>().map(|pair| unit(*pair));
        // The first half of a character outside the plane waits for the second.
        if !ended && last.is_some_and(|last| (0xd800..0xdc00).contains(&last)) {
            whole -= 2;
        }
        let units = self.raw[..whole].chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let text: String =
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        self.text.extend_from_slice(text.as_bytes());
        self.raw.drain(..whole);
        if ended && !self.raw.is_empty() {
            self.raw.clear();
            self.text.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn encoding(start: &[u8]) -> Encoding {
    match start {
        [0xff, 0xfe, ..] => Encoding::Utf16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => Encoding::Utf16(u16::from_be_bytes),
        _ => Encoding::Utf8,
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            if !self.refill()? && self.text.is_empty() {
                return Ok(0);
            }
        }
        let ready = &self.text[self.given..];
        let count = ready.len().min(into.len());
        into[..count].copy_from_slice(&ready[..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> String {
        let mut text = String::new();
        Decoded::new(bytes).read_to_string(&mut text).unwrap();
        text
    }

    proptest::proptest! {
        /// Whatever the encoding, and wherever a chunk ends.
        #[test]
        fn every_text_comes_out_of_every_encoding(text in "\\PC{0,40}", filler in 0_usize..3) {
            let text = format!("{}{text}", "x".repeat((64 << 10) / 2 - filler));
            let marked = format!("\u{feff}{text}");
            let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
            for bytes in [marked.as_bytes(), &little, &big] {
                proptest::prop_assert!(decoded(bytes) == marked);
            }
        }
    }

    #[test]
    fn half_a_character_is_replaced() {
        assert_eq!(decoded(b"\xff\xfea\0b"), "\u{feff}a\u{fffd}");
        assert_eq!(decoded(b"\xff\xfe\0\xd8"), "\u{feff}\u{fffd}");
    }
}
