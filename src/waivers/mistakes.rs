//! What is wrong with a file of waivers: all of it at once, by line.

use std::fmt::Write as _;

use super::Broken;

/// Mistakes that are told; the rest are counted.
const TOLD: usize = 20;

/// Characters of a text that are quoted.
const QUOTED: usize = 60;

/// The mistakes of one file so far.
pub(super) struct Problems {
    file: String,
    /// Line number and what is wrong there.
    found: Vec<(u64, String)>,
}

impl Problems {
    pub(super) fn of(file: &str) -> Self {
        Self { file: file.to_owned(), found: Vec::new() }
    }

    pub(super) fn note(&mut self, line: u64, why: impl Into<String>) {
        self.found.push((line, why.into()));
    }

    /// An error of all of them, where there are any.
    pub(super) fn end(mut self) -> Result<(), Broken> {
        if self.found.is_empty() {
            return Ok(());
        }
        // Stable: what was found in the same line stays in order.
        self.found.sort_by_key(|(line, _)| *line);
        let mut page = "the file of waivers can't be used".to_owned();
        for (line, why) in self.found.iter().take(TOLD) {
            // Writing to a string can't fail.
            let _ = write!(page, "\n{}:{line}: {why}", self.file);
        }
        if let Some(more @ 1..) = self.found.len().checked_sub(TOLD) {
            let _ = write!(page, "\nand {more} more");
        }
        page.push_str("\nhelp: docs/waivers.md shows what such a file looks like");
        Err(Broken(page))
    }
}

/// A text of the file between quotes, without anything invisible and not too long.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().count() <= QUOTED {
        return format!("{text:?}");
    }
    format!("{:?}", text.chars().take(QUOTED).chain(['…']).collect::<String>())
}
