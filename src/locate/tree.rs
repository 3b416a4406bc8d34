//! Walks folders and searches their files, on all cores. What is found has one order, whatever the order of the files was.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ignore::{DirEntry, WalkBuilder, WalkState};

use super::collected::Collected;
use super::exclude::Exclude;
use super::files::{FileName, FileSearch, Progress};
use super::git::{self, Repository};
use super::names;
use super::repositories::{Repositories, state};
use super::roots::{Root, RootKind};
use super::scan::{Options, Suffixes};
use crate::place::{NotSearched, State};
use crate::store::{self, FoundPlaces, Located};

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
#[derive(Debug)]
pub(crate) struct Searched {
    pub(crate) found: FoundPlaces,
    /// Symbolic links that lead out of the roots.
    pub(crate) links_outside: u64,
    pub(crate) files: u64,
    /// Objects of git.
    pub(crate) objects: u64,
    /// Of files and of the files of git.
    pub(crate) bytes: u64,
}

/// Searches all roots.
///
/// # Errors
/// What is found can't be kept.
pub(crate) fn search(
    roots: &[Root],
    options: &TreeOptions,
    progress: &Progress,
) -> Result<Searched, store::Error> {
    let collected = Collected::new()?;
    let mut databases = BTreeMap::new();
    let mut links_outside = 0;
    for root in roots {
        let (repositories, links) = (Repositories::default(), AtomicU64::new(0));
        let walk = Walk { root, options, progress, collected: &collected, repositories, links };
        match root.kind {
            RootKind::Folder => walk.folder(),
            RootKind::File => walk.file(),
            RootKind::StandardInput => walk.standard_input(),
        }
        links_outside += walk.links.into_inner();
        for (database, (folder, repository)) in walk.repositories.into_databases() {
            let folder = if folder == root.path { root.repository.clone() } else { folder };
            databases.entry(database).or_insert((folder, repository));
        }
    }
    let mut objects = 0;
    if options.history {
        objects = histories(databases.into_values().collect(), options, progress, &collected);
    }
    let found = collected.finish()?;
    let [files, bytes] = [&progress.files, &progress.bytes].map(|count| count.load(Ordering::Relaxed));
    Ok(Searched { found, links_outside, files, objects, bytes })
}

/// Searches the histories of repositories, each with its folder, and counts their objects.
fn histories(
    mut repositories: Vec<(PathBuf, Repository)>,
    options: &TreeOptions,
    progress: &Progress,
    collected: &Collected,
) -> u64 {
    repositories.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut objects = 0;
    for (folder, repository) in repositories {
        let name = names::text(&folder);
        let TreeOptions { suffixes, scan, .. } = options;
        let mut found = git::search(&repository, &name, suffixes, scan, threads(), &progress.bytes);
        let is_wanted = |path: &str| !options.exclude.matches(Path::new(path), false);
        let located = found.places.into_iter().zip(found.contexts);
        let located = located.map(|(place, context)| Located { place, context });
        let located: Vec<_> = located.filter(|it| is_wanted(&it.place.path)).collect();
        found.unsearched.retain(|it| is_wanted(&it.path));
        progress.places.fetch_add(located.len() as u64, Ordering::Relaxed);
        collected.add_history(&located, &found.unsearched, &found.contents);
        objects += found.objects;
    }
    objects
}

/// The search of one root.
struct Walk<'a> {
    root: &'a Root,
    options: &'a TreeOptions<'a>,
    progress: &'a Progress,
    collected: &'a Collected,
    repositories: Repositories,
    links: AtomicU64,
}

impl<'a> Walk<'a> {
    fn file_search(&self) -> FileSearch<'a> {
        FileSearch::new(self.options.suffixes, self.options.scan, self.progress, self.collected)
    }

    fn file(&self) {
        let Root { path, repository, below, .. } = self.root;
        if [path, below].iter().any(|path| self.options.exclude.matches(path, false)) {
            return;
        }
        self.file_search().file(path, &FileName { repository, below, state: state(below) });
    }

    fn standard_input(&self) {
        let Root { repository, below, .. } = self.root;
        let name = FileName { repository, below, state: State::Worktree };
        self.file_search().stream(&mut io::stdin().lock(), &name);
        self.progress.files.fetch_add(1, Ordering::Relaxed);
    }

    fn folder(&self) {
        self.walker().run(|| {
            let mut visitor = Visitor { walk: self, search: self.file_search() };
            Box::new(move |entry| visitor.visit(entry))
        });
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

/// One thread of a walk.
struct Visitor<'w, 'a> {
    walk: &'w Walk<'a>,
    search: FileSearch<'a>,
}

impl Visitor<'_, '_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        if self.walk.collected.has_failed() {
            return WalkState::Quit;
        }
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
        self.search.file(path, &name);
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
        self.search.not_searched(&name, NotSearched::Unreadable);
    }
}

fn path_of(why: &ignore::Error) -> Option<&Path> {
    match why {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}
