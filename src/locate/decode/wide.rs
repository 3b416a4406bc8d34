//! UTF-16 and UTF-32 of either byte order, with or without a mark: characters of ASCII with zeros between them.

use std::ops::Range;

use super::Encoding;

/// Characters, at the same distance from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wide {
    /// From the first character to behind the last one.
    pub(crate) range: Range<usize>,
    pub(crate) encoding: Encoding,
}

impl Wide {
    /// The characters around a block of 16 bytes that has a character in every second or fourth of them. `None` for other
    /// blocks.
    pub(crate) fn new(bytes: &[u8], at: usize, floor: usize) -> Option<Self> {
        [Encoding::Utf16, Encoding::Utf32].into_iter().find_map(|encoding| {
            let width = width(encoding);
            let block = &bytes[at..at + 16];
            let first = block[..width].iter().position(|byte| *byte != 0)?;
            let is_wide = block.iter().enumerate().all(|(at, byte)| (*byte != 0) == (at % width == first));
            is_wide.then(|| Self { range: range(bytes, at + first, floor, width), encoding })
        })
    }

    /// How many bytes a character has.
    pub(crate) fn width(&self) -> usize {
        width(self.encoding)
    }

    /// The first byte of a character: in big-endian text the zeros are before it. Text begins at a multiple of its width.
    pub(crate) fn first_byte(&self, character: usize) -> usize {
        character - character % self.width()
    }
}

/// Of a character; of other encodings 1.
pub(crate) fn width(encoding: Encoding) -> usize {
    match encoding {
        Encoding::Utf16 => 2,
        Encoding::Utf32 => 4,
        Encoding::Base64
        | Encoding::Base64Url
        | Encoding::Percent
        | Encoding::UnicodeEscape
        | Encoding::Html
        | Encoding::QuotedPrintable
        | Encoding::LineContinuation => 1,
    }
}

fn range(bytes: &[u8], character: usize, floor: usize, width: usize) -> Range<usize> {
    let are_zeros = |range: Range<usize>| bytes[range].iter().all(|byte| *byte == 0);
    let (mut start, mut last) = (character, character);
    while start >= floor + width && is_text(bytes[start - width]) && are_zeros(start - width + 1..start) {
        start -= width;
    }
    while last + width < bytes.len() && is_text(bytes[last + width]) && are_zeros(last + 1..last + width) {
        last += width;
    }
    start..last + 1
}

fn is_text(byte: u8) -> bool {
    byte.is_ascii() && byte != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_characters_of_both_byte_orders_are_found() {
        let text = "0123456789abcdef";
        let encoded = |to_bytes: fn(u8) -> Vec<u8>| text.bytes().flat_map(to_bytes).collect::<Vec<_>>();
        for (bytes, range, encoding) in [
            (encoded(|byte| vec![byte, 0]), 0..31, Encoding::Utf16),
            (encoded(|byte| vec![0, byte]), 1..32, Encoding::Utf16),
            (encoded(|byte| vec![byte, 0, 0, 0]), 0..61, Encoding::Utf32),
            (encoded(|byte| vec![0, 0, 0, byte]), 3..64, Encoding::Utf32),
        ] {
            for at in 0..=bytes.len() - 16 {
                let wide = Wide::new(&bytes, at, 0).expect("wide characters");
                assert_eq!((&wide.range, wide.encoding), (&range, encoding), "{at}");
                assert_eq!(wide.first_byte(range.start), 0);
            }
        }
        assert_eq!(Wide::new(&[0; 16], 0, 0), None);
        assert_eq!(Wide::new(text.as_bytes(), 0, 0), None);
    }
}
