//! Signs of the service near a shape, which make it a stranger: a key that the run does not have.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

/// Of the service.
const SIGNS: [&str; 4] = ["/api/public/v1.0", "/api/atlas/v1.0", "cloud.mongodb.com", "--digest"];
/// Names of values that have the shape and are no personal key.
const OTHER_KEYS: [&str; 3] = ["mmsapikey", "agentapikey", "mmsgroupid"];
/// So many ends of lines may be between a sign and a shape.
const LINES: usize = 3;
/// And so many bytes, so that a window of a large file decides as the whole file does.
const BYTES: usize = 4 << 10;
/// From the name of another key to its value.
const NAME: usize = 64;

/// The signs of a run.
#[derive(Debug)]
pub(super) struct Signs(AhoCorasick);

impl Signs {
    /// The signs of the service and the names of users.
    pub(super) fn new(usernames: &[String]) -> Option<Self> {
        let names = usernames.iter().map(String::as_str).filter(|name| !name.is_empty());
        AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(SIGNS.into_iter().chain(names))
            .ok()
            .map(Self)
    }

    /// Where signs are. A name is one only if it is a whole word.
    pub(super) fn positions(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let is_letter = |at: Option<usize>| {
            at.and_then(|at| bytes.get(at))
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
        };
        self.0
            .find_iter(bytes)
            .filter(|found| {
                found.pattern().as_usize() < SIGNS.len()
                    || !(is_letter(found.start().checked_sub(1)) || is_letter(Some(found.end())))
            })
            .map(|found| found.range())
            .collect()
    }

    /// Whether one of the positions is at most three lines from a range.
    pub(super) fn is_near(positions: &[Range<usize>], bytes: &[u8], range: &Range<usize>) -> bool {
        let behind = positions.partition_point(|sign| sign.start < range.end);
        let lines = |between: Range<usize>| {
            memchr::memchr_iter(b'\n', bytes.get(between).unwrap_or_default()).count()
        };
        let is_near = |between: Range<usize>| between.len() <= BYTES && lines(between) <= LINES;
        let before = behind.checked_sub(1).map(|at| positions[at].end..range.start);
        let after = positions.get(behind).map(|sign| range.end..sign.start);
        before.into_iter().chain(after).any(is_near)
    }

    /// Whether a shape is the value of a name that no personal key has, such as `mmsApiKey`.
    pub(super) fn is_other_key(bytes: &[u8], start: usize) -> bool {
        let before = &bytes[start.saturating_sub(NAME)..start];
        let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default().to_ascii_lowercase();
        OTHER_KEYS.iter().any(|name| memchr::memmem::find(&line, name.as_bytes()).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_counts_up_to_three_lines_away() {
        let signs = Signs::new(&["a.b@example.com".to_owned(), "ann".to_owned()]).expect("signs");
        let near = |text: &str| {
            let start = text.find("KEY").expect("a key");
            Signs::is_near(&signs.positions(text.as_bytes()), text.as_bytes(), &(start..start + 3))
        };
        for sign in
            ["a.b@example.com", "A.B@Example.com", "ann", "https://cloud.mongodb.com/", "curl --digest"]
        {
            for lines in 0..=3 {
                let gap = "\n".repeat(lines) + " ";
                assert!(near(&format!("{sign}{gap}KEY")), "{sign} {lines}");
                assert!(near(&format!("KEY{gap}{sign}")), "{sign} {lines}");
            }
            assert!(!near(&format!("{sign}\n\n\n\nKEY\n\n\n\n{sign}")), "{sign}");
        }
        assert!(near("/api/public/v1.0/groups KEY") && near("/api/atlas/v1.0 KEY"));
        assert!(!near("anna KEY") && !near("KEY annex") && !near("KEY"));
        assert!(!near(&format!("--digest{}KEY", " ".repeat(BYTES + 1))));
    }

    #[test]
    fn keys_of_agents_are_no_personal_keys() {
        for line in ["mmsApiKey=KEY", "agentApiKey: \"KEY\"", "mmsGroupId = KEY", "MMSAPIKEY=KEY"] {
            assert!(Signs::is_other_key(line.as_bytes(), line.rfind("KEY").unwrap_or(0)), "{line}");
        }
        assert!(!Signs::is_other_key(b"mmsApiKey=\nkey=KEY", 15));
    }
}
