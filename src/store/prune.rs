//! Deleting old runs.

use rusqlite::{Transaction, TransactionBehavior};

use super::{Error, Run, Store};

/// What was deleted with the runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Users of those runs.
    pub users: u64,
    /// Their keys.
    pub keys: u64,
}

impl Store {
    /// Removes runs with all that hangs on them, or none. The hashes of manifests stay.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn remove(&self, runs: &[Run]) -> Result<Removed, Error> {
        let wrong = |error| self.sqlite(error);
        let connection = self.connection.borrow();
        let transaction =
            Transaction::new_unchecked(&connection, TransactionBehavior::Immediate).map_err(wrong)?;
        let mut removed = Removed::default();
        for run in runs {
            removed.users += self.user_counts(run)?.requested;
            removed.keys += self.key_count(run)?;
            transaction.execute("DELETE FROM runs WHERE id = ?", [run.id]).map_err(wrong)?;
        }
        transaction.commit().map_err(wrong)?;
        Ok(removed)
    }

    /// Gives the room of what was removed back to the disk. Meanwhile it takes as much again as is left. Says whether the
    /// file is smaller now; while somebody else reads it, it stays long until the next who writes.
    ///
    /// # Errors
    /// What SQLite says; nothing is lost then.
    pub fn shrink(&self) -> Result<bool, Error> {
        let connection = self.connection.borrow();
        let shrink = || {
            if connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0))? == 0 {
                return Ok(true);
            }
            connection.execute_batch("VACUUM")?;
            // Three numbers, the first of them whether somebody was in the way.
            let in_the_way = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
            in_the_way.map(|in_the_way: bool| !in_the_way)
        };
        shrink().map_err(|error| self.sqlite(error))
    }
}
