//! The users (or programmatic keys) that belong to something, as numbers that are computed rather than stored.

/// Some indices in a fixed order, none twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Every { first: u64, step: u64, below: u64 },
    Listed(Vec<u64>),
}

/// The rows of a list that a page shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageRange {
    pub(crate) skip: u64,
    pub(crate) take: u64,
}

impl PageRange {
    /// These rows of a list that is in memory as a whole.
    pub(crate) fn slice<T>(self, all: &[T]) -> &[T] {
        let start = usize::try_from(self.skip).unwrap_or(usize::MAX).min(all.len());
        let length = usize::try_from(self.take).unwrap_or(usize::MAX).min(all.len() - start);
        &all[start..start + length]
    }
}

impl Members {
    /// `first`, `first + step`, … below `below`.
    pub(crate) fn every(first: u64, step: u64, below: u64) -> Self {
        Self(vec![Part::Every { first, step: step.max(1), below }])
    }

    pub(crate) fn from_indices(indices: Vec<u64>) -> Self {
        Self(vec![Part::Listed(indices)])
    }

    /// These, then the others, of which none may be among these.
    pub(crate) fn then(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(Part::len).sum()
    }

    /// Where an index is in the order, from 0; `None` where it is not among these.
    pub(crate) fn position(&self, index: u64) -> Option<u64> {
        let mut before = 0;
        for part in &self.0 {
            if let Some(at) = part.position(index) {
                return Some(before + at);
            }
            before += part.len();
        }
        None
    }

    pub(crate) fn contains(&self, index: u64) -> bool {
        self.position(index).is_some()
    }

    /// Those from position `skip` on.
    pub(crate) fn skip(&self, skip: u64) -> impl Iterator<Item = u64> + '_ {
        (skip..self.len()).map_while(|at| self.nth(at))
    }

    pub(crate) fn page(&self, range: PageRange) -> impl Iterator<Item = u64> + '_ {
        self.skip(range.skip).take(usize::try_from(range.take).unwrap_or(usize::MAX))
    }

    pub(crate) fn nth(&self, mut at: u64) -> Option<u64> {
        for part in &self.0 {
            if at < part.len() {
                return part.nth(at);
            }
            at -= part.len();
        }
        None
    }
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Self::Every { first, step, below } => below.saturating_sub(*first).div_ceil(*step),
            Self::Listed(indices) => indices.len() as u64,
        }
    }

    fn nth(&self, at: u64) -> Option<u64> {
        match self {
            Self::Every { first, step, .. } => Some(first + at * step),
            Self::Listed(indices) => indices.get(usize::try_from(at).ok()?).copied(),
        }
    }

    fn position(&self, index: u64) -> Option<u64> {
        match self {
            Self::Every { first, step, below } => {
                let fits = index >= *first && index < *below && (index - first).is_multiple_of(*step);
                fits.then(|| (index - first) / step)
            }
            Self::Listed(indices) => indices.iter().position(|one| *one == index).map(|at| at as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_and_positions_agree_with_the_order() {
        let members = Members::every(1, 3, 11).then(Members::from_indices(vec![0, 9]));
        let all: Vec<u64> = members.skip(0).collect();
        assert_eq!(all, [1, 4, 7, 10, 0, 9]);
        assert_eq!(members.len(), 6);
        for (at, index) in all.into_iter().enumerate() {
            assert_eq!(members.position(index), Some(at as u64));
        }
        assert_eq!(members.position(2), None);
        assert_eq!(members.skip(4).collect::<Vec<_>>(), [0, 9]);
        assert_eq!(Members::every(5, 2, 3).len(), 0);
    }
}
