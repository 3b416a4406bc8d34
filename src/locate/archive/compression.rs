//! Formats that compress one stream: gzip, bzip2, xz, Zstandard.

use std::io::{self, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use xz4rust::{XzDecoder, XzError};

/// What a decoder of xz or Zstandard may keep of its output.
const WINDOW: usize = 64 << 20;
const BUFFER: usize = 32 << 10;

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Bzip2,
    Xz,
    Zstandard,
}

impl Compression {
    /// From the first bytes.
    pub(crate) fn new(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, flags, ..] if flags & 0xe0 == 0 => Some(Self::Gzip),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstandard),
            _ => None,
        }
    }

    /// In the column `encoding`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Bzip2 => "bz2",
            Self::Xz => "xz",
            Self::Zstandard => "zst",
        }
    }

    /// What a stream decompresses to.
    pub(crate) fn decoder<'r>(self, reader: &'r mut dyn Read) -> Box<dyn Read + 'r> {
        match self {
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(reader)),
            Self::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(reader)),
            Self::Xz => Box::new(Xz::new(reader)),
            Self::Zstandard => Box::new(Zstandard::new(reader)),
        }
    }
}

/// Whether bytes in base64 are an archive: those of the formats here, or zip.
pub(crate) fn is_compressed(head: &[u8]) -> bool {
    Compression::new(head).is_some() || head.starts_with(b"PK\x03\x04")
}

/// Frames of Zstandard, one behind the other.
struct Zstandard<'r> {
    reader: &'r mut dyn Read,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<'r> Zstandard<'r> {
    fn new(reader: &'r mut dyn Read) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW as u64);
        Self { reader, decoder, in_frame: false }
    }

    /// Whether another frame begins; frames of other data are skipped.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            let mut first = [0];
            if self.reader.read(&mut first)? == 0 {
                return Ok(false);
            }
            let start = first.chain(&mut *self.reader);
            match self.decoder.init(start) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    skip(self.reader, length)?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

fn skip(reader: &mut dyn Read, length: u32) -> io::Result<()> {
    let skipped = io::copy(&mut reader.take(length.into()), &mut io::sink())?;
    if skipped < length.into() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

impl Read for Zstandard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.in_frame {
                while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    let one = BlockDecodingStrategy::UptoBlocks(1);
                    self.decoder.decode_blocks(&mut *self.reader, one).map_err(io::Error::other)?;
                }
                let read = self.decoder.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
                self.in_frame = false;
            }
            if !self.next_frame()? {
                return Ok(0);
            }
            self.in_frame = true;
        }
    }
}

/// Streams of xz, one behind the other, with zeros between them.
struct Xz<'r> {
    reader: &'r mut dyn Read,
    decoder: Box<XzDecoder<'static>>,
    input: Vec<u8>,
    /// Of the input, what is not decoded.
    rest: std::ops::Range<usize>,
    in_stream: bool,
}

impl<'r> Xz<'r> {
    fn new(reader: &'r mut dyn Read) -> Self {
        let decoder = XzDecoder::in_heap_with_alloc_dict_size(0, WINDOW);
        Self { reader, decoder, input: vec![0; BUFFER], rest: 0..0, in_stream: true }
    }

    /// More input behind what is not decoded; whether there is any.
    fn fill(&mut self) -> io::Result<bool> {
        self.input.copy_within(self.rest.clone(), 0);
        self.rest = 0..self.rest.len();
        let read = self.reader.read(&mut self.input[self.rest.end..])?;
        self.rest.end += read;
        Ok(read > 0)
    }

    /// Whether another stream begins, behind zeros.
    fn next_stream(&mut self) -> io::Result<bool> {
        loop {
            self.rest.start += self.input[self.rest.clone()].iter().take_while(|byte| **byte == 0).count();
            if !self.rest.is_empty() {
                self.decoder.reset();
                return Ok(true);
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
    }
}

impl Read for Xz<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if !self.in_stream {
                if !self.next_stream()? {
                    return Ok(0);
                }
                self.in_stream = true;
            }
            let (produced, made_progress) = match self.decoder.decode(&self.input[self.rest.clone()], buffer)
            {
                Ok(result) => {
                    self.rest.start += result.input_consumed();
                    self.in_stream = !result.is_end_of_stream();
                    (result.output_produced(), result.made_progress() || !self.in_stream)
                }
                Err(XzError::NeedsLargerInputBuffer) => (0, false),
                Err(error) => return Err(io::Error::other(format!("{error:?}"))),
            };
            if produced > 0 {
                return Ok(produced);
            }
            if !made_progress && !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}
