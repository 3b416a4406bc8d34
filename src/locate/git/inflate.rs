//! Zlib streams, read in pieces.

use std::io::{self, BufRead, Read};

use gix_zlib::{Decompress, FlushDecompress, Status};

/// The content of a zlib stream. A stream that is damaged or has another size than it claims is an error.
pub(super) struct Inflated<R> {
    input: R,
    state: Decompress,
    /// What is still to come.
    left: u64,
    is_at_end: bool,
}

impl<R: BufRead> Inflated<R> {
    pub(super) fn new(input: R, size: u64) -> Self {
        Self { input, state: Decompress::new(), left: size, is_at_end: false }
    }

    /// For a loose object, whose size is in the first bytes of the stream.
    pub(super) fn set_left(&mut self, size: u64) {
        self.left = size;
    }

    fn step(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let input = self.input.fill_buf()?;
        let (before_in, before_out) = (self.state.total_in(), self.state.total_out());
        let is_cut = input.is_empty();
        let status = self.state.decompress(input, buffer, FlushDecompress::None);
        let status = status.map_err(|_| wrong("a zlib stream is damaged"))?;
        let consumed = usize::try_from(self.state.total_in() - before_in).unwrap_or(usize::MAX);
        self.input.consume(consumed);
        let written = usize::try_from(self.state.total_out() - before_out).unwrap_or(usize::MAX);
        self.is_at_end = status == Status::StreamEnd;
        if written == 0 && !self.is_at_end && (is_cut || consumed == 0) {
            return Err(wrong("a zlib stream is cut"));
        }
        Ok(written)
    }
}

impl<R: BufRead> Read for Inflated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while !self.is_at_end {
            let written = self.step(buffer)?;
            let left = self.left.checked_sub(written as u64);
            self.left = left.ok_or_else(|| wrong("an object is larger than it claims"))?;
            if written > 0 {
                return Ok(written);
            }
        }
        if self.left > 0 { Err(wrong("an object is smaller than it claims")) } else { Ok(0) }
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
