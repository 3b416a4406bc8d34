//! Which trees lead to objects of interest. Trees with the same ones are one node, so that a history with a million commits
//! has as many nodes as there are versions of the files of interest, and folders above them.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gix_hash::{ObjectId, oid};

use super::bits::Bits;
use super::findings::ABSENT;
use super::object::{self, EntryKind, Kind};
use super::read::Reader;
use super::store::{Number, Store};
use crate::place::NotSearched;

/// More folders in folders than any system has in a path.
const DEEPEST: usize = 512;

/// Of trees with the same objects of interest at the same paths.
pub(super) type Node = u32;

/// The node of a tree without any.
pub(super) const NOTHING: Node = 0;

/// What an entry of a node leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Child {
    Blob(Number),
    Tree(Node),
}

/// Names and what they lead to, in the order of the tree.
type Entries = Arc<[(u32, Child)]>;

/// The trees that lead to something.
pub(super) struct Trees {
    nodes: Vec<Entries>,
    node_of: HashMap<Entries, Node>,
    names: Vec<Arc<[u8]>>,
    name_of: HashMap<Arc<[u8]>, u32>,
    /// Why trees were not read.
    pub(super) problems: BTreeSet<NotSearched>,
}

/// Reads the trees that are below others, and gives the node of each of these. Blobs of interest are given.
pub(super) fn read(
    store: &Store,
    blobs: &[Number],
    roots: &[Number],
    threads: NonZeroUsize,
) -> (Trees, Vec<Node>) {
    let blobs = Blobs::new(store, blobs);
    let mut nodes = vec![NOTHING; roots.len()];
    let mut trees = Trees::default();
    if blobs.numbers.is_empty() {
        return (trees, nodes);
    }
    let mut walks: Vec<_> = (0..threads.get()).map(|_| Walk::new(store, &blobs)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for walk in &mut walks {
            scope.spawn(|| walk.roots(roots, threads, &next));
        }
    });
    // Which thread had which root differs from run to run. The numbers of nodes do not.
    let mut found: Vec<_> =
        walks.iter().flat_map(|walk| walk.found.iter().map(move |it| (*it, walk))).collect();
    found.sort_unstable_by_key(|((root, _), _)| *root);
    let mut known = HashMap::new();
    for ((root, node), walk) in found {
        let of_walk = known.entry(std::ptr::from_ref(walk)).or_default();
        nodes[root] = trees.import(&walk.trees, node, of_walk);
    }
    trees.problems = walks.iter().flat_map(|walk| walk.trees.problems.iter().copied()).collect();
    (trees, nodes)
}

impl Default for Trees {
    fn default() -> Self {
        let (node_of, name_of) = (HashMap::new(), HashMap::new());
        Self { nodes: vec![Arc::from([])], node_of, names: Vec::new(), name_of, problems: BTreeSet::new() }
    }
}

impl Trees {
    /// The entries of a node, with their names as of [`Trees::name`].
    pub(super) fn entries(&self, node: Node) -> Entries {
        Arc::clone(&self.nodes[node as usize])
    }

    pub(super) fn name(&self, name: u32) -> &[u8] {
        &self.names[name as usize]
    }

    /// A node of others, and all below it. `known` are those that were imported before.
    fn import(&mut self, other: &Self, node: Node, known: &mut HashMap<Node, Node>) -> Node {
        if let Some(node) = known.get(&node) {
            return *node;
        }
        let entries = other.entries(node);
        let import = |(name, child): &(u32, Child)| {
            let name = self.intern_name(other.name(*name));
            let child = match child {
                Child::Blob(number) => Child::Blob(*number),
                Child::Tree(node) => Child::Tree(self.import(other, *node, known)),
            };
            (name, child)
        };
        let entries = entries.iter().map(import).collect();
        let imported = self.intern(entries);
        known.insert(node, imported);
        imported
    }

    fn intern(&mut self, entries: Vec<(u32, Child)>) -> Node {
        if entries.is_empty() {
            return NOTHING;
        }
        let entries: Entries = entries.into();
        if let Some(node) = self.node_of.get(&entries) {
            return *node;
        }
        let node = Node::try_from(self.nodes.len()).unwrap_or(NOTHING);
        self.nodes.push(Arc::clone(&entries));
        self.node_of.insert(entries, node);
        node
    }

