//! A file taken apart into the answers in it, one after the other, each with headers before it or without.

use memchr::memmem;
use serde::de::IgnoredAny;

use super::headers::Headers;
use crate::client::charset;

/// One answer of a file.
pub(super) struct SavedDocument<'a> {
    pub(super) headers: Option<Headers>,
    /// One object or array; what is no whole JSON goes up to the next line that begins like headers.
    pub(super) body: &'a [u8],
}

/// The answers of a file, in order, and never none: a file of nothing is an answer of nothing.
pub(super) fn split(mut text: &[u8]) -> Vec<SavedDocument<'_>> {
    let (mut documents, mut headers) = (Vec::new(), None::<Headers>);
    loop {
        text = without_blank(text);
        if text.is_empty() {
            break;
        }
        if let Some((mut next, length)) = Headers::read(text) {
            text = &text[length..];
            let is_followed = headers.as_ref().is_none_or(|headers| headers.is_followed_by(&mut next));
            let before = headers.replace(next);
            if !is_followed {
                documents.push(SavedDocument { headers: before, body: b"" });
            }
            continue;
        }
        let length = json_length(text)
            .or_else(|| memmem::find(text, b"\nHTTP/").map(|at| at + 1))
            .unwrap_or(text.len());
        let (body, rest) = text.split_at(length);
        documents.push(SavedDocument { headers: headers.take(), body });
        text = rest;
    }
    if headers.is_some() || documents.is_empty() {
        documents.push(SavedDocument { headers, body: b"" });
    }
    documents
}

/// Without white space, marks at the start of what was a file of its own, and the separators of RFC 7464.
fn without_blank(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix("\u{feff}".as_bytes()).or_else(|| {
        text.split_first().filter(|(byte, _)| byte.is_ascii_whitespace() || **byte == 0x1e).map(|it| it.1)
    }) {
        text = rest;
    }
    text
}

/// How long the object or array is with which the text begins.
fn json_length(text: &[u8]) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    let is_whole = text.starts_with(b"{") || text.starts_with(b"[");
    (is_whole && values.next()?.is_ok()).then(|| values.byte_offset())
}

/// UTF-8 of the bytes of a file, whose mark may say that they are UTF-16, as `PowerShell`'s `>` writes them.
pub(super) fn decoded(bytes: Vec<u8>) -> Vec<u8> {
    if matches!(bytes.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return charset::decoded(bytes, "");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Statuses (0 without headers) and bodies.
    fn found(text: &str) -> Vec<(u16, String)> {
        let body =
            |document: &SavedDocument| String::from_utf8(document.body.to_vec()).unwrap().trim().to_owned();
        let status = |document: &SavedDocument| document.headers.as_ref().map_or(0, |headers| headers.status);
        split(text.as_bytes()).iter().map(|document| (status(document), body(document))).collect()
    }

    const CHALLENGE: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest nonce=\"n\"\r\n\r\n";

    #[test]
    fn answers_follow_each_other_with_and_without_headers() {
        let fine = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"a\":1}";
        for (text, expected) in [
            ("{\"a\":1}{\"a\":2}\n\u{1e}[3]", vec![(0, "{\"a\":1}"), (0, "{\"a\":2}"), (0, "[3]")]),
            (&format!("\u{feff}{fine}\r\n\u{feff}{{}}"), vec![(200, "{\"a\":1}"), (0, "{}")]),
            (&format!("{CHALLENGE}{fine}{CHALLENGE}{fine}"), vec![(200, "{\"a\":1}"), (200, "{\"a\":1}")]),
            (&fine.replace('\r', ""), vec![(200, "{\"a\":1}")]),
            (
                &format!("HTTP/1.1 200 Connection established\n\nHTTP/1.1 100 X\n\n{fine}"),
                vec![(200, "{\"a\":1}")],
            ),
            (&format!("HTTP/1.1 502 No\n\n<p>\n</p>\n{fine}"), vec![(502, "<p>\n</p>"), (200, "{\"a\":1}")]),
            (&format!("HTTP/1.1 204 No Content\r\n\r\n{fine}"), vec![(204, ""), (200, "{\"a\":1}")]),
            (&format!("{CHALLENGE}{CHALLENGE}{CHALLENGE}{fine}"), vec![(401, ""), (200, "{\"a\":1}")]),
            (&format!("{CHALLENGE}HTTP/1.1 200 OK"), vec![(200, "")]),
            (" \r\n", vec![(0, "")]),
            ("{\"a\":\nHTTP/1.1 200 OK\n\n{}", vec![(0, "{\"a\":"), (200, "{}")]),
            ("keys of ann: {\"a\":1}", vec![(0, "keys of ann: {\"a\":1}")]),
            ("HTTP/1.1 OK\n\n{}", vec![(0, "HTTP/1.1 OK\n\n{}")]),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(status, body)| (status, body.to_owned())).collect();
            assert_eq!(found(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        /// Foreign bytes: any file comes apart, and nothing but blanks and headers is lost.
        #[test]
        fn any_file_comes_apart(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let bytes = decoded(bytes);
            let kept: usize = split(&bytes).iter().map(|document| document.body.len()).sum();
            let blank = bytes.iter().filter(|byte| byte.is_ascii_whitespace() || b"\x1e\xef\xbb\xbf".contains(byte));
            proptest::prop_assert!(memmem::find(&bytes, b"HTTP/").is_some() || kept + blank.count() >= bytes.len());
        }

        /// Pieces of what files are made of, in any order and encoding: no JSON is lost, and none comes from elsewhere.
        #[test]
        fn any_order_of_pieces_comes_apart(pieces in proptest::collection::vec(proptest::sample::select(vec![
            "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 401 No\nWWW-Authenticate: Digest\n\n", "{}", "{\"é\":[1]}", "[", "<html>", "\n", "\u{feff}",
        ]), 1..12)) {
            let text = pieces.concat();
            let json = pieces.iter().filter(|piece| piece.starts_with('{')).count();
            let found = found(&text);
            let read = found.iter().filter(|(_, body)| ["{}", "{\"é\":[1]}"].contains(&body.as_str())).count();
            proptest::prop_assert!(read <= json);
            if !pieces.iter().any(|piece| ["[", "<html>"].contains(piece)) {
                proptest::prop_assert_eq!(read, json, "{:?}", found);
            }
            let marked = format!("\u{feff}{text}");
            for encode in [u16::to_le_bytes, u16::to_be_bytes] {
                let encoded = marked.encode_utf16().flat_map(encode).collect();
                proptest::prop_assert_eq!(decoded(encoded), text.as_bytes());
            }
        }
    }
}
