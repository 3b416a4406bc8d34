//! The XML of all sheets, compressed block by block while it grows, on another core. What is compressed is kept on disk: a
//! sheet is complete only at the end, and the sheets grow at the same time.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use flate2::{Compress, CompressError, Compression, Crc, FlushCompress};

use crate::report::SpillFile;

/// Bytes of XML in a block. Its size decides the bytes of the file, so it must not depend on the machine.
const BLOCK: usize = 128 << 10;
/// 6 takes four times as long, for a file that is a quarter smaller.
const LEVEL: u32 = 2;
/// Bytes that a stream has besides those of its data, if nothing can be compressed.
const ENDS: usize = 1 << 10;
/// Blocks that may wait for the other core. More are compressed here.
const WAITING: usize = 8;
/// Blocks in memory: those that wait, and those that were compressed here before them.
const IN_MEMORY: usize = 16;

/// The numbers of a deflate stream, or of a part of one that ends with a whole byte.
#[derive(Default)]
pub(super) struct Stream {
    pub(super) crc: Crc,
    /// Of what is in it, and its own, in bytes.
    pub(super) size: u64,
    pub(super) packed: u64,
}

impl Stream {
    /// Adds what follows.
    fn add(&mut self, next: &Self) {
        self.crc.combine(&next.crc);
        self.size += next.size;
        self.packed += next.packed;
    }
}

pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    pub(super) numbers: Stream,
}

/// Compresses bytes that refer to none before them. `is_last`: they end the stream.
pub(super) fn pack(data: &[u8], is_last: bool) -> Result<Packed, CompressError> {
    Packer::default().pack(data, is_last)
}

/// What is needed to compress, for block after block.
struct Packer {
    state: Compress,
    /// With space for the largest block.
    out: Vec<u8>,
}

impl Default for Packer {
    fn default() -> Self {
        Self { state: Compress::new(Compression::new(LEVEL), false), out: Vec::new() }
    }
}

impl Packer {
    fn pack(&mut self, data: &[u8], is_last: bool) -> Result<Packed, CompressError> {
        let Self { state, out } = self;
        state.reset();
        out.clear();
        out.reserve(data.len() + ENDS);
        let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
        let mut rest = data;
        loop {
            let before = state.total_in();
            state.compress_vec(rest, out, flush)?;
            rest = &rest[usize::try_from(state.total_in() - before).unwrap_or(rest.len())..];
            // With space left, all of it is there.
            if out.len() < out.capacity() {
                break;
            }
            out.reserve(data.len());
        }
        let mut crc = Crc::new();
        crc.update(data);
        let numbers = Stream { crc, size: data.len() as u64, packed: out.len() as u64 };
        Ok(Packed { bytes: out.clone(), numbers })
    }
}

/// A block of a sheet.
struct Block {
    sheet: usize,
    xml: Vec<u8>,
    packed: OnceLock<Result<Packed, CompressError>>,
}

impl Block {
    /// Waits if another core is at it.
    fn pack(&self, packer: &mut Packer) -> Result<&Packed, CompressError> {
        self.packed.get_or_init(|| packer.pack(&self.xml, false)).as_ref().map_err(Clone::clone)
    }
}

/// Compresses on another core, for as long as the sender is there. Without a thread it takes nothing.
fn compressor() -> SyncSender<Arc<Block>> {
    let (sender, blocks) = sync_channel::<Arc<Block>>(WAITING);
    let work = move || {
        let mut packer = Packer::default();
        for block in blocks {
            // `Blocks::store` gets the error.
            _ = block.pack(&mut packer);
        }
    };
    drop(thread::Builder::new().spawn(work));
    sender
}

/// The XML of the sheets, which are numbered from 0.
pub(super) struct Blocks {
    sheets: Vec<SheetXml>,
    /// In the order in which they were filled.
    queue: VecDeque<Arc<Block>>,
    /// From the first full block on.
    compressor: Option<SyncSender<Arc<Block>>>,
    packer: Packer,
    spill: SpillFile,
}

/// What a sheet has.
#[derive(Default)]
struct SheetXml {
    /// The numbers of its blocks on disk.
    stored: Stream,
    /// The block that is not full.
    xml: Vec<u8>,
}

impl Blocks {
    /// In the folder of the report, whose disk needs this space anyway.
    pub(super) fn new_in(folder: &Path) -> io::Result<Self> {
        let spill = SpillFile::new_in(folder)?;
        let (sheets, queue, packer) = (Vec::new(), VecDeque::new(), Packer::default());
        Ok(Self { sheets, queue, compressor: None, packer, spill })
    }

    /// Adds a sheet and returns its number.
    pub(super) fn add_sheet(&mut self) -> usize {
        self.sheets.push(SheetXml::default());
        self.sheets.len() - 1
    }

    /// The XML of a sheet, to add a row to its end.
    pub(super) fn row(&mut self, sheet: usize) -> io::Result<&mut Vec<u8>> {
        if self.sheets[sheet].xml.len() >= BLOCK {
            let next = Vec::with_capacity(BLOCK + BLOCK / 8);
            let xml = std::mem::replace(&mut self.sheets[sheet].xml, next);
            let block = Arc::new(Block { sheet, xml, packed: OnceLock::new() });
            self.queue.push_back(Arc::clone(&block));
            if let Err(TrySendError::Full(block) | TrySendError::Disconnected(block)) =
                self.compressor.get_or_insert_with(compressor).try_send(block)
            {
                block.pack(&mut self.packer)?;
            }
            self.store(IN_MEMORY)?;
        }
        Ok(&mut self.sheets[sheet].xml)
    }

