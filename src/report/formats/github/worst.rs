//! The worst of very many, in the memory of a few.

use std::collections::BinaryHeap;

/// The smallest of what passed, which by the order of `T` are the worst, and how many passed.
pub(super) struct Worst<T> {
    most: usize,
    /// The least bad on top.
    kept: BinaryHeap<T>,
    passed: u64,
}

impl<T: Ord> Worst<T> {
    /// Keeps so many.
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: BinaryHeap::new(), passed: 0 }
    }

    /// Takes one more.
    pub(super) fn push(&mut self, one: T) {
        self.passed += 1;
        self.kept.push(one);
        if self.kept.len() > self.most {
            self.kept.pop();
        }
    }

    /// The worst, worst first, and how many passed.
    pub(super) fn end(self) -> (Vec<T>, u64) {
        (self.kept.into_sorted_vec(), self.passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn they_are_the_first_of_all_in_order(all: Vec<u8>, most in 0_usize..12) {
            let mut worst = Worst::new(most);
            for one in &all {
                worst.push(*one);
            }
            let (mut sorted, passed) = (all.clone(), all.len() as u64);
            sorted.sort_unstable();
            sorted.truncate(most);
            proptest::prop_assert_eq!(worst.end(), (sorted, passed));
        }
    }
}
