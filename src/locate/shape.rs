//! The shapes of a key: a UUID with dashes that no hexadecimal digit touches, or exactly 32 hexadecimal digits that no letter
//! or digit touches.

use std::ops::Range;

/// The length of a UUID.
pub(super) const UUID: usize = 36;
/// The length without dashes, the shorter shape.
pub(super) const DIGITS: usize = 32;

/// The digits that identify a key.
const SUFFIX: usize = 12;
/// Where a UUID has dashes.
const DASHES: [usize; 4] = [8, 13, 18, 23];

/// Calls for each shape that lies in a range, with its place and its last 12 digits. What is around the range decides too.
pub(super) fn each(bytes: &[u8], range: Range<usize>, mut found: impl FnMut(Range<usize>, u64)) {
    for dash in memchr::memchr_iter(b'-', &bytes[range.clone()]) {
        let dash = range.start + dash;
        if let Some(start) = dash.checked_sub(DASHES[0])
            && start >= range.start
            && is_uuid(bytes, start)
        {
            found(start..start + UUID, suffix(&bytes[start..start + UUID]));
        }
    }
    let mut at = range.start;
    while at < range.end {
        let length = bytes[at..range.end].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if length == DIGITS && is_whole_word(bytes, at..at + length) {
            found(at..at + length, suffix(&bytes[at..at + length]));
        }
        at += length + 1;
    }
}

/// Whether a UUID begins here.
fn is_uuid(bytes: &[u8], start: usize) -> bool {
    let Some(text) = bytes.get(start..start + UUID) else { return false };
    // The cheap tests first: a ruler of dashes fails at the first digit.
    text[DASHES[0] - 1].is_ascii_hexdigit()
        && text[DASHES[1]] == b'-'
        && text
            .iter()
            .enumerate()
            .all(|(at, byte)| if DASHES.contains(&at) { *byte == b'-' } else { byte.is_ascii_hexdigit() })
        && !bytes.get(start + UUID).is_some_and(u8::is_ascii_hexdigit)
        && (!before(bytes, start).is_some_and(|byte| byte.is_ascii_hexdigit())
            || follows_equals(bytes, start))
}

/// Whether 32 letters and digits are hexadecimal and nothing touches them.
fn is_whole_word(bytes: &[u8], range: Range<usize>) -> bool {
    bytes[range.clone()].iter().all(u8::is_ascii_hexdigit)
        && !bytes.get(range.end).is_some_and(u8::is_ascii_alphanumeric)
        && !before(bytes, range.start).is_some_and(|byte| byte.is_ascii_alphanumeric())
}

fn before(bytes: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).map(|at| bytes[at])
}

/// Whether an `=` of quoted-printable text, which is `=3D`, is before a position.
pub(super) fn follows_equals(bytes: &[u8], at: usize) -> bool {
    bytes[..at].ends_with(b"=3D")
}

/// The last 12 digits.
fn suffix(shape: &[u8]) -> u64 {
    shape[shape.len() - SUFFIX..].iter().fold(0, |number, digit| number << 4 | u64::from(value(*digit)))
}

/// Of a hexadecimal digit.
pub(super) fn value(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { (digit | 0x20).wrapping_sub(b'a' - 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUFFIX_VALUE: u64 = 0x9273_2876_eeae;

    fn shapes(text: &str) -> Vec<(usize, u64)> {
        let mut shapes = Vec::new();
        each(text.as_bytes(), 0..text.len(), |range, suffix| shapes.push((range.start, suffix)));
        shapes
    }

    #[test]
    fn both_shapes_are_found_in_any_case_and_beside_anything_that_may_touch_them() {
        for key in [
            "b5e7b0c4-3a1d-4e0e-8f55-92732876eeae",
            "B5E7B0C4-3A1D-4E0E-8F55-92732876EEAE",
            "b5E7b0C4-3a1D-4E0e-8f55-92732876EeAe",
            "b5e7b0c43a1d4e0e8f5592732876eeae",
            "B5E7B0C43A1D4E0E8F5592732876EEAE",
        ] {
            for (before, after) in [("", ""), ("_", "_"), ("-", "-"), ("\"", "\""), ("é", "é"), ("0x-", ".")]
            {
                assert_eq!(shapes(&format!("{before}{key}{after}")), [(before.len(), SUFFIX_VALUE)], "{key}");
            }
        }
        assert_eq!(shapes("xyzb5e7b0c4-3a1d-4e0e-8f55-92732876eeaez"), [(3, SUFFIX_VALUE)]);
        assert_eq!(shapes("k=3Db5e7b0c4-3a1d-4e0e-8f55-92732876eeae"), [(4, SUFFIX_VALUE)]);
    }

    #[test]
    fn decoys_are_no_shapes() {
        for decoy in [
            "********-****-****-92732876eeae",
            "92732876eeae",
            "0b5e7b0c4-3a1d-4e0e-8f55-92732876eeae",
            "b5e7b0c4-3a1d-4e0e-8f55-92732876eeae0",
            "b5e7b0c4-3a1d-4e0e-8f55-92732876eea",
            "b5e7b0c4-3a1d-4e0e-8f5592732876eeae",
            "b5e7b0c4_3a1d_4e0e_8f55_92732876eeae",
            "g5e7b0c4-3a1d-4e0e-8f55-92732876eeae",
            "a1b5e7b0c43a1d4e0e8f5592732876eeae",
            "zb5e7b0c43a1d4e0e8f5592732876eeae",
            "b5e7b0c43a1d4e0e8f5592732876eeaez",
            "5af9a1d29cc0cdb6acdca6d5",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "------------------------------------------------",
        ] {
            assert_eq!(shapes(decoy), [], "{decoy}");
        }
    }
}
