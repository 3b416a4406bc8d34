//! The lock file beside a run database, and how files are opened that somebody else may have put there.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::Error;

/// What SQLite and this program keep beside a run database.
const COMPANIONS: [&str; 4] = ["-wal", "-shm", "-journal", LOCK];
const LOCK: &str = ".lock";

/// Takes the lock of the run database at `path`. It is a file of its own, since SQLite's locks on the database come and go
/// with every file handle on it.
///
/// # Errors
/// Another process that holds it, anything but a regular file in its place, or one that can't be made.
pub(super) fn take(path: &Path, name: &str) -> Result<File, Error> {
    let lock_file = companion(path, LOCK);
    let wrong = |why| Error::Unwritable(name.to_owned(), why);
    check_regular(&lock_file)?;
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    private(&mut options);
    let lock = without_waiting(&mut options).open(&lock_file).map_err(wrong)?;
    // Between the look and the opening it may have become another.
    if !lock.metadata().map_err(wrong)?.is_file() {
        return Err(Error::NotRegular(lock_file.display().to_string()));
    }
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::Busy(name.to_owned())),
        Err(TryLockError::Error(why)) => Err(wrong(why)),
    }
}

/// Refuses a run database with anything but regular files beside it: SQLite would open a pipe, and wait.
///
/// # Errors
/// The first of them.
pub(super) fn check_companions(path: &Path) -> Result<(), Error> {
    COMPANIONS.iter().try_for_each(|suffix| check_regular(&companion(path, suffix)))
}

/// A run database and what is beside it, by the names that were given and where links lead.
#[must_use]
pub fn files(path: &Path) -> Vec<PathBuf> {
    let named = path.to_owned();
    let real = path.canonicalize().unwrap_or_else(|_| named.clone());
    let beside = |path: &Path, suffix: &str| {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        PathBuf::from(beside)
    };
    let all = [&named, &real].map(|path| [""].iter().chain(&COMPANIONS).map(|suffix| beside(path, suffix)));
    all.into_iter().flatten().collect()
}

/// Nothing may be there, but no pipe, folder or symbolic link.
fn check_regular(path: &Path) -> Result<(), Error> {
    match path.symlink_metadata() {
        Ok(found) if !found.is_file() => Err(Error::NotRegular(path.display().to_string())),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A file beside the database itself, wherever links to it are.
pub(super) fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut beside = path.canonicalize().unwrap_or_else(|_| path.to_owned()).into_os_string();
    beside.push(suffix);
    beside.into()
}

/// Opens no pipe without a writer or reader, and no link.
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NONBLOCK | libc::O_NOFOLLOW);
    options
}

/// A new file is for its owner alone.
fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}
