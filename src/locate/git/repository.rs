//! Which folder is a repository, and where its parts are.

use std::path::{Path, PathBuf};

use super::files::{self, Problem};
use crate::locate::names;
use crate::place::NotSearched;

/// A repository: a work tree with its `.git`, a bare repository, a submodule's folder below `.git/modules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Has `HEAD`: of the work tree.
    pub(super) git_dir: PathBuf,
    /// Has `objects` and `refs`: of all work trees of the repository.
    pub(super) common_dir: PathBuf,
    /// Why there is nothing to search.
    pub(super) broken: Option<NotSearched>,
}

impl Repository {
    /// The folder with the objects, the same one for all linked work trees: to search each once.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.common_dir.join("objects")
    }

    /// Whether this is a work tree beside the first one.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.git_dir != self.common_dir
    }

    /// Folders of the repository that [`super::search`] reads whole, so that a walk of files need not enter them.
    #[must_use]
    pub fn read_whole(&self) -> [PathBuf; 2] {
        [self.database(), self.common_dir.join("lfs/objects")]
    }

    /// The folders of git of all work trees: each has its own checked-out commit and staged files.
    pub(super) fn work_trees(&self, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
        let linked = self.common_dir.join("worktrees");
        let linked = files::names(&linked, problems).into_iter().map(|name| linked.join(name));
        let mut folders: Vec<_> =
            [&self.common_dir, &self.git_dir].into_iter().cloned().chain(linked).collect();
        folders.sort_unstable();
        folders.dedup();
        folders
    }

    /// The path of a file of the repository, below the folder of all work trees if it is there.
    pub(super) fn shown(&self, path: &Path) -> String {
        names::text(path.strip_prefix(&self.common_dir).unwrap_or(path))
    }

    fn at(git_dir: &Path) -> Option<Self> {
        let head = git_dir.join("HEAD");
        if !files::is_file(&head) && !head.is_symlink() {
            return None;
        }
        let git_dir = git_dir.canonicalize().ok()?;
        let common_dir = match files::line(&git_dir.join("commondir"), &mut Vec::new()) {
            Some(common) => git_dir.join(common).canonicalize().ok()?,
            None => git_dir.clone(),
        };
        let has_objects = common_dir.join("objects").is_dir() && common_dir.join("refs").exists();
        has_objects.then_some(Self { git_dir, common_dir, broken: None })
    }

    fn broken(dot_git: PathBuf, why: NotSearched) -> Self {
        Self { git_dir: dot_git.clone(), common_dir: dot_git, broken: Some(why) }
    }
}

/// The repository whose work tree or own folder this is, `None` for another folder. A `.git` that is a link or names another
/// folder is followed: it may be outside of the searched folder. A `.git` that leads to no repository is one whose search
/// says so.
#[must_use]
pub fn find(folder: &Path) -> Option<Repository> {
    let dot_git = folder.join(".git");
    if dot_git.is_dir() {
        let is_damaged = ["HEAD", "config", "objects"].iter().any(|part| dot_git.join(part).exists());
        let damaged = || is_damaged.then(|| Repository::broken(dot_git.clone(), NotSearched::Damaged));
        return Repository::at(&dot_git).or_else(damaged).or_else(|| Repository::at(folder));
    }
    if !files::is_file(&dot_git) {
        let is_dangling = dot_git.is_symlink() && !dot_git.exists();
        return is_dangling
            .then(|| Repository::broken(dot_git, NotSearched::Missing))
            .or_else(|| Repository::at(folder));
    }
    let Some(line) = files::line(&dot_git, &mut Vec::new()) else {
        return Some(Repository::broken(dot_git, NotSearched::Unreadable));
    };
    let named = line.strip_prefix("gitdir:").and_then(|path| Repository::at(&folder.join(path.trim())));
    named.or_else(|| Some(Repository::broken(dot_git, NotSearched::Missing)))
}
