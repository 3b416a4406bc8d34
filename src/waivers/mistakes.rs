//! What is wrong with a file of waivers: all of it at once, by line.

use crate::exit::Error;

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
    pub(super) fn end(mut self) -> Result<(), Error> {
        if self.found.is_empty() {
            return Ok(());
        }
        // Stable: what was found in the same line stays in order.
        self.found.sort_by_key(|(line, _)| *line);
        let lines = self.found.iter().take(TOLD).map(|(line, why)| format!("{}:{line}: {why}", self.file));
        let more = self.found.len().checked_sub(TOLD).filter(|more| *more > 0);
        Err(Error::input("the file of waivers can't be used")
            .details(lines.chain(more.map(|more| format!("and {more} more"))))
            .help("docs/waivers.md shows what such a file looks like"))
    }
}

/// A text of the file between quotes, without anything invisible and not too long.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().count() <= QUOTED {
        return format!("{text:?}");
    }
    format!("{:?}", text.chars().take(QUOTED).chain(['…']).collect::<String>())
}
