//! Text of a report that is kept on disk until the text before it is known. It is written in any order and read section by
//! section, so that memory does not grow with it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom, Take, Write as _};
use std::ops::Range;
use std::path::Path;

/// Bytes that are buffered before a write: on average so many of a section, so that it has few pieces, and of all sections
/// at least and at most so many.
const PIECE: usize = 16 << 10;
const LEAST: usize = 64 << 10;
const BUFFER: usize = 512 << 10;

/// An unnamed file with any number of sections, numbered from 0. The system deletes it when the process ends.
pub(crate) struct SpillFile {
    file: File,
    end: u64,
    buffered: usize,
    sections: Vec<Section>,
}

#[derive(Default)]
struct Section {
    pieces: Vec<Range<u64>>,
    buffer: Vec<u8>,
}

impl SpillFile {
    /// In the folder of the report, whose disk needs this space anyway.
    pub(crate) fn new_in(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(folder)?, end: 0, buffered: 0, sections: Vec::new() })
    }

    /// Adds to the text of a section.
    pub(crate) fn write(&mut self, section: usize, text: &[u8]) -> io::Result<()> {
        if section >= self.sections.len() {
            self.sections.resize_with(section + 1, Section::default);
        }
        self.sections[section].buffer.extend_from_slice(text);
        self.buffered += text.len();
        let most = (self.sections.len() * PIECE).clamp(LEAST, BUFFER);
        if self.buffered > most { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffered == 0 {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.end))?;
        for section in self.sections.iter_mut().filter(|section| !section.buffer.is_empty()) {
            let text = std::mem::take(&mut section.buffer);
            self.file.write_all(&text)?;
            let start = self.end;
            self.end += text.len() as u64;
            match section.pieces.last_mut() {
                Some(last) if last.end == start => last.end = self.end,
                Some(_) | None => section.pieces.push(start..self.end),
            }
        }
        self.buffered = 0;
        Ok(())
    }

    /// The whole text of a section; empty if nothing was written to it.
    pub(crate) fn read(&mut self, section: usize) -> io::Result<impl BufRead> {
        self.flush()?;
        let pieces = self.sections.get(section).map_or(&[][..], |section| &section.pieces);
        Ok(BufReader::new(Pieces { current: (&self.file).take(0), rest: pieces.iter() }))
    }
}

/// Pieces of a file, one after the other.
struct Pieces<'a> {
    current: Take<&'a File>,
    rest: std::slice::Iter<'a, Range<u64>>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.limit() == 0 {
            let Some(piece) = self.rest.next() else { return Ok(0) };
            self.current.get_mut().seek(SeekFrom::Start(piece.start))?;
            self.current.set_limit(piece.end - piece.start);
        }
        match self.current.read(buffer)? {
            0 if !buffer.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_written_in_turns_are_read_back_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = SpillFile::new_in(folder.path()).unwrap();
        let mut expected = [Vec::new(), Vec::new(), Vec::new()];
        // Many times the buffer; the second section pauses for longer than that takes to fill.
        for number in 0..6 * BUFFER / 100 {
            for section in [0, 1, 2].into_iter().filter(|it| *it != 1 || number % 20_000 < 100) {
                let text = format!("{number:>33}");
                spill.write(section, text.as_bytes()).unwrap();
                expected[section].extend_from_slice(text.as_bytes());
            }
        }
        for (section, expected) in expected.iter().enumerate() {
            let mut read = Vec::new();
            spill.read(section).unwrap().read_to_end(&mut read).unwrap();
            assert!(read == *expected, "section {section}");
        }
        assert_eq!(spill.read(3).unwrap().read_to_end(&mut Vec::new()).unwrap(), 0);
        let pieces = spill.sections[0].pieces.len();
        assert!(pieces > 1 && pieces <= expected[0].len() / PIECE, "{pieces}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it has no name");
    }
}
