//! Foreign text on its way to a terminal: nothing that a terminal would obey, and nothing that has the shape of a key.

use std::ops::Range;

use memchr::memmem;

use crate::bytes::{CONTROL, WIDE, kinds};

/// A character that moves a cursor, hides, turns the direction of text, or is not allowed in XML: shown by its number.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// One line without anything invisible; a line break is a space.
#[must_use]
pub fn printable(text: &str) -> String {
    // Most texts need no change.
    if kinds(text) & (CONTROL | WIDE) == 0 {
        return text.to_owned();
    }
    let mut line = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' | '\r' | '\t' => line.push(' '),
            c if is_unprintable(c) => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
    }
    line
}

/// The name of a file. Bytes that are not UTF-8 are written as `\xNN`, so that no two names are one text.
pub(crate) fn name_of_bytes(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    text
}

/// The byte that is written as `\xNN` at the start of a text: never one of ASCII.
pub(crate) fn written_byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("\\x")?.get(..2)?;
    let is_right = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
    u8::from_str_radix(digits, 16).ok().filter(|byte| is_right && !byte.is_ascii())
}

/// What an error, a warning or a page for a terminal shows: its own line breaks, and otherwise as [`printable`] and
/// [`masked`] have it.
#[must_use]
pub fn for_terminal(text: &str) -> String {
    text.split('\n').map(|line| masked(&printable(line))).collect::<Vec<_>>().join("\n")
}

/// With the mask that the service itself uses in place of all but the last 12 digits of whatever has the shape of a personal
/// or private key: a UUID, or 32 hexadecimal digits in a row. Letters that touch it may be digits, too, so that longer rows are
/// masked as well, but for those of the length of a hash. Of the secret of a service account nothing is left but what all have in
/// common.
#[must_use]
pub fn masked(text: &str) -> String {
    let accounts = account_secrets(text.as_bytes(), 1);
    if accounts.is_empty() {
        return without_keys(text);
    }
    let (mut masked, mut copied) = (String::new(), 0);
    for secret in accounts {
        masked.push_str(&text[copied..secret.start]);
        masked.push_str(ACCOUNT_SECRET);
        masked.push_str("********");
        copied = secret.end;
    }
    masked.push_str(&text[copied..]);
    without_keys(&masked)
}

fn without_keys(text: &str) -> String {
    let bytes = text.as_bytes();
    if bytes.len() < SHORTEST_KEY {
        return text.to_owned();
    }
    let mut masked = String::with_capacity(text.len());
    let (mut at, mut copied) = (0, 0);
    while at < bytes.len() {
        let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        // Letters before a key may be hexadecimal digits, too.
        let uuid = (at + digits).checked_sub(8).filter(|start| *start >= at && is_uuid_at(bytes, *start));
        let key = match (uuid, digits) {
            (Some(start), _) => start..start + 36,
            // The lengths of SHA-1, SHA-256 and SHA-512.
            (None, 40 | 64 | 128) => at..at,
            (None, SHORTEST_KEY..) => at..at + digits,
            (None, _) => at..at,
        };
        if key.is_empty() {
            at += digits.max(1);
            continue;
        }
        masked.push_str(&text[copied..key.start]);
        masked.push_str("********-****-****-");
        masked.push_str(&text[key.end - 12..key.end]);
        at = key.end;
        copied = at;
    }
    masked.push_str(&text[copied..]);
    masked
}

/// As a shell takes it for one word.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// As [`masked`], with longer runs of hexadecimal digits masked, too: a digest may be one of SHA-256.
pub(crate) fn without_digests(text: &str) -> String {
    let text = masked(text);
    let mut masked = String::with_capacity(text.len());
    for part in text.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (digits, end) = part.split_at(digits);
        masked.push_str(if digits.len() > SHORTEST_KEY { "********" } else { digits });
        masked.push_str(end);
    }
    masked
}

/// The secret of a service account of Atlas begins with it; its client id, which is public, does not.
pub(crate) const ACCOUNT_SECRET: &str = "mdb_sa_sk_";

/// Where secrets of service accounts are, each character in so many bytes.
pub(crate) fn account_secrets(bytes: &[u8], width: usize) -> Vec<Range<usize>> {
    let zeros = [0; 3];
    let mut start: Vec<u8> = ACCOUNT_SECRET
        .bytes()
        .flat_map(|byte| std::iter::once(byte).chain(zeros[..width - 1].to_vec()))
        .collect();
    start.truncate(start.len() + 1 - width);
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let secret = |at: usize| {
        let digits = bytes[at + start.len()..].chunks_exact(width);
        let is_one = |digit: &&[u8]| is_digit(digit[width - 1]) && digit[..width - 1] == zeros[..width - 1];
        let digits = digits.take_while(is_one).count();
        (digits > 0).then_some(at..at + start.len() + digits * width)
    };
    memmem::find_iter(bytes, &start).filter_map(secret).collect()
}

