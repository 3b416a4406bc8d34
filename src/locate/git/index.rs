//! What is staged: the files that the next commit will have. Read from the file `index` of each work tree, an entry at a time,
//! since it may have a million of them.

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use gix_hash::{Kind as Hash, ObjectId, oid};

use super::files::{self, Problem};
use super::repository::Repository;
use super::store::{Number, Store};
use crate::place::NotSearched;

/// Bytes of an entry before its id.
const BEFORE_ID: usize = 40;
/// No system has a longer path.
const LONGEST: u64 = 1 << 16;
/// A file or link, and not a folder or a commit of another repository.
const REGULAR_OR_LINK: [u32; 2] = [0o10, 0o12];
const SUBMODULE: u32 = 0o16;

/// What is staged, of what is wanted.
#[derive(Default)]
pub(super) struct Staged {
    /// Path and id. The path is empty for another content of a file that a shared index has (`core.splitIndex`), since only
    /// its position there is given.
    pub(super) entries: Vec<(Vec<u8>, ObjectId)>,
    /// Whether an object that is staged is not there.
    pub(super) is_missing: bool,
}

/// Reads the index of each work tree.
pub(super) fn read(
    repository: &Repository,
    store: &Store,
    is_wanted: impl Fn(Number) -> bool,
    problems: &mut Vec<Problem>,
) -> Staged {
    let mut staged = Staged::default();
    let mut is_wanted = |id: &oid| {
        let number = store.number(id);
        staged.is_missing |= number.is_none();
        number.is_some_and(&is_wanted)
    };
    for folder in repository.work_trees(problems) {
        let mut name = "index".to_owned();
        // A shared index shares no other one.
        for _ in 0..2 {
            let path = folder.join(&name);
            match read_file(&path, store.hash, &mut is_wanted, &mut staged.entries) {
                Ok(Some(shared)) => name = format!("sharedindex.{shared}"),
                Ok(None) => break,
                Err(why) => {
                    problems.push((path, why));
                    break;
                }
            }
        }
    }
    let (named, nameless): (Vec<_>, Vec<_>) =
        staged.entries.into_iter().partition(|(path, _)| !path.is_empty());
    let known: HashSet<_> = named.iter().map(|(_, id)| *id).collect();
    let nameless = nameless.into_iter().filter(|(_, id)| !known.contains(id));
    staged.entries = named.into_iter().chain(nameless).collect();
    staged
}

/// Gives the id of the shared index that this one is the difference to. No file is an empty one.
fn read_file(
    path: &Path,
    hash: Hash,
    is_wanted: &mut impl FnMut(&oid) -> bool,
    entries: &mut Vec<(Vec<u8>, ObjectId)>,
) -> Result<Option<ObjectId>, NotSearched> {
    let file = match files::open(path) {
        Err(NotSearched::Missing) => return Ok(None),
        opened => opened?,
    };
    read_entries(file, hash, is_wanted, entries).map_err(|_| NotSearched::Damaged)
}

/// `is_wanted` is asked for all but commits of other repositories.
pub(super) fn read_entries(
    input: impl Read,
    hash: Hash,
    is_wanted: &mut impl FnMut(&oid) -> bool,
    entries: &mut Vec<(Vec<u8>, ObjectId)>,
) -> io::Result<Option<ObjectId>> {
    let mut input = BufReader::new(input);
    let mut magic = [0; 4];
    input.read_exact(&mut magic)?;
    let version = number(&mut input)?;
    if &magic != b"DIRC" || !(2..=4).contains(&version) {
        return Err(damaged());
    }
    let mut path = Vec::new();
    for _ in 0..number(&mut input)? {
        let (mode, id, stage) = entry(&mut input, version, hash, &mut path)?;
        let kind = mode >> 12;
        let is_wanted = kind != SUBMODULE && is_wanted(&id);
        // The other stages are of a merge with conflicts: no commit has them before they are resolved.
        if is_wanted && stage == 0 && REGULAR_OR_LINK.contains(&kind) {
            entries.push((path.clone(), id));
        }
    }
    Ok(shared(&mut input, hash))
}

/// Mode, id and stage of an entry; `path` becomes its path from that of the entry before.
fn entry(
    input: &mut impl BufRead,
    version: u32,
    hash: Hash,
    path: &mut Vec<u8>,
) -> io::Result<(u32, ObjectId, u16)> {
    let mut before_id = [0; BEFORE_ID];
    input.read_exact(&mut before_id)?;
    let mode = u32::from_be_bytes([before_id[24], before_id[25], before_id[26], before_id[27]]);
    let id = id(input, hash)?;
    let mut size = BEFORE_ID + hash.len_in_bytes() + 2;
    let flags = half(input)?;
    if version > 2 && flags & 0x4000 != 0 {
        half(input)?;
        size += 2;
    }
    let kept = if version < 4 { 0 } else { path.len().checked_sub(removed(input)?).ok_or_else(damaged)? };
    path.truncate(kept);
    input.take(LONGEST).read_until(0, path)?;
    if path.pop() != Some(0) {
        return Err(damaged());
    }
    if version < 4 {
        // At least one zero, and a multiple of eight bytes in all; one was read.
        let padding = 8 - (size + path.len()) % 8 - 1;
        input.read_exact(&mut [0; 8][..padding])?;
    }
    Ok((mode, id, flags >> 12 & 3))
}

/// How many bytes at the end of the last path are not in this one: a number as the distance of a delta has it.
fn removed(input: &mut impl Read) -> io::Result<usize> {
    let mut value = 0_usize;
    for at in 0..4 {
        let mut byte = [0];
        input.read_exact(&mut byte)?;
        value = value << 7 | usize::from(byte[0] & 0x7f);
        if byte[0] & 0x80 == 0 {
            return Ok(value);
        }
        // Each further byte begins where the numbers with less bytes end.
        value += usize::from(at < 3);
    }
    Err(damaged())
}

/// From the extensions after the entries; the checksum after them may look like one that is cut.
fn shared(input: &mut impl Read, hash: Hash) -> Option<ObjectId> {
    loop {
        let mut name = [0; 4];
        input.read_exact(&mut name).ok()?;
        let size = number(input).ok().filter(|_| name.iter().all(u8::is_ascii_alphabetic))?;
        if &name == b"link" {
            return id(input, hash).ok().filter(|id| !id.is_null());
        }
        io::copy(&mut input.take(u64::from(size)), &mut io::sink()).ok()?;
    }
}

fn id(input: &mut impl Read, hash: Hash) -> io::Result<ObjectId> {
    let mut id = hash.null();
    input.read_exact(id.as_mut_slice())?;
    Ok(id)
}

fn number(input: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

fn half(input: &mut impl Read) -> io::Result<u16> {
    let mut bytes = [0; 2];
    input.read_exact(&mut bytes)?;
    Ok(u16::from_be_bytes(bytes))
}

fn damaged() -> io::Error {
    io::ErrorKind::InvalidData.into()
}
