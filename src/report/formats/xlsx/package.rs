//! The zip of a workbook, from parts that are compressed already: no crate takes what several cores compressed.

use std::io::{self, Read, Write};

use super::blocks::{Stream, pack};

/// The file in progress.
pub(super) struct Package<W> {
    out: W,
    /// The largest number that is written in 32 bits.
    limit: u64,
    at: u64,
    entries: u16,
    directory: Vec<u8>,
}

/// In place of a number that is in a field of 64 bits.
const IN_64_BITS: u32 = u32::MAX;
/// 1980-01-01, the first day of the format: the same run gives the same bytes.
const DATE: u16 = 1 << 5 | 1;
const DEFLATE: u16 = 8;
/// Of the format: 2.0, and 4.5 for fields of 64 bits.
const VERSION: u16 = 20;
const VERSION_64: u16 = 45;

impl<W: Write> Package<W> {
    pub(super) fn new(out: W) -> Self {
        Self::with_limit(out, u64::from(IN_64_BITS) - 1)
    }

    fn with_limit(out: W, limit: u64) -> Self {
        Self { out, limit, at: 0, entries: 0, directory: Vec::new() }
    }

    /// Adds a part that is not compressed yet.
    pub(super) fn add_whole(&mut self, name: &str, data: &[u8]) -> io::Result<()> {
        let packed = pack(data, true)?;
        self.add(name, &packed.numbers, &mut &*packed.bytes)
    }

    /// Adds a part, whose deflate stream is `data`.
    pub(super) fn add(&mut self, name: &str, stream: &Stream, data: &mut dyn Read) -> io::Result<()> {
        let Stream { crc, size, packed } = stream;
        let offset = self.at;
        let is_large = [*size, *packed, offset].iter().any(|number| *number > self.limit);
        let version = if is_large { VERSION_64 } else { VERSION };
        let fields_64 = |numbers: &[u64]| {
            let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
            let header = Fields::default().u16s([1, length(&bytes)?]);
            Ok::<_, io::Error>(if is_large { header.bytes(&bytes).0 } else { Vec::new() })
        };
        let (of_file, of_directory) = (fields_64(&[*size, *packed])?, fields_64(&[*size, *packed, offset])?);
        // What the header of the part and its line in the directory have in common.
        let common = Fields::default()
            .u16s([version, 0, DEFLATE, 0, DATE])
            .u32s([crc.sum(), in_32_bits(*packed, is_large), in_32_bits(*size, is_large)])
            .u16s([length(name.as_bytes())?]);
        let header = Fields::default().bytes(b"PK\x03\x04").bytes(&common.0).u16s([length(&of_file)?]);
        let header = header.bytes(name.as_bytes()).bytes(&of_file);
        self.out.write_all(&header.0)?;
        if io::copy(data, &mut self.out)? != *packed {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += header.0.len() as u64 + packed;
        self.entries = self.entries.checked_add(1).ok_or_else(|| io::Error::other("too many sheets"))?;
        let directory = Fields(std::mem::take(&mut self.directory));
        let directory = directory.bytes(b"PK\x01\x02").u16s([version]).bytes(&common.0);
        // No comment, on the first disk, no attributes.
        let directory = directory.u16s([length(&of_directory)?, 0, 0, 0]).u32s([0]);
        let directory = directory.u32s([in_32_bits(offset, is_large)]);
        self.directory = directory.bytes(name.as_bytes()).bytes(&of_directory).0;
        Ok(())
    }

    /// Ends the file with the directory.
    pub(super) fn finish(mut self) -> io::Result<W> {
        let (start, size) = (self.at, self.directory.len() as u64);
        let is_large = start > self.limit || size > self.limit;
        let mut end = Fields(self.directory);
        if is_large {
            let entries = u64::from(self.entries);
            // How many bytes of it follow, the versions, and this and the first disk.
            end = end.bytes(b"PK\x06\x06").u64s([44]).u16s([VERSION_64, VERSION_64]).u32s([0, 0]);
            end = end.u64s([entries, entries, size, start]);
            // Where that is: on the first disk, of one.
            end = end.bytes(b"PK\x06\x07").u32s([0]).u64s([start + size]).u32s([1]);
        }
        end = end.bytes(b"PK\x05\x06").u16s([0, 0, self.entries, self.entries]);
        end = end.u32s([in_32_bits(size, is_large), in_32_bits(start, is_large)]).u16s([0]);
        self.out.write_all(&end.0)?;
        Ok(self.out)
    }
}

fn in_32_bits(number: u64, is_large: bool) -> u32 {
    u32::try_from(number).ok().filter(|_| !is_large).unwrap_or(IN_64_BITS)
}

fn length(bytes: &[u8]) -> io::Result<u16> {
    u16::try_from(bytes.len()).map_err(io::Error::other)
}

/// Fields one after the other.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn u16s<const N: usize>(self, numbers: [u16; N]) -> Self {
        self.bytes(numbers.map(u16::to_le_bytes).as_flattened())
    }

    fn u32s<const N: usize>(self, numbers: [u32; N]) -> Self {
        self.bytes(numbers.map(u32::to_le_bytes).as_flattened())
    }

    fn u64s<const N: usize>(self, numbers: [u64; N]) -> Self {
        self.bytes(numbers.map(u64::to_le_bytes).as_flattened())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use zip::ZipArchive;

    use super::*;

    #[test]
    fn a_reader_finds_all_parts_whatever_needs_64_bits() {
        let parts =
            [("a", vec![b'a'; 10]), ("b/c", (0..=255).cycle().take(100_000).collect()), ("d", vec![])];
        // Nothing, the second part, the parts and the directory behind it, and everything.
        for limit in [u64::from(u32::MAX), 50_000, 200, 0] {
            let mut package = Package::with_limit(Vec::new(), limit);
            for (name, data) in &parts {
                package.add_whole(name, data).unwrap();
            }
            let bytes = package.finish().unwrap();
            let has_64_bits = bytes.windows(4).any(|bytes| bytes == b"PK\x06\x06");
            assert_eq!(has_64_bits, limit <= 200, "{limit}");
            let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
            assert_eq!(archive.len(), parts.len());
            for (number, (name, data)) in parts.iter().enumerate() {
                let (mut part, mut read) = (archive.by_index(number).unwrap(), Vec::new());
                assert_eq!(part.name().unwrap(), *name);
                assert_eq!(part.size(), data.len() as u64);
                part.read_to_end(&mut read).unwrap();
                assert!(read == *data, "{name} with {limit}");
            }
        }
    }

    #[test]
    fn a_part_that_is_shorter_than_it_says_is_an_error() {
        let mut package = Package::new(Vec::new());
        let stream = Stream { packed: 2, ..Stream::default() };
        assert!(package.add("a", &stream, &mut &b"x"[..]).is_err());
    }
}