/// Digits of a key without dashes.
const SHORTEST_KEY: usize = 32;

/// Whether a text is a UUID, as the secret of a key is.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && is_uuid_at(text.as_bytes(), 0)
}

/// Whether a UUID begins here, whatever is around it.
fn is_uuid_at(bytes: &[u8], start: usize) -> bool {
    let Some(text) = bytes.get(start..start + 36) else { return false };
    let is_right = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.iter().enumerate().all(is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_is_left() {
        assert_eq!(printable("a\r\nb\tc\u{1b}[31m\u{202e}d\u{0}"), "a b c\\u{1b}[31m\\u{202e}d\\u{0}");
    }

    #[test]
    fn what_has_the_shape_of_a_key_is_masked_but_for_its_last_digits() {
        const MASK: &str = "********-****-****-92732876eeae";
        for (text, shown) in [
            ("b5e7b0c4-3a1d-4e0e-8f55-92732876eeae", MASK.to_owned()),
            ("b5e7b0c43a1d4e0e8f5592732876eeae", MASK.to_owned()),
            ("B5E7B0C4-3A1D-4E0E-8F55-92732876EEAE", MASK.replace("eeae", "EEAE")),
            ("key=\"b5e7b0c43a1d4e0e8f5592732876eeae\", ü", format!("key=\"{MASK}\", ü")),
            ("xb5e7b0c4-3a1d-4e0e-8f55-92732876eeaey", format!("x{MASK}y")),
            ("prodb5e7b0c4-3a1d-4e0e-8f55-92732876eeae0", format!("prod{MASK}0")),
            ("prodb5e7b0c43a1d4e0e8f5592732876eeae", format!("pro{MASK}")),
            (
                "b5e7b0c4-3a1d-4e0e-8f55-92732876eeaeb5e7b0c4-3a1d-4e0e-8f55-92732876eeae",
                format!("{MASK}{MASK}"),
            ),
        ] {
            assert_eq!(masked(text), shown);
        }
        for text in
            ["5af9a1d29cc0cdb6acdca6d5", &"a1".repeat(32), &"a1".repeat(20), "", "ü-é", "b5e7b0c4-3a1d-4e0e"]
        {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn the_secret_of_a_service_account_is_masked() {
        let id = "mdb_sa_id_5af9a1d29cc0cdb6acdca6d5";
        for (text, shown) in [
            (format!("{id}:mdb_sa_sk_us_-AbCd0 x"), format!("{id}:mdb_sa_sk_******** x")),
            ("mdb_sa_sk_b5e7b0c4-3a1d-4e0e-8f55-92732876eeae".to_owned(), "mdb_sa_sk_********".to_owned()),
            (
                "é=\"mdb_sa_sk_a\" mdb_sa_sk_b".to_owned(),
                "é=\"mdb_sa_sk_********\" mdb_sa_sk_********".to_owned(),
            ),
        ] {
            assert_eq!(masked(&text), shown);
            assert_eq!(masked(&shown), shown);
        }
        assert_eq!(masked("mdb_sa_sk_...a6d5 mdb_sa_sk_"), "mdb_sa_sk_...a6d5 mdb_sa_sk_");
        for width in [2, 4] {
            let wide: Vec<u8> = b"=mdb_sa_sk_ab;"
                .iter()
                .flat_map(|byte| [&[*byte][..], &vec![0; width - 1]].concat())
                .collect();
            assert_eq!(
                account_secrets(&wide, width).pop(),
                Some(width..width * 12 + 1),
                "the zeros of the last one stay"
            );
            let big: Vec<u8> = [vec![0; width - 1], wide].concat();
            assert_eq!(account_secrets(&big, width).len(), 1);
        }
    }

    #[test]
    fn no_digest_is_left() {
        let md5 = "response=\"0123456789abcdef0123456789abcdef\", x";
        assert_eq!(without_digests(md5), "response=\"********-****-****-456789abcdef\", x");
        for (digits, shown) in
            [(24, "ab".repeat(12)), (40, "********".to_owned()), (64, "********".to_owned())]
        {
            let text = format!("é {}; nc=1", "ab".repeat(digits / 2));
            assert_eq!(without_digests(&text), format!("é {shown}; nc=1"));
            assert_eq!(without_digests(&"ab".repeat(digits / 2)), shown);
        }
    }

    #[test]
    fn line_breaks_of_a_page_stay_and_escapes_do_not() {
        assert_eq!(for_terminal("a\n  b\u{1b}[2J"), "a\n  b\\u{1b}[2J");
    }
}
