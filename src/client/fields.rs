//! Whether a JSON document names a field twice, at any depth: then it says two things, and which of them counts is anybody's
//! guess. Readers differ there, serde's own in silence.

use std::borrow::Cow;

/// As deep as `serde_json` reads.
const MOST_DEPTH: usize = 128;
/// No documented object has a quarter of these.
const MOST_FIELDS: usize = 100;

/// Why a document is not to be trusted: a field is there twice in one object, or there are more fields or levels than any
/// documented document has. Takes text that is JSON, with whatever is in its strings, in time and memory bounded by its
/// length.
pub(super) fn repeated_field(json: &[u8]) -> Option<String> {
    let mut fields: Vec<Cow<'_, [u8]>> = Vec::with_capacity(32);
    // Where in `fields` those of the innermost object or array begin, and those of each around it.
    let (mut here, mut around) = (0, Vec::with_capacity(8));
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' if around.len() == MOST_DEPTH => return Some("nested too deep".to_owned()),
            b'{' | b'[' => around.push(std::mem::replace(&mut here, fields.len())),
            b'}' | b']' => {
                fields.truncate(here);
                here = around.pop().unwrap_or_default();
            }
            b'"' => {
                let start = at;
                let (end, has_escape) = string_end(json, start);
                at = end + 1;
                while json.get(at).is_some_and(u8::is_ascii_whitespace) {
                    at += 1;
                }
                if json.get(at) != Some(&b':') {
                    continue;
                }
                let name = &json[start..end];
                let name = if has_escape { unescaped(name) } else { Cow::Borrowed(name) };
                if fields[here..].contains(&name) {
                    let name: String = String::from_utf8_lossy(&name).chars().take(40).collect();
                    return Some(format!("repeated field {name:?}"));
                }
                if fields.len() - here == MOST_FIELDS {
                    return Some(format!("an object has more than {MOST_FIELDS} fields"));
                }
                fields.push(name);
                at += 1;
            }
            _ => {}
        }
    }
    None
}

/// Where the string that begins at `start` has its closing quote, and whether an escape is before that.
fn string_end(json: &[u8], start: usize) -> (usize, bool) {
    let (mut at, mut has_escape) = (start, false);
    while let Some(found) = json.get(at..).and_then(quote_or_backslash) {
        if json[at + found] == b'"' {
            return (at + found, has_escape);
        }
        (at, has_escape) = (at + found + 2, true);
    }
    (json.len(), has_escape)
}

/// Where the first of either is, eight bytes at a time: most strings are too short for `memchr`.
fn quote_or_backslash(text: &[u8]) -> Option<usize> {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    // The lowest bit that is set is the highest of the first byte that is this one.
    let find = |word: u64, byte: u8| {
        let zero = word ^ (EACH * u64::from(byte));
        zero.wrapping_sub(EACH) & !zero & (EACH << 7)
    };
    let (words, rest) = text.as_chunks();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = find(word, b'"') | find(word, b'\\');
        if found != 0 {
            return Some(8 * number + found.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).map(|at| 8 * words.len() + at)
}

/// A name with escapes as it is meant: `"id"` may be written with some.
fn unescaped(name: &[u8]) -> Cow<'_, [u8]> {
    let quoted = [b"\"", name, b"\""].concat();
    serde_json::from_slice::<String>(&quoted)
        .map_or(Cow::Borrowed(name), |name| Cow::Owned(name.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_twice_is_found_at_any_depth_and_in_any_spelling() {
        for (json, expected) in [
            (r#"{"a":1,"b":{"a":2},"c":[{"a":1},{"a":1}],"d":"a"}"#, None),
            (r#"{"a":1,"a":1}"#, Some("repeated field \"a\"")),
            (r#"{"x":[{"y":{"a":1 , "b":"}","a" :2}}]}"#, Some("repeated field \"a\"")),
            (r#"{"a":1,"\u0061":1}"#, Some("repeated field \"a\"")),
            (r#"{"a\"":1,"a":"\"a\":"}"#, None),
            (r#"{"a":"\ud800","b":1,"b":2}"#, Some("repeated field \"b\"")),
            ("{\"a", None),
        ] {
            assert_eq!(repeated_field(json.as_bytes()).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn depth_and_fields_are_bounded() {
        assert!(repeated_field("[".repeat(1000).as_bytes()).is_some());
        let many = (0..1000).map(|number| format!("\"{number}\":1,")).collect::<Vec<_>>().concat();
        assert!(repeated_field(format!("{{{many}").as_bytes()).is_some());
    }

    proptest::proptest! {
        #[test]
        fn a_string_ends_at_its_first_quote_that_is_not_escaped(
            bytes in proptest::collection::vec(proptest::sample::select(b"ab\"\\".to_vec()), 0..40),
        ) {
            let mut at = 0;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            let end = at.min(bytes.len());
            proptest::prop_assert_eq!(string_end(&bytes, 0), (end, bytes[..end].contains(&b'\\')));
        }

        #[test]
        fn any_bytes_are_looked_through(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = repeated_field(&bytes);
        }
    }
}
