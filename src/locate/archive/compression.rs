//! Formats that compress one stream: gzip, bzip2, xz, Zstandard.

use std::io::{self, Read};
use std::rc::Rc;

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use xz4rust::{XzDecoder, XzError};

use super::limit::{Budget, Reserved};
use crate::place::NotSearched;

/// What a decoder of xz or Zstandard may keep of its output without reserving it.
const UNRESERVED: usize = 512 << 10;
/// What one of bzip2 needs for the largest blocks.
const BZIP2: u64 = 4 << 20;
const BUFFER: usize = 32 << 10;
/// The header of a stream of xz and of its first block, at most.
const XZ_HEADERS: usize = 12 + 1024;

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
    ///
    /// # Errors
    /// The decoders of the input need more memory than they may.
    pub(crate) fn decoder<'r>(
        self,
        reader: &'r mut dyn Read,
        budget: &Rc<Budget>,
    ) -> io::Result<Box<dyn Read + 'r>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(reader)),
            Self::Bzip2 => Box::new(Bzip2 {
                _reserved: budget.reserve(BZIP2)?,
                decoder: bzip2::read::MultiBzDecoder::new(reader),
            }),
            Self::Xz => Box::new(Xz::new(reader, budget)),
            Self::Zstandard => Box::new(Zstandard::new(reader, budget)),
        })
    }
}

/// Whether bytes in base64 are an archive: those of the formats here, or zip.
pub(crate) fn is_compressed(head: &[u8]) -> bool {
    Compression::new(head).is_some() || head.starts_with(b"PK\x03\x04")
}

/// bzip2 with its memory.
struct Bzip2<'r> {
    decoder: bzip2::read::MultiBzDecoder<&'r mut dyn Read>,
    _reserved: Reserved,
}

impl Read for Bzip2<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer)
    }
}

/// Frames of Zstandard, one behind the other.
struct Zstandard<'r> {
    reader: &'r mut dyn Read,
    decoder: FrameDecoder,
    in_frame: bool,
    budget: Rc<Budget>,
    reserved: Option<Reserved>,
}

impl<'r> Zstandard<'r> {
    fn new(reader: &'r mut dyn Read, budget: &Rc<Budget>) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(UNRESERVED as u64);
        Self { reader, decoder, in_frame: false, budget: Rc::clone(budget), reserved: None }
    }

    /// Whether another frame begins; frames of other data are skipped.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            let mut first = [0];
            if self.reader.read(&mut first)? == 0 {
                return Ok(false);
            }
            let mut header = Recorded { reader: &mut first.chain(&mut *self.reader), bytes: Vec::new() };
            let mut started = self.decoder.init(&mut header);
            if let Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) = started {
                // Its buffer grows by half, with the old one beside it.
                self.reserved = None;
                self.reserved = Some(self.budget.reserve(requested.saturating_add(requested / 2))?);
                self.decoder.set_max_window_size(requested);
                started = self.decoder.init(&header.bytes[..]);
            }
            match started {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    super::skip(self.reader, length.into())?;
                }
                Err(FrameDecoderError::DictNotProvided { .. }) => {
                    return Err(self.budget.fail(NotSearched::UnknownFormat));
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

/// Keeps what is read, to read it again.
struct Recorded<'r> {
    reader: &'r mut dyn Read,
    bytes: Vec<u8>,
}

impl Read for Recorded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
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
    state: XzState,
    budget: Rc<Budget>,
    reserved: Option<Reserved>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum XzState {
    /// Before a stream, or at the end.
    Between,
    /// At its first byte.
    AtStart,
    InStream,
}

impl<'r> Xz<'r> {
    fn new(reader: &'r mut dyn Read, budget: &Rc<Budget>) -> Self {
        let (budget, reserved) = (Rc::clone(budget), None);
        let (decoder, input) = (xz_decoder(UNRESERVED), vec![0; BUFFER]);
        Self { reader, decoder, input, rest: 0..0, state: XzState::Between, budget, reserved }
    }

    /// More input behind what is not decoded; whether there is any.
    fn fill(&mut self) -> io::Result<bool> {
        self.input.copy_within(self.rest.clone(), 0);
        self.rest = 0..self.rest.len();
        let read = self.reader.read(&mut self.input[self.rest.end..])?;
        self.rest.end += read;
        Ok(read > 0)
    }

    /// Whether another stream begins, behind zeros. Its headers are in the input.
    fn next_stream(&mut self) -> io::Result<bool> {
        loop {
            self.rest.start += self.input[self.rest.clone()].iter().take_while(|byte| **byte == 0).count();
            if self.rest.len() >= XZ_HEADERS || !self.fill()? {
                if !self.rest.is_empty() {
                    self.decoder.reset();
                }
                return Ok(!self.rest.is_empty());
            }
        }
    }

    /// With a dictionary of this size, from the start of the stream.
    fn restart(&mut self, dictionary: u64) -> io::Result<()> {
        (self.decoder, self.reserved) = (xz_decoder(0), None);
        self.reserved = Some(self.budget.reserve(dictionary)?);
        self.decoder = xz_decoder(usize::try_from(dictionary).unwrap_or(usize::MAX));
        Ok(())
    }

    fn error(&self, error: &XzError) -> io::Error {
        match error {
            XzError::DictionaryTooLarge(_) => self.budget.fail(NotSearched::TooLarge),
            XzError::UnsupportedBcjFilter(_)
            | XzError::UnsupportedCheckType(_)
            | XzError::UnsupportedStreamHeaderOption
            | XzError::UnsupportedBlockHeaderOption => self.budget.fail(NotSearched::UnknownFormat),
            other => io::Error::other(format!("{other:?}")),
        }
    }
}

fn xz_decoder(largest: usize) -> Box<XzDecoder<'static>> {
    XzDecoder::in_heap_with_alloc_dict_size(0, largest)
}

impl Read for Xz<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if self.state == XzState::Between {
                if !self.next_stream()? {
                    return Ok(0);
                }
                self.state = XzState::AtStart;
            }
            let (produced, made_progress) = match self.decoder.decode(&self.input[self.rest.clone()], buffer)
            {
                Ok(result) => {
                    self.rest.start += result.input_consumed();
                    let is_end = result.is_end_of_stream();
                    self.state = if is_end { XzState::Between } else { XzState::InStream };
                    (result.output_produced(), result.made_progress() || is_end)
                }
                Err(XzError::NeedsLargerInputBuffer) => (0, false),
                Err(XzError::DictionaryTooLarge(size)) if self.state == XzState::AtStart => {
                    self.restart(size)?;
                    (0, true)
                }
                Err(error) => return Err(self.error(&error)),
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
