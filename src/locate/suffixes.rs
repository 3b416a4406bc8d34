//! The suffixes to find, in a table whose look-up costs the same for ten keys and for a hundred thousand.

use crate::model::Suffix;
use crate::place::Class;

/// Bits of a suffix.
const BITS: u32 = 48;
const EMPTY: u64 = u64::MAX;

/// The suffixes to find: an open-addressing hash table, at most half full.
#[derive(Debug, Clone)]
pub struct Suffixes {
    /// A suffix in the lower 48 bits, above them whether it is of a programmatic key; or [`EMPTY`].
    slots: Vec<u64>,
    /// The upper bits of a hash are the slot.
    shift: u32,
}

impl Default for Suffixes {
    fn default() -> Self {
        Self::new([])
    }
}

impl Suffixes {
    /// From personal keys ([`Class::Key`]) and programmatic keys ([`Class::NewKey`]). A suffix of both is a personal key.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (Suffix, Class)>) -> Self {
        let number = |suffix: &Suffix| u64::from_str_radix(suffix.as_str(), 16).unwrap_or_default();
        let mut keys: Vec<_> = keys.into_iter().map(|(suffix, class)| (number(&suffix), class)).collect();
        keys.sort_unstable();
        keys.dedup_by_key(|(number, _)| *number);
        let size = (keys.len() * 2).next_power_of_two().max(2);
        let mut table = Self { slots: vec![EMPTY; size], shift: u64::BITS - size.trailing_zeros() };
        for (number, class) in keys {
            let mut slot = table.slot(number);
            while table.slots[slot] != EMPTY {
                slot = (slot + 1) & (size - 1);
            }
            table.slots[slot] = number | (u64::from(class == Class::NewKey) << BITS);
        }
        table
    }

    #[expect(clippy::cast_possible_truncation, reason = "the shift leaves the bits of an index")]
    fn slot(&self, suffix: u64) -> usize {
        (suffix.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    /// What a suffix is.
    #[must_use]
    pub fn class(&self, suffix: u64) -> Option<Class> {
        let mut slot = self.slot(suffix);
        loop {
            let entry = self.slots[slot];
            if entry == EMPTY {
                return None;
            }
            if entry & ((1 << BITS) - 1) == suffix {
                return Some(if entry >> BITS == 0 { Class::Key } else { Class::NewKey });
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suffix(number: u64) -> Suffix {
        Suffix::from_key(&format!("{number:012x}")).expect("12 digits")
    }

    #[test]
    fn each_suffix_is_found_and_no_other_is() {
        assert_eq!(Suffixes::default().class(0), None);
        for keys in [1, 2, 3, 500, 20_000_u64] {
            let spread = |at: u64| at.wrapping_mul(0x1234_5678_9abd) % (1 << BITS);
            let suffixes = Suffixes::new((0..keys).map(|at| (suffix(spread(at)), Class::Key)));
            assert!((0..keys).all(|at| suffixes.class(spread(at)) == Some(Class::Key)), "{keys}");
            assert!((keys..keys + 1000).all(|at| suffixes.class(spread(at)).is_none()), "{keys}");
        }
    }

    #[test]
    fn a_suffix_of_both_kinds_is_a_personal_key() {
        let both = [(suffix(7), Class::NewKey), (suffix(7), Class::Key), (suffix(8), Class::NewKey)];
        let suffixes = Suffixes::new(both);
        assert_eq!(suffixes.class(7), Some(Class::Key));
        assert_eq!(suffixes.class(8), Some(Class::NewKey));
    }
}
