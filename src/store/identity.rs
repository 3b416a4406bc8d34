//! Which file a path names, so that one that is removed or replaced meanwhile is noticed.

use std::io;
use std::path::{Path, PathBuf};

/// A file or folder as it was found.
#[derive(Debug)]
pub struct FileIdentity {
    path: PathBuf,
    /// Device and inode; the same for all where there are none.
    number: (u64, u64),
}

impl FileIdentity {
    /// Of what the path names now, symbolic links followed.
    ///
    /// # Errors
    /// Nothing is there, or it can't be asked.
    pub fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), number: number(path)? })
    }

    /// Whether the path names the same one still.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        number(&self.path).is_ok_and(|number| number == self.number)
    }
}

fn number(path: &Path) -> io::Result<(u64, u64)> {
    let found = path.metadata()?;
    #[cfg(unix)]
    let number = {
        use std::os::unix::fs::MetadataExt as _;
        (found.dev(), found.ino())
    };
    #[cfg(not(unix))]
    let number = {
        drop(found);
        (0, 0)
    };
    Ok(number)
}
