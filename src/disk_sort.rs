//! Sorting any number of records in bounded memory: what does not fit is sorted in parts, which are merged from disk.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;

/// Bytes that are read at once of a part, at least and at most: more would take memory and hardly less time.
const LEAST_BUFFER: usize = 4 << 10;
const MOST_BUFFER: usize = 16 << 10;

/// Takes records in any order. A record is a key, by whose bytes it is sorted, and a value.
pub(crate) struct DiskSorter {
    memory: usize,
    /// The current part: keys and values one after the other, and where each is.
    bytes: Vec<u8>,
    records: Vec<Place>,
    /// The other parts, each sorted, in a file without a name; made when it is needed.
    file: Option<File>,
    parts: Vec<Range<u64>>,
}

/// Of a record in the bytes of a part: the start of its key, the end of its key, and the end of its value.
#[derive(Clone, Copy)]
struct Place {
    start: u32,
    value: u32,
    end: u32,
}

impl DiskSorter {
    /// `memory` is how many bytes of records are sorted in memory, and the most that are afterwards read at once of all parts, while
    /// each gets [`LEAST_BUFFER`] of it.
    pub(crate) fn new(memory: usize) -> Self {
        Self { memory, bytes: Vec::new(), records: Vec::new(), file: None, parts: Vec::new() }
    }

    /// Adds a record. Of two with the same key, the one that was added first stays first.
    ///
    /// # Errors
    /// The folder for temporary files can't be used.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let size = key.len() + value.len() + size_of::<Place>();
        let used = self.bytes.len() + self.records.len() * size_of::<Place>();
        if used + size > self.memory && !self.records.is_empty() {
            self.write_part()?;
        }
        let too_long = |_| io::Error::other("a record is larger than 4 GiB");
        let place = |at: usize| u32::try_from(at).map_err(too_long);
        let start = self.bytes.len();
        let (value_at, end) = (start + key.len(), start + key.len() + value.len());
        self.records.push(Place { start: place(start)?, value: place(value_at)?, end: place(end)? });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    fn sort_part(&mut self) {
        let bytes = &self.bytes;
        self.records.sort_by(|one, other| one.key(bytes).cmp(other.key(bytes)));
    }

    fn write_part(&mut self) -> io::Result<()> {
        self.sort_part();
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        let start = self.parts.last().map_or(0, |part| part.end);
        let mut end = start;
        let mut out = BufWriter::with_capacity(64 << 10, file);
        for record in self.records.drain(..) {
            let (key, value) = (record.key(&self.bytes), record.value(&self.bytes));
            let lengths = [record.value - record.start, record.end - record.value].map(u32::to_le_bytes);
            out.write_all(lengths.as_flattened())?;
            out.write_all(key)?;
            out.write_all(value)?;
            end += (HEADER + key.len() + value.len()) as u64;
        }
        out.flush()?;
        self.parts.push(start..end);
        self.bytes.clear();
        Ok(())
    }

    /// Ends the adding.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(crate) fn sort(mut self) -> io::Result<Sorted> {
        if self.parts.is_empty() {
            self.sort_part();
            let records = self.records.into_iter();
            return Ok(Sorted::new(Source::Memory { bytes: self.bytes, records }));
        }
        self.write_part()?;
        let Self { memory, bytes, records, file, parts } = self;
        drop((bytes, records));
        let Some(file) = file else { return Err(io::Error::other("the parts have no file")) };
        let buffer = (memory / parts.len()).clamp(LEAST_BUFFER, MOST_BUFFER);
        let mut heads = BinaryHeap::with_capacity(parts.len());
        for (number, part) in parts.into_iter().enumerate() {
            let mut part = PartReader { number, part, buffer: Vec::new(), at: 0, key: 0..0, value: 0..0 };
            if part.next(&file, buffer)? {
                heads.push(part);
            }
        }
        Ok(Sorted::new(Source::Disk { file, buffer, heads }))
    }
}

impl Place {
    fn key(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.value as usize]
    }

    fn value(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.value as usize..self.end as usize]
    }
}

/// Bytes before each record of a part: the lengths of its key and of its value.
const HEADER: usize = 8;

/// A part while it is read: the record that comes next of it is in the buffer.
struct PartReader {
    number: usize,
    /// What was not read yet.
    part: Range<u64>,
    buffer: Vec<u8>,
    /// Where the record after the next begins.
    at: usize,
    key: Range<usize>,
    value: Range<usize>,
}

impl PartReader {
    fn key(&self) -> &[u8] {
        &self.buffer[self.key.clone()]
    }

    /// Continues with the next record; `false` at the end of the part.
    fn next(&mut self, file: &File, buffer: usize) -> io::Result<bool> {
        if self.at == self.buffer.len() && self.part.is_empty() {
            return Ok(false);
        }
        self.fill(HEADER, file, buffer)?;
        let length = |at: usize| {
            let bytes = self.buffer[at..at + HEADER / 2].iter().rev();
            bytes.fold(0, |length, byte| length << 8 | usize::from(*byte))
        };
        let (key, value) = (length(self.at), length(self.at + HEADER / 2));
        self.fill(HEADER + key + value, file, buffer)?;
        let start = self.at + HEADER;
        self.key = start..start + key;
        self.value = start + key..start + key + value;
        self.at = start + key + value;
        Ok(true)
    }

