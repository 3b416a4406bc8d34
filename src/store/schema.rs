//! The tables, and how a file is recognized as ours before anything is written to it.

use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::Error;

/// In the file's header: `ksun`.
const APPLICATION_ID: i64 = 0x6b73_756e;
/// Goes up with every change of the tables: the first, and the steps taken since.
const VERSION: i64 = 2;
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
    reported        INTEGER NOT NULL DEFAULT 0,
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

/// What each later version adds to the tables of the one before. A new store is made by taking every step.
const STEPS: [&str; 1] = ["
-- How many seconds the deployment's clock was ahead of this machine's.
ALTER TABLE runs ADD COLUMN clock_skew INTEGER;
-- Who named the user: an organization, the line of a list.
ALTER TABLE readings ADD COLUMN organization TEXT;
ALTER TABLE readings ADD COLUMN list TEXT;
ALTER TABLE readings ADD COLUMN line INTEGER;
-- Each manifest written of a run, and its hash. They refer to nothing, so that the chain outlives the runs.
CREATE TABLE manifests (
    id       INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (run, sha256)
) STRICT;
"];

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
    let found = std::fs::metadata(path);
    // A file that somebody made beforehand is nobody's loss; a device, a pipe or a folder is not ours to replace.
    let is_empty = found.as_ref().is_ok_and(|found| found.is_file() && found.len() == 0);
    if wanted == Wanted::OrNew && (found.is_err() || is_empty) {
        if is_empty {
            std::fs::remove_file(path).map_err(|why| Error::Unwritable(name.clone(), why))?;
        }
        make(path).map_err(|why| Error::Unwritable(name.clone(), why))?;
    }
    let version = recognize(path, &name)?;
    let mut connection = Connection::open(path).map_err(sqlite)?;
    if let Err(why) = settle(&connection) {
        let may_be_read = wanted == Wanted::Existing && version == VERSION && is_write_protected(&why);
        return if may_be_read { unchanging(path, why).map_err(sqlite) } else { Err(sqlite(why)) };
    }
    if version < VERSION {
        // The header may be older than what a newer program has written since.
        let version = step_up(&mut connection).map_err(sqlite)?;
        if version > VERSION {
            return Err(Error::Newer(name, version, VERSION));
        }
    }
    Ok(connection)
}

fn is_write_protected(why: &rusqlite::Error) -> bool {
    matches!(why.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// A store that nobody can write to, such as an auditor's copy. `why` it can't be, where a part of it is still beside it: read
/// without that it would be another.
fn unchanging(path: &Path, why: rusqlite::Error) -> rusqlite::Result<Connection> {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-wal");
    let is_whole = std::fs::metadata(&beside).map_or(true, |file| file.len() == 0);
    let address = path.canonicalize().ok().and_then(|path| url::Url::from_file_path(path).ok());
    let Some(mut address) = address.filter(|_| is_whole) else { return Err(why) };
    address.set_query(Some("immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(address.as_str(), flags)?;
    connection.pragma_update(None, "cache_size", -2 * 1024)?;
    Ok(connection)
}

/// Takes the steps that are missing, all or none. The version is asked for again, since two may come here at once.
fn step_up(connection: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for step in STEPS.iter().skip(usize::try_from(version - 1).unwrap_or_default()) {
        transaction.execute_batch(step)?;
    }
    if version < VERSION {
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(version)
}

/// Reads the header of the file by itself, since SQLite would leave its own files beside another program's.
/// Offsets as in <https://www.sqlite.org/fileformat.html>, §1.3.
pub(super) fn recognize(path: &Path, name: &str) -> Result<i64, Error> {
    let not_ours = |why: &str| Err(Error::NotOurs(name.to_owned(), why.to_owned()));
    // Whatever else there is may give without end, or wait for ever.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return not_ours("it is no file");
    }
    let mut header = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(100).read_to_end(&mut header));
    if let Err(why) = read {
        return not_ours(&why.to_string());
    }
    if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
        return not_ours("it is no SQLite database");
    }
    let number = |at: usize| header[at..at + 4].iter().fold(0, |number, byte| number << 8 | i64::from(*byte));
    if number(68) != APPLICATION_ID {
        return not_ours("it is another program's database");
    }
    match number(60) {
        version @ 1..=VERSION => Ok(version),
        newer if newer > VERSION => Err(Error::Newer(name.to_owned(), newer, VERSION)),
        _ => not_ours("its schema is none that this program ever wrote"),
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

/// Makes an empty store beside its name and renames it, so that a store is never half made.
fn make(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keysunset-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder)?;
    let tables = || {
        let mut connection = Connection::open(file.path())?;
        connection.execute_batch(TABLES)?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "user_version", 1)?;
        step_up(&mut connection).map(drop)
    };
    tables().map_err(io::Error::other)?;
    file.persist_noclobber(path).map(drop).map_err(|failed| failed.error)
}
