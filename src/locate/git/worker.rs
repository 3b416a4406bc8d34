//! Unpacks the objects of a part of a pack, each delta right after its base.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};

use gix_zlib::Inflate;

use super::delta;
use super::forest::{Forest, NONE, Node};
use super::inflate::Inflated;
use super::object::Kind;
use super::pack::{Entry, Opened, Pack};
use super::read::{LARGEST, Reader};
use super::store::{Number, Part};
use super::sweep::{Shared, Visit};
use crate::place::NotSearched;

/// A thread that reads the objects of packs.
pub(super) struct Worker<'a, V> {
    shared: &'a Shared<'a>,
    visitor: &'a mut V,
    inflate: Inflate,
    delta: Vec<u8>,
    /// Small buffers to use again.
    free: Vec<Vec<u8>>,
    /// From a root to the object at hand.
    path: Vec<Base>,
    /// The size of the contents of the path.
    bases: u64,
    /// The first of the path that may have its content.
    oldest: usize,
    /// Held while an object in memory is large.
    large: Option<MutexGuard<'a, Vec<Vec<u8>>>>,
}

/// An object whose deltas are being read.
struct Base {
    /// Its next delta.
    child: u32,
    offset: u64,
    /// `None` if it was dropped: then it is unpacked again.
    content: Option<Vec<u8>>,
}

