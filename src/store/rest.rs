//! A store that gives its file handles back between uses, so that a report of hundreds of stores needs few of them.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::Connection;

use super::open::{OpenMode, connect};
use super::{Error, Store, lock};

/// Length and last change of a database file and of its journal, by which a later change is noticed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileState {
    database: Option<(u64, SystemTime)>,
    /// An empty journal is none.
    journal: Option<(u64, SystemTime)>,
}

impl FileState {
    fn new(path: &Path) -> Self {
        let state = |path: &Path| path.metadata().ok().and_then(|it| Some((it.len(), it.modified().ok()?)));
        let journal = state(&lock::companion(path, "-wal")).filter(|(bytes, _)| *bytes > 0);
        Self { database: state(path), journal }
    }
}

/// A resting store that is open. It rests again when this is dropped.
pub struct Awake<'a>(Option<&'a Store>);

impl Awake<'_> {
    /// Whether the store rests again when this is dropped, so that all that is needed of it has to be read before.
    #[must_use]
    pub fn is_brief(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        if let Some(store) = self.0 {
            // If it can't, it stays open.
            let _ = store.rest();
        }
    }
}

impl Store {
    /// Closes a store that was opened for reading, until [`Store::awake`]. Meanwhile it has no tables.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn rest(&self) -> Result<(), Error> {
        let empty = Connection::open_in_memory().map_err(Error::temporary)?;
        drop(self.connection.replace(empty));
        self.resting.replace(Some(Box::new(FileState::new(&self.file()))));
        Ok(())
    }

    /// Opens a resting store for as long as the result is kept; does nothing to any other.
    ///
    /// # Errors
    /// A file that was changed since, or as [`Store::open`].
    pub fn awake(&self) -> Result<Awake<'_>, Error> {
        let file = self.file();
        match self.resting.borrow().as_deref() {
            None => return Ok(Awake(None)),
            Some(state) if *state != FileState::new(&file) => return Err(Error::Changed(self.path.clone())),
            Some(_) => {}
        }
        let (connection, _) = connect(&file, OpenMode::ToRead)?;
        connection.execute_batch("BEGIN").map_err(|error| self.sqlite(error))?;
        self.connection.replace(connection);
        // It rests until all of this has worked, so that a second try is refused as the first one.
        self.resting.take();
        Ok(Awake(Some(self)))
    }

    /// The file that is open.
    fn file(&self) -> PathBuf {
        match &self.copy {
            Some(copy) => copy.path().join(super::open::COPY),
            None => PathBuf::from(&self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resting_store_that_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keysunset.db");
        drop(Store::open_for_run(&path).unwrap());
        let store = Store::open(&path).unwrap();
        assert!(!store.awake().unwrap().is_brief());
        store.rest().unwrap();
        assert!(store.runs().is_err(), "a resting store has no tables");
        for _ in 0..2 {
            let awake = store.awake().unwrap();
            assert!(awake.is_brief());
            store.record_manifest(1, "", "its own change").unwrap();
            assert!(store.runs().unwrap().is_empty());
        }
        let other = Connection::open(&path).unwrap();
        other.execute("INSERT INTO manifests (run, sha256, document) VALUES (2, '', '')", []).unwrap();
        for _ in 0..2 {
            assert!(matches!(store.awake(), Err(Error::Changed(_))));
        }
    }
}
