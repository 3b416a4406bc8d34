//! Files and folders that still have their temporary names. A signal ends the process without waiting for the thread that
//! writes them, so they are removed from outside.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static UNFINISHED: Mutex<Unfinished> = Mutex::new(Unfinished { paths: BTreeSet::new(), is_closed: false });

struct Unfinished {
    paths: BTreeSet<PathBuf>,
    /// Nothing more may be created.
    is_closed: bool,
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
    if unfinished.is_closed {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "the process ends"));
    }
    let created = create()?;
    unfinished.paths.insert(path(&created).to_owned());
    Ok(created)
}

/// It has its final name.
pub(super) fn end(path: &Path) {
    unfinished().paths.remove(path);
}

/// Removes all of them, before the process ends by a signal.
pub fn remove_unfinished() {
    let mut unfinished = unfinished();
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
