//! Bodies in the charset that their headers declare, as UTF-8.

use encoding_rs::{Encoding, UTF_8};

/// After so many sequences that are no UTF-8 it is another charset, and no string of it can be read.
const MOST_INVALID: usize = 1000;
/// An escape that no JSON string can have, behind a backslash too: what held the bytes can't be read, and its neighbours can.
const UNDECODABLE: &[u8] = br"\ud800\ud800";

/// A body in UTF-8, out of the charset that its `Content-Type` declares; UTF-8 where that declares none that is known. What
/// can't be decoded makes the string that it stands in unreadable, and no other.
pub(super) fn decoded(body: Vec<u8>, content_type: &str) -> Vec<u8> {
    let encoding = declared(content_type).unwrap_or(UTF_8);
    if encoding.is_ascii_compatible() && body.is_ascii() || encoding == UTF_8 && str::from_utf8(&body).is_ok()
    {
        return body;
    }
    if encoding != UTF_8
        && let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(&body)
    {
        return text.into_owned().into_bytes();
    }
    let invalid = body.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty());
    if invalid.count() > MOST_INVALID {
        return body;
    }
    let chunks = body.utf8_chunks();
    let bytes = chunks.flat_map(|chunk| {
        [chunk.valid().as_bytes(), if chunk.invalid().is_empty() { b"" } else { UNDECODABLE }]
    });
    bytes.collect::<Vec<_>>().concat()
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
        ] {
            let text = String::from_utf8(decoded(body.to_vec(), content_type)).unwrap();
            assert_eq!(text, expected, "{content_type}");
        }
    }
}
