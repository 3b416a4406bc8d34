//! The order of what was found, and the places of a file in one row: what is in the work tree and in its history is one place.

use std::collections::{BTreeMap, BTreeSet};

use super::files::Located;
use super::tree::Searched;
use crate::place::{Place, State};

/// Adds the places of histories. Those of a file that has the key in its work tree are no places of their own: its rows get
/// their commits.
pub(super) fn add_histories(searched: &mut Searched, located: Vec<Located>) {
    let mut histories: BTreeMap<_, Vec<Located>> = BTreeMap::new();
    for located in located {
        histories.entry(identity(&located.place)).or_default().push(located);
    }
    let mut merged = BTreeSet::new();
    for Located { place, .. } in searched.located.iter_mut().filter(|it| it.place.state == State::Worktree) {
        let identity = identity(place);
        let Some(history) = histories.get(&identity).and_then(|found| found.first()) else { continue };
        let history = &history.place;
        place.first.clone_from(&history.first);
        place.last_commit.clone_from(&history.last_commit);
        place.versions = history.versions;
        merged.insert(identity);
    }
    let others = histories.into_iter().filter(|(identity, _)| !merged.contains(identity));
    searched.located.extend(others.flat_map(|(_, located)| located));
}

fn identity(place: &Place) -> [String; 4] {
    let Place { repository, path, member, suffix, .. } = place;
    [repository.clone(), path.clone(), member.clone(), suffix.as_str().to_owned()]
}

/// Sorts what was found, and leaves each place once.
pub(super) fn sort(searched: &mut Searched) {
    searched.located.sort_by(|one, other| order(&one.place).cmp(&order(&other.place)));
    searched.located.dedup_by(|one, other| one.place == other.place);
    searched.unsearched.sort();
    searched.unsearched.dedup();
}

fn order(place: &Place) -> impl Ord + '_ {
    let Place { suffix, class, state, repository, path, member, line, column, encoding, .. } = place;
    (repository, path, member, line, column, encoding, suffix.as_str(), class, state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Suffix;
    use crate::place::{Class, Commit};

    fn place(state: State, path: &str, line: Option<u64>, first: Option<&str>) -> Place {
        Place {
            suffix: Suffix::from_key("92732876eeae").unwrap(),
            class: Class::Key,
            state,
            repository: ".".to_owned(),
            path: path.to_owned(),
            member: String::new(),
            line,
            column: None,
            encoding: "plain".to_owned(),
            first: first.map(|id| Commit {
                id: id.to_owned(),
                date: chrono::DateTime::UNIX_EPOCH,
                author: "a".to_owned(),
            }),
            last_commit: first.map(str::to_owned),
            versions: first.map(|_| 2),
        }
    }

    #[test]
    fn a_file_in_the_work_tree_has_the_commits_of_its_history() {
        let located = [1, 7].map(|line| place(State::Worktree, "a", Some(line), None));
        let mut searched = Searched {
            located: located.map(|place| Located { place, context: None }).to_vec(),
            ..Searched::default()
        };
        let history =
            [place(State::Head, "a", Some(1), Some("c1")), place(State::Tag, "old", Some(2), Some("c0"))];
        let history = history.map(|place| Located { place, context: None });
        add_histories(&mut searched, history.to_vec());
        sort(&mut searched);
        let found: Vec<_> = searched.located.iter().map(|it| &it.place).collect();
        assert_eq!(
            found,
            [
                &place(State::Worktree, "a", Some(1), Some("c1")),
                &place(State::Worktree, "a", Some(7), Some("c1")),
                &place(State::Tag, "old", Some(2), Some("c0")),
            ]
        );
    }
}
