//! The ratchet: what got worse than in an earlier run fails the gate, what stayed or got better does not. So an organization
//! with hundreds of keys gets to none, and never back.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::model::UserResult;
use crate::policy::{Policy, Severity};
use crate::store;

/// How a key is worse than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regression {
    /// It was not there, or not seen.
    New,
    /// It was there, less severe: this was its severity.
    Than(Severity),
}

/// What a report says of an earlier run.
#[derive(Debug, Clone)]
pub struct ComparedRun {
    /// What it is called, such as `run 3 of 2025-01-01T00:00:00Z`.
    pub name: String,
    /// How many keys it had.
    pub count: u64,
}

/// An earlier run to be compared with.
pub struct Ratchet {
    /// Which.
    pub run: ComparedRun,
    /// The severity of each of them, in a database without a name: it costs no memory however many there are, and is gone with
    /// the connection.
    severities: Connection,
}

impl Ratchet {
    /// Of a run whose keys are judged by `policy`; `fill` is given what takes each of its results.
    ///
    /// # Errors
    /// What `fill` says, or a table that can't be written.
    pub fn new<E: From<store::Error>>(
        name: String,
        policy: &Policy,
        fill: impl FnOnce(&mut dyn FnMut(&UserResult) -> Result<(), store::Error>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let severities = create().map_err(store::Error::temporary)?;
        let insert = |result: &UserResult| {
            let mut insert = severities.prepare_cached("INSERT OR REPLACE INTO keys VALUES (?, ?)")?;
            for key in &result.keys {
                insert.execute(params![key.id, policy.severity(key).as_str()])?;
            }
            Ok(())
        };
        fill(&mut |result| insert(result).map_err(store::Error::temporary))?;
        severities.execute_batch("COMMIT").map_err(store::Error::temporary)?;
        let count = severities.query_row("SELECT count(*) FROM keys", [], |row| row.get::<_, i64>(0));
        let count = count.map_err(store::Error::temporary)?.cast_unsigned();
        Ok(Self { run: ComparedRun { name, count }, severities })
    }

    /// How a key of this severity is worse than it was; `None` where it is not.
    ///
    /// # Errors
    /// A table that can't be read.
    pub fn regression(&self, key_id: &str, severity: Severity) -> Result<Option<Regression>, store::Error> {
        let Some(before) = self.severity(key_id).map_err(store::Error::temporary)? else {
            return Ok(Some(Regression::New));
        };
        Ok((severity < before).then_some(Regression::Than(before)))
    }

    fn severity(&self, key_id: &str) -> rusqlite::Result<Option<Severity>> {
        let mut query = self.severities.prepare_cached("SELECT severity FROM keys WHERE key_id = ?")?;
        let severity = |row: &rusqlite::Row| {
            let parsed = row.get_ref(0)?.as_str()?.parse();
            parsed.map_err(|why: String| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, why.into()))
        };
        query.query_row([key_id], severity).optional()
    }
}

fn create() -> rusqlite::Result<Connection> {
    let connection = Connection::open("")?;
    connection.execute_batch(
        "PRAGMA journal_mode = off;
         PRAGMA cache_size = -2048;
         CREATE TABLE keys (key_id TEXT PRIMARY KEY, severity TEXT NOT NULL) STRICT, WITHOUT ROWID;
         BEGIN",
    )?;
    Ok(connection)
}
