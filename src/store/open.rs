//! How a store is opened: a file is recognized as ours before anything is written to it, or beside it.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::TempDir;

use super::schema::{self, APPLICATION_ID, VERSION};
use super::{Error, FileIdentity, Store, lock};
use crate::console::{duration, warn};
use crate::output::{private_temp_file_in, rename_new};

/// The name of the copy of a write-protected store of an earlier version.
pub(super) const COPY: &str = "keysunset.db";
/// How often another program's lock is tried.
const MOST_TRIES: i32 = 1225;
/// How long these tries take.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// After so many tries, a second, a warning about the wait is printed.
const WARN_AFTER: i32 = 45;

impl Store {
    /// Opens the store at `path` for a run, or makes one. No other process may write to it meanwhile; reading is free.
    ///
    /// # Errors
    /// A file that is not ours or newer than this program (left as it was), another run that writes, or what SQLite says.
    pub fn open_for_run(path: &Path) -> Result<Self, Error> {
        Self::open_locked(path, OpenMode::ForRun)
    }

    /// Opens the store at `path`, which must be there, to remove runs. No audit may write to it meanwhile; reading is free.
    ///
    /// # Errors
    /// As [`Store::open_for_run`], and when there is none.
    pub fn open_to_prune(path: &Path) -> Result<Self, Error> {
        Self::open_locked(path, OpenMode::ToPrune)
    }

    fn open_locked(path: &Path, mode: OpenMode) -> Result<Self, Error> {
        let name = path.display().to_string();
        if mode == OpenMode::ToPrune && !path.exists() {
            return Err(Error::Missing(name));
        }
        // Nothing is left beside another program's file; and of two who would make the store, one waits outside.
        let is_empty = path.metadata().map_or(true, |file| file.is_file() && file.len() == 0);
        if mode == OpenMode::ToPrune || !is_empty {
            recognize(path, &name)?;
        }
        let lock = lock::take(path, &name)?;
        let (connection, _) = connect(path, mode)?;
        let identity = identity(path, &name)?;
        Ok(Self::new(connection, identity, name, Some(lock), None))
    }

    /// Opens the store at `path`, which must be there, for reading.
    ///
    /// # Errors
    /// As [`Store::open_for_run`], and when there is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            return Err(Error::Missing(path.display().to_string()));
        }
        let (connection, copy) = connect(path, OpenMode::ToRead)?;
        let name = path.display().to_string();
        let identity = identity(path, &name)?;
        // One view for all that is read, whatever a run writes meanwhile.
        connection.execute_batch("BEGIN").map_err(|error| Error::sqlite(&name, error))?;
        Ok(Self::new(connection, identity, name, None, copy))
    }

    fn new(
        connection: Connection,
        identity: FileIdentity,
        path: String,
        lock: Option<File>,
        copy: Option<TempDir>,
    ) -> Self {
        let (connection, resting) = (RefCell::new(connection), RefCell::new(None));
        Self { connection, resting, path, identity, _lock: lock, copy }
    }
}

fn identity(path: &Path, name: &str) -> Result<FileIdentity, Error> {
    FileIdentity::new(path).map_err(|_| Error::Replaced(name.to_owned()))
}

/// What a database is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenMode {
    /// Must be there, and may be write-protected.
    ToRead,
    /// Must be there.
    ToPrune,
    /// May be made.
    ForRun,
}

/// Opens the file, having looked whether it is ours; makes the tables in a new one. Gives the connection, and where that is to
/// a copy the folder of it.
pub(super) fn connect(path: &Path, mode: OpenMode) -> Result<(Connection, Option<TempDir>), Error> {
    let name = path.display().to_string();
    let sqlite = |error| Error::sqlite(&name, error);
    let found = std::fs::metadata(path);
    // An empty file is no loss; a device, a pipe or a folder is not ours to replace.
    let is_empty = found.as_ref().is_ok_and(|found| found.is_file() && found.len() == 0);
    if mode == OpenMode::ForRun && (found.is_err() || is_empty) {
        if is_empty {
            std::fs::remove_file(path).map_err(|why| Error::Unwritable(name.clone(), why))?;
        }
        create(path, &name)?;
    }
    recognize(path, &name)?;
    let mut connection = open_file(path).map_err(sqlite)?;
    // The header may be older than what another process has written since.
    let checked = configure(&mut connection).map_err(sqlite).and_then(|()| schema::check(&connection, &name));
    let version = match checked {
        Ok(version) => version,
        Err(Error::Sqlite(_, why)) if mode == OpenMode::ToRead && is_write_protected(&why) => {
            connection = open_immutable(path, why).map_err(sqlite)?;
            let version = schema::check(&connection, &name)?;
            if version < VERSION {
                return migrated_copy(path, &name).map(|(connection, copy)| (connection, Some(copy)));
            }
            version
        }
        Err(why) => return Err(why),
    };
    // Opening to read changes nothing here: SQLite does not wait for a lock that is in the way of it.
    if mode != OpenMode::ToRead {
        set_wal(&connection).map_err(sqlite)?;
    }
    if version < VERSION {
        match schema::migrate(&mut connection, &name) {
            Err(Error::Sqlite(_, why))
                if mode == OpenMode::ToRead && is_write_protected(&why) && is_whole(path) =>
            {
                return migrated_copy(path, &name).map(|(connection, copy)| (connection, Some(copy)));
            }
            migrated => migrated?,
        }
    }
    Ok((connection, None))
}

