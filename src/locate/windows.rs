//! The search of a stream in windows: memory does not grow with it, and where a window ends changes nothing that is found,
//! since each window has the end of the one before.

use std::io::{self, Read};

use super::text::{Edges, End, Findings};

/// Of a window.
pub(super) const SIZE: usize = 1 << 20;
/// With an archive in base64 that does not fit; outside of archives.
pub(super) const LARGEST: usize = 8 << 20;
/// What is found so near the end of a window is searched with the next one. A multiple of four, as all borders are, for UTF-32.
pub(super) const AHEAD: usize = 16 << 10;
/// So much before that is searched again, since what is around a key decides.
pub(super) const BEHIND: usize = 16 << 10;

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
    // A decoder loses what it decodes in the read that fails: how much is asked for must not depend on what the buffer was
    // used for before.
    buffer.reserve(missing);
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
    /// Where its line feed is, and the zeros behind that: of little-endian text of wide characters.
    feed: usize,
    zeros: usize,
}

impl Lines {
    /// Of a byte of a window.
    /// `width` is that of its characters.
    pub(super) fn position(&mut self, window: &[u8], at: usize, width: usize) -> Position {
        self.count(window, at);
        let is_wide = self.feed.is_multiple_of(width) && self.zeros >= width - 1;
        let zeros = if is_wide { (width - 1) as u64 } else { 0 }.min(self.before);
        Position { line: self.feeds + 1, column: self.before + 1 - zeros }
    }

    fn count(&mut self, window: &[u8], to: usize) {
        let Some(between) = window.get(self.counted..to) else { return };
        self.feeds += memchr::memchr_iter(b'\n', between).count() as u64;
        if let Some(feed) = memchr::memrchr(b'\n', between) {
            self.before = (between.len() - feed - 1) as u64;
            let feed = self.counted + feed;
            self.zeros = window[feed + 1..].iter().take(3).take_while(|byte| **byte == 0).count();
            self.feed = feed % 4;
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
    largest: usize,
}

impl Window {
    /// From what is at the beginning of a stream.
    pub(super) fn new(bytes: Vec<u8>, size: usize, largest: usize) -> Self {
        let lines = Lines::default();
        let largest = largest.max(size);
        Self { bytes, lines, own: 0, is_first: true, is_last: false, size, usual: size, largest }
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
        let end = match self.is_last {
            true => End::Text,
            false if self.size < self.largest => End::Window,
            false => End::LargestWindow,
        };
        Edges { start: self.is_first, end }
    }

    /// Leaves what no other window finds, and gives the position up to which all is found.
    pub(super) fn own(&mut self, findings: &mut Findings) -> usize {
        let mut border = if self.is_last { self.bytes.len() } else { (self.bytes.len() - AHEAD) & !3 };
        self.size = self.usual;
        if let Some(cut) = findings.cut.filter(|cut| *cut < border) {
            border = self.own.max(cut & !3);
            self.size =
                if border == self.own { (self.bytes.len() * 2).min(self.largest) } else { self.bytes.len() };
        }
        // What is in an archive is found with its beginning.
        let is_own = |start: usize| (self.own..border).contains(&start);
        let ends = findings
            .archives
            .iter()
            .filter(|archive| is_own(archive.range.start))
            .map(|archive| archive.range.end);
        border = ends.max().map_or(border, |end| border.max(end.next_multiple_of(4).min(self.bytes.len())));
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
        let from = border.saturating_sub(BEHIND) & !3;
        self.lines.forget(&self.bytes, from);
        self.bytes.drain(..from);
        self.own = border - from;
        self.is_first &= from == 0;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locate::fuzz::{KEY, WINDOW, filler, in_windows};

    const STRANGER: &str = "11111111-2222-4333-8444-555555555555";

    /// Of `user:KEY`.
    const BASE64: &str = "dXNlcjpiNWU3YjBjNC0zYTFkLTRlMGUtOGY1NS05MjczMjg3NmVlYWU=";

    #[test]
    fn where_a_window_ends_changes_nothing() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let wrapped = format!("{}\n    {}", &BASE64[..40], &BASE64[40..]);
        let near = format!("{}\n\n\n{STRANGER}", "curl --digest");
        let planted = [
            (KEY.into(), 1),
            (BASE64.into(), 1),
            (wrapped.into_bytes(), 1),
            ([b"\n\n", &wide(&format!("a\nb {KEY}\n"))[..]].concat(), 1),
            (KEY.replace('-', "&#x002d;").into_bytes(), 1),
            (near.into_bytes(), 1),
            (format!("0{KEY}").into_bytes(), 0),
        ];
        let border = WINDOW - AHEAD;
        for (text, hits) in planted {
            let offsets = [0, 1, 9, 36, 37, 60, 90].into_iter();
            let starts = offsets.flat_map(|offset| [border - offset, WINDOW - offset, border + offset]);
            for start in starts {
                let bytes = [&filler(start)[..], b" ", &text, b" ", &filler(WINDOW)].concat();
                let [whole, windows] = in_windows(&bytes);
                assert_eq!(whole.hits.len(), hits, "{} at {start}", text.escape_ascii());
                assert_eq!(whole, windows, "{} at {start}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn an_archive_in_base64_is_read_whole_across_windows() {
        // Stored, so that it is as long as its text.
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        io::Write::write_all(&mut encoder, &[&filler(30_000)[..], KEY.as_bytes()].concat()).expect("memory");
        let archive = encode(&encoder.finish().expect("memory"));
        for start in [0, 8_000, 20_000, WINDOW - AHEAD, WINDOW - 10, WINDOW, 2 * WINDOW] {
            let bytes = [&filler(start)[..], b"\n", archive.as_bytes(), b"\n", &filler(30_000)].concat();
            let [whole, windows] = in_windows(&bytes);
            assert_eq!(whole.hits.len(), 1, "{start}");
            assert_eq!(whole.hits[0].encoding, "base64+gz");
            assert_eq!(whole, windows, "{start}");
        }
    }

    fn encode(bytes: &[u8]) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bits =
            |chunk: &[u8]| (0..3).fold(0, |bits, at| bits << 8 | u32::from(*chunk.get(at).unwrap_or(&0)));
        let character = |bits: u32, at: usize| char::from(alphabet[(bits >> (18 - 6 * at)) as usize & 63]);
        bytes
            .chunks(3)
            .flat_map(|chunk| (0..=chunk.len()).map(move |at| character(bits(chunk), at)))
            .collect()
    }
}
