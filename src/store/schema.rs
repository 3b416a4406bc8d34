//! The tables, and how a file is recognized as ours before anything is written to it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::Error;

/// In the file's header: `ksun`.
const APPLICATION_ID: i64 = 0x6b73_756e;
/// Goes up with every change of the tables.
const VERSION: i64 = 1;

/// A reading is entered when its user is requested, and filled in when the user was read: what is open is what is
/// missing. Times are seconds since 1970, UTC. Column names are the model's.
const TABLES: &str = "
CREATE TABLE runs (
    id              INTEGER PRIMARY KEY,
    deployment      TEXT NOT NULL,
    address         TEXT NOT NULL,
    product         TEXT NOT NULL,
    service_version TEXT,
    credential      TEXT NOT NULL,
    started_at      INTEGER NOT NULL,
    finished_at     INTEGER,
    tool_version    TEXT NOT NULL,
    settings        TEXT NOT NULL
) STRICT;
CREATE TABLE readings (
    id          INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    user_id     TEXT NOT NULL,
    username    TEXT,
    status      TEXT,
    http_status INTEGER,
    error_code  TEXT,
    detail      TEXT,
    attempts    INTEGER NOT NULL DEFAULT 0,
    read_at     INTEGER
) STRICT;
-- A user is requested once; a name that has no id stands for itself.
CREATE UNIQUE INDEX readings_once ON readings (run, user_id, iif(user_id = '', username, ''));
-- In the order of entry, so that a run is read in one sweep; the report's order is sorted out by SQLite's sorter, which
-- costs less than keeping an index of names while users come in any order.
CREATE INDEX readings_of_run ON readings (run);
CREATE TABLE keys (
    reading     INTEGER NOT NULL REFERENCES readings ON DELETE CASCADE,
    key_id      TEXT NOT NULL,
    suffix      TEXT,
    description TEXT NOT NULL,
    enabled     INTEGER,
    created_at  INTEGER,
    last_used   INTEGER,
    used_count  INTEGER,
    auditing    INTEGER NOT NULL,
    PRIMARY KEY (reading, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE gaps (
    run         INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    source      TEXT NOT NULL,
    status      TEXT NOT NULL,
    http_status INTEGER,
    error_code  TEXT,
    detail      TEXT,
    PRIMARY KEY (run, source)
) STRICT, WITHOUT ROWID;
";

/// Whether a store may be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Existing,
    OrNew,
}

/// Opens the file, having looked whether it is ours; makes the tables in a new one.
pub(super) fn connect(path: &Path, wanted: Wanted) -> Result<Connection, Error> {
    let name = path.display().to_string();
    let sqlite = |error| Error::Sqlite(name.clone(), error);
    let new = std::fs::metadata(path).map_or(wanted == Wanted::OrNew, |file| file.len() == 0);
    if !new {
        recognize(path, &name)?;
    }
    let mut connection = Connection::open(path).map_err(sqlite)?;
    settle(&connection).map_err(sqlite)?;
    if new {
        make(&mut connection).map_err(sqlite)?;
    }
    Ok(connection)
}

/// Looks without writing.
fn recognize(path: &Path, name: &str) -> Result<(), Error> {
    let not_ours = |why: &str| Error::NotOurs(name.to_owned(), why.to_owned());
    let look = |pragma| -> rusqlite::Result<i64> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(path, flags)?.pragma_query_value(None, pragma, |row| row.get(0))
    };
    match look("application_id") {
        Ok(APPLICATION_ID) => {}
        Ok(_) => return Err(not_ours("it is another program's database")),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            return Err(not_ours("it is no SQLite database"));
        }
        Err(error) => return Err(Error::Sqlite(name.to_owned(), error)),
    }
    match look("user_version").map_err(|error| Error::Sqlite(name.to_owned(), error))? {
        VERSION => Ok(()),
        newer if newer > VERSION => Err(Error::Newer(name.to_owned(), newer, VERSION)),
        _ => Err(not_ours("its schema is none that this program ever wrote")),
    }
}

/// WAL, so that a reader never waits for the writer. With `synchronous=NORMAL` a power cut may cost the last readings,
/// which are then read again, and never the file. The cache is small, since rows are written and read in a sweep.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -2 * 1024)
}

fn make(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
