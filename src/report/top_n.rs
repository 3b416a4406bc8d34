//! The first N of many items by rank, in the memory of N items.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::PersonalKey;

/// The first items by rank; for equal ranks, those that were added first.
pub(super) struct TopN<R, T> {
    limit: usize,
    /// With the number of each item in the order of adding.
    kept: BTreeMap<(R, u64), T>,
    count: u64,
}

/// A rank by class, such as a severity, and within it by latest use.
pub(super) type Rank<C> = (C, Reverse<Option<DateTime<Utc>>>);

pub(super) fn rank<C>(class: C, key: &PersonalKey) -> Rank<C> {
    (class, Reverse(key.last_use()))
}

impl<R: Ord, T> TopN<R, T> {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, kept: BTreeMap::new(), count: 0 }
    }

    /// Adds an item, which is made only if it is kept.
    pub(super) fn push(&mut self, rank: R, item: impl FnOnce() -> T) {
        self.count += 1;
        if self.kept.len() == self.limit {
            match self.kept.last_key_value() {
                Some(((last, _), _)) if rank < *last => drop(self.kept.pop_last()),
                Some(_) | None => return,
            }
        }
        self.kept.insert((rank, self.count), item());
    }

    /// Number of items added.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The kept items, in order.
    pub(super) fn into_values(self) -> impl ExactSizeIterator<Item = T> {
        self.kept.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_first_by_rank_are_kept_in_the_order_of_their_coming(ranks: Vec<u8>, limit in 0_usize..12) {
            let mut top = TopN::new(limit);
            for (number, rank) in ranks.iter().enumerate() {
                top.push(*rank, || (*rank, number));
            }
            let mut sorted: Vec<_> = ranks.iter().enumerate().map(|(number, rank)| (*rank, number)).collect();
            sorted.sort_unstable();
            sorted.truncate(limit);
            proptest::prop_assert_eq!(top.count(), ranks.len() as u64);
            proptest::prop_assert_eq!(top.into_values().collect::<Vec<_>>(), sorted);
        }
    }
}
