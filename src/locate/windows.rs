//! The search of a stream in windows: memory does not grow with it, and where a window ends changes nothing that is found,
//! since each window has the end of the one before.

use std::io::{self, Read};

use super::text::{Edges, Findings};

/// Of a window.
pub(super) const SIZE: usize = 1 << 20;
/// With an archive in base64 that does not fit.
pub(super) const LARGEST: usize = 8 << 20;
/// What is found so near the end of a window is searched with the next one. Even, as all borders are, for UTF-16.
const AHEAD: usize = 16 << 10;
/// So much before that is searched again, since what is around a key decides.
const BEHIND: usize = 16 << 10;

/// How much a reader had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// Not more than this.
    All,
    /// At least so much as was asked for.
    Part,
}

/// Fills a buffer up to a size.
///
/// # Errors
/// Those of the reader; the buffer has what was read before.
pub(super) fn fill(buffer: &mut Vec<u8>, reader: &mut dyn Read, size: usize) -> io::Result<Filled> {
    let missing = size.saturating_sub(buffer.len());
    Read::take(&mut *reader, missing as u64).read_to_end(buffer)?;
    Ok(if buffer.len() < size { Filled::All } else { Filled::Part })
}

/// The position of a byte as people count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: u64,
    pub(super) column: u64,
}

/// Counts lines up to positions that only grow.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lines {
    /// Line feeds before `counted`.
    feeds: u64,
    /// In the window.
    counted: usize,
    /// Bytes of the line of `counted`, before it.
    before: u64,
    /// Whether the line begins with the zero of a line feed of little-endian UTF-16.
    has_zero: bool,
}

impl Lines {
    /// Of a byte of a window.
    pub(super) fn position(&mut self, window: &[u8], at: usize, is_utf16: bool) -> Position {
        self.count(window, at);
        let zero = u64::from(is_utf16 && self.has_zero).min(self.before);
        Position { line: self.feeds + 1, column: self.before + 1 - zero }
    }

    fn count(&mut self, window: &[u8], to: usize) {
        let Some(between) = window.get(self.counted..to) else { return };
        self.feeds += memchr::memchr_iter(b'\n', between).count() as u64;
        if let Some(feed) = memchr::memrchr(b'\n', between) {
            self.before = (between.len() - feed - 1) as u64;
            let feed = self.counted + feed;
            self.has_zero = feed.is_multiple_of(2) && window.get(feed + 1) == Some(&0);
        } else {
            self.before += between.len() as u64;
        }
        self.counted = to;
    }

    /// For a window that begins where `from` is in this one.
    fn forget(&mut self, window: &[u8], from: usize) {
        self.count(window, from);
        self.counted -= from;
    }
}

/// A window on a stream.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: Lines,
    /// Before it, all is found.
    own: usize,
    is_first: bool,
    is_last: bool,
    /// What it is filled to; more than usual for an archive in base64.
    size: usize,
    usual: usize,
}

impl Window {
    /// From what is at the beginning of a stream.
    pub(super) fn new(bytes: Vec<u8>, size: usize) -> Self {
        Self { bytes, lines: Lines::default(), own: 0, is_first: true, is_last: false, size, usual: size }
    }

    /// Reads more. The window is the last one if there is no more, or an error.
    ///
    /// # Errors
    /// Those of the reader.
    pub(super) fn fill(&mut self, reader: &mut dyn Read) -> io::Result<()> {
        let filled = fill(&mut self.bytes, reader, self.size);
        self.is_last = !matches!(filled, Ok(Filled::Part));
        filled.map(|_| ())
    }

    pub(super) fn edges(&self) -> Edges {
        Edges { start: self.is_first, end: self.is_last || self.size >= LARGEST }
    }

    /// Leaves what no other window finds, and gives the position up to which all is found.
    pub(super) fn own(&mut self, findings: &mut Findings) -> usize {
        let mut border = if self.is_last { self.bytes.len() } else { (self.bytes.len() - AHEAD) & !1 };
        self.size = self.usual;
        if let Some(cut) = findings.cut.filter(|cut| *cut < border) {
            border = self.own.max(cut & !1);
            self.size =
                if border == self.own { (self.bytes.len() * 2).min(LARGEST) } else { self.bytes.len() };
        }
        let own = self.own..border;
        findings.matches.retain(|found| own.contains(&found.range.start));
        findings.archives.retain(|archive| own.contains(&archive.range.start));
        border
    }

    /// Forgets what is found; `None` behind the last window.
    pub(super) fn advance(mut self, border: usize) -> Result<Self, Vec<u8>> {
        if self.is_last {
            return Err(self.bytes);
        }
        let from = border.saturating_sub(BEHIND) & !1;
        self.lines.forget(&self.bytes, from);
        self.bytes.drain(..from);
        self.own = border - from;
        self.is_first &= from == 0;
        Ok(self)
    }
}
