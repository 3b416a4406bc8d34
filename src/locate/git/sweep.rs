//! Reads every object of a store once: packs in their order, each delta right after its base.

use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::forest::{self, Forest};
use super::loose::Loose;
use super::object::Kind;
use super::read::LARGEST;
use super::store::{Number, Part, Store};
use super::worker::Worker;
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
pub(super) struct Shared<'a> {
    pub(super) store: &'a Store,
    /// Bytes that may still be unpacked: a hostile pack claims more than there is time for.
    pub(super) left: AtomicU64,
    /// Of a thread at a time that has objects of more than `small` bytes in memory: its buffers, which are kept, since an
    /// allocator may keep as much again of what is freed.
    pub(super) large: Mutex<Vec<Vec<u8>>>,
    pub(super) small: u64,
}

/// Objects may have this many times the size of their files. The history of a file of 10 MB with 50,000 versions has less.
const RATIO: u64 = 20_000;

/// What all threads together keep of bases, unless one is larger.
const BASES: u64 = 32 << 20;

/// Reads all objects that no lower number has, in as many threads as there are visitors.
pub(super) fn sweep<V: Visit>(store: &Store, visitors: &mut [V]) {
    let threads = NonZeroUsize::new(visitors.len()).unwrap_or(NonZeroUsize::MIN);
    let files: u64 = store.packs.iter().map(|part| part.content.size()).sum();
    let shared = Shared {
        store,
        left: AtomicU64::new(files.saturating_mul(RATIO).saturating_add(1 << 36)),
        large: Mutex::default(),
        small: (BASES / threads.get() as u64).clamp(1 << 19, 8 << 20),
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
                scope.spawn(|| read_loose(&shared, part, &next, visitor));
            }
        });
    }
}

/// Takes loose objects until there is none.
fn read_loose<V: Visit>(shared: &Shared<'_>, part: &Part<Loose>, next: &AtomicUsize, visitor: &mut V) {
    let mut content = Vec::new();
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let number = Number::try_from(at).ok().map(|at| part.first + at).filter(|number| *number < part.end);
        let Some(number) = number else { return };
        if shared.store.is_repeated(number) {
            continue;
        }
        let mut opened = match part.content.object(at) {
            Ok(opened) => opened,
            Err(why) => {
                visitor.failed(number, why);
                continue;
            }
        };
        let is_tree = opened.kind == Kind::Tree;
        if is_tree && opened.size > LARGEST {
            visitor.failed(number, NotSearched::TooLarge);
        } else if opened.size > shared.small && !is_tree {
            visitor.stream(number, opened.kind, &mut opened.content);
        } else {
            content.clear();
            match opened.content.read_to_end(&mut content) {
                Ok(_) => visitor.object(number, opened.kind, &content),
                Err(_) => visitor.failed(number, NotSearched::Damaged),
            }
        }
    }
}
