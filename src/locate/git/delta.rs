//! Objects that a pack has as the difference to another one.

/// The sizes that a delta has in front: of its base and of its result.
pub(super) fn sizes(delta: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (base, rest) = size(delta)?;
    let (result, rest) = size(rest)?;
    Some((base, result, rest))
}

fn size(delta: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, byte) in delta.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &delta[at + 1..]));
        }
    }
    None
}

/// Writes the result of a delta into `out`. `None` if the delta is wrong or its result has another size than it claims; the
/// caller has limited that size.
pub(super) fn apply(base: &[u8], delta: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (base_size, result_size, mut rest) = sizes(delta)?;
    let result_size = usize::try_from(result_size).ok()?;
    if base_size != base.len() as u64 {
        return None;
    }
    out.clear();
    out.reserve_exact(result_size);
    while let Some((&command, after)) = rest.split_first() {
        rest = after;
        let bytes = if command & 0x80 == 0 {
            let (bytes, after) = rest.split_at_checked(usize::from(command)).filter(|_| command != 0)?;
            rest = after;
            bytes
        } else {
            let offset = number(command, 4, &mut rest)?;
            let size = match number(command >> 4, 3, &mut rest)? {
                0 => 0x1_0000,
                size => size,
            };
            base.get(offset..offset.checked_add(size)?)?
        };
        if bytes.len() > result_size - out.len() {
            return None;
        }
        out.extend_from_slice(bytes);
    }
    (out.len() == result_size).then_some(())
}

/// A number of which only the bytes are there whose bits are set.
fn number(bits: u8, bytes: u32, rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for at in 0..bytes {
        if bits & (1 << at) != 0 {
            let (&byte, after) = rest.split_first()?;
            *rest = after;
            value |= usize::from(byte) << (8 * at);
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        apply(base, delta, &mut out).map(|()| out)
    }

    #[test]
    fn a_delta_copies_and_inserts() {
        assert_eq!(result(b"abcdef", b"\x06\x05\x91\x02\x03\x02xy").unwrap(), b"cdexy");
    }

    #[test]
    fn a_wrong_delta_has_no_result() {
        for delta in [
            b"\x05\x02\x90\x02".as_slice(), // the size of another base
            b"\x06\x02\x90\x03",            // more than it claims
            b"\x06\x03\x90\x02",            // less
            b"\x06\x02\x91\x05\x02",        // beyond the end of the base
            b"\x06\x02\x05x",               // cut
            b"\x06\x02\x91",
            b"\x06\x01\x00",
            b"\x86",
            b"",
        ] {
            assert_eq!(result(b"abcdef", delta), None, "{delta:?}");
        }
    }
}
