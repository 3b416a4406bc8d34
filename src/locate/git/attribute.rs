//! From objects to places: the paths of each, the commits that have it there, and the state.
//!
//! A place is a key with a path, a member and an encoding: one row, whatever the number of commits and versions.
//! - State: the best of all commits that have it, in the order of [`State`]. What is staged, and not in the checked-out
//!   commit, counts as a file of the work tree: the next commit publishes it. What only a reference to a tree or blob leads
//!   to has the state of that reference; what none leads to is unreachable, also if a reflog leads there.
//! - Commits: the first and last by the date of the committer among those that references lead to; among all others if
//!   there is none.
//! - Line and column: those of the staged version, or of the one in the last commit.
//! - Versions: how many different contents have the key there.
//! - An object without a path has its id as the path. A message of a commit or tag has an empty one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::commits::Rank;
use super::findings::Results;
use super::object;
use super::read::Reader;
use super::sightings::{History, Seen, Sightings};
use super::store::{Number, Store};
use crate::locate::mask::masked;
use crate::locate::scan::Hit;
use crate::model::Suffix;
use crate::place::{Class, Commit, NotSearched, Place, State, Unsearched};
use crate::printable::printable;

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
    /// Of the version that is staged or of the last commit so far: whether it is staged, whether a reference leads there, and
    /// the commit.
    newest: (bool, bool, Option<Rank>),
    line: u64,
    column: u64,
    context: Option<String>,
}

/// A place, and its line where that was asked for.
pub(super) type Shown = (Place, Option<String>);

/// The places of all findings, and the objects that were not searched, in order.
pub(super) fn attribute(history: &History, name: &str) -> (Vec<Shown>, Vec<Unsearched>) {
    let findings = history.findings;
    let objects: BTreeSet<_> = findings.hits.keys().chain(findings.unsearched.keys()).copied().collect();
    if objects.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let sightings = Sightings::new(history, objects);
    let mut unsearched: BTreeSet<_> =
        sightings.problems.iter().map(|why| not_searched(name, "", "", *why)).collect();
    let mut drafts = BTreeMap::new();
    for (path, number, seen) in &sightings.all {
        for hit in findings.hits.get(number).into_iter().flatten() {
            add(&mut drafts, path, *number, *seen, hit);
        }
        for (member, why) in findings.unsearched.get(number).into_iter().flatten() {
            unsearched.insert(not_searched(name, path, member, *why));
        }
    }
    let mut reader = Reader::new(history.store);
    let places = drafts.into_iter().filter_map(|(key, draft)| place(history, &mut reader, name, key, draft));
    (places.collect(), unsearched.into_iter().collect())
}

/// Keys in a file of the repository that no object leads to, and what was not searched of it.
pub(super) fn in_file(name: &str, path: &str, found: &Results) -> (Vec<Shown>, Vec<Unsearched>) {
    let mut drafts = BTreeMap::new();
    for hit in found.hits.values() {
        add(&mut drafts, path, 0, Seen::at(State::Unreachable), hit);
    }
    let places = drafts.into_iter().filter_map(|(key, draft)| finished(name, key, draft));
    let rows = found.unsearched.iter().map(|(member, why)| not_searched(name, path, member, *why));
    (places.collect(), rows.collect())
}

fn add(drafts: &mut BTreeMap<Key, Draft>, path: &str, number: Number, seen: Seen, hit: &Hit) {
    let key = Key {
        path: path.to_owned(),
        member: hit.member.clone(),
        suffix: hit.suffix,
        class: hit.class,
        encoding: hit.encoding.clone(),
    };
    let last = seen.commits().map(|(_, last)| last);
    let newest = (seen.state == State::Worktree, seen.reachable.is_some(), last);
    let Hit { line, column, context, .. } = hit;
    let new = || Draft {
        seen,
        objects: BTreeSet::new(),
        newest,
        line: *line,
        column: *column,
        context: context.clone(),
    };
    let draft = drafts.entry(key).or_insert_with(new);
    draft.objects.insert(number);
    // Of a version that has the key several times, the first of them.
    if newest > draft.newest || newest == draft.newest && (*line, *column) < (draft.line, draft.column) {
        (draft.newest, draft.line, draft.column) = (newest, *line, *column);
        draft.context.clone_from(context);
    }
    draft.seen.merge(seen);
}

/// With its commits.
fn place(history: &History, reader: &mut Reader<'_>, name: &str, key: Key, draft: Draft) -> Option<Shown> {
    let History { store, commits, .. } = history;
    let number = |rank: Rank| commits.ordered[rank as usize].number;
    let (first, last) = draft.seen.commits().map(|(first, last)| (number(first), number(last))).unzip();
    let first = first.and_then(|number| commit(store, reader, number));
    let last_commit = last.map(|number| store.id(number).to_string());
    let (place, context) = finished(name, key, draft)?;
    Some((Place { first, last_commit, ..place }, context))
}

/// Without commits.
fn finished(name: &str, key: Key, draft: Draft) -> Option<Shown> {
    let place = Place {
        suffix: Suffix::from_key(&format!("{:012x}", key.suffix))?,
        class: key.class,
        state: draft.seen.state,
        repository: masked(name),
        path: masked(&key.path),
        member: masked(&key.member),
        line: (draft.line > 0).then_some(draft.line),
        column: (draft.line > 0).then_some(draft.column),
        encoding: key.encoding,
        first: None,
        last_commit: None,
        versions: Some(draft.objects.len() as u64),
    };
    Some((place, draft.context))
}

fn commit(store: &Store, reader: &mut Reader<'_>, number: Number) -> Option<Commit> {
    let (_, content) = reader.object(number).ok()?;
    let (author, seconds) = object::author(&content).unwrap_or_default();
    let date = DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default();
    Some(Commit { id: store.id(number).to_string(), date, author: masked(&printable(&author)) })
}

/// With keys masked.
pub(super) fn not_searched(repository: &str, path: &str, member: &str, why: NotSearched) -> Unsearched {
    let [repository, path, member] = [repository, path, member].map(masked);
    Unsearched { repository, path, member, why }
}
