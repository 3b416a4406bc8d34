//! Walks folders and searches their files, on all cores. What is found has one order, whatever the order of the files was.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder, WalkState};

use super::exclude::Exclude;
use super::files::{FileName, FileSearch, Located, Progress};
use super::git::{self, Repository};
use super::repositories::{Repositories, state};
use super::roots::{Root, RootKind};
use super::scan::{Options, Suffixes};
use super::{merge, names};
use crate::place::{NotSearched, State, Unsearched};

/// What to search for, and where.
pub(crate) struct TreeOptions<'a> {
    pub(crate) suffixes: &'a Suffixes,
    pub(crate) scan: &'a Options,
    pub(crate) exclude: &'a Exclude,
    /// Whether files that git ignores are left out.
    pub(crate) gitignore: bool,
    /// Whether git histories are searched.
    pub(crate) history: bool,
    /// Absolute paths of files that this program writes.
    pub(crate) own: &'a BTreeSet<PathBuf>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Searched {
    /// In the order of the outputs.
    pub(crate) located: Vec<Located>,
    /// Likewise.
    pub(crate) unsearched: Vec<Unsearched>,
    /// Symbolic links that lead out of the roots.
    pub(crate) links_outside: u64,
    pub(crate) files: u64,
    /// Objects of git.
    pub(crate) objects: u64,
    /// Of files and of the files of git.
    pub(crate) bytes: u64,
}

/// Searches all roots.
pub(crate) fn search(roots: &[Root], options: &TreeOptions, progress: &Progress) -> Searched {
    let mut searched = Searched::default();
    let mut databases = BTreeMap::new();
    for root in roots {
        let repositories = Repositories::default();
        let walk = Walk { root, options, progress, repositories, links: AtomicU64::new(0) };
        match root.kind {
            RootKind::Folder => walk.folder(&mut searched),
            RootKind::File => walk.file(&mut searched),
            RootKind::StandardInput => walk.standard_input(&mut searched),
        }
        for (database, (folder, repository)) in walk.repositories.into_databases() {
            let folder = if folder == root.path { root.repository.clone() } else { folder };
            databases.entry(database).or_insert((folder, repository));
        }
    }
    if options.history {
        histories(databases.into_values().collect(), options, progress, &mut searched);
    }
    merge::sort(&mut searched);
    searched.files = progress.files.load(Ordering::Relaxed);
    searched.bytes = progress.bytes.load(Ordering::Relaxed);
    searched
}

/// Searches the histories of repositories, each with its folder.
fn histories(
    mut repositories: Vec<(PathBuf, Repository)>,
    options: &TreeOptions,
    progress: &Progress,
    searched: &mut Searched,
) {
    repositories.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (folder, repository) in repositories {
        let name = names::text(&folder);
        let TreeOptions { suffixes, scan, .. } = options;
        let found = git::search(&repository, &name, suffixes, scan, threads(), &progress.bytes);
        let is_wanted = |path: &str| !options.exclude.matches(Path::new(path), false);
        let located = found.places.into_iter().zip(found.contexts);
        let located = located.map(|(place, context)| Located { place, context });
        let located: Vec<_> = located.filter(|it| is_wanted(&it.place.path)).collect();
        progress.places.fetch_add(located.len() as u64, Ordering::Relaxed);
        merge::add_histories(searched, located);
        searched.unsearched.extend(found.unsearched.into_iter().filter(|it| is_wanted(&it.path)));
        searched.objects += found.objects;
    }
}

/// The search of one root.
struct Walk<'a> {
    root: &'a Root,
    options: &'a TreeOptions<'a>,
    progress: &'a Progress,
    repositories: Repositories,
    links: AtomicU64,
}

