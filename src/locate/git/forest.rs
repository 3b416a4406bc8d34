//! Which object of a pack is the difference to which: so that each is unpacked once, right after the one that it needs.

use std::ops::Range;

use gix_hash::ObjectId;

use super::pack::{Entry, Pack};

/// As many objects are in memory at a time; a larger pack is searched in parts.
const MOST: u32 = 1 << 19;

/// No node, or no position in the index.
pub(super) const NONE: u32 = u32::MAX;

/// Objects of a part of a pack.
pub(super) struct Forest {
    /// By offset, then those outside of the part.
    pub(super) nodes: Vec<Node>,
    /// Nodes that need no other one of the part.
    pub(super) roots: Vec<u32>,
    /// Nodes that cannot be unpacked: of wrong entries, and one of each circle of deltas.
    pub(super) damaged: Vec<u32>,
    /// Bases by their ids, that are not in the pack.
    pub(super) foreign: Vec<ObjectId>,
}

/// An object, and the first and next of those that need it.
pub(super) struct Node {
    /// For a base of [`Forest::foreign`], the index there.
    pub(super) offset: u64,
    /// In the index of the pack; [`NONE`] for a base outside of the part.
    pub(super) position: u32,
    pub(super) child: u32,
    pub(super) next: u32,
    pub(super) is_foreign: bool,
}

/// A base outside of the part.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Outside {
    Offset(u64),
    Id(ObjectId),
}

/// The parts of a pack, as ranges of offsets.
pub(super) fn parts(pack: &Pack) -> Vec<Range<u64>> {
    if pack.objects() <= MOST {
        return std::iter::once(0..u64::MAX).collect();
    }
    let shift = (0..64).find(|shift| pack.size() >> shift < 1 << 16).unwrap_or_default();
    let mut counts = vec![0_u32; 1 << 16];
    for position in 0..pack.objects() {
        let bucket = usize::try_from(pack.offset(position) >> shift).unwrap_or(usize::MAX);
        counts[bucket.min((1 << 16) - 1)] += 1;
    }
    let mut parts = Vec::new();
    let (mut start, mut objects) = (0, 0);
    for (bucket, count) in (0_u64..).zip(counts) {
        if objects + count > MOST && objects > 0 {
            parts.push(start..bucket << shift);
            (start, objects) = (bucket << shift, 0);
        }
        objects += count;
    }
    parts.push(start..u64::MAX);
    parts
}

impl Forest {
    /// Reads the headers of all entries of a part, and compares their checksums: one of an object of the wrong kind would
    /// not be noticed otherwise.
    pub(super) fn new(pack: &Pack, part: &Range<u64>) -> Self {
        let mut nodes = Vec::new();
        let mut end = pack.end();
        for position in 0..pack.objects() {
            let offset = pack.offset(position);
            if part.contains(&offset) {
                nodes.push(Node { offset, position, child: NONE, next: NONE, is_foreign: false });
            } else if offset >= part.end {
                end = end.min(offset);
            }
        }
        nodes.sort_unstable_by_key(|node| (node.offset, node.position));
        let mut forest = Self { nodes, roots: Vec::new(), damaged: Vec::new(), foreign: Vec::new() };
        let outside = forest.link(pack, end);
        forest.add_outside(outside);
        forest
    }

    /// From the last to the first, so that children are in the order of their offsets.
    fn link(&mut self, pack: &Pack, end: u64) -> Vec<(Outside, u32)> {
        let mut outside = Vec::new();
        let mut is_maybe_cyclic = false;
        let mut end = end;
        for at in (0..index(self.nodes.len())).rev() {
            let node = &self.nodes[at as usize];
            let opened = pack.entry(node.offset).filter(|_| pack.is_intact(node.position, node.offset..end));
            end = node.offset;
            let base = match opened.map_or(Entry::Damaged, |opened| opened.entry) {
                Entry::Whole(_) => {
                    self.roots.push(at);
                    continue;
                }
                Entry::Damaged => {
                    self.damaged.push(at);
                    continue;
                }
                Entry::Offset(offset) => Outside::Offset(offset),
                Entry::Id(id) => pack
                    .position(&id)
                    .map_or(Outside::Id(id), |position| Outside::Offset(pack.offset(position))),
            };
            match &base {
                // Mostly a base is before what needs it.
                Outside::Offset(offset) => {
                    is_maybe_cyclic |= *offset >= self.nodes[at as usize].offset;
                    match self.nodes.binary_search_by_key(offset, |node| node.offset) {
                        Ok(parent) => self.adopt(parent, at),
                        Err(_) => outside.push((base, at)),
                    }
                }
                Outside::Id(_) => outside.push((base, at)),
            }
        }
        self.roots.reverse();
        if is_maybe_cyclic {
            self.cut_cycles();
        }
        outside
    }

    fn adopt(&mut self, parent: usize, child: u32) {
        self.nodes[child as usize].next = self.nodes[parent].child;
        self.nodes[parent].child = child;
    }

    /// Takes one of the objects that need each other out of their circle.
    fn cut_cycles(&mut self) {
        let mut parent = vec![NONE; self.nodes.len()];
        for at in 0..self.nodes.len() {
            let mut child = self.nodes[at].child;
            while child != NONE {
                parent[child as usize] = index(at);
                child = self.nodes[child as usize].next;
            }
        }
        // Each node is passed at most twice: `known` ends a path that an earlier one has taken.
        let mut known = vec![0_u32; self.nodes.len()];
        for start in 0..index(self.nodes.len()) {
            let mut at = start;
            while at != NONE && known[at as usize] == 0 {
                known[at as usize] = start + 1;
                at = parent[at as usize];
            }
            if at != NONE && known[at as usize] == start + 1 {
                self.damaged.push(at);
                self.cut(parent[at as usize], at);
            }
        }
    }

    /// Removes a child from its parent.
    fn cut(&mut self, parent: u32, child: u32) {
        let next = self.nodes[child as usize].next;
        let mut at = self.nodes[parent as usize].child;
        if at == child {
            self.nodes[parent as usize].child = next;
        }
        while at != NONE {
            let after = self.nodes[at as usize].next;
            if after == child {
                self.nodes[at as usize].next = next;
            }
            at = after;
        }
        self.nodes[child as usize].next = NONE;
    }

    /// A node for each base outside.
    fn add_outside(&mut self, mut outside: Vec<(Outside, u32)>) {
        outside.sort_unstable();
        let mut last = None;
        for (base, child) in outside.into_iter().rev() {
            if last.as_ref() != Some(&base) {
                self.roots.push(index(self.nodes.len()));
                let (offset, is_foreign) = match &base {
                    Outside::Offset(offset) => (*offset, false),
                    Outside::Id(id) => {
                        self.foreign.push(*id);
                        (self.foreign.len() as u64 - 1, true)
                    }
                };
                self.nodes.push(Node { offset, position: NONE, child: NONE, next: NONE, is_foreign });
            }
            last = Some(base);
            self.adopt(self.nodes.len() - 1, child);
        }
    }
}

/// An index of a node. A part of a pack has less than [`NONE`] objects.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}
