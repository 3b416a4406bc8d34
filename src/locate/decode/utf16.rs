//! UTF-16 of either byte order, with or without a mark: characters of ASCII with a zero between them.

use std::ops::Range;

/// The positions of the characters around a block of 16 bytes that has a zero in every second byte: from the first one in
/// steps of 2, and the position behind the last one. `None` for other blocks.
pub(crate) fn run(bytes: &[u8], at: usize, floor: usize) -> Option<Range<usize>> {
    let block = &bytes[at..at + 16];
    let parity = usize::from(block[0] == 0);
    if !block.iter().enumerate().all(|(at, byte)| (*byte == 0) == (at % 2 != parity)) {
        return None;
    }
    let mut start = at + parity;
    while start >= floor + 2 && bytes[start - 1] == 0 && is_text(bytes[start - 2]) {
        start -= 2;
    }
    let mut last = at + parity;
    while last + 2 < bytes.len() && bytes[last + 1] == 0 && is_text(bytes[last + 2]) {
        last += 2;
    }
    Some(start..last + 1)
}

fn is_text(byte: u8) -> bool {
    byte.is_ascii() && byte != 0
}

/// The first byte of a character: in big-endian text the zero is before it. Text of UTF-16 begins at an even offset.
pub(crate) fn first_byte(character: usize) -> usize {
    character & !1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_characters_of_both_byte_orders_are_found() {
        let text = "0123456789abcdef";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for at in 0..16 {
            assert_eq!(run(&little, at, 0), Some(0..31), "{at}");
            assert_eq!(run(&big, at, 0), Some(1..32), "{at}");
        }
        assert_eq!(run(&[0; 16], 0, 0), None);
        assert_eq!(run(text.as_bytes(), 0, 0), None);
        assert_eq!((first_byte(4), first_byte(5)), (4, 4));
    }
}
