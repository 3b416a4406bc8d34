//! Results come in the order of the rows and are written worst first: until then they wait in a file, so that no number of
//! them needs memory.

use std::io::{self, BufRead as _};
use std::path::Path;

use serde::Serialize;

use crate::policy::Severity;
use crate::report::SpillFile;

/// The severities, worst first, and behind them whatever is waived.
const CLASSES: usize = Severity::ALL.len() + 1;

/// Keeps the worst, and counts the rest.
pub(super) struct RankedResults {
    most: u64,
    counts: [u64; CLASSES],
    /// A section a class, a line a result.
    lines: SpillFile,
}

impl RankedResults {
    pub(super) fn new(folder: &Path, most: u64) -> io::Result<Self> {
        Ok(Self { most, counts: [0; CLASSES], lines: SpillFile::new_in(folder)? })
    }

    /// Takes a result; it is made only where there may be room for it.
    pub(super) fn put<T: Serialize>(
        &mut self,
        severity: Severity,
        is_waived: bool,
        result: impl FnOnce() -> T,
    ) -> io::Result<()> {
        let class = if is_waived { CLASSES - 1 } else { severity as usize };
        self.counts[class] += 1;
        if self.counts[class] > self.most {
            return Ok(());
        }
        let mut line = serde_json::to_vec(&result())?;
        line.push(b'\n');
        self.lines.write(class, &line)
    }

    /// How many were put.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many are kept.
    pub(super) fn kept(&self) -> u64 {
        self.count().min(self.most)
    }

    /// Hands out those that are kept.
    pub(super) fn worst_first(mut self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut left = self.kept();
        for class in 0..CLASSES {
            let mut lines = self.lines.read(class)?;
            let mut line = Vec::new();
            while left > 0 && lines.read_until(b'\n', &mut line)? > 0 {
                left -= 1;
                each(line.trim_ascii_end())?;
                line.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_are_kept_in_the_order_in_which_they_came_and_the_waived_go_first() {
        use Severity::{Critical, Info, Low};
        let folder = tempfile::tempdir().unwrap();
        let put = [
            (Low, false, "a"),
            (Critical, true, "b"),
            (Critical, false, "c"),
            (Info, false, "d\n"),
            (Low, false, "e"),
            (Critical, false, "f"),
        ];
        for (most, expected) in
            [(9, &["c", "f", "a", "e", "d\\n", "b"][..]), (3, &["c", "f", "a"]), (1, &["c"])]
        {
            let mut results = RankedResults::new(folder.path(), most).unwrap();
            for (severity, is_waived, text) in put {
                results.put(severity, is_waived, || text).unwrap();
            }
            assert_eq!((results.count(), results.kept()), (6, expected.len() as u64));
            let mut given = Vec::new();
            results
                .worst_first(|line| {
                    given.push(String::from_utf8(line.to_vec()).unwrap());
                    Ok(())
                })
                .unwrap();
            assert_eq!(given, expected.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing has a name");
    }
}
