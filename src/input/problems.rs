//! What is wrong with one file.

use crate::exit::Error;

/// Problems that are shown; the rest are counted.
const SHOWN: usize = 20;

struct Problem {
    line: Option<u64>,
    why: String,
    help: Option<String>,
}

/// What is wrong with one file so far. No more of it is held than is shown.
pub(crate) struct Problems {
    file: String,
    /// By line; those of the file as a whole come first.
    shown: Vec<Problem>,
    more: u64,
}

impl Problems {
    /// Of the file that messages call by this name.
    pub(crate) fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), shown: Vec::new(), more: 0 }
    }

    /// One, of the file as a whole.
    pub(crate) fn one(file: impl Into<String>, why: impl Into<String>) -> Self {
        let mut problems = Self::new(file);
        problems.push(None, why);
        problems
    }

    /// Adds what is wrong in a line, or with the file as a whole.
    pub(crate) fn push(&mut self, line: impl Into<Option<u64>>, why: impl Into<String>) {
        self.insert(Problem { line: line.into(), why: why.into(), help: None });
    }

    /// The same, with what to do about it.
    pub(crate) fn push_with_help(&mut self, line: u64, why: String, help: Option<String>) {
        self.insert(Problem { line: Some(line), why, help });
    }

    fn insert(&mut self, problem: Problem) {
        // What was found first in a line stays first.
        let at = self.shown.partition_point(|other| other.line <= problem.line);
        if at < SHOWN {
            self.shown.insert(at, problem);
        }
        if at >= SHOWN || self.shown.len() > SHOWN {
            self.shown.truncate(SHOWN);
            self.more += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// An error, if there are any.
    pub(crate) fn into_result(self, message: &str, help: &str) -> Result<(), Error> {
        if self.is_empty() { Ok(()) } else { Err(self.into_error(message, help)) }
    }

    /// All of them below `message`.
    pub(crate) fn into_error(self, message: &str, help: &str) -> Error {
        let Self { file, shown, more } = self;
        let lines = shown.into_iter().flat_map(|Problem { line, why, help }| {
            let place = line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"));
            [Some(format!("{place}: {why}")), help.map(|help| format!("help: {help}"))].into_iter().flatten()
        });
        let more = (more > 0).then(|| format!("and {more} more"));
        Error::input(message).details(lines.chain(more)).help(help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_twenty_by_line_are_shown_and_the_rest_counted() {
        let mut problems = Problems::new("F");
        for line in (1..=30).rev() {
            problems.push(line, "x");
        }
        problems.push(None, "the whole");
        problems.push(2, "y");
        let error = problems.into_error("m", "h");
        assert_eq!(error.details.len(), SHOWN + 1);
        assert_eq!(error.details[..4], ["F: the whole", "F:1: x", "F:2: x", "F:2: y"]);
        assert_eq!(error.details[SHOWN - 1..], ["F:18: x", "and 12 more"]);
    }
}
