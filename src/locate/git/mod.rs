//! Finds keys in git histories. Every object of a repository is read once, in the order of its packs, also those that no
//! reference leads to; only if keys are found, the commits are read again to find path, author and state of each.
//!
//! A repository may be hostile. No program, hook, filter or include of it is run or followed, no remote is asked, and nothing
//! of its configuration counts but the formats of its objects and references. Object databases that `objects/info/alternates`
//! names are part of the repository and are read, also outside of the searched folder.

mod attribute;
mod bits;
mod commits;
mod delta;
mod files;
mod findings;
mod forest;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod index;
mod inflate;
mod lfs;
mod loose;
mod object;
mod pack;
mod read;
mod refs;
mod repository;
mod sightings;
mod store;
mod sweep;
mod trees;
mod worker;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU64;

use gix_hash::ObjectId;

pub use repository::{Repository, find};

use self::commits::Commits;
use self::findings::{Finder, Findings};
use self::sightings::History;
use self::store::Store;
use crate::locate::scan::{Options, Scanner, Suffixes};
use crate::place::{NotSearched, Place, Unsearched};

/// What the search of a repository found.
#[derive(Debug, Default)]
pub struct Searched {
    /// One for each key, path, member and encoding, in the order of these.
    pub places: Vec<Place>,
    /// The line of each place, masked, where it was asked for.
    pub contexts: Vec<Option<String>>,
    /// What was not searched to its end, in order. The run is incomplete if there is one.
    pub unsearched: Vec<Unsearched>,
    /// The names of the contents of Git LFS that were searched.
    pub contents: BTreeSet<String>,
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
    let row = |path: &str, why| attribute::not_searched(name, path, "", why);
    if let Some(why) = repository.broken {
        return Searched { unsearched: vec![row("", why)], ..Searched::default() };
    }
    let mut problems = Vec::new();
    let format = format::read(repository, &mut problems);
    let Some(hash) = format.hash else {
        return Searched { unsearched: vec![row("", NotSearched::UnknownFormat)], ..Searched::default() };
    };
    let store = Store::open(&repository.database(), hash, &mut problems);
    let mut unsearched: Vec<_> = format.problems.iter().map(|(path, why)| row(path, *why)).collect();
    let mut finders: Vec<_> =
        (0..threads.get()).map(|_| Finder::new(&store, Scanner::new(suffixes, options), read)).collect();
    sweep::sweep(&store, &mut finders);
    let mut findings = Findings::default();
    for finder in finders {
        findings.append(finder.findings);
    }
    let mut scanner = Scanner::new(suffixes, options);
    let strays = lfs::search(&repository.common_dir, &mut scanner, &mut findings, read, &mut problems);
    findings.sort();
    let references = format.has_known_references.then(|| refs::read(repository, &mut problems));
    let targets = references.as_ref().map(|references| references.targets.as_slice());
    let commits = Commits::new(&store, &mut findings, targets);
    let is_gone = |id: &ObjectId| store.number(id).is_none();
    findings.is_missing |= references.iter().flat_map(|references| &references.logged).any(is_gone);
    let has_rows = |number| findings.hits.contains_key(&number) || findings.unsearched.contains_key(&number);
    let staged = index::read(repository, &store, has_rows, &mut problems);
    let is_partial =
        format.problems.iter().any(|(_, why)| matches!(why, NotSearched::Shallow | NotSearched::Partial));
    if (findings.is_missing || staged.is_missing) && !is_partial {
        unsearched.push(row("", NotSearched::Missing));
    }
    let history = History { store: &store, findings: &findings, commits: &commits, staged: &staged, threads };
    let (mut shown, rows) = attribute::attribute(&history, name);
    unsearched.extend(rows);
    for stray in strays {
        let (more, rows) = attribute::in_file(name, &stray.path, &stray.found);
        shown.extend(more);
        unsearched.extend(rows);
    }
    unsearched.extend(problems.iter().map(|(path, why)| row(&repository.shown(path), *why)));
    unsearched.sort_unstable();
    unsearched.dedup();
    let (places, contexts) = shown.into_iter().unzip();
    let Findings { contents, objects, bytes, .. } = findings;
    Searched { places, contexts, unsearched, contents, objects, bytes }
}
