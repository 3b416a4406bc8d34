//! Results come in the order of the rows and go out worst first: until then they wait in a file for each severity, so that no
//! number of them needs memory.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::policy::Severity;

/// The severities, worst first, and behind them whatever is waived.
const CLASSES: usize = Severity::ALL.len() + 1;

/// Keeps the worst, and counts the rest.
pub(super) struct Spool {
    folder: PathBuf,
    most: u64,
    classes: [Class; CLASSES],
}

#[derive(Default)]
struct Class {
    /// A result a line; nameless, and gone with the process.
    file: Option<BufWriter<File>>,
    count: u64,
}

impl Spool {
    /// Beside this file, where there is room for as much.
    pub(super) fn beside(file: &Path, most: u64) -> Self {
        let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
        Self { folder, most, classes: Default::default() }
    }

    /// Takes a result; it is made only where there may be room for it.
    pub(super) fn put<T: Serialize>(
        &mut self,
        severity: Severity,
        is_waived: bool,
        result: impl FnOnce() -> T,
    ) -> io::Result<()> {
        let class = &mut self.classes[if is_waived { CLASSES - 1 } else { severity as usize }];
        class.count += 1;
        if class.count > self.most {
            return Ok(());
        }
        let file = match &mut class.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(tempfile::tempfile_in(&self.folder)?)),
        };
        serde_json::to_writer(&mut *file, &result())?;
        file.write_all(b"\n")
    }

    /// How many were put.
    pub(super) fn count(&self) -> u64 {
        self.classes.iter().map(|class| class.count).sum()
    }

    /// How many go out.
    pub(super) fn kept(&self) -> u64 {
        self.count().min(self.most)
    }

    /// Gives out what is kept.
    pub(super) fn worst_first(self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut left = self.kept();
        for file in self.classes.into_iter().filter_map(|class| class.file) {
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            let mut lines = BufReader::new(file);
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
            let mut spool = Spool::beside(&folder.path().join("x"), most);
            for (severity, is_waived, text) in put {
                spool.put(severity, is_waived, || text).unwrap();
            }
            assert_eq!((spool.count(), spool.kept()), (6, expected.len() as u64));
            let mut given = Vec::new();
            spool
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
