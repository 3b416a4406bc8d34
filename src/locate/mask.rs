//! The line of a find without any key: every shape in it is masked by its position, encoded ones too, and the user
//! information of URLs is cut.

use std::ops::Range;

use super::text::{Edges, End, TextSearch, Wanted};
use crate::printable::{self, printable};

/// So many bytes of a line are shown before and behind a find.
const SHOWN: usize = 160;
/// So many around them are searched, so that no shape is cut.
const AROUND: usize = 4 << 10;
const MASK: &str = "********";

/// The line of a find, from the text that it is in.
pub(super) fn context(text: &[u8], found: &Range<usize>) -> String {
    let start = found.start.saturating_sub(AROUND);
    let region = &text[start..text.len().min(found.end + AROUND)];
    let found = found.start - start..found.end - start;
    let line_start = region[..found.start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let line_end = found.end
        + region[found.end..].iter().position(|byte| *byte == b'\n').unwrap_or(region.len() - found.end);
    let shown = line_start.max(found.start.saturating_sub(SHOWN))..line_end.min(found.end + SHOWN);

    let mut line = String::new();
    let mut at = shown.start;
    for secret in secrets(region, found) {
        if secret.end <= at || secret.start >= shown.end {
            continue;
        }
        line.push_str(&String::from_utf8_lossy(&region[at..secret.start.max(at)]));
        line.push_str(MASK);
        at = secret.end.min(shown.end);
    }
    line.push_str(&String::from_utf8_lossy(&region[at..shown.end]));
    printable(line.trim())
}

/// A text, such as a path, in which every key in any encoding is masked.
pub(super) fn masked(text: &str) -> String {
    // A plain key keeps its last 12 digits, by which the place is known.
    let text = printable::masked(text);
    let bytes = text.as_bytes();
    let (mut masked, mut at) = (String::new(), 0);
    for secret in secrets(bytes, 0..0) {
        if secret.end <= at || secret.is_empty() {
            continue;
        }
        masked.push_str(&String::from_utf8_lossy(&bytes[at..secret.start.max(at)]));
        masked.push_str(MASK);
        at = secret.end;
    }
    masked + &String::from_utf8_lossy(&bytes[at..])
}

/// Where keys and passwords are, in their order.
fn secrets(region: &[u8], found: Range<usize>) -> Vec<Range<usize>> {
    let findings = TextSearch::new(Wanted::All, true).search(region, Edges { start: true, end: End::Text });
    let mut secrets: Vec<_> = findings.matches.into_iter().map(|found| found.range).collect();
    secrets.extend(findings.archives.into_iter().map(|archive| archive.range));
    secrets.push(found);
    secrets.extend(user_information(region));
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
