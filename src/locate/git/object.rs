//! What a commit, tag or tree says. Parsed leniently: a hostile object yields less, never an error.

use gix_hash::{Kind as Hash, ObjectId};

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Blob,
    Tree,
    Commit,
    Tag,
}

impl Kind {
    /// From its name in the header of a loose object.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"blob" => Some(Self::Blob),
            b"tree" => Some(Self::Tree),
            b"commit" => Some(Self::Commit),
            b"tag" => Some(Self::Tag),
            _ => None,
        }
    }
}

/// The lines before the first empty one, as name and value.
fn header(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = object.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    lines.filter_map(|line| {
        let space = memchr::memchr(b' ', line)?;
        Some((&line[..space], &line[space + 1..]))
    })
}

/// The number of lines before the message of a commit or tag, the empty one too.
pub(super) fn header_lines(object: &[u8]) -> u64 {
    let lines = object.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    lines.count() as u64 + 1
}

/// Where a commit leads to.
pub(super) struct Links {
    pub(super) tree: Option<ObjectId>,
    pub(super) parents: Vec<ObjectId>,
    /// Seconds since 1970, of the committer; 0 if unreadable.
    pub(super) date: i64,
    /// Whether a link is no id, or there is no tree.
    pub(super) is_damaged: bool,
}

/// The links of a commit.
pub(super) fn links(commit: &[u8]) -> Links {
    let mut links = Links { tree: None, parents: Vec::new(), date: 0, is_damaged: false };
    for (name, value) in header(commit) {
        match name {
            b"tree" if links.tree.is_none() => links.tree = ObjectId::from_hex(value).ok(),
            b"parent" => match ObjectId::from_hex(value) {
                Ok(id) => links.parents.push(id),
                Err(_) => links.is_damaged = true,
            },
            b"committer" => {
                links.date = signature(value).map_or(0, |(_, date)| date);
                break;
            }
            _ => {}
        }
    }
    links.is_damaged |= links.tree.is_none();
    links
}

/// Name with address, and the date, of the author of a commit.
pub(super) fn author(commit: &[u8]) -> Option<(String, i64)> {
    let (_, value) = header(commit).find(|(name, _)| *name == b"author")?;
    signature(value).map(|(author, date)| (String::from_utf8_lossy(author).trim().to_owned(), date))
}

/// What a tag is of.
pub(super) fn target(tag: &[u8]) -> Option<ObjectId> {
    header(tag).find(|(name, _)| *name == b"object").and_then(|(_, value)| ObjectId::from_hex(value).ok())
}

/// `Name <address> seconds zone`.
fn signature(value: &[u8]) -> Option<(&[u8], i64)> {
    let end = memchr::memrchr(b'>', value)?;
    let seconds = std::str::from_utf8(&value[end + 1..])
        .ok()?
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok());
    Some((&value[..=end], seconds.unwrap_or(0)))
}

/// An entry of a tree.
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    /// As many bytes as an id has.
    pub(super) id: &'a [u8],
    pub(super) kind: EntryKind,
}

/// What an entry of a tree is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    Tree,
    /// A file or symbolic link.
    Blob,
    /// A commit of another repository.
    Submodule,
}

/// The entries of a tree, to the first that is malformed: then `false` is the last item.
pub(super) fn entries(tree: &[u8], hash: Hash) -> impl Iterator<Item = Result<Entry<'_>, ()>> {
    let mut rest = tree;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = entry(rest, hash);
        rest = entry.as_ref().map_or(&[], |(_, rest)| rest);
        Some(entry.map(|(entry, _)| entry).ok_or(()))
    })
}

fn entry(tree: &[u8], hash: Hash) -> Option<(Entry<'_>, &[u8])> {
    // Modes have 6 digits, or 5 if the first one would be 0.
    let space = if *tree.get(6)? == b' ' { 6 } else { memchr::memchr(b' ', tree)? };
    let end = space + 1 + memchr::memchr(0, &tree[space + 1..])?;
    let rest = end + 1 + hash.len_in_bytes();
    let id = tree.get(end + 1..rest)?;
    let kind = match &tree[..space] {
        b"40000" | b"040000" => EntryKind::Tree,
        b"160000" => EntryKind::Submodule,
        _ => EntryKind::Blob,
    };
    Some((Entry { name: &tree[space + 1..end], id, kind }, &tree[rest..]))
}
