//! What the keys of an earlier run were like, by key id: a table of its own on disk, so that it costs no memory however
//! many there are.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Error;
use crate::model::{PersonalKey, UserResult};

/// The keys of an earlier run.
pub struct Baseline {
    /// SQLite's own: without a name, and gone with the connection.
    table: Connection,
}

impl Baseline {
    /// Fills the table; `fill` is given what takes each reading of that run.
    ///
    /// # Errors
    /// What `fill` says, or what SQLite says.
    pub fn of<E: From<Error>>(
        fill: impl FnOnce(&mut dyn FnMut(&UserResult) -> Result<(), Error>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let open = || {
            let table = Connection::open("")?;
            table.execute_batch(
                "PRAGMA journal_mode = off;
                 PRAGMA cache_size = -2048;
                 CREATE TABLE keys (
                    key_id     TEXT PRIMARY KEY,
                    enabled    INTEGER,
                    last_used  INTEGER,
                    used_count INTEGER
                 ) STRICT, WITHOUT ROWID;
                 BEGIN",
            )?;
            Ok(table)
        };
        let table = open().map_err(wrong)?;
        fill(&mut |reading| reading.keys.iter().try_for_each(|key| insert(&table, key)).map_err(wrong))?;
        table.execute_batch("COMMIT").map_err(wrong)?;
        Ok(Self { table })
    }

    /// How many there are.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn count(&self) -> Result<u64, Error> {
        let count = self.table.query_row("SELECT count(*) FROM keys", [], |row| row.get::<_, i64>(0));
        count.map(i64::cast_unsigned).map_err(wrong)
    }

    /// The key as it was, as far as its use goes; `None` where there was none of this id.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn key(&self, id: &str) -> Result<Option<PersonalKey>, Error> {
        let find = || {
            let mut query = self
                .table
                .prepare_cached("SELECT enabled, last_used, used_count FROM keys WHERE key_id = ?")?;
            let key = |row: &rusqlite::Row| {
                Ok(PersonalKey {
                    id: id.to_owned(),
                    suffix: None,
                    description: String::new(),
                    enabled: row.get(0)?,
                    created_at: None,
                    last_used: row.get::<_, Option<i64>>(1)?.and_then(super::rows::instant),
                    used_count: row.get::<_, Option<i64>>(2)?.map(i64::cast_unsigned),
                    auditing: false,
                })
            };
            query.query_row([id], key).optional()
        };
        find().map_err(wrong)
    }
}

fn insert(table: &Connection, key: &PersonalKey) -> rusqlite::Result<()> {
    let mut insert = table.prepare_cached("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)")?;
    let last_used = key.last_used.map(|time| time.timestamp());
    insert.execute(params![key.id, key.enabled, last_used, key.used_count.map(u64::cast_signed)])?;
    Ok(())
}

fn wrong(error: rusqlite::Error) -> Error {
    Error::Sqlite("of the earlier run's keys".to_owned(), error)
}
