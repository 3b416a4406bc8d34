//! What holds for the search of any bytes.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::mask::masked;
use super::scan::{Found, Hit, NotSearched, Options, Scanner, Suffixes};
use super::windows;
use crate::model::Suffix;
use crate::place::Class;

/// A key that is searched for.
pub(super) const KEY: &str = "b5e7b0c4-3a1d-4e0e-8f55-92732876eeae";
/// The smallest window that still advances: what is ahead and behind, and 8 KiB.
pub(super) const WINDOW: usize = windows::AHEAD + windows::BEHIND + (8 << 10);
/// Of a text, so that it still has room for one more encoding.
const MOST_ENCODINGS: usize = 3;

#[derive(Default, Debug, PartialEq)]
pub(super) struct Results {
    pub(super) hits: Vec<Hit>,
    not_searched: Vec<(String, NotSearched)>,
}

impl Found for Results {
    fn hit(&mut self, hit: Hit) {
        self.hits.push(hit);
    }

    fn not_searched(&mut self, member: &str, why: NotSearched) {
        self.not_searched.push((member.to_owned(), why));
    }
}

/// Bytes, and how many are read at once at most.
struct InPieces<'a>(&'a [u8], usize);

impl Read for InPieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

pub(super) fn suffixes() -> Suffixes {
    Suffixes::new(Suffix::from_key(KEY).map(|suffix| (suffix, Class::Key)))
}

/// How bytes are searched.
#[derive(Clone, Copy)]
enum Way {
    Whole,
    /// By a reader that gives a few bytes at once.
    Stream,
    /// And through the smallest windows.
    Windows,
}

/// By one scanner, since what it searched before must not matter.
fn searched_by<const N: usize>(ways: [Way; N], bytes: &[u8], strangers: bool) -> [Results; N] {
    let suffixes = suffixes();
    let usernames = vec!["ann@example.com".to_owned()];
    let options = Options { strangers, context: true, archives: true, max_size: u64::MAX, usernames };
    let mut scanner = Scanner::new(&suffixes, &options);
    let piece = usize::from(bytes.last().copied().unwrap_or_default()) % 7 + 1;
    ways.map(|way| {
        let mut results = Results::default();
        scanner.window = windows::SIZE;
        match way {
            Way::Whole => scanner.bytes("file", bytes, &mut results),
            Way::Stream => scanner.reader("file", &mut InPieces(bytes, piece), &mut results),
            Way::Windows => {
                scanner.window = WINDOW;
                scanner.reader("file", &mut InPieces(bytes, piece * 1000), &mut results);
            }
        }
        results
    })
}

/// In a whole, and through the smallest windows.
pub(super) fn in_windows(bytes: &[u8]) -> [Results; 2] {
    searched_by([Way::Whole, Way::Windows], bytes, true)
}

fn hits(bytes: &[u8]) -> Vec<Hit> {
    let [whole] = searched_by([Way::Whole], bytes, false);
    whole.hits
}

/// No text that is shown has a key.
fn check_shown(results: &Results) {
    for hit in &results.hits {
        for text in hit.context.iter().chain([&hit.member, &hit.encoding]) {
            assert_eq!(hits(text.as_bytes()), [], "{text:?}");
        }
        assert!(hit.line > 0 && hit.column > 0);
    }
    for (member, _) in &results.not_searched {
        assert_eq!(hits(member.as_bytes()), [], "{member:?}");
    }
}

/// A text in any encodings.
pub(crate) fn text(bytes: &[u8]) {
    for strangers in [false, true] {
        let [whole, stream] = searched_by([Way::Whole, Way::Stream], bytes, strangers);
        check_shown(&whole);
        assert_eq!(whole, stream);
    }
    let masked = masked(&String::from_utf8_lossy(bytes));
    assert_eq!(hits(masked.as_bytes()), [], "{masked:?}");
    if !bytes.is_ascii() || bytes.contains(&0) {
        return;
    }
    // An encoding around all hides nothing and adds nothing.
    let plain = suffixes_and_encodings(&hits(bytes), |encoding| {
        Some(encoding.to_owned()).filter(|encoding| encoding.split('+').count() <= MOST_ENCODINGS)
    });
    for (name, width, zeros_first) in [("utf-16", 2, false), ("utf-16", 2, true), ("utf-32", 4, false)] {
        let encoded: Vec<u8> = bytes.iter().flat_map(|byte| wide(*byte, width, zeros_first)).collect();
        let found = suffixes_and_encodings(&hits(&encoded), |encoding| {
            let rest = encoding.strip_prefix(name)?;
            Some(rest.strip_prefix('+').unwrap_or("plain").to_owned())
        });
        assert!(plain.is_subset(&found), "{name}: {plain:?} {found:?}");
    }
}

fn wide(byte: u8, width: usize, zeros_first: bool) -> impl Iterator<Item = u8> {
    let at = if zeros_first { width - 1 } else { 0 };
    (0..width).map(move |index| if index == at { byte } else { 0 })
}

fn suffixes_and_encodings(
    hits: &[Hit],
    encoding: impl Fn(&str) -> Option<String>,
) -> BTreeSet<(u64, u64, String)> {
    hits.iter().filter_map(|hit| Some((hit.suffix, hit.line, encoding(&hit.encoding)?))).collect()
}

/// An archive, or archives in one another.
pub(crate) fn archives(bytes: &[u8]) {
    let [whole, stream, windows] = searched_by([Way::Whole, Way::Stream, Way::Windows], bytes, true);
    check_shown(&whole);
    check_shown(&windows);
    assert_eq!(whole, stream);
}

/// A text somewhere in a long one, at the distance from the first two bytes.
pub(crate) fn windows(bytes: &[u8]) {
    let Some((distance, text)) = bytes.split_first_chunk::<2>() else { return };
    let start = usize::from(u16::from_be_bytes(*distance));
    let bytes = [&filler(start)[..], b" ", text, b" ", &filler(WINDOW)].concat();
    let [whole, windows] = in_windows(&bytes);
    assert_eq!(whole, windows);
}

pub(super) fn filler(length: usize) -> Vec<u8> {
    (0..length).map(|at| if at % 61 == 60 { b'\n' } else { b"let x = [name]; "[at % 16] }).collect()
}
