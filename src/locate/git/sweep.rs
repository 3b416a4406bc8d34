//! Reads every object of a store once: packs in their order, each delta right after its base.

use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gix_zlib::Inflate;

use super::delta;
use super::forest::{self, Forest, NONE, Node};
use super::inflate::Inflated;
use super::loose::Loose;
use super::object::Kind;
use super::pack::{Entry, Opened, Pack};
use super::read::{LARGEST, Reader};
use super::store::{Number, Part, Store};
use crate::place::NotSearched;

/// Takes the objects.
pub(super) trait Visit: Send {
    /// An object in memory.
    fn object(&mut self, number: Number, kind: Kind, content: &[u8]);
    /// A large one, but no tree.
    fn stream(&mut self, number: Number, kind: Kind, content: &mut dyn Read);
    /// One that was not read.
    fn failed(&mut self, number: Number, why: NotSearched);
}

/// What threads share.
struct Shared<'a> {
    store: &'a Store,
    /// Bytes that may still be unpacked: a hostile pack claims more than there is time for.
    left: AtomicU64,
    /// Of a thread at a time that has objects of more than `small` bytes in memory.
    large: Mutex<()>,
    small: u64,
    max_size: u64,
}

/// Objects may have this many times the size of their files. The history of a file of 10 MB with 50,000 versions has less.
const RATIO: u64 = 20_000;

/// What all threads together keep of bases, unless one is larger.
const BASES: u64 = 32 << 20;

/// Reads all objects that no lower number has, in as many threads as there are visitors.
pub(super) fn sweep<V: Visit>(store: &Store, visitors: &mut [V], max_size: u64) {
    let threads = NonZeroUsize::new(visitors.len()).unwrap_or(NonZeroUsize::MIN);
    let files: u64 = store.packs.iter().map(|part| part.content.size()).sum();
    let shared = Shared {
        store,
        left: AtomicU64::new(files.saturating_mul(RATIO).saturating_add(1 << 36)),
        large: Mutex::new(()),
        small: (BASES / threads.get() as u64).clamp(1 << 19, 8 << 20),
        max_size,
    };
    for part in &store.packs {
        for range in forest::parts(&part.content) {
            let forest = Forest::new(&part.content, &range);
            let next = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for visitor in &mut *visitors {
                    scope.spawn(|| Worker::new(&shared, visitor).forest(part, &forest, &next));
                }
            });
        }
    }
    for part in &store.loose {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for visitor in &mut *visitors {
                scope.spawn(|| Worker::new(&shared, visitor).loose(part, &next));
            }
        });
    }
}

/// A thread.
struct Worker<'a, V> {
    shared: &'a Shared<'a>,
    visitor: &'a mut V,
    inflate: Inflate,
    delta: Vec<u8>,
    /// Buffers to use again.
    free: Vec<Vec<u8>>,
    /// From a root to the object at hand.
    path: Vec<Base>,
    /// The size of the contents of the path.
    bases: u64,
    /// The first of the path that may have its content.
    oldest: usize,
    /// Held while an object in memory is large.
    large: Option<MutexGuard<'a, ()>>,
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
    fn new(shared: &'a Shared<'a>, visitor: &'a mut V) -> Self {
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

    fn forest(mut self, part: &'a Part<Pack>, forest: &Forest, next: &AtomicUsize) {
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
            return Ok(Some((kind, content.to_vec())));
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
        let mut content = self.free.pop().unwrap_or_default();
        part.content.unpack(&opened, &mut self.inflate, &mut content).ok_or(NotSearched::Damaged)?;
        self.visit(number, kind, &content);
        if node.child == NONE {
            self.free.push(content);
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
        let is_only_visited = node.child == NONE && kind != Kind::Tree;
        if size > LARGEST || is_only_visited && size > self.shared.max_size {
            return Err(NotSearched::TooLarge);
        }
        self.enter(size)?;
        self.restore(part)?;
        let mut content = self.free.pop().unwrap_or_default();
        let base = self.path.last().and_then(|base| base.content.as_ref()).ok_or(NotSearched::Damaged)?;
        delta::apply(base, &self.delta, &mut content).ok_or(NotSearched::Damaged)?;
        self.visit(part.first + node.position, kind, &content);
        if node.child == NONE {
            self.free.push(content);
            self.free.truncate(4);
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
            self.free.push(content);
        }
        self.oldest = self.oldest.min(self.path.len());
    }

    /// Drops the contents that are needed last, if there are too many.
    fn push(&mut self, node: &Node, content: Vec<u8>) {
        self.bases += content.len() as u64;
        self.path.push(Base { child: node.child, offset: node.offset, content: Some(content) });
        // The last one is needed next.
        while self.bases > self.shared.small && self.oldest + 1 < self.path.len() {
            let dropped = self.path[self.oldest].content.take();
            self.bases -= dropped.map_or(0, |content| content.len() as u64);
            self.oldest += 1;
            self.free.clear();
        }
    }

    /// Makes sure that the last of the path has its content.
    fn restore(&mut self, part: &'a Part<Pack>) -> Result<(), NotSearched> {
        let Some(base) = self.path.last_mut().filter(|base| base.content.is_none()) else { return Ok(()) };
        let (_, content) = Reader::new(self.shared.store).packed(part, base.offset)?;
        base.content = Some(content.to_vec());
        self.bases += content.len() as u64;
        self.oldest = self.oldest.min(self.path.len() - 1);
        self.enter(content.len() as u64)
    }

    /// Before an object of this size is in memory.
    fn enter(&mut self, size: u64) -> Result<(), NotSearched> {
        let left = self
            .shared
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(size));
        left.map_err(|_| NotSearched::TooLarge)?;
        if size > self.shared.small && self.large.is_none() {
            self.free.clear();
            self.large = Some(self.shared.large.lock().unwrap_or_else(PoisonError::into_inner));
        }
        Ok(())
    }

    fn visit(&mut self, number: Number, kind: Kind, content: &[u8]) {
        if self.shared.store.is_repeated(number) {
            return;
        }
        if content.len() as u64 > self.shared.max_size && kind != Kind::Tree {
            return self.visitor.failed(number, NotSearched::TooLarge);
        }
        self.visitor.object(number, kind, content);
    }

    fn stream(&mut self, part: &Part<Pack>, number: Number, kind: Kind, opened: &Opened) {
        if self.shared.store.is_repeated(number) {
            return;
        }
        if opened.size > self.shared.max_size || kind == Kind::Tree {
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

    fn loose(mut self, part: &Part<Loose>, next: &AtomicUsize) {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(number) =
                Number::try_from(at).ok().map(|at| part.first + at).filter(|number| *number < part.end)
            else {
                return;
            };
            if !self.shared.store.is_repeated(number) {
                self.loose_object(part, at, number);
            }
        }
    }

    fn loose_object(&mut self, part: &Part<Loose>, at: usize, number: Number) {
        let Some(mut opened) = part.content.object(at) else {
            return self.visitor.failed(number, NotSearched::Damaged);
        };
        let is_tree = opened.kind == Kind::Tree;
        if opened.size > if is_tree { LARGEST } else { self.shared.max_size } {
            return self.visitor.failed(number, NotSearched::TooLarge);
        }
        if opened.size > self.shared.small && !is_tree {
            return self.visitor.stream(number, opened.kind, &mut opened.content);
        }
        let mut content = self.free.pop().unwrap_or_default();
        content.clear();
        match opened.content.read_to_end(&mut content) {
            Ok(_) => self.visitor.object(number, opened.kind, &content),
            Err(_) => self.visitor.failed(number, NotSearched::Damaged),
        }
        self.free.push(content);
    }
}
