//! Files and folders that still have their temporary names. A signal ends the process without waiting for the thread that
//! writes them, so they are removed from outside.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

static UNFINISHED: Mutex<Unfinished> =
    Mutex::new(Unfinished { paths: BTreeSet::new(), naming: 0, is_closed: false });
/// How long the end of the process waits for files that get their names, such as where another program locks the run
/// database in which their manifest is recorded.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How long another process may name its files in the same folder.
const LONGEST_LOCK: Duration = Duration::from_secs(30);

struct Unfinished {
    paths: BTreeSet<PathBuf>,
    /// How many [`Naming`] there are.
    naming: usize,
    /// Nothing more may be created or named.
    is_closed: bool,
}

/// While it is there, files that belong together get their names: some of them without the others would be of two reports.
#[derive(Debug)]
pub struct Naming {
    /// The folder, locked, so that two processes do not mix their files.
    _folder: Option<File>,
}

impl Naming {
    /// Before the first of them.
    ///
    /// # Errors
    /// The process ends, or another one does not come to the end of its naming.
    pub(crate) fn begin(folder: &Path) -> io::Result<Self> {
        let folder = lock(folder, LONGEST_LOCK)?;
        let mut unfinished = unfinished();
        unfinished.check_open()?;
        unfinished.naming += 1;
        Ok(Self { _folder: folder })
    }
}

/// Locks a folder; `None` where folders can't be locked, as on Windows and some network file systems.
fn lock(folder: &Path, longest: Duration) -> io::Result<Option<File>> {
    let Ok(file) = File::open(folder) else { return Ok(None) };
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) if start.elapsed() < longest => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process writes reports into this folder"));
            }
        }
    }
}

impl Drop for Naming {
    fn drop(&mut self) {
        unfinished().naming -= 1;
    }
}

impl Unfinished {
    fn check_open(&self) -> io::Result<()> {
        if self.is_closed {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the process ends"));
        }
        Ok(())
    }
}

fn unfinished() -> MutexGuard<'static, Unfinished> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Creates a file or folder that is to be renamed.
///
/// # Errors
/// What `create` fails with; or that the process ends.
pub(super) fn begin<T>(
    create: impl FnOnce() -> io::Result<T>,
    path: impl FnOnce(&T) -> &Path,
) -> io::Result<T> {
    let mut unfinished = unfinished();
    unfinished.check_open()?;
    let created = create()?;
    unfinished.paths.insert(path(&created).to_owned());
    Ok(created)
}

/// It has its final name.
pub(super) fn end(path: &Path) {
    unfinished().paths.remove(path);
}

/// Removes all of them, before the process ends by a signal. Those that get their names at this moment get them.
pub fn remove_unfinished() {
    let start = Instant::now();
    let mut unfinished = unfinished();
    while unfinished.naming > 0 && start.elapsed() < LONGEST_WAIT {
        drop(unfinished);
        std::thread::sleep(Duration::from_millis(1));
        unfinished = self::unfinished();
    }
    unfinished.is_closed = true;
    for path in std::mem::take(&mut unfinished.paths) {
        if path.is_dir() {
            remove_folder(&path);
        } else {
            // It may have its final name by now.
            let _ = fs::remove_file(path);
        }
    }
}

/// A file may appear while the folder is emptied.
fn remove_folder(path: &Path) {
    for _ in 0..10 {
        if fs::remove_dir_all(path).is_ok() || !path.exists() {
            return;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_names_its_files_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let naming = Naming::begin(folder.path()).unwrap();
        assert!(lock(folder.path(), Duration::ZERO).is_err());
        drop(naming);
        assert!(lock(folder.path(), Duration::ZERO).unwrap().is_some());
    }
}
