//! Which users (or programmatic keys) belong to something, as numbers that are counted rather than stored.

/// Some indices in a fixed order, none twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Members(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Every { first: u64, step: u64, below: u64 },
    These(Vec<u64>),
}

impl Members {
    /// `first`, `first + step`, … below `below`.
    pub(super) fn every(first: u64, step: u64, below: u64) -> Self {
        Self(vec![Part::Every { first, step: step.max(1), below }])
    }

    pub(super) fn these(indices: Vec<u64>) -> Self {
        Self(vec![Part::These(indices)])
    }

    /// These, then the others, of which none may be among these.
    pub(super) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(Part::len).sum()
    }

    /// Where an index stands, from 0; `None` where it is not among these.
    pub(super) fn position(&self, index: u64) -> Option<u64> {
        let mut before = 0;
        for part in &self.0 {
            if let Some(at) = part.position(index) {
                return Some(before + at);
            }
            before += part.len();
        }
        None
    }

    pub(super) fn contains(&self, index: u64) -> bool {
        self.position(index).is_some()
    }

    /// Those from position `skip` on.
    pub(super) fn from(&self, skip: u64) -> impl Iterator<Item = u64> + '_ {
        (skip..self.len()).map_while(|at| self.nth(at))
    }

    fn nth(&self, mut at: u64) -> Option<u64> {
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
            Self::These(indices) => indices.len() as u64,
        }
    }

    fn nth(&self, at: u64) -> Option<u64> {
        match self {
            Self::Every { first, step, .. } => Some(first + at * step),
            Self::These(indices) => indices.get(usize::try_from(at).ok()?).copied(),
        }
    }

    fn position(&self, index: u64) -> Option<u64> {
        match self {
            Self::Every { first, step, below } => {
                let fits = index >= *first && index < *below && (index - first).is_multiple_of(*step);
                fits.then(|| (index - first) / step)
            }
            Self::These(indices) => indices.iter().position(|one| *one == index).map(|at| at as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_what_is_walked() {
        let members = Members::every(1, 3, 11).and(Members::these(vec![0, 9]));
        let walked: Vec<u64> = members.from(0).collect();
        assert_eq!(walked, [1, 4, 7, 10, 0, 9]);
        assert_eq!(members.len(), 6);
        for (at, index) in walked.into_iter().enumerate() {
            assert_eq!(members.position(index), Some(at as u64));
        }
        assert_eq!(members.position(2), None);
        assert_eq!(members.from(4).collect::<Vec<_>>(), [0, 9]);
        assert_eq!(Members::every(5, 2, 3).len(), 0);
    }
}
