//! What the references of a repository lead to: read from their files, `git` is not asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gix_hash::ObjectId;

use super::files::{self, Problem};
use super::repository::Repository;
use crate::locate::names;
use crate::place::{NotSearched, State};

/// More folders in folders than a name of a reference has.
const DEEPEST: usize = 64;

/// Where the references lead to.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Objects, and the state of what is in them.
    pub(super) targets: Vec<(State, ObjectId)>,
    /// Objects that were at the end of a reference. They make nothing reachable.
    pub(super) logged: BTreeSet<ObjectId>,
}

/// Reads all references, of all linked work trees too.
pub(super) fn read(repository: &Repository, problems: &mut Vec<Problem>) -> References {
    let common = &repository.common_dir;
    let mut references = References::default();
    let mut named = BTreeMap::new();
    packed(common, &mut named, problems);
    loose(&common.join("refs"), "refs", 0, &mut named, problems);
    for folder in repository.work_trees(problems) {
        references.targets.extend(head(&folder, &named, problems).map(|id| (State::Head, id)));
        logs(&folder.join("logs"), 0, &mut references.logged, problems);
        if folder != *common {
            let mut own = BTreeMap::new();
            loose(&folder.join("refs"), "refs", 0, &mut own, problems);
            references.targets.extend(own.into_values().map(|id| (State::History, id)));
        }
    }
    references.targets.extend(named.into_iter().map(|(name, id)| (state(&name), id)));
    references.targets.extend(stashes(common, problems).into_iter().map(|id| (State::Stash, id)));
    references.targets.sort_unstable();
    references.targets.dedup();
    references
}

/// What is at the end of a reference.
fn state(name: &str) -> State {
    let folders =
        [("refs/heads/", State::Branch), ("refs/remotes/", State::Branch), ("refs/tags/", State::Tag)];
    let state = folders.into_iter().find(|(folder, _)| name.starts_with(folder)).map(|(_, state)| state);
    state.unwrap_or(if name == "refs/stash" { State::Stash } else { State::History })
}

/// Of the file `packed-refs`: an id and a name a line.
fn packed(common: &Path, named: &mut BTreeMap<String, ObjectId>, problems: &mut Vec<Problem>) {
    let path = common.join("packed-refs");
    let Some(content) = files::read(&path, problems) else { return };
    // A line with `^` has what the tag above it is of, which the tag has, too.
    let lines =
        content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !b"#^".contains(&line[0]));
    for line in lines {
        let space = memchr::memchr(b' ', line);
        match space.and_then(|at| Some((ObjectId::from_hex(&line[..at]).ok()?, &line[at + 1..]))) {
            Some((id, name)) => drop(named.insert(String::from_utf8_lossy(name).trim_end().to_owned(), id)),
            None => problems.push((path.clone(), NotSearched::Damaged)),
        }
    }
}

/// Of files, which count before those of `packed-refs`.
fn loose(
    folder: &Path,
    name: &str,
    depth: usize,
    named: &mut BTreeMap<String, ObjectId>,
    problems: &mut Vec<Problem>,
) {
    if depth > DEEPEST {
        return problems.push((folder.to_owned(), NotSearched::TooDeep));
    }
    for entry in files::names(folder, problems) {
        let path = folder.join(&entry);
        // A reference that is being written.
        if path.extension().is_some_and(|extension| extension == "lock") {
            continue;
        }
        let name = format!("{name}/{}", names::text(entry.as_ref()));
        // A link to a folder may lead back to it, and is no reference.
        if path.is_dir() && path.is_symlink() {
            problems.push((path, NotSearched::Unreadable));
            continue;
        }
        if path.is_dir() {
            loose(&path, &name, depth + 1, named, problems);
            continue;
        }
        let Some(line) = files::line(&path, problems) else {
            // A link to nothing, or a file that was just moved into `packed-refs`, which was read before.
            problems.push((path, NotSearched::Unreadable));
            continue;
        };
        match ObjectId::from_hex(line.as_bytes()) {
            Ok(id) => drop(named.insert(name, id)),
            // Of another reference, which is read as well.
            Err(_) if line.starts_with("ref:") => {}
            Err(_) => problems.push((path, NotSearched::Damaged)),
        }
    }
}

/// What is checked out. A branch without a commit leads to none.
fn head(folder: &Path, named: &BTreeMap<String, ObjectId>, problems: &mut Vec<Problem>) -> Option<ObjectId> {
    let path = folder.join("HEAD");
    let line = files::line(&path, problems)?;
    if let Some(name) = line.strip_prefix("ref:") {
        return named.get(name.trim()).copied();
    }
    let id = ObjectId::from_hex(line.as_bytes());
    if id.is_err() {
        problems.push((path, NotSearched::Damaged));
    }
    id.ok()
}

/// All stashes but the last are in the log of the reference.
fn stashes(common: &Path, problems: &mut Vec<Problem>) -> Vec<ObjectId> {
    let log = files::read(&common.join("logs/refs/stash"), problems).unwrap_or_default();
    changes(&log).map(|[_, new]| new).filter(|id| !id.is_null()).collect()
}

/// The ids in all logs of a folder.
fn logs(folder: &Path, depth: usize, ids: &mut BTreeSet<ObjectId>, problems: &mut Vec<Problem>) {
    for name in files::names(folder, problems) {
        let path = folder.join(name);
        if path.is_dir() && !path.is_symlink() && depth < DEEPEST {
            logs(&path, depth + 1, ids, problems);
            continue;
        }
        let log = files::read(&path, problems).unwrap_or_default();
        ids.extend(changes(&log).flatten().filter(|id| !id.is_null()));
    }
}

/// The old and the new id of each line of a log. A new reference has zeros as the old one.
fn changes(log: &[u8]) -> impl Iterator<Item = [ObjectId; 2]> {
    log.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut ids = line.split(|byte| *byte == b' ').map(|id| ObjectId::from_hex(id).ok());
        Some([ids.next()??, ids.next()??])
    })
}
