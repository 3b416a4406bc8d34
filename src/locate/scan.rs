//! What the scanner of bytes takes and gives. The scanner looks for the shape of a key and joins by the last 12 digits, so
//! that its cost does not depend on the number of keys.

use std::fs::File;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;

use super::archive::limit;
use super::archive::zip::Directory;
use super::members::{Location, Members};
use super::signs::Signs;
pub use super::suffixes::Suffixes;
use super::text::{TextSearch, Wanted};
use super::windows::{self, Filled};
use crate::place::Class;
pub use crate::place::NotSearched;

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
    /// A pointer of Git LFS to a content of this name, which may be searched elsewhere.
    fn pointer(&mut self, member: &str, content: &str) {
        let _ = content;
        self.not_searched(member, NotSearched::LfsPointer);
    }
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
    /// Of what is searched as text, in bytes; of more, the beginning is searched. An archive may be larger than its members.
    pub max_size: u64,
    /// The names of users of the run, which make a stranger.
    pub usernames: Vec<String>,
}

/// Finds keys in bytes. One a thread: it keeps its buffers.
#[derive(Debug)]
pub struct Scanner<'a> {
    pub(super) search: TextSearch<'a>,
    pub(super) options: &'a Options,
    /// Of windows, emptied.
    pub(super) buffers: Vec<Vec<u8>>,
    /// The size of windows.
    pub(super) window: usize,
}

impl<'a> Scanner<'a> {
    /// Without buffers.
    #[must_use]
    pub fn new(suffixes: &'a Suffixes, options: &'a Options) -> Self {
        let signs = options.strangers.then(|| Signs::new(&options.usernames)).flatten();
        let wanted = match signs {
            Some(signs) => Wanted::Strangers(suffixes, Arc::new(signs)),
            None => Wanted::Known(suffixes),
        };
        Self {
            search: TextSearch::new(wanted, options.archives),
            options,
            buffers: Vec::new(),
            window: windows::SIZE,
        }
    }

    /// The greatest size to search, in bytes.
    #[must_use]
    pub fn max_size(&self) -> u64 {
        self.options.max_size
    }

    /// Searches the bytes of a whole file or object. `name` serves only to recognize a format that bytes alone do not show.
    pub fn bytes(&mut self, name: &str, bytes: &[u8], found: &mut dyn Found) {
        Members::new(self, limit::Budget::new(bytes.len() as u64), found).slice(&Location::new(name), bytes);
    }

    /// Searches a file from its start: a small one at once, a large one in windows, a zip archive member by member.
    pub fn file(&mut self, name: &str, file: &mut File, found: &mut dyn Found) {
        let mut head = self.buffers.pop().unwrap_or_default();
        let filled = windows::fill(&mut head, file, self.window);
        let location = Location::new(name);
        let mut members = Members::new(self, limit::Budget::new(head.len() as u64), found);
        match filled {
            Ok(Filled::All) => members.slice(&location, &head),
            Ok(Filled::Part) => large_file(&mut members, &location, &head, file),
            Err(_) => members.not_searched(&location, NotSearched::Unreadable),
        }
        head.clear();
        self.buffers.push(head);
    }

    /// Searches what a reader yields, in windows. A read error is [`NotSearched::Unreadable`].
    pub fn reader(&mut self, name: &str, reader: &mut dyn Read, found: &mut dyn Found) {
        let budget = limit::Budget::new(0);
        let mut input = limit::Input { reader, budget: Rc::clone(&budget) };
        Members::new(self, budget, found).stream(&Location::new(name), &mut input);
    }
}

/// A file of which more than its head is to be read.
fn large_file(members: &mut Members, location: &Location, head: &[u8], file: &mut File) {
    let Ok(size) = file.metadata().map(|metadata| metadata.len()) else {
        return members.not_searched(location, NotSearched::Unreadable);
    };
    members.budget = limit::Budget::new(size);
    if let Directory::Small(count) = members.directory(location, head, file) {
        match members.zip(location, &mut *file, count) {
            Err(why) => return members.not_searched(location, why),
            Ok(before) => return members.before_zip(location, file, before.min(size)),
        }
    }
    // The input is counted already.
    let mut rest = limit::Input { reader: &mut *file, budget: Rc::clone(&members.budget) };
    members.stream(location, &mut head.chain(&mut rest));
}
