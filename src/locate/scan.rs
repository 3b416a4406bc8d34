//! What the scanner of bytes takes and gives. The scanner looks for the shape of a key and joins by the last 12 digits, so
//! that its cost does not depend on the number of keys.

use std::fs::File;
use std::io::Read;

use crate::model::Suffix;
use crate::place::Class;
pub use crate::place::NotSearched;

/// The suffixes to find.
#[derive(Debug, Clone, Default)]
pub struct Suffixes {
    /// 48 bits each, sorted.
    keys: Vec<(u64, Class)>,
}

impl Suffixes {
    /// From personal keys ([`Class::Key`]) and programmatic keys ([`Class::NewKey`]). A suffix of both is a personal key.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (Suffix, Class)>) -> Self {
        let number = |suffix: &Suffix| u64::from_str_radix(suffix.as_str(), 16).unwrap_or_default();
        let mut keys: Vec<_> = keys.into_iter().map(|(suffix, class)| (number(&suffix), class)).collect();
        keys.sort_unstable();
        keys.dedup_by_key(|(number, _)| *number);
        Self { keys }
    }

    /// What a suffix is.
    #[must_use]
    pub fn class(&self, suffix: u64) -> Option<Class> {
        self.keys.binary_search_by_key(&suffix, |(number, _)| *number).ok().map(|at| self.keys[at].1)
    }
}

/// A key that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The last 12 digits, 48 bits.
    pub suffix: u64,
    /// What it is.
    pub class: Class,
    /// As in [`crate::place::Place`].
    pub member: String,
    /// As in [`crate::place::Place`].
    pub line: u64,
    /// As in [`crate::place::Place`].
    pub column: u64,
    /// As in [`crate::place::Place`].
    pub encoding: String,
    /// The line with all shapes masked and without user information of URLs; only where it was asked for.
    pub context: Option<String>,
}

/// Takes what a scanner finds.
pub trait Found {
    /// A key.
    fn hit(&mut self, hit: Hit);
    /// Bytes that were not searched; `member` as in [`Hit`].
    fn not_searched(&mut self, member: &str, why: NotSearched);
}

/// How to search.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether to find keys that the run does not have.
    pub strangers: bool,
    /// Whether hits have their line.
    pub context: bool,
    /// Whether to look into archives.
    pub archives: bool,
    /// Of a file or member, in bytes.
    pub max_size: u64,
    /// The names of users of the run, which make a stranger.
    pub usernames: Vec<String>,
}

/// Finds keys in bytes. One a thread: it keeps its buffers.
#[derive(Debug)]
pub struct Scanner<'a> {
    suffixes: &'a Suffixes,
    options: &'a Options,
}

impl<'a> Scanner<'a> {
    /// Without buffers.
    #[must_use]
    pub fn new(suffixes: &'a Suffixes, options: &'a Options) -> Self {
        Self { suffixes, options }
    }

    /// The greatest size to search, in bytes.
    #[must_use]
    pub fn max_size(&self) -> u64 {
        self.options.max_size
    }

    /// Searches the bytes of a whole file or object. `name` serves only to recognize a format that bytes alone do not show.
    pub fn bytes(&mut self, name: &str, bytes: &[u8], found: &mut dyn Found) {
        let _ = (name, bytes, found, self.suffixes, self.options);
    }

    /// Searches a file from its start: a small one at once, a large one in windows, a zip archive member by member.
    pub fn file(&mut self, name: &str, file: &mut File, found: &mut dyn Found) {
        self.reader(name, file, found);
    }

    /// Searches what a reader yields, in windows. A read error is [`NotSearched::Unreadable`].
    pub fn reader(&mut self, name: &str, reader: &mut dyn Read, found: &mut dyn Found) {
        let _ = (name, reader, found);
    }
}
