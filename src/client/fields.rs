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
    let mut fields: Vec<Cow<'_, [u8]>> = Vec::new();
    // Where in `fields` those of each open object or array begin.
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' if open.len() == MOST_DEPTH => return Some("nested too deep".to_owned()),
            b'{' | b'[' => open.push(fields.len()),
            b'}' | b']' => fields.truncate(open.pop().unwrap_or_default()),
            b'"' => {
                let end = string_end(json, at);
                let after = json.get(end + 1..).unwrap_or_default().trim_ascii_start();
                if after.first() == Some(&b':') {
                    let name = unescaped(&json[at..end]);
                    let here = &fields[open.last().copied().unwrap_or_default()..];
                    if here.contains(&name) {
                        let name: String = String::from_utf8_lossy(&name).chars().take(40).collect();
                        return Some(format!("repeated field {name:?}"));
                    }
                    if here.len() == MOST_FIELDS {
                        return Some(format!("an object has more than {MOST_FIELDS} fields"));
                    }
                    fields.push(name);
                }
                at = end + 1;
            }
            _ => {}
        }
    }
    None
}

/// Where the string that begins at `start` has its closing quote.
fn string_end(json: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(found) = memchr::memchr2(b'"', b'\\', json.get(at..).unwrap_or_default()) {
        match json[at + found] {
            b'"' => return at + found,
            _ => at += found + 2,
        }
    }
    json.len()
}

/// A name as it is meant: `"id"` may be written with escapes.
fn unescaped(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.contains(&b'\\') {
        return Cow::Borrowed(name);
    }
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
        fn any_bytes_are_looked_through(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = repeated_field(&bytes);
        }
    }
}
