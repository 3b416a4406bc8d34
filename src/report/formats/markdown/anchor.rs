//! The anchors that GitHub gives to headings.

/// The anchor of a heading with this text: lower case, without punctuation, and a `-` for each space.
///
/// `None` for a character of which this is not certain: one that is neither ASCII nor a letter. `-1` and so on, which GitHub
/// appends to the anchor of a second heading with the same text, is not considered.
pub(super) fn anchor(heading: &str) -> Option<String> {
    let mut anchor = String::with_capacity(heading.len());
    for c in heading.to_lowercase().chars() {
        match c {
            ' ' => anchor.push('-'),
            '-' | '_' => anchor.push(c),
            c if c.is_ascii_alphanumeric() || c.is_alphabetic() => anchor.push(c),
            c if c.is_ascii() => {}
            _ => return None,
        }
    }
    Some(anchor)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test `browser::` compares anchors with those of a library that was compared with GitHub.
    #[test]
    fn an_anchor_has_no_punctuation() {
        for (heading, expected) in [
            ("12. uma.eriksen72+ops@example.com", Some("12-umaeriksen72opsexamplecom")),
            ("1. O'Neill | A_b-C  d", Some("1-oneill--a_b-c--d")),
            ("2. Ёж 東京 É", Some("2-ёж-東京-é")),
            ("3. (no name)", Some("3-no-name")),
            ("4. 🚀", None),
            ("5. e\u{301}", None),
        ] {
            assert_eq!(anchor(heading).as_deref(), expected);
        }
    }
}
