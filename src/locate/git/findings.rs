//! What reading all objects yields: keys by object, and the commits.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};

use gix_hash::{ObjectId, oid};

use super::object::{self, EntryKind, Kind};
use super::store::{Number, Store};
use super::sweep::Visit;
use crate::locate::scan::{Found, Hit, Scanner};
use crate::place::NotSearched;

/// How many objects are remembered. A power of two.
const PRESENT: usize = 1 << 16;

/// In place of an object that is not there.
pub(super) const ABSENT: Number = Number::MAX;

/// What was found in the objects of a store.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Of a commit or tag, the line is that of its message, 0 before it.
    pub(super) hits: BTreeMap<Number, Vec<Hit>>,
    /// Objects that were not searched to their end, with the member.
    pub(super) unsearched: BTreeMap<Number, BTreeSet<(String, NotSearched)>>,
    pub(super) commits: Vec<Commit>,
    /// Of all commits, one after another.
    pub(super) parents: Vec<Number>,
    /// With what they are of.
    pub(super) tags: Vec<(Number, ObjectId)>,
    /// Pointers of Git LFS by the name of the content: the object, and the member of it.
    pub(super) pointers: BTreeMap<String, Vec<(Number, String)>>,
    /// The names of the contents of Git LFS that were searched.
    pub(super) contents: BTreeSet<String>,
    /// Whether something is not there that an object, a reference, a reflog or the index names.
    pub(super) is_missing: bool,
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

/// A commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Commit {
    pub(super) number: Number,
    pub(super) tree: Number,
    /// Of the committer, in seconds since 1970.
    pub(super) date: i64,
    /// The first of its parents in [`Findings::parents`], and how many there are.
    pub(super) parents: (u32, u32),
}

impl Findings {
    /// Adds those of another thread.
    pub(super) fn append(&mut self, mut other: Self) {
        self.hits.append(&mut other.hits);
        self.unsearched.append(&mut other.unsearched);
        let shift = u32::try_from(self.parents.len()).unwrap_or(u32::MAX);
        self.parents.append(&mut other.parents);
        let shifted = |commit: Commit| Commit {
            parents: (commit.parents.0.saturating_add(shift), commit.parents.1),
            ..commit
        };
        self.commits.extend(other.commits.into_iter().map(shifted));
        self.tags.append(&mut other.tags);
        for (content, mut numbers) in other.pointers {
            self.pointers.entry(content).or_default().append(&mut numbers);
        }
        self.is_missing |= other.is_missing;
        self.objects += other.objects;
        self.bytes += other.bytes;
    }

    /// Whether an object is a tag, after [`Findings::sort`].
    pub(super) fn is_tag(&self, number: Number) -> bool {
        self.target(number).is_some()
    }

    /// What a tag is of, after [`Findings::sort`].
    pub(super) fn target(&self, tag: Number) -> Option<ObjectId> {
        self.tags.binary_search_by_key(&tag, |(number, _)| *number).ok().map(|at| self.tags[at].1)
    }

    /// After the last [`Findings::append`].
    pub(super) fn sort(&mut self) {
        self.tags.sort_unstable();
    }

    /// The parents of a commit.
    pub(super) fn parents_of(&self, commit: &Commit) -> &[Number] {
        let (start, len) = commit.parents;
        self.parents.get(start as usize..).and_then(|parents| parents.get(..len as usize)).unwrap_or_default()
    }
}

/// A thread that searches objects.
pub(super) struct Finder<'a> {
    store: &'a Store,
    scanner: Scanner<'a>,
    read: &'a AtomicU64,
    pub(super) findings: Findings,
    hits: Results,
    /// Objects that trees need and that are there: the last ones, by their first bytes. Of each id ten bytes are compared, in
    /// which no two objects are the same.
    present: Vec<u64>,
}

/// What was found in one object: of a key with an encoding the first hit in each member, since a hostile object may have
/// millions of them.
#[derive(Default)]
pub(super) struct Results {
    pub(super) hits: BTreeMap<(u64, String, String), Hit>,
    pub(super) unsearched: BTreeSet<(String, NotSearched)>,
    /// Members that are pointers of Git LFS, and the names of their contents.
    pub(super) pointers: BTreeSet<(String, String)>,
}

impl Results {
    /// None of the contents is there.
    pub(super) fn report_pointers(&mut self) {
        let pointers = std::mem::take(&mut self.pointers).into_iter();
        self.unsearched.extend(pointers.map(|(member, _)| (member, NotSearched::LfsPointer)));
    }
}

impl Found for Results {
    fn hit(&mut self, hit: Hit) {
        let key = (hit.suffix, hit.member.clone(), hit.encoding.clone());
        let first = self.hits.entry(key).or_insert_with(|| hit.clone());
        if (hit.line, hit.column) < (first.line, first.column) {
            *first = hit;
        }
    }

