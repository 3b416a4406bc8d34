//! The manifests of the runs, in the order in which they were made: the record that a manifest in a folder is held against,
//! and the chain. They outlive the runs.

use rusqlite::params;

use super::{Error, Store};

impl Store {
    /// Keeps a manifest of a run, once. What is read afterwards is seen as it is then.
    ///
    /// # Errors
    /// What SQLite says, or a store that is write-protected.
    pub fn record_manifest(&self, run: i64, sha256: &str, document: &str) -> Result<(), Error> {
        self.check_writable()?;
        let connection = self.connection.borrow();
        let record = || {
            // A store opened for reading holds one view, from which nothing can be written once somebody else has.
            let reading = !connection.is_autocommit();
            if reading {
                connection.execute_batch("COMMIT")?;
            }
            let recorded = connection.execute(
                "INSERT OR IGNORE INTO manifests (run, sha256, document) VALUES (?, ?, ?)",
                params![run, sha256, document],
            );
            if reading {
                connection.execute_batch("BEGIN")?;
            }
            recorded.map(drop)
        };
        record().map_err(|error| self.sqlite(error))
    }

    /// The manifest of a run with this hash, as it was kept.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn manifest(&self, run: i64, sha256: &str) -> Result<Option<String>, Error> {
        let query = "SELECT document FROM manifests WHERE run = ? AND sha256 = ?";
        self.first(query, params![run, sha256], |row| row.get(0))
    }

    /// Every manifest of a run, in the order in which they were made.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn manifests(&self, run: i64) -> Result<Vec<String>, Error> {
        self.all("SELECT document FROM manifests WHERE run = ? ORDER BY id", [run], |row| row.get(0))
    }

    /// What the manifests of a run name as the one before: the number and the hash of the first manifest of the newest earlier
    /// run that had one when this run got its first. So it is the same however often either is reported on.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn manifest_before(&self, run: i64) -> Result<Option<(i64, String)>, Error> {
        self.first(
            "SELECT run, sha256 FROM manifests
             WHERE run < ?1 AND id < coalesce((SELECT min(id) FROM manifests WHERE run = ?1), 9223372036854775807)
             ORDER BY run DESC, id LIMIT 1",
            [run],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// What SQLite finds wrong with the file; nothing for a sound one.
    ///
    /// # Errors
    /// What SQLite says where it can't even look.
    pub fn damage(&self) -> Result<Vec<String>, Error> {
        let mut found: Vec<String> = self.all("PRAGMA quick_check(5)", [], |row| row.get(0))?;
        found.retain(|line| line != "ok");
        Ok(found)
    }
}
