//! Where objects are: their paths, with the commits that have them there, and the state.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;

use super::commits::{Commits, Rank};
use super::findings::Findings;
use super::index::Staged;
use super::object::Kind;
use super::read::Reader;
use super::store::{Number, Store};
use super::trees::{self, Child, NOTHING, Node, Trees};
use crate::locate::names;
use crate::place::{NotSearched, State};

/// A tree with the same folder twice, which has the same folder twice, and so on, has more paths than there is time for.
const MOST: usize = 1 << 20;

/// A repository whose objects were read.
pub(super) struct History<'a> {
    pub(super) store: &'a Store,
    pub(super) findings: &'a Findings,
    pub(super) commits: &'a Commits,
    pub(super) staged: &'a Staged,
    pub(super) threads: NonZeroUsize,
}

/// By what an object is at a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) state: State,
    /// First and last commit that a reference leads to.
    pub(super) reachable: Option<(Rank, Rank)>,
    /// First and last of the others.
    stray: Option<(Rank, Rank)>,
}

impl Seen {
    /// By a reference without a commit.
    pub(super) fn at(state: State) -> Self {
        Self { state, reachable: None, stray: None }
    }

    fn in_commit(rank: Rank, state: State) -> Self {
        let span = Some((rank, rank));
        match state {
            State::Unreachable => Self { state, reachable: None, stray: span },
            _ => Self { state, reachable: span, stray: None },
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.state = self.state.min(other.state);
        self.reachable = merged(self.reachable, other.reachable);
        self.stray = merged(self.stray, other.stray);
    }

    pub(super) fn commits(&self) -> Option<(Rank, Rank)> {
        self.reachable.or(self.stray)
    }
}

fn merged(a: Option<(Rank, Rank)>, b: Option<(Rank, Rank)>) -> Option<(Rank, Rank)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// All paths of objects.
#[derive(Default)]
pub(super) struct Sightings {
    pub(super) all: Vec<(String, Number, Seen)>,
    /// Why trees were not read.
    pub(super) problems: BTreeSet<NotSearched>,
}

impl Sightings {
    /// Of objects with findings.
    pub(super) fn new(history: &History, objects: BTreeSet<Number>) -> Self {
        let History { findings, commits, .. } = history;
        let is_message = |number: &Number| commits.rank(*number).is_some() || findings.is_tag(*number);
        let (messages, blobs): (Vec<_>, Vec<_>) = objects.into_iter().partition(is_message);
        let mut sightings = Self::default();
        let mut reader = Reader::new(history.store);
        for number in messages {
            sightings.all.push((String::new(), number, message(history, &mut reader, number)));
        }
        sightings.add_paths(history, &blobs);
        sightings
    }

    fn add_paths(&mut self, history: &History, blobs: &[Number]) {
        let History { store, commits, .. } = history;
        let commit_trees = commits.ordered.iter().map(|commit| commit.tree);
        let other_trees =
            commits.others.iter().filter(|(kind, _, _)| *kind == Kind::Tree).map(|(_, number, _)| *number);
        let roots: Vec<_> = commit_trees.chain(other_trees).collect();
        let (trees, nodes) = trees::read(store, blobs, &roots, history.threads);
        let mut seen: HashMap<Node, Seen> = HashMap::new();
        let mut add = |node: Node, new: Seen| {
            if node != NOTHING {
                seen.entry(node).or_insert(new).merge(new);
            }
        };
        let (of_commits, of_others) = nodes.split_at(commits.ordered.len());
        for (rank, (node, state)) in (0..).zip(of_commits.iter().zip(&commits.states)) {
            add(*node, Seen::in_commit(rank, *state));
        }
        let mut without_path: HashMap<Number, Seen> = HashMap::new();
        let mut of_others = of_others.iter();
        for (kind, number, state) in &commits.others {
            let new = Seen::at(*state);
            match kind {
                Kind::Tree => add(of_others.next().copied().unwrap_or(NOTHING), new),
                Kind::Blob | Kind::Commit | Kind::Tag => {
                    without_path.entry(*number).or_insert(new).merge(new);
                }
            }
        }
        self.problems.extend(&trees.problems);
        let mut paths = self.expand(&trees, seen);
        add_staged(history, blobs, &mut paths);
        let with_path: BTreeSet<_> = paths.keys().map(|(_, number)| *number).collect();
        self.all
            .extend(paths.into_iter().map(|((path, number), seen)| (names::of_bytes(&path), number, seen)));
        for number in blobs {
            let seen = without_path.get(number).copied();
            let seen = seen.or_else(|| (!with_path.contains(number)).then(|| Seen::at(State::Unreachable)));
            self.all.extend(seen.map(|seen| (store.id(*number).to_string(), *number, seen)));
        }
    }

    /// From root trees down, a level of folders at a time, so that each folder with the same content at the same path is
    /// passed once.
    fn expand(&mut self, trees: &Trees, roots: HashMap<Node, Seen>) -> Paths {
        let mut level: BTreeMap<(Vec<u8>, Node), Seen> =
            roots.into_iter().map(|(node, seen)| ((Vec::new(), node), seen)).collect();
        let mut blobs = Paths::new();
        let mut left = MOST;
        while !level.is_empty() {
            let mut next = BTreeMap::new();
            let entries = level.into_iter().flat_map(|((folder, node), seen)| {
                let entries = trees.entries(node);
                (0..entries.len()).map(move |at| (folder.clone(), entries[at], seen))
            });
            for (mut path, (name, child), seen) in entries {
                if left == 0 {
                    self.problems.insert(NotSearched::TooLarge);
                    return blobs;
                }
                left -= 1;
                path.extend_from_slice(if path.is_empty() { b"" } else { b"/" });
                path.extend_from_slice(trees.name(name));
                let known: &mut Seen = match child {
                    Child::Blob(number) => blobs.entry((path, number)).or_insert(seen),
                    Child::Tree(node) => next.entry((path, node)).or_insert(seen),
                };
                known.merge(seen);
            }
            level = next;
        }
        blobs
    }
}

type Paths = BTreeMap<(Vec<u8>, Number), Seen>;

/// What the next commit will have counts as a file of the work tree, but for what the checked-out commit has, too.
fn add_staged(history: &History, blobs: &[Number], paths: &mut Paths) {
    let ids: HashMap<_, _> = blobs.iter().map(|number| (history.store.id(*number), *number)).collect();
    let new = Seen::at(State::Worktree);
    for (path, id) in &history.staged.entries {
        let path = if path.is_empty() { id.to_string().into_bytes() } else { path.clone() };
        let Some(number) = ids.get(id) else { continue };
        let known = paths.entry((path, *number)).or_insert(new);
        if known.state != State::Head {
            known.merge(new);
        }
    }
}

/// Of the message of a commit or tag.
fn message(history: &History, reader: &mut Reader<'_>, number: Number) -> Seen {
    let History { store, findings, commits, .. } = history;
    let commit = match commits.peel(store, reader, number) {
        Some((Kind::Commit, commit)) => commits.rank(commit),
        _ => None,
    };
    if findings.is_tag(number) {
        let state = commits.tags.get(&number).copied().unwrap_or(State::Unreachable);
        return commit.map_or(Seen::at(state), |rank| Seen::in_commit(rank, state));
    }
    commit.map_or(Seen::at(State::Unreachable), |rank| Seen::in_commit(rank, commits.states[rank as usize]))
}