    fn intern_name(&mut self, name: &[u8]) -> u32 {
        if let Some(known) = self.name_of.get(name) {
            return *known;
        }
        let at = u32::try_from(self.names.len()).unwrap_or_default();
        let name: Arc<[u8]> = name.into();
        self.names.push(Arc::clone(&name));
        self.name_of.insert(name, at);
        at
    }
}

/// Blobs of interest.
struct Blobs {
    numbers: HashMap<ObjectId, Number>,
    /// The first two bytes of each, since most blobs are none.
    prefixes: Bits,
}

impl Blobs {
    fn new(store: &Store, blobs: &[Number]) -> Self {
        let numbers: HashMap<_, _> = blobs.iter().map(|number| (store.id(*number), *number)).collect();
        let mut prefixes = Bits::default();
        for id in numbers.keys() {
            prefixes.add(prefix(id.as_slice()));
        }
        Self { numbers, prefixes }
    }

    /// `id` has as many bytes as an id has.
    fn number(&self, id: &[u8]) -> Option<Number> {
        if !self.prefixes.has(prefix(id)) {
            return None;
        }
        self.numbers.get(oid::try_from_bytes(id).ok()?).copied()
    }
}

/// A thread that reads trees.
struct Walk<'a> {
    store: &'a Store,
    reader: Reader<'a>,
    blobs: &'a Blobs,
    /// Trees that were read.
    known: Bits,
    /// Those of them that lead to something.
    nodes_of: HashMap<Number, Node>,
    trees: Trees,
    /// Roots that lead to something.
    found: Vec<(usize, Node)>,
}

impl<'a> Walk<'a> {
    fn new(store: &'a Store, blobs: &'a Blobs) -> Self {
        let reader = Reader::new(store);
        let (known, nodes_of, found) = (Bits::default(), HashMap::new(), Vec::new());
        Self { store, reader, blobs, known, nodes_of, trees: Trees::default(), found }
    }

    /// Takes roots until there is none, the last first: others are mostly the difference to it. Those near each other have
    /// most trees in common.
    fn roots(&mut self, roots: &[Number], threads: NonZeroUsize, next: &AtomicUsize) {
        let chunk = (roots.len() / threads.get() / 8).max(64);
        loop {
            let start = next.fetch_add(chunk, Ordering::Relaxed);
            let Some(left) = roots.len().checked_sub(start).filter(|left| *left > 0) else { return };
            for at in (left.saturating_sub(chunk)..left).rev() {
                let node = self.node(roots[at], 0);
                if node != NOTHING {
                    self.found.push((at, node));
                }
            }
        }
    }

    fn node(&mut self, tree: Number, depth: usize) -> Node {
        if tree == ABSENT {
            return NOTHING;
        }
        if !self.known.add(tree) {
            return self.nodes_of.get(&tree).copied().unwrap_or(NOTHING);
        }
        if depth > DEEPEST {
            self.trees.problems.insert(NotSearched::TooDeep);
            return NOTHING;
        }
        let content = match self.reader.object(tree) {
            Ok((Kind::Tree, content)) => content,
            Ok(_) => {
                self.trees.problems.insert(NotSearched::Damaged);
                return NOTHING;
            }
            Err(why) => {
                self.trees.problems.insert(why);
                return NOTHING;
            }
        };
        let mut found = Vec::new();
        for entry in object::entries(&content, self.store.hash) {
            let Ok(entry) = entry else {
                self.trees.problems.insert(NotSearched::Damaged);
                break;
            };
            if let Some(child) = self.child(&entry, depth) {
                found.push((self.trees.intern_name(entry.name), child));
            }
        }
        let node = self.trees.intern(found);
        if node != NOTHING {
            self.nodes_of.insert(tree, node);
        }
        node
    }

    fn child(&mut self, entry: &object::Entry<'_>, depth: usize) -> Option<Child> {
        match entry.kind {
            EntryKind::Submodule => None,
            EntryKind::Blob => self.blobs.number(entry.id).map(Child::Blob),
            EntryKind::Tree => {
                let Some(number) = self.store.number(oid::try_from_bytes(entry.id).ok()?) else {
                    self.trees.problems.insert(NotSearched::Missing);
                    return None;
                };
                let node = self.node(number, depth + 1);
                (node != NOTHING).then_some(Child::Tree(node))
            }
        }
    }
}

fn prefix(id: &[u8]) -> Number {
    Number::from(id[0]) << 8 | Number::from(id[1])
}
