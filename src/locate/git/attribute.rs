//! From objects to places: the paths of each, the commits that have it there, and the state.
//!
//! A place is a key with a path, a member and an encoding: one row, whatever the number of commits and versions.
//! - State: the best of all commits that have it, in the order of [`State`]. What only a reference to a tree or blob leads
//!   to has the state of that reference; what none leads to is unreachable, also if a reflog leads there.
//! - Commits: the first and last by the date of the committer among those that references lead to; among all others if
//!   there is none.
//! - Line and column: those of the version in the last commit.
//! - Versions: how many different contents have the key there.
//! - An object without a path has its id as the path. A message of a commit or tag has an empty one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::commits::{Commits, Rank};
use super::findings::{Findings, Hits};
use super::object::{self, Kind};
use super::read::Reader;
use super::store::{Number, Store};
use super::trees::{Child, NOTHING, Node, Trees};
use crate::locate::names;
use crate::locate::scan::Hit;
use crate::model::Suffix;
use crate::place::{Class, Commit, NotSearched, Place, State, Unsearched};
use crate::printable::{masked, printable};

/// A tree with the same folder twice, which has the same folder twice, and so on, has more paths than there is time for.
const MOST: usize = 1 << 20;

/// Where something was seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    state: State,
    /// First and last commit that a reference leads to.
    reachable: Option<(Rank, Rank)>,
    /// First and last of the others.
    stray: Option<(Rank, Rank)>,
}

impl Seen {
    /// By a reference without a commit.
    fn at(state: State) -> Self {
        Self { state, reachable: None, stray: None }
    }

    fn in_commit(rank: Rank, state: State) -> Self {
        let span = Some((rank, rank));
        match state {
            State::Unreachable => Self { state, reachable: None, stray: span },
            _ => Self { state, reachable: span, stray: None },
        }
    }

    fn merge(&mut self, other: Self) {
        self.state = self.state.min(other.state);
        self.reachable = merged(self.reachable, other.reachable);
        self.stray = merged(self.stray, other.stray);
    }

    fn commits(&self) -> Option<(Rank, Rank)> {
        self.reachable.or(self.stray)
    }
}

fn merged(a: Option<(Rank, Rank)>, b: Option<(Rank, Rank)>) -> Option<(Rank, Rank)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// What makes a place, but for the repository.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    path: String,
    member: String,
    suffix: u64,
    class: Class,
    encoding: String,
}

/// A place that is being put together.
struct Draft {
    seen: Seen,
    objects: BTreeSet<Number>,
    /// Of the version of the last commit so far, with that commit, and whether a reference leads there.
    newest: (bool, Option<Rank>),
    line: u64,
    column: u64,
}

/// The places of all findings, and the objects that were not searched, in order.
pub(super) fn attribute(
    store: &Store,
    findings: &Findings,
    commits: &Commits,
    name: &str,
) -> (Vec<Place>, Vec<Unsearched>) {
    let objects: BTreeSet<_> = findings.hits.keys().chain(findings.unsearched.keys()).copied().collect();
    if objects.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let mut reader = Reader::new(store);
    let (messages, blobs): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|number| commits.rank(*number).is_some() || findings.is_tag(*number));
    let mut sightings: Vec<_> = messages
        .into_iter()
        .map(|number| (String::new(), number, message(store, findings, commits, &mut reader, number)))
        .collect();
    let problems = paths(store, commits, &blobs, &mut sightings);
    let mut unsearched: BTreeSet<_> =
        problems.into_iter().map(|why| not_searched(name, "", "", why)).collect();
    let mut drafts = BTreeMap::new();
    for (path, number, seen) in &sightings {
        for hit in findings.hits.get(number).into_iter().flatten() {
            add(&mut drafts, path, *number, *seen, hit);
        }
        for (member, why) in findings.unsearched.get(number).into_iter().flatten() {
            unsearched.insert(not_searched(name, path, member, *why));
        }
    }
    let places =
        drafts.into_iter().filter_map(|(key, draft)| place(store, commits, &mut reader, name, key, &draft));
    (places.collect(), unsearched.into_iter().collect())
}

/// Keys in a file of the repository that no object leads to, and what was not searched of it.
pub(super) fn in_file(name: &str, path: &str, found: &Hits) -> (Vec<Place>, Vec<Unsearched>) {
    let mut drafts = BTreeMap::new();
    for hit in found.hits.values() {
        add(&mut drafts, path, 0, Seen::at(State::Unreachable), hit);
    }
    let places = drafts.into_iter().filter_map(|(key, draft)| finished(name, key, &draft));
    let rows = found.unsearched.iter().map(|(member, why)| not_searched(name, path, member, *why));
    (places.collect(), rows.collect())
}