    /// Reads on until so many bytes from `at` are in the buffer.
    fn fill(&mut self, needed: usize, mut file: &File, buffer: usize) -> io::Result<()> {
        let left = self.buffer.len() - self.at;
        if left >= needed {
            return Ok(());
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let wanted = needed.max(buffer) - left;
        // Otherwise it would grow to the next power of 2.
        self.buffer.reserve_exact(wanted);
        file.seek(SeekFrom::Start(self.part.start))?;
        let rest = self.part.end - self.part.start;
        let read = file.take(rest.min(wanted as u64)).read_to_end(&mut self.buffer)?;
        self.part.start += read as u64;
        if left + read < needed { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// The part whose next record comes first is the largest in the heap.
impl Ord for PartReader {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.key(), other.number).cmp(&(self.key(), self.number))
    }
}

impl PartialOrd for PartReader {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PartReader {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for PartReader {}

/// The records, in order.
pub(crate) struct Sorted {
    source: Source,
    /// Whether the current record was returned already.
    is_taken: bool,
}

enum Source {
    Memory { bytes: Vec<u8>, records: std::vec::IntoIter<Place> },
    Disk { file: File, buffer: usize, heads: BinaryHeap<PartReader> },
}

impl Sorted {
    fn new(source: Source) -> Self {
        Self { source, is_taken: false }
    }

    /// Key and value of the next record; `None` after the last.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn next(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        self.pass_taken()?;
        self.is_taken = true;
        Ok(self.current())
    }

    /// As [`Self::next`], but only a record of this key.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) fn next_if(&mut self, key: &[u8]) -> io::Result<Option<(&[u8], &[u8])>> {
        self.pass_taken()?;
        self.is_taken = self.current().is_some_and(|(next, _)| next == key);
        Ok(self.current().filter(|(next, _)| *next == key))
    }

    fn pass_taken(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.is_taken) {
            return Ok(());
        }
        match &mut self.source {
            Source::Memory { records, .. } => drop(records.next()),
            Source::Disk { file, buffer, heads } => {
                if let Some(mut head) = heads.peek_mut()
                    && !head.next(file, *buffer)?
                {
                    PeekMut::pop(head);
                }
            }
        }
        Ok(())
    }

    fn current(&self) -> Option<(&[u8], &[u8])> {
        match &self.source {
            Source::Memory { bytes, records } => {
                records.as_slice().first().map(|record| (record.key(bytes), record.value(bytes)))
            }
            Source::Disk { heads, .. } => {
                heads.peek().map(|head| (head.key(), &head.buffer[head.value.clone()]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(mut sorted: Sorted) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        while let Some((key, value)) = sorted.next().unwrap() {
            all.push((key.to_vec(), value.to_vec()));
        }
        all
    }

    proptest! {
        #[test]
        fn records_come_in_order_and_equal_keys_as_they_were_added(
            records in proptest::collection::vec(("[ab\0]{0,3}", "[a-z]{0,30}"), 0..300),
            memory in 1_usize..10_000,
        ) {
            let mut sorter = DiskSorter::new(memory);
            for (key, value) in &records {
                sorter.add(key.as_bytes(), value.as_bytes()).unwrap();
            }
            let mut expected: Vec<_> =
                records.into_iter().map(|(key, value)| (key.into_bytes(), value.into_bytes())).collect();
            expected.sort_by(|one, other| one.0.cmp(&other.0));
            prop_assert_eq!(all(sorter.sort().unwrap()), expected);
        }
    }

    #[test]
    fn records_of_one_key_are_asked_for_one_by_one() {
        let mut sorter = DiskSorter::new(1);
        for (key, value) in [("b", "3"), ("a", "1"), ("a", "2")] {
            sorter.add(key.as_bytes(), value.as_bytes()).unwrap();
        }
        let mut records = sorter.sort().unwrap();
        assert_eq!(records.next_if(b"b").unwrap(), None);
        assert_eq!(records.next().unwrap(), Some((&b"a"[..], &b"1"[..])));
        assert_eq!(records.next_if(b"a").unwrap(), Some((&b"a"[..], &b"2"[..])));
        assert_eq!(records.next_if(b"a").unwrap(), None);
        assert_eq!(records.next().unwrap(), Some((&b"b"[..], &b"3"[..])));
        assert_eq!(records.next_if(b"b").unwrap(), None);
        assert_eq!(records.next().unwrap(), None);
    }

    #[test]
    fn memory_is_bounded_and_a_record_may_be_larger_than_it() {
        let memory = 64 << 10;
        let mut sorter = DiskSorter::new(memory);
        for number in 0..20_000_u32 {
            let key = number.wrapping_mul(0x9e37_79b9).to_be_bytes();
            let length = if number == 7 { 1 << 20 } else { 50 };
            sorter.add(&key, &vec![1; length]).unwrap();
            assert!(sorter.bytes.len() <= memory || sorter.records.len() == 1);
        }
        assert!(sorter.parts.len() > 10);
        let mut records = sorter.sort().unwrap();
        let (mut last, mut count) = (Vec::new(), 0);
        while let Some((key, _)) = records.next().unwrap() {
            assert!(*last < *key);
            last = key.to_vec();
            count += 1;
        }
        assert_eq!(count, 20_000);
    }
}
