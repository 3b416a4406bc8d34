//! The first N of many items by rank, in the memory of N items. N is their number, or the sum of their sizes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::PersonalKey;

/// The first items by rank; for equal ranks, those that were added first.
pub(super) struct TopN<R, T> {
    limit: usize,
    /// The sum of the sizes of the kept items.
    size: usize,
    /// By rank, and the number of each item in the order of adding. With the size of each item.
    kept: BTreeMap<(R, u64), (usize, T)>,
    count: u64,
}

/// A rank by class, such as a severity, and within it by latest use.
pub(super) type Rank<C> = (C, Reverse<Option<DateTime<Utc>>>);

pub(super) fn rank<C>(class: C, key: &PersonalKey) -> Rank<C> {
    (class, Reverse(key.last_use()))
}

impl<R: Ord, T> TopN<R, T> {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, size: 0, kept: BTreeMap::new(), count: 0 }
    }

    /// Adds an item, which is made only if it is kept.
    pub(super) fn push(&mut self, rank: R, item: impl FnOnce() -> T) {
        if self.keeps(&rank) {
            self.insert(rank, 1, item());
        } else {
            self.count += 1;
        }
    }

    /// Whether an item of this rank is kept if it is added now.
    pub(super) fn keeps(&self, rank: &R) -> bool {
        self.size < self.limit || self.kept.last_key_value().is_some_and(|((last, _), _)| rank < last)
    }

    /// Adds an item of a size; returns the items that are not kept any more. The kept items exceed the limit by less than the
    /// size of the last one.
    pub(super) fn insert(&mut self, rank: R, size: usize, item: T) -> Vec<(R, T)> {
        self.count += 1;
        self.size += size;
        self.kept.insert((rank, self.count), (size, item));
        let mut removed = Vec::new();
        while let Some(last) = self.kept.last_entry() {
            let size = last.get().0;
            if self.size - size < self.limit {
                break;
            }
            self.size -= size;
            let ((rank, _), (_, item)) = last.remove_entry();
            removed.push((rank, item));
        }
        removed
    }

    /// Number of items added.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The kept items, in order.
    pub(super) fn into_values(self) -> impl ExactSizeIterator<Item = T> {
        self.kept.into_values().map(|(_, item)| item)
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