/// Of the message of a commit or tag.
fn message(
    store: &Store,
    findings: &Findings,
    commits: &Commits,
    reader: &mut Reader<'_>,
    number: Number,
) -> Seen {
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

/// All paths of blobs.
fn paths(
    store: &Store,
    commits: &Commits,
    blobs: &[Number],
    sightings: &mut Vec<(String, Number, Seen)>,
) -> BTreeSet<NotSearched> {
    let mut trees = Trees::new(store, blobs.iter().copied());
    let mut roots: HashMap<Node, Seen> = HashMap::new();
    let mut add = |node, seen: Seen| {
        if node != NOTHING {
            roots.entry(node).or_insert(seen).merge(seen);
        }
    };
    let mut without_path: HashMap<Number, Seen> = HashMap::new();
    let ranks = (0..).zip(&commits.ordered).collect::<Vec<_>>();
    for (rank, commit) in ranks.into_iter().rev() {
        add(trees.node(commit.tree), Seen::in_commit(rank, commits.states[rank as usize]));
    }
    for (kind, number, state) in &commits.others {
        match kind {
            Kind::Tree => add(trees.node(*number), Seen::at(*state)),
            _ => without_path.entry(*number).or_insert(Seen::at(*state)).merge(Seen::at(*state)),
        }
    }
    let mut problems: BTreeSet<_> = trees.problems.iter().copied().collect();
    let mut attributed = BTreeSet::new();
    if !expand(&trees, roots, &mut attributed, sightings) {
        problems.insert(NotSearched::TooLarge);
    }
    for number in blobs {
        let seen = without_path.get(number).copied();
        let seen = seen.or_else(|| (!attributed.contains(number)).then(|| Seen::at(State::Unreachable)));
        sightings.extend(seen.map(|seen| (store.id(*number).to_string(), *number, seen)));
    }
    problems
}

/// From root trees down, a level of folders at a time, so that each folder with the same content at the same path is passed
/// once. `false` if there are too many.
fn expand(
    trees: &Trees<'_>,
    roots: HashMap<Node, Seen>,
    attributed: &mut BTreeSet<Number>,
    sightings: &mut Vec<(String, Number, Seen)>,
) -> bool {
    let mut level: BTreeMap<(Vec<u8>, Node), Seen> =
        roots.into_iter().map(|(node, seen)| ((Vec::new(), node), seen)).collect();
    let mut blobs: BTreeMap<(Vec<u8>, Number), Seen> = BTreeMap::new();
    let mut left = MOST;
    while !level.is_empty() {
        let mut next = BTreeMap::new();
        for ((folder, node), seen) in level {
            for (name, child) in trees.entries(node).iter() {
                let mut path = folder.clone();
                path.extend_from_slice(if folder.is_empty() { b"" } else { b"/" });
                path.extend_from_slice(trees.name(*name));
                let known: &mut Seen = match child {
                    Child::Blob(number) => blobs.entry((path, *number)).or_insert(seen),
                    Child::Tree(node) => next.entry((path, *node)).or_insert(seen),
                };
                known.merge(seen);
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            if left == 0 {
                break;
            }
        }
        level = if left == 0 { BTreeMap::new() } else { next };
    }
    for ((path, number), seen) in blobs {
        attributed.insert(number);
        sightings.push((names::of_bytes(&path), number, seen));
    }
    left > 0
}

fn add(drafts: &mut BTreeMap<Key, Draft>, path: &str, number: Number, seen: Seen, hit: &Hit) {
    let key = Key {
        path: path.to_owned(),
        member: hit.member.clone(),
        suffix: hit.suffix,
        class: hit.class,
        encoding: hit.encoding.clone(),
    };
    let newest = (seen.reachable.is_some(), seen.commits().map(|(_, last)| last));
    let new = || Draft { seen, objects: BTreeSet::new(), newest, line: hit.line, column: hit.column };
    let draft = drafts.entry(key).or_insert_with(new);
    draft.objects.insert(number);
    // Of a version that has the key several times, the first of them.
    if newest > draft.newest || newest == draft.newest && (hit.line, hit.column) < (draft.line, draft.column)
    {
        (draft.newest, draft.line, draft.column) = (newest, hit.line, hit.column);
    }
    draft.seen.merge(seen);
}

/// With its commits.
fn place(
    store: &Store,
    commits: &Commits,
    reader: &mut Reader<'_>,
    name: &str,
    key: Key,
    draft: &Draft,
) -> Option<Place> {
    let number = |rank: Rank| commits.ordered[rank as usize].number;
    let (first, last) = draft.seen.commits().map(|(first, last)| (number(first), number(last))).unzip();
    let first = first.and_then(|number| commit(store, reader, number));
    let last_commit = last.map(|number| store.id(number).to_string());
    finished(name, key, draft).map(|place| Place { first, last_commit, ..place })
}

/// Without commits.
fn finished(name: &str, key: Key, draft: &Draft) -> Option<Place> {
    Some(Place {
        suffix: Suffix::from_key(&format!("{:012x}", key.suffix))?,
        class: key.class,
        state: draft.seen.state,
        repository: name.to_owned(),
        path: key.path,
        member: key.member,
        line: (draft.line > 0).then_some(draft.line),
        column: (draft.line > 0).then_some(draft.column),
        encoding: key.encoding,
        first: None,
        last_commit: None,
        versions: Some(draft.objects.len() as u64),
    })
}

fn commit(store: &Store, reader: &mut Reader<'_>, number: Number) -> Option<Commit> {
    let (_, content) = reader.object(number).ok()?;
    let (author, seconds) = object::author(&content).unwrap_or_default();
    let date = DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default();
    Some(Commit { id: store.id(number).to_string(), date, author: shown(&author) })
}

fn not_searched(repository: &str, path: &str, member: &str, why: NotSearched) -> Unsearched {
    Unsearched { repository: repository.to_owned(), path: path.to_owned(), member: member.to_owned(), why }
}

/// Without keys and what is invisible.
fn shown(text: &str) -> String {
    masked(&printable(text))
}
