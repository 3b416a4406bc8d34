//! Objects in files of their own.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use gix_hash::{Kind as Hash, ObjectId, oid};

use super::files::{self, Problem};
use super::inflate::Inflated;
use super::object::Kind;
use crate::place::NotSearched;

/// The loose objects of a folder.
pub(super) struct Loose {
    folder: PathBuf,
    /// Sorted.
    ids: Vec<ObjectId>,
}

/// An object of which only the header was read.
pub(super) struct Opened {
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) content: Inflated<BufReader<File>>,
}

impl Loose {
    pub(super) fn open(folder: &Path, hash: Hash, problems: &mut Vec<Problem>) -> Self {
        let mut ids = Vec::new();
        for first in files::names(folder, problems) {
            let Some(first) = first.to_str().filter(|name| name.len() == 2) else { continue };
            for rest in files::names(&folder.join(first), problems) {
                let id = rest.to_str().filter(|rest| rest.len() + 2 == hash.len_in_hex());
                ids.extend(id.and_then(|rest| ObjectId::from_hex(format!("{first}{rest}").as_bytes()).ok()));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Self { folder: folder.to_owned(), ids }
    }

    pub(super) fn ids(&self) -> &[ObjectId] {
        &self.ids
    }

    pub(super) fn position(&self, id: &oid) -> Option<usize> {
        self.ids.binary_search_by(|other| other.as_bytes().cmp(id.as_bytes())).ok()
    }

    /// Of the object, below the folder of the objects.
    pub(super) fn path(&self, position: usize) -> PathBuf {
        let hex = self.ids[position].to_string();
        self.folder.join(&hex[..2]).join(&hex[2..])
    }

    /// Opens the file of an object.
    pub(super) fn object(&self, position: usize) -> Result<Opened, NotSearched> {
        let file = BufReader::with_capacity(1 << 14, files::open(&self.path(position))?);
        Opened::new(file).ok_or(NotSearched::Damaged)
    }
}

impl Opened {
    /// `None` if the file is not an object.
    fn new(file: BufReader<File>) -> Option<Self> {
        let mut content = Inflated::new(file, 32);
        // The longest header has 28 bytes: "commit", a space, 20 digits, 0.
        let mut header = Vec::with_capacity(32);
        let mut byte = [0];
        while header.last() != Some(&0) {
            content.read_exact(&mut byte).ok().filter(|()| header.len() < 32)?;
            header.push(byte[0]);
        }
        header.pop();
        let space = memchr::memchr(b' ', &header)?;
        let kind = Kind::from_name(&header[..space])?;
        let size = std::str::from_utf8(&header[space + 1..]).ok()?.parse().ok()?;
        content.set_left(size);
        Some(Self { kind, size, content })
    }
}
