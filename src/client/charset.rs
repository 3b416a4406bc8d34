//! Bodies in the charset that their headers declare, as UTF-8.

use encoding_rs::{Encoding, UTF_8};

/// After so many sequences that are no text of a charset it is in another one, and no string of it can be read.
const MOST_INVALID: usize = 1000;
/// An escape that no JSON string can have, behind a backslash too: what held the bytes can't be read, and its neighbours can.
const UNDECODABLE: &str = r"\ud800\ud800";

/// A body in UTF-8, out of the charset of its byte order mark, or else of that which its `Content-Type` declares; UTF-8 where
/// nothing declares one that is known. What can't be decoded makes its own string unreadable, and no other.
pub(crate) fn decoded(mut body: Vec<u8>, content_type: &str) -> Vec<u8> {
    let encoding = if let Some((encoding, mark)) = Encoding::for_bom(&body) {
        body.drain(..mark);
        encoding
    } else {
        declared(content_type).unwrap_or(UTF_8)
    };
    if encoding.is_ascii_compatible() && body.is_ascii() || encoding == UTF_8 && str::from_utf8(&body).is_ok()
    {
        return body;
    }
    let (text, has_undecodable) = encoding.decode_without_bom_handling(&body);
    if !has_undecodable {
        return text.into_owned().into_bytes();
    }
    if text.matches(char::REPLACEMENT_CHARACTER).count() > MOST_INVALID {
        return body;
    }
    text.replace(char::REPLACEMENT_CHARACTER, UNDECODABLE).into_bytes()
}

fn declared(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let label = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then(|| Encoding::for_label(label.as_bytes()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_decoded_by_the_declared_charset() {
        for (content_type, body, expected) in [
            ("application/json", "Büro".as_bytes(), "Büro"),
            ("application/json; charset=utf-8", "Büro".as_bytes(), "Büro"),
            ("application/json;charset=ISO-8859-1", b"B\xfcro".as_slice(), "Büro"),
            ("application/json; Charset=\"windows-1252\"", b"\x80", "€"),
            ("application/json; charset=x-unknown", "Büro".as_bytes(), "Büro"),
            ("application/json", b"B\xfcro", "B\\ud800\\ud800ro"),
            ("application/json;charset=ISO-8859-1", "\u{feff}Büro".as_bytes(), "Büro"),
            ("application/json", b"\xff\xfe\xfc\0\0\xd8", "ü\\ud800\\ud800"),
            ("application/json;charset=utf-16", b"{\0", "{"),
        ] {
            let text = String::from_utf8(decoded(body.to_vec(), content_type)).unwrap();
            assert_eq!(text, expected, "{content_type}");
        }
    }
}
