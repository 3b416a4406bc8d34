//! The git repositories in a tree: which folder each file belongs to, and which object databases to search.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::git::{self, Repository};
use crate::place::State;

/// In a folder of git, files of this name decide what a command does. All others are records of what was done.
const IN_FORCE: [&str; 3] = ["config", "config.worktree", "hooks"];

/// Those that were found so far.
#[derive(Default)]
pub(super) struct Repositories(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By the folder of the objects, the folder that was entered.
    databases: BTreeMap<PathBuf, (PathBuf, Repository)>,
    /// Work trees and bare repositories.
    folders: BTreeSet<PathBuf>,
    /// The folders of objects, of git and of its extension for large files.
    objects: BTreeSet<PathBuf>,
}

impl Repositories {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks whether a folder, which was entered, is a repository.
    pub(super) fn enter(&self, folder: &Path) {
        if folder.join(".git").symlink_metadata().is_err() && !folder.join("HEAD").exists() {
            return;
        }
        let Some(repository) = git::find(folder) else { return };
        let mut known = self.known();
        if !is_inside_git(folder) {
            known.folders.insert(folder.to_owned());
        }
        known.objects.extend(repository.read_whole());
        // Named by the first work tree, since most files are there.
        let rank = |folder: &Path, repository: &Repository| {
            (repository.is_linked(), is_inside_git(folder), folder.to_owned())
        };
        let found = known.databases.entry(repository.database());
        let found = found.or_insert_with(|| (folder.to_owned(), repository.clone()));
        if rank(folder, &repository) < rank(&found.0, &found.1) {
            *found = (folder.to_owned(), repository);
        }
    }

    /// The innermost repository of a file.
    pub(super) fn of<'p>(&self, file: &'p Path) -> Option<&'p Path> {
        let known = self.known();
        if known.folders.is_empty() {
            return None;
        }
        file.ancestors().skip(1).find(|folder| known.folders.contains(*folder))
    }

    /// Whether a folder has objects, which the search of histories reads. `history`: whether there is one.
    pub(super) fn are_objects(&self, folder: &Path, history: bool) -> bool {
        let is_lfs = folder.parent().and_then(Path::file_name).is_some_and(|name| name == "lfs");
        folder.file_name().is_some_and(|name| name == "objects")
            && (history || !is_lfs)
            && folder.canonicalize().is_ok_and(|folder| self.known().objects.contains(&folder))
    }

    /// By the folder of the objects, the folder of each repository.
    pub(super) fn into_databases(self) -> BTreeMap<PathBuf, (PathBuf, Repository)> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).databases
    }
}

/// Whether it is one of git's own files or folders.
pub(super) fn is_inside_git(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == ".git")
}

/// The state of a file: what git keeps for itself counts as history, but for what it obeys.
pub(super) fn state(below: &Path) -> State {
    let mut parts = below.components().map(Component::as_os_str);
    match parts.find(|part| *part == ".git").map(|_| parts.next()) {
        Some(Some(name)) if !IN_FORCE.iter().any(|it| name == *it) => State::History,
        Some(_) | None => State::Worktree,
    }
}