/// Opens a file of any name: SQLite takes `:memory:` and what begins with `file:` for something else.
pub(super) fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(Path::new(".").join(path), flags)
}

/// A write-protected store of an earlier version, such as an auditor's copy: it stays as it is, and a temporary copy, for its
/// owner alone, is brought up.
fn migrated_copy(path: &Path, name: &str) -> Result<(Connection, TempDir), Error> {
    let sqlite = |error| Error::sqlite(name, error);
    let folder = TempDir::with_prefix("keysunset-").map_err(Error::Temporary)?;
    let copy = folder.path().join(COPY);
    let mut from = File::open(path).map_err(Error::Temporary)?;
    let mut to = File::create_new(&copy).map_err(Error::Temporary)?;
    io::copy(&mut from, &mut to).map_err(Error::Temporary)?;
    let mut connection = open_file(&copy).map_err(sqlite)?;
    configure(&mut connection).map_err(sqlite)?;
    schema::migrate(&mut connection, name)?;
    Ok((connection, folder))
}

fn is_write_protected(why: &rusqlite::Error) -> bool {
    matches!(why.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// Why a store can't be written to, since SQLite does not say.
pub(super) fn write_protection(path: &Path) -> io::Error {
    let tried = File::options().append(true).open(path);
    tried.err().unwrap_or_else(|| io::ErrorKind::PermissionDenied.into())
}

/// Whether no part of a store is still beside it.
fn is_whole(path: &Path) -> bool {
    lock::companion(path, "-wal").metadata().map_or(true, |file| file.len() == 0)
}

/// A store that can't be written to, such as an auditor's copy. Fails with `why` where a part of it is still beside it: read
/// without that it would be another.
fn open_immutable(path: &Path, why: rusqlite::Error) -> rusqlite::Result<Connection> {
    let address = path.canonicalize().ok().and_then(|path| url::Url::from_file_path(path).ok());
    let Some(mut address) = address.filter(|_| is_whole(path)) else { return Err(why) };
    address.set_query(Some("immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let mut connection = Connection::open_with_flags(address.as_str(), flags)?;
    configure(&mut connection)?;
    Ok(connection)
}

/// Reads the header of the file without SQLite, since SQLite would leave its own files beside another program's.
/// Offsets as in <https://www.sqlite.org/fileformat.html>, §1.3.
fn recognize(path: &Path, name: &str) -> Result<(), Error> {
    let not_ours = |why: &str| Err(Error::NotOurs(name.to_owned(), why.to_owned()));
    // Whatever else there is may give without end, or wait for ever.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return not_ours("it is not a regular file");
    }
    lock::check_companions(path)?;
    let mut header = Vec::new();
    let read = File::open(path).and_then(|file| file.take(100).read_to_end(&mut header));
    if let Err(why) = read {
        return Err(Error::Unreadable(name.to_owned(), why));
    }
    if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
        return not_ours("it is not an SQLite database");
    }
    let number = |at: usize| header[at..at + 4].iter().fold(0, |number, byte| number << 8 | i64::from(*byte));
    if number(68) != APPLICATION_ID {
        return not_ours("it is another program's database");
    }
    match number(60) {
        1..=VERSION => Ok(()),
        newer if newer > VERSION => Err(Error::Newer(name.to_owned(), newer, VERSION)),
        _ => not_ours("no version of keysunset wrote its schema"),
    }
}

/// Nothing that a schema says is executed with trust, and no statement can write to the schema itself. The cache is small,
/// since rows are written and read in a sweep.
fn configure(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(wait_for_lock))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -2 * 1024)
}

/// WAL, so that a reader never waits for the writer. With `synchronous=NORMAL` a power cut may cost the last readings,
/// which are then read again, and never the file.
fn set_wal(connection: &Connection) -> rusqlite::Result<()> {
    let is_locked = |why: &rusqlite::Error| why.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
    let mut tries = 0;
    loop {
        match connection.pragma_update(None, "journal_mode", "wal") {
            // The busy handler is not asked about a change of journal mode.
            Err(why) if is_locked(&why) && wait_for_lock(tries) => tries += 1,
            other => return other,
        }
    }
}

/// Waits a while for another program's lock on the database; `false` once that took too long.
fn wait_for_lock(tries: i32) -> bool {
    if tries == WARN_AFTER {
        let wait = duration(LONGEST_WAIT);
        warn(&format!("another program has locked the run database; waiting up to {wait}"), None);
    }
    std::thread::sleep(Duration::from_millis(tries.clamp(1, 50).unsigned_abs().into()));
    tries < MOST_TRIES
}

/// Makes an empty store beside its name and renames it, so that a store is never half made. It is for its owner alone, and
/// SQLite makes its own files by it. Until it has its name, none are beside it, and it is synced once.
fn create(path: &Path, name: &str) -> Result<(), Error> {
    let unwritable = |why| Error::Unwritable(name.to_owned(), why);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = private_temp_file_in(folder).map_err(unwritable)?;
    let tables = || {
        let mut connection = open_file(file.path())?;
        connection.execute_batch("PRAGMA journal_mode = memory; PRAGMA synchronous = off")?;
        schema::create(&mut connection)?;
        set_wal(&connection)
    };
    tables().map_err(|error| Error::sqlite(name, error))?;
    file.as_file().sync_all().and_then(|()| rename_new(file, path)).map_err(unwritable)
}
