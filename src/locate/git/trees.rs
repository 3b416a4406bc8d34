//! Which trees lead to objects of interest. Trees with the same ones are one node, so that a history with a million commits
//! has as many nodes as there are versions of the files of interest, and folders above them.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use gix_hash::ObjectId;

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

type Entries = Rc<[(u32, Child)]>;

/// The trees of a store.
pub(super) struct Trees<'a> {
    store: &'a Store,
    reader: Reader<'a>,
    /// Of interest.
    blobs: HashMap<ObjectId, Number>,
    /// The first two bytes of each, since most blobs are none.
    prefixes: Bits,
    /// Trees that were read.
    known: Bits,
    /// Those of them that lead to something.
    nodes_of: HashMap<Number, Node>,
    nodes: Vec<Entries>,
    node_of: HashMap<Entries, Node>,
    names: Vec<Rc<[u8]>>,
    name_of: HashMap<Rc<[u8]>, u32>,
    /// Why trees were not read.
    pub(super) problems: HashSet<NotSearched>,
}

impl<'a> Trees<'a> {
    pub(super) fn new(store: &'a Store, blobs: impl Iterator<Item = Number>) -> Self {
        let blobs: HashMap<_, _> = blobs.map(|number| (store.id(number), number)).collect();
        let mut prefixes = Bits::default();
        for id in blobs.keys() {
            prefixes.add(prefix(id.as_slice()));
        }
        Self {
            store,
            reader: Reader::new(store),
            blobs,
            prefixes,
            known: Bits::default(),
            nodes_of: HashMap::new(),
            nodes: vec![Rc::from([])],
            node_of: HashMap::new(),
            names: Vec::new(),
            name_of: HashMap::new(),
            problems: HashSet::new(),
        }
    }

    /// The entries of a node, with their names as of [`Trees::name`].
    pub(super) fn entries(&self, node: Node) -> Entries {
        Rc::clone(&self.nodes[node as usize])
    }

    pub(super) fn name(&self, name: u32) -> &[u8] {
        &self.names[name as usize]
    }

    /// The node of a tree.
    pub(super) fn node(&mut self, tree: Number) -> Node {
        self.node_at(tree, 0)
    }

    fn node_at(&mut self, tree: Number, depth: usize) -> Node {
        if tree == ABSENT {
            return NOTHING;
        }
        if !self.known.add(tree) {
            return self.nodes_of.get(&tree).copied().unwrap_or(NOTHING);
        }
        if depth > DEEPEST {
            self.problems.insert(NotSearched::TooDeep);
            return NOTHING;
        }
        let content = match self.reader.object(tree) {
            Ok((Kind::Tree, content)) => content,
            Ok(_) => {
                self.problems.insert(NotSearched::Damaged);
                return NOTHING;
            }
            Err(why) => {
                self.problems.insert(why);
                return NOTHING;
            }
        };
        let mut found = Vec::new();
        for entry in object::entries(&content, self.store.hash) {
            let Ok(entry) = entry else {
                self.problems.insert(NotSearched::Damaged);
                break;
            };
            if let Some(child) = self.child(&entry, depth) {
                found.push((self.intern_name(entry.name), child));
            }
        }
        let node = self.intern(found);
        if node != NOTHING {
            self.nodes_of.insert(tree, node);
        }
        node
    }

    fn child(&mut self, entry: &object::Entry<'_>, depth: usize) -> Option<Child> {
        match entry.kind {
            EntryKind::Submodule => None,
            EntryKind::Blob if !self.prefixes.has(prefix(entry.id)) => None,
            EntryKind::Blob => self.blobs.get(&ObjectId::try_from(entry.id).ok()?).copied().map(Child::Blob),
            EntryKind::Tree => {
                let Some(number) = self.store.number(&ObjectId::try_from(entry.id).ok()?) else {
                    self.problems.insert(NotSearched::Missing);
                    return None;
                };
                let node = self.node_at(number, depth + 1);
                (node != NOTHING).then_some(Child::Tree(node))
            }
        }
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
        self.nodes.push(Rc::clone(&entries));
        self.node_of.insert(entries, node);
        node
    }

    fn intern_name(&mut self, name: &[u8]) -> u32 {
        if let Some(known) = self.name_of.get(name) {
            return *known;
        }
        let at = u32::try_from(self.names.len()).unwrap_or_default();
        let name: Rc<[u8]> = name.into();
        self.names.push(Rc::clone(&name));
        self.name_of.insert(name, at);
        at
    }
}

fn prefix(id: &[u8]) -> Number {
    Number::from(id[0]) << 8 | Number::from(id[1])
}
