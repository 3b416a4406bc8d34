//! Packs: mapped files of objects, many of them as the difference to another one.

use std::cmp::Ordering;
use std::ops::Range;
use std::path::Path;

use gix_hash::{Kind as Hash, ObjectId, oid};
use gix_pack::data::entry::Header;
use gix_zlib::Inflate;

use super::files;
use super::object::Kind;
use crate::place::NotSearched;

/// A pack with its index.
pub(super) struct Pack {
    index: gix_pack::index::File,
    data: gix_pack::data::File,
}

/// What the header of an entry says.
pub(super) enum Entry {
    /// A whole object.
    Whole(Kind),
    /// The difference to the object at this offset.
    Offset(u64),
    /// The difference to this object, of this pack or not.
    Id(ObjectId),
    /// Neither.
    Damaged,
}

/// An entry of which only the header was read.
pub(super) struct Opened {
    pub(super) entry: Entry,
    /// Of the object, or of the delta, unpacked.
    pub(super) size: u64,
    header: gix_pack::data::Entry,
}

impl Pack {
    /// Opens `NAME.idx` and `NAME.pack`.
    pub(super) fn open(index: &Path, hash: Hash) -> Result<Self, NotSearched> {
        let data = index.with_extension("pack");
        files::open(&data)?;
        files::open(index)?;
        let index = gix_pack::index::File::at(index, hash).map_err(|_| NotSearched::Damaged)?;
        let data = gix_pack::data::File::at(data, hash).map_err(|_| NotSearched::Damaged)?;
        Ok(Self { index, data })
    }

    /// Whether the index has another number of objects than the pack.
    pub(super) fn is_indexed_wrong(&self) -> bool {
        self.index.num_objects() != self.data.num_objects()
    }

    pub(super) fn objects(&self) -> u32 {
        self.index.num_objects()
    }

    pub(super) fn size(&self) -> u64 {
        self.data.data_len() as u64
    }

    /// Where the last entry ends.
    pub(super) fn end(&self) -> u64 {
        self.data.pack_end() as u64
    }

    /// Whether the bytes of an entry have the checksum that the index has; an old index has none.
    pub(super) fn is_intact(&self, position: u32, range: Range<u64>) -> bool {
        let Some(checksum) = self.index.crc32_at_index(position) else { return true };
        let size = usize::try_from(range.end - range.start).unwrap_or_default();
        range.end <= self.end() && self.data.entry_crc32(range.start, size) == checksum
    }

    pub(super) fn id(&self, position: u32) -> &oid {
        self.index.oid_at_index(position)
    }

    /// Ids are numbers of one distribution, so that the place of one can be estimated: a few steps instead of the 20 of a binary
    /// search, each of which waits for memory.
    pub(super) fn position(&self, id: &oid) -> Option<u32> {
        const ESTIMATES: u32 = 6;
        let number = |id: &oid| id.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let wanted = number(id);
        let (mut low, mut high) = (0, self.index.num_objects());
        let (mut least, mut most) = (0, u64::MAX);
        for step in 0.. {
            let left = high - low;
            if left == 0 || wanted < least || wanted > most {
                return None;
            }
            // Ids that somebody made may be anywhere.
            let middle = if step < ESTIMATES {
                let share = u128::from(wanted - least) * u128::from(left) / (u128::from(most - least) + 1);
                low + u32::try_from(share).unwrap_or_default()
            } else {
                low + left / 2
            };
            let found = self.index.oid_at_index(middle);
            match found.as_bytes().cmp(id.as_bytes()) {
                Ordering::Equal => return Some(middle),
                Ordering::Less => (low, least) = (middle + 1, number(found)),
                Ordering::Greater => (high, most) = (middle, number(found)),
            }
        }
        None
    }

    pub(super) fn offset(&self, position: u32) -> u64 {
        self.index.pack_offset_at_index(position)
    }

    /// `None` if there is no entry.
    pub(super) fn entry(&self, offset: u64) -> Option<Opened> {
        if offset >= self.end() {
            return None;
        }
        let header = self.data.entry(offset).ok()?;
        let entry = match header.header {
            Header::Blob => Entry::Whole(Kind::Blob),
            Header::Tree => Entry::Whole(Kind::Tree),
            Header::Commit => Entry::Whole(Kind::Commit),
            Header::Tag => Entry::Whole(Kind::Tag),
            Header::OfsDelta { base_distance } => {
                Entry::Offset(header.checked_base_pack_offset(base_distance)?)
            }
            Header::RefDelta { base_id } => Entry::Id(base_id),
        };
        Some(Opened { entry, size: header.decompressed_size, header })
    }

    /// Unpacks an object or delta into `out`, whose size the caller has limited.
    pub(super) fn unpack(&self, opened: &Opened, inflate: &mut Inflate, out: &mut Vec<u8>) -> Option<()> {
        let size = usize::try_from(opened.size).ok()?;
        if out.capacity() < size {
            out.clear();
            out.reserve_exact(size);
        }
        out.resize(size, 0);
        self.data.decompress_entry(&opened.header, inflate, out).ok().map(|_| ())
    }

    /// The packed bytes of an entry, and all after it.
    pub(super) fn packed(&self, opened: &Opened) -> &[u8] {
        self.data.entry_slice(opened.header.data_offset..self.end()).unwrap_or_default()
    }
}