    fn not_searched(&mut self, member: &str, why: NotSearched) {
        self.unsearched.insert((member.to_owned(), why));
    }

    fn pointer(&mut self, member: &str, content: &str) {
        self.pointers.insert((member.to_owned(), content.to_owned()));
    }
}

impl<'a> Finder<'a> {
    pub(super) fn new(store: &'a Store, scanner: Scanner<'a>, read: &'a AtomicU64) -> Self {
        Self {
            store,
            scanner,
            read,
            findings: Findings::default(),
            hits: Results::default(),
            present: vec![0; PRESENT],
        }
    }

    /// Keeps what was found in an object of which so many lines come before the first.
    fn keep(&mut self, number: Number, lines: impl FnOnce() -> u64) {
        if !self.hits.hits.is_empty() {
            let before = lines();
            let mut hits: Vec<_> = std::mem::take(&mut self.hits.hits).into_values().collect();
            for hit in &mut hits {
                hit.line = hit.line.saturating_sub(before);
            }
            self.findings.hits.insert(number, hits);
        }
        if !self.hits.unsearched.is_empty() {
            self.findings.unsearched.insert(number, std::mem::take(&mut self.hits.unsearched));
        }
        for (member, content) in std::mem::take(&mut self.hits.pointers) {
            self.findings.pointers.entry(content).or_default().push((number, member));
        }
    }

    fn count(&mut self, bytes: u64) {
        self.findings.objects += 1;
        self.findings.bytes += bytes;
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    fn commit(&mut self, number: Number, content: &[u8]) {
        let links = object::links(content);
        self.findings.is_missing |= links.is_damaged;
        let mut find = |id: &ObjectId| {
            self.store.number(id).unwrap_or_else(|| {
                self.findings.is_missing = true;
                ABSENT
            })
        };
        let tree = links.tree.as_ref().map_or(ABSENT, &mut find);
        let parents: Vec<_> = links.parents.iter().map(find).collect();
        let start = u32::try_from(self.findings.parents.len()).unwrap_or(u32::MAX);
        let parents_len = u32::try_from(parents.len()).unwrap_or_default();
        self.findings.parents.extend(parents);
        self.findings.commits.push(Commit { number, tree, date: links.date, parents: (start, parents_len) });
    }

    /// Trees have no key, but a content that is not there may have one.
    fn tree(&mut self, content: &[u8]) {
        for entry in object::entries(content, self.store.hash) {
            let Ok(entry) = entry else {
                self.findings.is_missing = true;
                return;
            };
            if entry.kind == EntryKind::Submodule {
                continue;
            }
            let Some(([first, second], rest)) = entry.id.split_first_chunk() else { continue };
            let slot = (usize::from(*first) << 8 | usize::from(*second)) % PRESENT;
            // Never that of an empty slot.
            let id = rest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)) | 1;
            if self.present[slot] == id {
                continue;
            }
            match oid::try_from_bytes(entry.id).ok().and_then(|id| self.store.number(id)) {
                Some(_) => self.present[slot] = id,
                None => self.findings.is_missing = true,
            }
        }
    }

    fn tag(&mut self, number: Number, content: &[u8]) {
        let target = object::target(content);
        self.findings.is_missing |= target.is_none_or(|target| self.store.number(&target).is_none());
        self.findings.tags.extend(target.map(|target| (number, target)));
    }
}

impl Visit for Finder<'_> {
    fn object(&mut self, number: Number, kind: Kind, content: &[u8]) {
        if kind == Kind::Tree {
            return self.tree(content);
        }
        self.count(content.len() as u64);
        self.scanner.bytes("", content, &mut self.hits);
        match kind {
            Kind::Blob => self.keep(number, || 0),
            Kind::Commit => {
                self.commit(number, content);
                self.keep(number, || object::header_lines(content));
            }
            Kind::Tag => {
                self.tag(number, content);
                self.keep(number, || object::header_lines(content));
            }
            Kind::Tree => {}
        }
    }

    fn stream(&mut self, number: Number, kind: Kind, content: &mut dyn Read) {
        let mut counted = Counted { content, bytes: 0 };
        self.scanner.reader("", &mut counted, &mut self.hits);
        let bytes = counted.bytes;
        self.count(bytes);
        let damaged = (String::new(), NotSearched::Unreadable);
        if self.hits.unsearched.remove(&damaged) {
            self.hits.unsearched.insert((String::new(), NotSearched::Damaged));
        }
        if kind != Kind::Blob {
            // The commit or tag itself is not kept: its links are unknown.
            self.findings.is_missing = true;
        }
        self.keep(number, || 0);
    }

    fn failed(&mut self, number: Number, why: NotSearched) {
        self.findings.unsearched.entry(number).or_default().insert((String::new(), why));
    }
}

struct Counted<'a> {
    content: &'a mut dyn Read,
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.content.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}
