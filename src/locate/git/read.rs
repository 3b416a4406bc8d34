//! Reads single objects, in any order.

use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::sync::Arc;

use gix_zlib::Inflate;

use super::delta;
use super::loose::Loose;
use super::object::Kind;
use super::pack::{Entry, Opened, Pack};
use super::store::{Location, Number, Part, Store};
use crate::place::NotSearched;

/// The largest object that is unpacked as a whole, in bytes: two of them and the delta between are in memory at a time.
pub(super) const LARGEST: u64 = 32 << 20;

/// The longest chain of deltas; git makes none with more than 4095.
const LONGEST: usize = 10_000;

/// As much is unpacked for one object, in bytes.
const MOST: usize = 4 << 30;

/// Of objects that were unpacked, in bytes.
const CACHE: usize = 16 << 20;

/// The largest of them.
const KEPT: usize = CACHE / 4;

type Content = Arc<Vec<u8>>;

/// Reads objects and keeps the last ones, since others are the difference to them.
pub(super) struct Reader<'a> {
    store: &'a Store,
    inflate: Inflate,
    delta: Vec<u8>,
    cache: Cache,
    /// Buffers to use for large objects.
    pub(super) free: Vec<Vec<u8>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        let (inflate, cache) = (Inflate::default(), Cache::default());
        Self { store, inflate, delta: Vec::new(), cache, free: Vec::new() }
    }

    /// An object up to [`LARGEST`].
    pub(super) fn object(&mut self, number: Number) -> Result<(Kind, Content), NotSearched> {
        match self.store.locate(number) {
            Location::Packed(part, position) => self.packed(part, part.content.offset(position)),
            Location::Loose(part, position) => loose(&part.content, position),
        }
    }

    /// The object at an offset of a pack.
    pub(super) fn packed(
        &mut self,
        part: &'a Part<Pack>,
        offset: u64,
    ) -> Result<(Kind, Content), NotSearched> {
        let (mut part, mut offset) = (part, offset);
        let mut chain = Vec::new();
        let (kind, mut content) = loop {
            if let Some(known) = self.cache.get(part.first, offset) {
                break known;
            }
            let opened =
                part.content.entry(offset).filter(|_| chain.len() < LONGEST).ok_or(NotSearched::Damaged)?;
            if opened.size > LARGEST {
                return Err(NotSearched::TooLarge);
            }
            let next = match opened.entry {
                Entry::Whole(kind) => break (kind, self.whole(part, offset, &opened)?),
                Entry::Damaged => return Err(NotSearched::Damaged),
                Entry::Offset(base) => (part, base),
                Entry::Id(id) => match self.store.locate(self.store.number(&id).ok_or(NotSearched::Missing)?)
                {
                    Location::Packed(part, position) => (part, part.content.offset(position)),
                    Location::Loose(loose_part, position) => {
                        chain.push((part, offset, opened));
                        break loose(&loose_part.content, position)?;
                    }
                },
            };
            chain.push((part, offset, opened));
            (part, offset) = next;
        };
        let mut unpacked = 0;
        for (part, offset, opened) in chain.into_iter().rev() {
            unpacked += content.len();
            if unpacked > MOST {
                return Err(NotSearched::TooLarge);
            }
            let base = std::mem::take(&mut content);
            content = self.apply(part, &opened, &base)?;
            self.cache.insert(part.first, offset, kind, &content);
            self.free.extend(Arc::into_inner(base).filter(|base| base.len() > KEPT));
        }
        Ok((kind, content))
    }

    fn buffer(&mut self, size: u64) -> Vec<u8> {
        if size > KEPT as u64 { self.free.pop().unwrap_or_default() } else { Vec::new() }
    }

    fn whole(&mut self, part: &Part<Pack>, offset: u64, opened: &Opened) -> Result<Content, NotSearched> {
        let mut content = self.buffer(opened.size);
        part.content.unpack(opened, &mut self.inflate, &mut content).ok_or(NotSearched::Damaged)?;
        let content = Arc::new(content);
        if let Entry::Whole(kind) = opened.entry {
            self.cache.insert(part.first, offset, kind, &content);
        }
        Ok(content)
    }

    fn apply(&mut self, part: &Part<Pack>, opened: &Opened, base: &[u8]) -> Result<Content, NotSearched> {
        part.content.unpack(opened, &mut self.inflate, &mut self.delta).ok_or(NotSearched::Damaged)?;
        let (_, size, _) = delta::sizes(&self.delta).ok_or(NotSearched::Damaged)?;
        if size > LARGEST {
            return Err(NotSearched::TooLarge);
        }
        let mut content = self.buffer(size);
        delta::apply(base, &self.delta, &mut content).ok_or(NotSearched::Damaged)?;
        Ok(Arc::new(content))
    }
}

fn loose(loose: &Loose, position: usize) -> Result<(Kind, Content), NotSearched> {
    let mut opened = loose.object(position)?;
    if opened.size > LARGEST {
        return Err(NotSearched::TooLarge);
    }
    let mut content = Vec::new();
    opened.content.read_to_end(&mut content).map_err(|_| NotSearched::Damaged)?;
    Ok((opened.kind, Arc::new(content)))
}

/// The last objects, by pack and offset.
#[derive(Default)]
struct Cache {
    objects: HashMap<(Number, u64), (Kind, Content)>,
    /// The oldest first.
    order: VecDeque<(Number, u64)>,
    size: usize,
}

impl Cache {
    fn get(&self, pack: Number, offset: u64) -> Option<(Kind, Content)> {
        self.objects.get(&(pack, offset)).cloned()
    }

    fn insert(&mut self, pack: Number, offset: u64, kind: Kind, content: &Content) {
        if content.len() > KEPT || self.objects.insert((pack, offset), (kind, Arc::clone(content))).is_some()
        {
            return;
        }
        self.order.push_back((pack, offset));
        // What the entries of the maps need is counted, too.
        self.size += content.len() + 128;
        while self.size > CACHE {
            let Some(oldest) = self.order.pop_front() else { return };
            if let Some((_, content)) = self.objects.remove(&oldest) {
                self.size -= content.len() + 128;
            }
        }
    }
}
