//! Where a key may be, in any encoding: one pass looks at 16 bytes at a time for those without anything that ends a word, or
//! with zeros between characters.

/// So many bytes are looked at together. A key has twice as many, so that one block lies wholly in it.
pub(super) const BLOCK: usize = 16;

/// Bytes that may belong to a key in an encoding: those of base64 and of escapes.
pub(super) const WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = is_word_or_zero(byte) != 0 && byte != 0;
        byte += 1;
    }
    table
};

/// [`WORD`] or 0, in a form that is compiled to comparisons of many bytes at once: 0xff if so.
const fn is_word_or_zero(byte: u8) -> u8 {
    const fn mask(is_word: bool) -> u8 {
        (is_word as u8).wrapping_neg()
    }
    mask((byte | 0x20).wrapping_sub(b'a') < 26)
        | mask(byte.wrapping_sub(b'/') < 11)
        | mask(byte.wrapping_sub(b'#') < 4)
        | mask(byte == b'-')
        | mask(byte == b'_')
        | mask(byte == b'+')
        | mask(byte == b'\\')
        | mask(byte == b';')
        | mask(byte == 0)
}

/// The first block from a position on of which every byte may belong to a key.
pub(super) fn next_block(bytes: &[u8], from: usize) -> Option<usize> {
    const ZEROS: [u8; 4 * BLOCK] = [0; 4 * BLOCK];
    let mut at = from;
    let mut chunks = bytes.get(from..)?.chunks_exact(ZEROS.len());
    for chunk in &mut chunks {
        // Zeros are most of many binary files.
        if chunk == ZEROS {
            at += ZEROS.len();
            continue;
        }
        let mut flags = ZEROS;
        for (flag, byte) in flags.iter_mut().zip(chunk) {
            *flag = is_word_or_zero(*byte);
        }
        let (blocks, _) = flags.as_chunks::<BLOCK>();
        if let Some(block) = blocks.iter().position(|block| u128::from_ne_bytes(*block) == u128::MAX) {
            return Some(at + block * BLOCK);
        }
        at += ZEROS.len();
    }
    let is_word = |block: &[u8]| block.iter().all(|byte| is_word_or_zero(*byte) != 0);
    chunks.remainder().chunks_exact(BLOCK).position(is_word).map(|block| at + block * BLOCK)
}
