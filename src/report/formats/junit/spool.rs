//! Texts of many suites in one nameless file: written as they come, read back suite by suite. Memory does not grow with them.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

/// In bytes, over all suites: what waits in memory until it is worth a write, so that a suite lies in few pieces.
const WAITING: usize = 1 << 20;

/// The file, and where in it what lies.
pub(super) struct Spool {
    file: File,
    end: u64,
    waiting: usize,
    suites: Vec<Suite>,
}

/// One suite's text: pieces of the file, and what has yet to be written.
#[derive(Default)]
struct Suite {
    pieces: Vec<Range<u64>>,
    waiting: Vec<u8>,
}

impl Spool {
    /// In this folder, since what comes to a report has room where the report has. It goes with the process.
    pub(super) fn beside(out: &Path) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(out)?, end: 0, waiting: 0, suites: Vec::new() })
    }

    /// A new suite's number, from 0.
    pub(super) fn suite(&mut self) -> usize {
        self.suites.push(Suite::default());
        self.suites.len() - 1
    }

    /// Adds to the text of a suite.
    pub(super) fn add(&mut self, suite: usize, text: &[u8]) -> io::Result<()> {
        self.suites[suite].waiting.extend_from_slice(text);
        self.waiting += text.len();
        if self.waiting > WAITING { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        for suite in self.suites.iter_mut().filter(|suite| !suite.waiting.is_empty()) {
            let text = std::mem::take(&mut suite.waiting);
            self.file.write_all(&text)?;
            let start = self.end;
            self.end += text.len() as u64;
            match suite.pieces.last_mut() {
                Some(last) if last.end == start => last.end = self.end,
                Some(_) | None => suite.pieces.push(start..self.end),
            }
        }
        self.waiting = 0;
        Ok(())
    }

    /// Hands out the whole text of a suite.
    pub(super) fn copy(&mut self, suite: usize, to: &mut impl Write) -> io::Result<()> {
        let Suite { pieces, waiting } = &self.suites[suite];
        for piece in pieces {
            self.file.seek(SeekFrom::Start(piece.start))?;
            let length = piece.end - piece.start;
            let copied = io::copy(&mut (&self.file).take(length), to)?;
            if copied < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        to.write_all(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_turns_is_read_back_suite_by_suite() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::beside(folder.path()).unwrap();
        let suites = [spool.suite(), spool.suite(), spool.suite()];
        let mut expected = [Vec::new(), Vec::new(), Vec::new()];
        // Four times what waits in memory; the second suite pauses for longer than that takes.
        for number in 0..6 * WAITING / 100 {
            for at in [0, 1, 2].into_iter().filter(|at| *at != 1 || number % 20_000 < 100) {
                let text = format!("{number:>33}");
                spool.add(suites[at], text.as_bytes()).unwrap();
                expected[at].extend_from_slice(text.as_bytes());
            }
        }
        for (suite, expected) in suites.into_iter().zip(expected) {
            let mut copied = Vec::new();
            spool.copy(suite, &mut copied).unwrap();
            assert!(copied == expected, "suite {suite}");
        }
        assert!(spool.suites[0].pieces.len() > 1 && spool.suites[0].pieces.len() < 9);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it has no name");
    }
}
