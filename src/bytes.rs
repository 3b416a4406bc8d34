//! Which kinds of bytes a text has: most texts have none that a format writes in another way, and are copied as a whole.

/// Of ASCII, the characters without a glyph.
pub(crate) const CONTROL: u8 = 1;
/// Beyond ASCII.
pub(crate) const WIDE: u8 = 1 << 1;
/// `"`.
pub(crate) const QUOTE: u8 = 1 << 2;
/// `\`.
pub(crate) const BACKSLASH: u8 = 1 << 3;
/// At which a spreadsheet parts a line: `,`, `;` and `|`. The controls among them are of [`CONTROL`].
pub(crate) const SEPARATOR: u8 = 1 << 4;
/// `<`, `>` and `&`.
pub(crate) const MARKUP: u8 = 1 << 5;
/// A backtick.
pub(crate) const TICK: u8 = 1 << 6;
/// `'`.
pub(crate) const APOSTROPHE: u8 = 1 << 7;

static KINDS: [u8; 256] = kinds_of_all();

const fn kinds_of_all() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    loop {
        kinds[byte as usize] = match byte {
            0..=0x1f | 0x7f => CONTROL,
            0x80.. => WIDE,
            b'"' => QUOTE,
            b'\\' => BACKSLASH,
            b',' | b';' | b'|' => SEPARATOR,
            b'<' | b'>' | b'&' => MARKUP,
            b'`' => TICK,
            b'\'' => APOSTROPHE,
            _ => 0,
        };
        if byte == u8::MAX {
            return kinds;
        }
        byte += 1;
    }
}

/// The kinds of all bytes of a text.
pub(crate) fn kinds(text: &str) -> u8 {
    text.bytes().fold(0, |kinds, byte| kinds | KINDS[usize::from(byte)])
}
