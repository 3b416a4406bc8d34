//! The line of a find without any key: every shape in it is masked by its position, encoded ones too, and the user
//! information of URLs is cut.

use std::ops::Range;

use super::text::{Edges, End, TextSearch, Wanted};
use crate::printable::{self, account_secrets, printable};

/// So many bytes of a line are shown before and behind a find.
const SHOWN: usize = 160;
/// So many around them are searched, so that no shape is cut.
const AROUND: usize = 4 << 10;
const MASK: &str = "********";
/// How often a text is searched; one that then still has something is not shown.
const MOST_PASSES: usize = 8;

/// The line of a find, from the text that it is in.
pub(super) fn context(text: &[u8], found: &Range<usize>) -> String {
    let start = found.start.saturating_sub(AROUND);
    let region = &text[start..text.len().min(found.end + AROUND)];
    let found = found.start - start..found.end - start;
    let line_start = region[..found.start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let line_end = found.end
        + region[found.end..].iter().position(|byte| *byte == b'\n').unwrap_or(region.len() - found.end);
    let shown = line_start.max(found.start.saturating_sub(SHOWN))..line_end.min(found.end + SHOWN);

    let line = with_masks(region, shown, secrets(region, found));
    masked(&printable(line.trim()))
}

/// A text, such as a path, in which every key in any encoding is masked.
pub(super) fn masked(text: &str) -> String {
    // A plain key keeps its last 12 digits, by which the place is known.
    without_secrets(printable::masked(text))
}

/// A text that is shown, without what a search of it finds: with other bytes around, the search of the file may have taken the
/// same bytes for something else.
fn without_secrets(mut text: String) -> String {
    for _ in 0..MOST_PASSES {
        let mut found = secrets(text.as_bytes(), 0..0);
        found.retain(|secret| text.as_bytes()[secret.clone()].iter().any(|byte| *byte != b'*'));
        if found.is_empty() {
            return text;
        }
        text = with_masks(text.as_bytes(), 0..text.len(), found);
    }
    MASK.to_owned()
}

/// The part `shown` of a text, with a mask in place of each secret.
fn with_masks(text: &[u8], shown: Range<usize>, secrets: Vec<Range<usize>>) -> String {
    let (mut masked, mut at) = (String::new(), shown.start);
    for secret in secrets {
        if secret.is_empty() || secret.end <= at || secret.start >= shown.end {
            continue;
        }
        masked.push_str(&String::from_utf8_lossy(&text[at..secret.start.max(at)]));
        masked.push_str(MASK);
        at = secret.end.min(shown.end);
    }
    masked.push_str(&String::from_utf8_lossy(&text[at..shown.end]));
    masked
}

/// Where keys and passwords are, in their order.
fn secrets(region: &[u8], found: Range<usize>) -> Vec<Range<usize>> {
    let findings = TextSearch::new(Wanted::All, true).search(region, Edges { start: true, end: End::Text });
    let mut secrets: Vec<_> = findings.matches.into_iter().map(|found| found.range).collect();
    secrets.extend(findings.archives.into_iter().map(|archive| archive.range));
    secrets.push(found);
    secrets.extend(user_information(region));
    secrets.extend([1, 2, 4].into_iter().flat_map(|width| account_secrets(region, width)));
    secrets.extend(encoded_account_secrets(region));
    secrets.sort_unstable_by_key(|secret| (secret.start, secret.end));
    secrets
}

/// Between `://` and the last `@` of the authority of each URL.
fn user_information(region: &[u8]) -> Vec<Range<usize>> {
    let is_end = |byte: &u8| {
        byte.is_ascii_whitespace() || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>')
    };
    memchr::memmem::find_iter(region, "://")
        .filter_map(|at| {
            let start = at + 3;
            let length = region[start..].iter().position(is_end).unwrap_or(region.len() - start);
            let at_sign = region[start..start + length].iter().rposition(|byte| *byte == b'@')?;
            Some(start..start + at_sign)
        })
        .collect()
}

/// Words of base64 with the start of the secret of a service account, such as the credentials of a request.
fn encoded_account_secrets(region: &[u8]) -> Vec<Range<usize>> {
    // In each alignment, without the characters that have bits of what is around.
    const STARTS: [&[u8]; 3] = [b"bWRiX3NhX3NrX", b"1kYl9zYV9za1", b"tZGJfc2Ffc2tf"];
    let is_word =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
    let word = |at: usize| {
        let start = region[..at].iter().rposition(|byte| !is_word(byte)).map_or(0, |at| at + 1);
        let length = region[at..].iter().position(|byte| !is_word(byte)).unwrap_or(region.len() - at);
        start..at + length
    };
    STARTS.into_iter().flat_map(|start| memchr::memmem::find_iter(region, start).map(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locate::fuzz::KEY;

    /// Where UTF-32 ends and another text begins is known only from what is around.
    #[test]
    fn what_is_shown_has_no_key_in_whatever_it_was_found() {
        let wide: Vec<u8> = b"b52732876eea".iter().flat_map(|byte| [0, 0, 0, *byte]).collect();
        let percent = KEY.replace('-', "%2D");
        let text = [wide.as_slice(), &[0, 0, 0], percent.as_bytes(), b" ", KEY.as_bytes()].concat();
        let at = text.len() - KEY.len();
        let shown = context(&text, &(at..text.len()));
        assert!(shown.ends_with(MASK) && !shown.contains("92732876eeae"), "{shown}");
    }

    #[test]
    fn a_masked_text_stays_as_it_is() {
        for text in
            ["https://********@om.example:8080/", "https://********:********@om.example", "a ******** b"]
        {
            assert_eq!(masked(text), text.replace("********:********", MASK));
            assert_eq!(masked(&masked(text)), masked(text));
        }
        assert_eq!(masked("https://ann:secret@om.example"), format!("https://{MASK}@om.example"));
    }
}
