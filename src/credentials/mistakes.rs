//! What is wrong with a file of credentials: all of it at once, by line, and never with a word of what stands there.

use crate::exit::Error;

/// Mistakes that are told; the rest are counted.
const TOLD: usize = 20;

/// The mistakes of one file so far.
pub(super) struct Problems {
    file: String,
    /// Line number (0 for the file as a whole) and what is wrong there.
    told: Vec<(u64, String)>,
    more: usize,
}

impl Problems {
    pub(super) fn of(file: &str) -> Self {
        Self { file: file.to_owned(), told: Vec::new(), more: 0 }
    }

    pub(super) fn note(&mut self, line: u64, why: impl Into<String>) {
        if self.told.len() < TOLD {
            self.told.push((line, why.into()));
        } else {
            self.more += 1;
        }
    }

    /// An error of all of them, where there are any.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        if self.told.is_empty() {
            return Ok(());
        }
        self.told.sort_by_key(|(line, _)| *line);
        let lines = self.told.iter().map(|(line, why)| match line {
            0 => format!("{}: {why}", self.file),
            line => format!("{}:{line}: {why}", self.file),
        });
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        Err(Error::input("the file of credentials can't be used")
            .details(lines.chain(more))
            .help("docs/configuration.md shows what such a file looks like"))
    }
}