    /// Puts the first blocks to disk, as far as they are compressed, and others until no more than `most` are left.
    fn store(&mut self, most: usize) -> io::Result<()> {
        while let Some(block) = self.queue.front()
            && (self.queue.len() > most || block.packed.get().is_some())
        {
            let packed = block.pack(&mut self.packer)?;
            self.sheets[block.sheet].stored.add(&packed.numbers);
            self.spill.write(block.sheet, &packed.bytes)?;
            self.queue.pop_front();
        }
        Ok(())
    }

    /// Hands over the complete deflate stream of a sheet: `head`, its rows and `tail`.
    pub(super) fn end<T>(
        &mut self,
        sheet: usize,
        [head, tail]: [&[u8]; 2],
        take: impl FnOnce(&Stream, &mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        self.store(0)?;
        let SheetXml { stored, xml } = &self.sheets[sheet];
        let (head, tail) = (pack(head, false)?, pack(&[xml, tail].concat(), true)?);
        let mut whole = head.numbers;
        whole.add(stored);
        whole.add(&tail.numbers);
        take(&whole, &mut head.bytes.chain(self.spill.read(sheet)?).chain(&*tail.bytes))
    }
}

#[cfg(test)]
mod tests {
    use flate2::read::DeflateDecoder;
    use proptest::prelude::*;

    use super::*;

    /// The streams of two sheets, of which one has all rows.
    fn streams(rows: &[String], compressor: Option<SyncSender<Arc<Block>>>) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let mut blocks = Blocks::new_in(folder.path()).unwrap();
        blocks.compressor = compressor;
        let sheets = [blocks.add_sheet(), blocks.add_sheet()];
        for row in rows {
            blocks.row(sheets[1]).unwrap().extend(row.as_bytes());
        }
        let all = format!("head{}tail", rows.concat());
        let streams = [(sheets[0], "headtail"), (sheets[1], &*all)].map(|(sheet, expected)| {
            let take = |stream: &Stream, data: &mut dyn Read| {
                let mut packed = Vec::new();
                data.read_to_end(&mut packed)?;
                assert_eq!(stream.packed, packed.len() as u64);
                assert_eq!(stream.size, expected.len() as u64);
                let mut crc = Crc::new();
                crc.update(expected.as_bytes());
                assert_eq!(stream.crc.sum(), crc.sum());
                let mut text = String::new();
                DeflateDecoder::new(&*packed).read_to_string(&mut text)?;
                assert!(text == expected);
                Ok(packed)
            };
            blocks.end(sheet, [b"head", b"tail"], take).unwrap()
        });
        streams.into()
    }

    #[test]
    fn the_bytes_do_not_depend_on_who_compresses_which_block() {
        // Some longer than a block, and a text of which nothing can be compressed.
        let row =
            |number: usize| "déploiement – 本番 🚀".repeat(number * number % 9001) + &number.to_string();
        let mut rows: Vec<_> = (0..100).map(row).collect();
        let mut random = fastrand::Rng::with_seed(1);
        rows.push((0..BLOCK).map(|_| random.char('\u{0}'..='\u{ffff}')).collect());
        let (no_thread, _) = sync_channel(0);
        let alone = streams(&rows, Some(no_thread));
        assert!(alone[1].len() > BLOCK);
        assert!(alone == streams(&rows, None));
        // Takes them, and leaves the work to the others.
        let (idle, taken) = sync_channel(rows.len());
        assert!(alone == streams(&rows, Some(idle)));
        assert!(taken.iter().count() > IN_MEMORY);
    }

    #[test]
    fn blocks_do_not_pile_up_while_the_other_core_is_busy() {
        let folder = tempfile::tempdir().unwrap();
        let mut blocks = Blocks::new_in(folder.path()).unwrap();
        let sheet = blocks.add_sheet();
        let (busy, _taken) = sync_channel(WAITING);
        blocks.compressor = Some(busy);
        for _ in 0..10 * WAITING {
            blocks.row(sheet).unwrap().resize(BLOCK, b'a');
            assert!(blocks.queue.len() <= IN_MEMORY);
        }
    }

    proptest! {
        #[test]
        fn any_length_is_compressed_whole(length in 0..3000_usize, seed: u64, is_last: bool) {
            let mut random = fastrand::Rng::with_seed(seed);
            let data: Vec<_> = (0..length).map(|_| random.u8(..)).collect();
            let mut packer = Packer::default();
            for _ in 0..2 {
                let mut stream = packer.pack(&data, is_last).unwrap().bytes;
                if !is_last {
                    stream.extend(packer.pack(b"", true).unwrap().bytes);
                }
                let mut read = Vec::new();
                DeflateDecoder::new(&*stream).read_to_end(&mut read).unwrap();
                prop_assert!(read == data);
            }
        }
    }
}
