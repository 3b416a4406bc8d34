//! All object databases of a repository as one, in which each object has a number.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::path::{Path, PathBuf};

use gix_hash::{Kind as Hash, ObjectId, oid};

use super::bits::Bits;
use super::files::{self, Problem};
use super::loose::Loose;
use super::pack::Pack;
use crate::place::NotSearched;

/// Of an object: first those of the packs, in the order of their ids, then the loose ones.
pub(super) type Number = u32;

/// As many steps from one object database to the next as git takes.
const ALTERNATES: usize = 5;

/// The objects of a repository.
pub(super) struct Store {
    pub(super) hash: Hash,
    pub(super) packs: Vec<Part<Pack>>,
    pub(super) loose: Vec<Part<Loose>>,
    /// One more than the last number.
    pub(super) end: Number,
    /// Objects that another number has, too.
    repeated: Bits,
}

/// A part of the store.
pub(super) struct Part<T> {
    pub(super) content: T,
    /// The number of its first object.
    pub(super) first: Number,
    pub(super) end: Number,
}

impl Store {
    /// Opens the folder `objects` and its alternates.
    pub(super) fn open(objects: &Path, hash: Hash, problems: &mut Vec<Problem>) -> Self {
        let mut store =
            Self { hash, packs: Vec::new(), loose: Vec::new(), end: 0, repeated: Bits::default() };
        let folders = databases(objects, problems);
        for folder in &folders {
            let leftovers = leftovers(folder, problems);
            problems.extend(leftovers.into_iter().map(|path| (path, NotSearched::Damaged)));
            store.open_packs(&folder.join("pack"), problems);
        }
        for folder in &folders {
            let loose = Loose::open(folder, hash, problems);
            let Some(end) =
                Number::try_from(loose.ids().len()).ok().and_then(|len| store.end.checked_add(len))
            else {
                problems.push((folder.clone(), NotSearched::TooLarge));
                continue;
            };
            store.loose.push(Part { content: loose, first: store.end, end });
            store.end = end;
        }
        store.repeated = store.find_repeated();
        store
    }

    fn open_packs(&mut self, folder: &Path, problems: &mut Vec<Problem>) {
        for name in files::names(folder, problems) {
            let path = folder.join(name);
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("idx") => {}
                Some("pack") if !path.with_extension("idx").exists() => {
                    problems.push((path, NotSearched::Missing));
                    continue;
                }
                _ => continue,
            }
            match Pack::open(&path, self.hash) {
                Ok(pack) => {
                    if pack.is_indexed_wrong() {
                        problems.push((path.clone(), NotSearched::Damaged));
                    }
                    let Some(end) = self.end.checked_add(pack.objects()) else {
                        problems.push((path, NotSearched::TooLarge));
                        continue;
                    };
                    self.packs.push(Part { content: pack, first: self.end, end });
                    self.end = end;
                }
                Err(why) => problems.push((path, why)),
            }
        }
    }

    /// The number of an object, the least if it has several.
    pub(super) fn number(&self, id: &oid) -> Option<Number> {
        let packed = |part: &Part<Pack>| part.content.position(id).map(|position| part.first + position);
        let loose =
            |part: &Part<Loose>| Some(part.first + Number::try_from(part.content.position(id)?).ok()?);
        self.packs.iter().find_map(packed).or_else(|| self.loose.iter().find_map(loose))
    }

    pub(super) fn id(&self, number: Number) -> ObjectId {
        match self.locate(number) {
            Location::Packed(pack, position) => pack.content.id(position).to_owned(),
            Location::Loose(loose, position) => loose.content.ids()[position],
        }
    }

    pub(super) fn locate(&self, number: Number) -> Location<'_> {
        let packs = self.packs.partition_point(|part| part.end <= number);
        if let Some(part) = self.packs.get(packs) {
            return Location::Packed(part, number - part.first);
        }
        let part = &self.loose[self.loose.partition_point(|part| part.end <= number)];
        Location::Loose(part, (number - part.first) as usize)
    }

    /// Whether a lower number has the same object.
    pub(super) fn is_repeated(&self, number: Number) -> bool {
        self.repeated.has(number)
    }

    /// Merges the ids of all parts, each of which is sorted.
    fn find_repeated(&self) -> Bits {
        let mut repeated = Bits::default();
        let packs = self.packs.iter().map(|part| (part.first, part.end));
        let loose = self.loose.iter().map(|part| (part.first, part.end));
        let parts: Vec<_> = packs.chain(loose).filter(|(first, end)| first < end).collect();
        if parts.len() < 2 {
            return repeated;
        }
        let mut next: BinaryHeap<_> =
            parts.iter().map(|(first, end)| Reverse((self.id(*first), *first, *end))).collect();
        let mut last = None;
        while let Some(Reverse((id, number, end))) = next.pop() {
            if last == Some(id) {
                repeated.add(number);
            }
            last = Some(id);
            if number + 1 < end {
                next.push(Reverse((self.id(number + 1), number + 1, end)));
            }
        }
        repeated
    }
}

/// Where an object is: a part, and its position there.
pub(super) enum Location<'a> {
    Packed(&'a Part<Pack>, u32),
    Loose(&'a Part<Loose>, usize),
}

/// A folder of objects and all those that it names as its alternates, each once.
fn databases(objects: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut known = HashSet::new();
    let mut folders = Vec::new();
    let mut next = vec![(objects.to_owned(), 0)];
    while let Some((folder, depth)) = next.pop() {
        let canonical = match folder.canonicalize() {
            Ok(canonical) => canonical,
            Err(error) => {
                problems.push((folder, files::reason(&error)));
                continue;
            }
        };
        if !known.insert(canonical.clone()) {
            continue;
        }
        if depth > ALTERNATES {
            problems.push((folder, NotSearched::TooDeep));
            continue;
        }
        next.extend(alternates(&canonical, problems).into_iter().map(|folder| (folder, depth + 1)));
        folders.push(canonical);
    }
    folders
}

/// Files and folders of commands that were stopped: git reads none of them, and whatever is in them may be cut.
fn leftovers(objects: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut leftovers = Vec::new();
    for name in files::names(objects, problems) {
        let text = name.to_string_lossy();
        let path = objects.join(&name);
        if text.starts_with("tmp_") {
            leftovers.push(path);
        } else if text == "pack" || text.len() == 2 {
            let names = files::names(&path, problems).into_iter();
            leftovers.extend(
                names.filter(|name| name.to_string_lossy().starts_with("tmp_")).map(|name| path.join(name)),
            );
        }
    }
    leftovers
}

/// One a line, absolute or below the folder; `#` for comments. A path in quotes is taken without them.
fn alternates(objects: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let list = files::read_up_to(&objects.join("info/alternates"), 1 << 20, problems).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| objects.join(line.trim_matches('"'))).collect()
}
