//! The commits in order, and the state of what is in each.

use std::collections::HashMap;

use super::findings::{Commit, Findings};
use super::object::{self, Kind};
use super::read::Reader;
use super::store::{Number, Store};
use crate::place::State;

/// Tags of tags of tags.
const DEEPEST: usize = 64;

/// In the order of their dates: a rank is a place in it.
pub(super) type Rank = u32;

/// All commits of a repository.
pub(super) struct Commits {
    /// By date, then by id.
    pub(super) ordered: Vec<Commit>,
    pub(super) states: Vec<State>,
    /// Sorted.
    ranks: Vec<(Number, Rank)>,
    /// Tags that a reference leads to.
    pub(super) tags: HashMap<Number, State>,
    /// Trees and blobs that a reference leads to without a commit.
    pub(super) others: Vec<(Kind, Number, State)>,
}

impl Commits {
    /// Of those that were found. `references` is `None` if they could not be read: then each commit without a child counts as
    /// that of a branch.
    pub(super) fn new(
        store: &Store,
        findings: &mut Findings,
        references: Option<&[(State, gix_hash::ObjectId)]>,
    ) -> Self {
        let mut ordered = std::mem::take(&mut findings.commits);
        ordered.sort_by(|a, b| a.date.cmp(&b.date).then_with(|| store.id(a.number).cmp(&store.id(b.number))));
        let mut ranks: Vec<_> = (0..).zip(&ordered).map(|(rank, commit)| (commit.number, rank)).collect();
        ranks.sort_unstable();
        let states = vec![State::Unreachable; ordered.len()];
        let mut commits = Self { ordered, states, ranks, tags: HashMap::new(), others: Vec::new() };
        match references {
            Some(references) => {
                let mut reader = Reader::new(store);
                for (state, id) in references {
                    match store.number(id) {
                        Some(number) => commits.mark(store, &mut reader, number, *state, findings),
                        None => findings.is_missing = true,
                    }
                }
            }
            None => commits.mark_childless(findings),
        }
        commits.mark_history(findings);
        commits
    }

    pub(super) fn rank(&self, number: Number) -> Option<Rank> {
        self.ranks.binary_search_by_key(&number, |(number, _)| *number).ok().map(|at| self.ranks[at].1)
    }

    /// What a tag is of, in the end.
    pub(super) fn peel(
        &self,
        store: &Store,
        reader: &mut Reader<'_>,
        number: Number,
    ) -> Option<(Kind, Number)> {
        let mut number = number;
        for _ in 0..DEEPEST {
            if self.rank(number).is_some() {
                return Some((Kind::Commit, number));
            }
            let (kind, content) = reader.object(number).ok()?;
            if kind != Kind::Tag {
                return Some((kind, number));
            }
            number = store.number(&object::target(&content)?)?;
        }
        None
    }

    fn mark(
        &mut self,
        store: &Store,
        reader: &mut Reader<'_>,
        target: Number,
        state: State,
        findings: &Findings,
    ) {
        let mut number = target;
        for _ in 0..DEEPEST {
            let Some(id) = findings.target(number) else { break };
            let known = self.tags.entry(number).or_insert(state);
            *known = state.min(*known);
            let Some(next) = store.number(&id) else { return };
            number = next;
        }
        match self.peel(store, reader, number) {
            Some((Kind::Commit, number)) => self.mark_commit(number, state, findings),
            Some((kind, number)) => self.others.push((kind, number, state)),
            None => {}
        }
    }

    fn mark_commit(&mut self, number: Number, state: State, findings: &Findings) {
        let Some(rank) = self.rank(number) else { return };
        self.lower(rank, state);
        if state == State::Stash {
            // The second parent has the index, the third one the untracked files.
            let commit = self.ordered[rank as usize];
            for parent in findings.parents_of(&commit).iter().skip(1) {
                if let Some(rank) = self.rank(*parent) {
                    self.lower(rank, State::Stash);
                }
            }
        }
    }

    fn lower(&mut self, rank: Rank, state: State) {
        let known = &mut self.states[rank as usize];
        *known = state.min(*known);
    }

    fn mark_childless(&mut self, findings: &Findings) {
        let mut states = vec![State::Branch; self.ordered.len()];
        for rank in findings.parents.iter().filter_map(|parent| self.rank(*parent)) {
            states[rank as usize] = State::Unreachable;
        }
        self.states = states;
    }

    /// All that marked commits come from.
    fn mark_history(&mut self, findings: &Findings) {
        let ranks = (0..).zip(&self.states).filter(|(_, state)| **state != State::Unreachable);
        let mut next: Vec<Rank> = ranks.map(|(rank, _)| rank).collect();
        while let Some(rank) = next.pop() {
            let commit = self.ordered[rank as usize];
            for parent in findings.parents_of(&commit) {
                if let Some(rank) = self.rank(*parent)
                    && self.states[rank as usize] == State::Unreachable
                {
                    self.states[rank as usize] = State::History;
                    next.push(rank);
                }
            }
        }
    }
}