impl<'a, V: Visit> Worker<'a, V> {
    pub(super) fn new(shared: &'a Shared<'a>, visitor: &'a mut V) -> Self {
        let (delta, free, path) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            shared,
            visitor,
            inflate: Inflate::default(),
            delta,
            free,
            path,
            bases: 0,
            oldest: 0,
            large: None,
        }
    }

    /// Takes roots until there is none.
    pub(super) fn forest(mut self, part: &'a Part<Pack>, forest: &Forest, next: &AtomicUsize) {
        const CHUNK: usize = 32;
        loop {
            let start = next.fetch_add(CHUNK, Ordering::Relaxed);
            if start == 0 {
                for damaged in &forest.damaged {
                    self.fail(part, forest, *damaged, NotSearched::Damaged);
                }
            }
            let Some(roots) = forest.roots.get(start..) else { return };
            if roots.is_empty() {
                return;
            }
            for root in roots.iter().take(CHUNK) {
                self.family(part, forest, *root);
                self.large = None;
            }
        }
    }

    /// A root and all that is the difference to it.
    fn family(&mut self, part: &'a Part<Pack>, forest: &Forest, root: u32) {
        let node = &forest.nodes[root as usize];
        let (kind, content) = match self.root(part, forest, root) {
            Ok(Some(content)) => content,
            Ok(None) => return,
            Err(why) => return self.fail(part, forest, root, why),
        };
        self.push(node, content);
        while let Some(base) = self.path.last_mut() {
            let at = base.child;
            if at == NONE {
                self.pop();
                continue;
            }
            base.child = forest.nodes[at as usize].next;
            match self.child(part, forest, at, kind) {
                Ok(()) => {}
                Err(why) => self.fail(part, forest, at, why),
            }
        }
    }

    /// The content of a root, `None` if nothing needs it.
    fn root(
        &mut self,
        part: &'a Part<Pack>,
        forest: &Forest,
        root: u32,
    ) -> Result<Option<(Kind, Vec<u8>)>, NotSearched> {
        let node = &forest.nodes[root as usize];
        if node.position == NONE {
            let mut reader = Reader::new(self.shared.store);
            let (kind, content) = if node.is_foreign {
                let id = usize::try_from(node.offset).ok().and_then(|at| forest.foreign.get(at));
                let number = id.and_then(|id| self.shared.store.number(id)).ok_or(NotSearched::Missing)?;
                reader.object(number)?
            } else {
                reader.packed(part, node.offset)?
            };
            return Ok(Some((kind, Arc::unwrap_or_clone(content))));
        }
        let opened = part.content.entry(node.offset).ok_or(NotSearched::Damaged)?;
        let Entry::Whole(kind) = opened.entry else { return Err(NotSearched::Damaged) };
        let number = part.first + node.position;
        if opened.size > LARGEST
            || node.child == NONE && opened.size > self.shared.small && kind != Kind::Tree
        {
            self.stream(part, number, kind, &opened);
            let mut child = node.child;
            while child != NONE {
                self.fail(part, forest, child, NotSearched::TooLarge);
                child = forest.nodes[child as usize].next;
            }
            return Ok(None);
        }
        self.enter(opened.size)?;
        let mut content = self.buffer(opened.size);
        part.content.unpack(&opened, &mut self.inflate, &mut content).ok_or(NotSearched::Damaged)?;
        self.visit(number, kind, &content);
        if node.child == NONE {
            self.recycle(content);
            return Ok(None);
        }
        Ok(Some((kind, content)))
    }

    /// An object whose base is the last of the path.
    fn child(
        &mut self,
        part: &'a Part<Pack>,
        forest: &Forest,
        at: u32,
        kind: Kind,
    ) -> Result<(), NotSearched> {
        let node = &forest.nodes[at as usize];
        let opened = part.content.entry(node.offset).ok_or(NotSearched::Damaged)?;
        if opened.size > LARGEST {
            return Err(NotSearched::TooLarge);
        }
        part.content.unpack(&opened, &mut self.inflate, &mut self.delta).ok_or(NotSearched::Damaged)?;
        let (_, size, _) = delta::sizes(&self.delta).ok_or(NotSearched::Damaged)?;
        if size > LARGEST {
            return Err(NotSearched::TooLarge);
        }
        self.enter(size)?;
        self.restore(part)?;
        let mut content = self.buffer(size);
        let base = self.path.last().and_then(|base| base.content.as_ref()).ok_or(NotSearched::Damaged)?;
        delta::apply(base, &self.delta, &mut content).ok_or(NotSearched::Damaged)?;
        self.visit(part.first + node.position, kind, &content);
        if node.child == NONE {
            self.recycle(content);
            return Ok(());
        }
        // The base has no further delta: it is done, so that a long chain needs two objects at a time.
        if self.path.last().is_some_and(|base| base.child == NONE) {
            self.pop();
        }
        self.push(node, content);
        Ok(())
    }

    fn pop(&mut self) {
        if let Some(content) = self.path.pop().and_then(|base| base.content) {
            self.bases -= content.len() as u64;
            self.recycle(content);
        }
        self.oldest = self.oldest.min(self.path.len());
    }

    fn buffer(&mut self, size: u64) -> Vec<u8> {
        let large = self.large.as_mut().filter(|_| size > self.shared.small);
        large.map_or(&mut self.free, |large| &mut **large).pop().unwrap_or_default()
    }

    fn recycle(&mut self, content: Vec<u8>) {
        const MOST: usize = 4;
        const LARGEST: usize = 1 << 20;
        if content.capacity() as u64 > self.shared.small {
            if let Some(large) = &mut self.large {
                large.push(content);
            }
        } else if self.free.len() < MOST && content.capacity() <= LARGEST {
            self.free.push(content);
        }
    }

    /// Drops the contents that are needed last, if there are too many.
    fn push(&mut self, node: &Node, content: Vec<u8>) {
        self.bases += content.len() as u64;
        self.path.push(Base { child: node.child, offset: node.offset, content: Some(content) });
        // The last one is needed next.
        while self.bases > self.shared.small && self.oldest + 1 < self.path.len() {
            if let Some(dropped) = self.path[self.oldest].content.take() {
                self.bases -= dropped.len() as u64;
                self.recycle(dropped);
            }
            self.oldest += 1;
        }
    }

    /// Makes sure that the last of the path has its content.
    fn restore(&mut self, part: &'a Part<Pack>) -> Result<(), NotSearched> {
        let Some(base) = self.path.last_mut().filter(|base| base.content.is_none()) else { return Ok(()) };
        let mut reader = Reader::new(self.shared.store);
        if let Some(large) = &mut self.large {
            reader.free.append(large);
        }
        let content = reader.packed(part, base.offset);
        if let Some(large) = &mut self.large {
            large.append(&mut reader.free);
        }
        drop(reader);
        let (_, content) = content?;
        let size = content.len() as u64;
        base.content = Some(Arc::unwrap_or_clone(content));
        self.bases += size;
        self.oldest = self.oldest.min(self.path.len() - 1);
        self.enter(size)
    }

    /// Before an object of this size is in memory.
    fn enter(&mut self, size: u64) -> Result<(), NotSearched> {
        let left = self
            .shared
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(size));
        left.map_err(|_| NotSearched::TooLarge)?;
        if size > self.shared.small && self.large.is_none() {
            self.large = Some(self.shared.large.lock().unwrap_or_else(PoisonError::into_inner));
        }
        Ok(())
    }

    fn visit(&mut self, number: Number, kind: Kind, content: &[u8]) {
        if self.shared.store.is_repeated(number) {
            return;
        }
        self.visitor.object(number, kind, content);
    }

    fn stream(&mut self, part: &Part<Pack>, number: Number, kind: Kind, opened: &Opened) {
        if self.shared.store.is_repeated(number) {
            return;
        }
        if kind == Kind::Tree {
            return self.visitor.failed(number, NotSearched::TooLarge);
        }
        let mut content = Inflated::new(part.content.packed(opened), opened.size);
        self.visitor.stream(number, kind, &mut content);
    }

    /// An object and all that need it were not read.
    fn fail(&mut self, part: &Part<Pack>, forest: &Forest, at: u32, why: NotSearched) {
        let mut next = vec![at];
        while let Some(at) = next.pop() {
            let node = &forest.nodes[at as usize];
            if node.position != NONE && !self.shared.store.is_repeated(part.first + node.position) {
                self.visitor.failed(part.first + node.position, why);
            }
            let mut child = node.child;
            while child != NONE {
                next.push(child);
                child = forest.nodes[child as usize].next;
            }
        }
    }
}
