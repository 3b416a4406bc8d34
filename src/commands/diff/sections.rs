//! Users pass once, and a page has a section a kind of change: each section waits in a nameless file until the page is
//! written, so that nothing but counts is held.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write};

use crate::history::diff::Change;

/// The sections so far.
#[derive(Default)]
pub(super) struct Sections(BTreeMap<Change, Section>);

struct Section {
    /// Gone with the process, however it ends.
    file: BufWriter<File>,
    entries: u64,
}

impl Sections {
    /// Adds one entry, as it will stand on the page, after `between` where it is not the first.
    pub(super) fn push(&mut self, change: Change, line: &str, between: &str) -> io::Result<()> {
        let section = match self.0.entry(change) {
            std::collections::btree_map::Entry::Occupied(section) => {
                let section = section.into_mut();
                section.file.write_all(between.as_bytes())?;
                section
            }
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(Section { file: BufWriter::new(tempfile::tempfile()?), entries: 0 })
            }
        };
        section.entries += 1;
        section.file.write_all(line.as_bytes())
    }

    /// How many changes of this kind there are.
    pub(super) fn count(&self, change: Change) -> u64 {
        self.0.get(&change).map_or(0, |section| section.entries)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the entries of a section on the page; none where there are none.
    pub(super) fn copy(&mut self, change: Change, page: &mut dyn Write) -> io::Result<()> {
        let Some(section) = self.0.get_mut(&change) else { return Ok(()) };
        section.file.flush()?;
        let file = section.file.get_mut();
        file.rewind()?;
        io::copy(file, page).map(drop)
    }
}
