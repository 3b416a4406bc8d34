//! How a store is opened: a file is recognized as ours before anything is written to it, or beside it.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::schema::{self, APPLICATION_ID, VERSION};
use super::{Error, Store};

impl Store {
    /// Opens the store at `path` for a run, or makes one. Nobody else may write to it meanwhile; reading is free.
    ///
    /// # Errors
    /// A file that is not ours or newer than this program (left as it was), another run going on, or what SQLite says.
    pub fn open_for_run(path: &Path) -> Result<Self, Error> {
        Self::open_locked(path, OpenMode::OrNew)
    }

    /// Opens the store at `path`, which must be there, to remove runs. No audit may write to it meanwhile; reading is free.
    ///
    /// # Errors
    /// As [`Store::open_for_run`], and when there is none.
    pub fn open_to_prune(path: &Path) -> Result<Self, Error> {
        Self::open_locked(path, OpenMode::Existing)
    }

    fn open_locked(path: &Path, mode: OpenMode) -> Result<Self, Error> {
        let name = path.display().to_string();
        if mode == OpenMode::Existing && !path.exists() {
            return Err(Error::Missing(name));
        }
        // Nothing is left beside another program's file; and of two who would make the store, one waits outside.
        let is_empty = path.metadata().map_or(true, |file| file.is_file() && file.len() == 0);
        if mode == OpenMode::Existing || !is_empty {
            recognize(path, &name)?;
        }
        let lock = lock_beside(path, &name)?;
        let connection = connect(path, mode)?;
        Ok(Self { connection, path: name, _lock: Some(lock) })
    }

    /// Opens the store at `path`, which must be there, for reading.
    ///
    /// # Errors
    /// As [`Store::open_for_run`], and when there is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            return Err(Error::Missing(path.display().to_string()));
        }
        let connection = connect(path, OpenMode::Existing)?;
        let store = Self { connection, path: path.display().to_string(), _lock: None };
        // One view for all that is read, whatever a run writes meanwhile.
        store.connection.execute_batch("BEGIN").map_err(|error| store.sqlite(error))?;
        Ok(store)
    }
}

/// A file of its own, since SQLite's locks on the database come and go with every file handle on it.
fn lock_beside(path: &Path, name: &str) -> Result<File, Error> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let wrong = |why| Error::Unwritable(name.to_owned(), why);
    let lock = File::options().create(true).truncate(false).write(true).open(&beside).map_err(wrong)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::Busy(name.to_owned())),
        Err(TryLockError::Error(why)) => Err(wrong(why)),
    }
}

/// Whether a store may be made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OpenMode {
    Existing,
    OrNew,
}

/// Opens the file, having looked whether it is ours; makes the tables in a new one.
fn connect(path: &Path, mode: OpenMode) -> Result<Connection, Error> {
    let name = path.display().to_string();
    let sqlite = |error| Error::Sqlite(name.clone(), error);
    let found = std::fs::metadata(path);
    // An empty file is no loss; a device, a pipe or a folder is not ours to replace.
    let is_empty = found.as_ref().is_ok_and(|found| found.is_file() && found.len() == 0);
    if mode == OpenMode::OrNew && (found.is_err() || is_empty) {
        if is_empty {
            std::fs::remove_file(path).map_err(|why| Error::Unwritable(name.clone(), why))?;
        }
        create(path).map_err(|why| Error::Unwritable(name.clone(), why))?;
    }
    let version = recognize(path, &name)?;
    let mut connection = Connection::open(path).map_err(sqlite)?;
    if let Err(why) = configure(&connection) {
        let may_be_read = mode == OpenMode::Existing && version == VERSION && is_write_protected(&why);
        return if may_be_read { open_immutable(path, why).map_err(sqlite) } else { Err(sqlite(why)) };
    }
    if version < VERSION {
        // The header may be older than what a newer program has written since.
        let version = schema::migrate(&mut connection).map_err(sqlite)?;
        if version > VERSION {
            return Err(Error::Newer(name, version, VERSION));
        }
    }
    Ok(connection)
}

fn is_write_protected(why: &rusqlite::Error) -> bool {
    matches!(why.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// A store that can't be written to, such as an auditor's copy. Fails with `why` where a part of it is still beside it: read
/// without that it would be another.
fn open_immutable(path: &Path, why: rusqlite::Error) -> rusqlite::Result<Connection> {
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

/// Reads the header of the file without SQLite, since SQLite would leave its own files beside another program's.
/// Offsets as in <https://www.sqlite.org/fileformat.html>, §1.3.
fn recognize(path: &Path, name: &str) -> Result<i64, Error> {
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
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -2 * 1024)
}

/// Makes an empty store beside its name and renames it, so that a store is never half made.
fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keysunset-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder)?;
    let tables = || schema::create(&mut Connection::open(file.path())?);
    tables().map_err(io::Error::other)?;
    file.persist_noclobber(path).map(drop).map_err(|failed| failed.error)
}