impl<'a> Walk<'a> {
    fn file_search(&self) -> FileSearch<'a> {
        FileSearch::new(self.options.suffixes, self.options.scan, self.progress)
    }

    fn file(&self, searched: &mut Searched) {
        let mut search = self.file_search();
        let Root { path, repository, below, .. } = self.root;
        search.file(path, &FileName { repository, below, state: state(below) });
        searched.add(search);
    }

    fn standard_input(&self, searched: &mut Searched) {
        let mut search = self.file_search();
        let Root { repository, below, .. } = self.root;
        search.stream(&mut io::stdin().lock(), &FileName { repository, below, state: State::Worktree });
        self.progress.files.fetch_add(1, Ordering::Relaxed);
        searched.add(search);
    }

    fn folder(&self, searched: &mut Searched) {
        let found = Mutex::new(Vec::new());
        self.walker().run(|| {
            let mut visitor = Visitor { walk: self, search: Some(self.file_search()), found: &found };
            Box::new(move |entry| visitor.visit(entry))
        });
        for search in found.into_inner().unwrap_or_else(PoisonError::into_inner) {
            searched.add(search);
        }
        searched.links_outside += self.links.load(Ordering::Relaxed);
    }

    fn walker(&self) -> ignore::WalkParallel {
        // A link that was named is followed, and no other.
        let mut builder = WalkBuilder::new(self.root.path.join(""));
        builder.standard_filters(false).follow_links(false).threads(threads().get());
        if self.options.gitignore {
            builder.git_ignore(true).git_exclude(true).parents(true).require_git(false);
        }
        builder.build_parallel()
    }

    fn is_own(&self, path: &Path) -> bool {
        let own = self.options.own;
        let is_name = own.iter().any(|it| it.file_name() == path.file_name());
        is_name && std::path::absolute(path).is_ok_and(|path| own.contains(&names::lexical(&path)))
    }

    /// Counts a link that leads out of the root. One that leads nowhere has no target to miss.
    fn link(&self, link: &Path) {
        let outside = || {
            let target = link.canonicalize().ok()?;
            let root = self.root.path.canonicalize().ok()?;
            Some(!target.starts_with(root))
        };
        if outside() == Some(true) {
            self.links.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

impl Searched {
    fn add(&mut self, search: FileSearch) {
        self.located.extend(search.located);
        self.unsearched.extend(search.unsearched);
    }
}

/// One thread of a walk.
struct Visitor<'w, 'a> {
    walk: &'w Walk<'a>,
    /// Handed over when the thread ends.
    search: Option<FileSearch<'a>>,
    found: &'w Mutex<Vec<FileSearch<'a>>>,
}

impl Drop for Visitor<'_, '_> {
    fn drop(&mut self) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.extend(self.search.take());
    }
}

impl Visitor<'_, '_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        let entry = match entry {
            Ok(entry) => entry,
            Err(why) => {
                self.unreadable(&why);
                return WalkState::Continue;
            }
        };
        let Some(kind) = entry.file_type() else { return WalkState::Continue };
        let (walk, path) = (self.walk, names::lexical(entry.path()));
        let from_root = path.strip_prefix(&walk.root.path).unwrap_or(&path);
        if walk.options.exclude.matches(from_root, kind.is_dir()) {
            return WalkState::Skip;
        }
        if kind.is_dir() {
            if walk.repositories.are_objects(&path, walk.options.history) {
                return WalkState::Skip;
            }
            walk.repositories.enter(&path);
        } else if kind.is_symlink() {
            walk.link(&path);
        } else if kind.is_file() && !walk.is_own(&path) {
            self.search_file(&path);
        }
        WalkState::Continue
    }

    fn search_file(&mut self, path: &Path) {
        let (repository, below) = self.name(path);
        let name = FileName { repository: &repository, below: &below, state: state(&below) };
        if let Some(search) = &mut self.search {
            search.file(path, &name);
        }
    }

    /// The repository of a path, and the way from there.
    fn name(&self, path: &Path) -> (PathBuf, PathBuf) {
        let root = self.walk.root;
        match self.walk.repositories.of(path) {
            Some(folder) if folder != root.path => {
                (folder.to_owned(), path.strip_prefix(folder).unwrap_or(path).to_owned())
            }
            Some(_) | None => {
                let from_root = path.strip_prefix(&root.path).unwrap_or(path);
                // The root is the empty path from there.
                let from_root = if from_root == Path::new(".") { Path::new("") } else { from_root };
                (root.repository.clone(), root.below.join(from_root))
            }
        }
    }

    /// A folder or file that the walk could not read. A broken line of `.gitignore` is none.
    fn unreadable(&mut self, why: &ignore::Error) {
        let Some(path) = path_of(why).filter(|_| why.io_error().is_some()) else { return };
        let (repository, below) = self.name(&names::lexical(path));
        let name = FileName { repository: &repository, below: &below, state: State::Worktree };
        if let Some(search) = &mut self.search {
            search.not_searched(&name, NotSearched::Unreadable);
        }
    }
}

fn path_of(why: &ignore::Error) -> Option<&Path> {
    match why {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}
