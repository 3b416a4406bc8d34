//! The run database, in SQLite: every run, the users it requested, the result of each, and the keys. Each result is written
//! at once ([`Journal`]) and read back in order afterwards ([`Store`]).

mod batch_writer;
mod copy;
mod found;
mod identity;
mod inventory;
mod journal;
mod lock;
mod manifests;
mod open;
mod packed_result;
mod pairs;
mod places;
mod prune;
mod rest;
mod results;
mod rows;
mod runs;
mod schema;
mod stats;

use std::cell::RefCell;
use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Params, Row};
use tempfile::TempDir;

use crate::exit::{WriteTarget, is_out_of_handles, reason};

pub use copy::record_manifest;
pub use found::{FoundPlaces, Located};
pub use identity::FileIdentity;
pub use journal::{Journal, JournalHandle, WriterStopped};
pub use lock::files;
pub use places::{PlaceCounts, Search, StoredSearch};
pub use prune::Removed;
pub use rest::Awake;
pub use results::{KeyOccurrence, SortedResults};
pub use runs::{NewRun, Run, Unread};
pub use stats::{Missing, UserCounts};

/// Why the run database can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program's database, or no database at all.
    #[error("{0} is not a keysunset run database: {1}")]
    NotOurs(String, String),
    /// It can't be opened or read, so that it is unknown what it is.
    #[error("can't read the run database {0}: {why}", why = reason(.1))]
    Unreadable(String, #[source] std::io::Error),
    /// Written by a newer version.
    #[error("{0} was written by a newer keysunset (schema {1}; this version supports up to {2})")]
    Newer(String, i64, i64),
    /// There is no such file, and nothing was to be created.
    #[error("there is no run database at {0}")]
    Missing(String),
    /// Another run is writing to it.
    #[error("another audit is writing to {0}")]
    Busy(String),
    /// What is beside it, or should be, is a pipe, a folder or the like.
    #[error("{0} is not a regular file, so the run database next to it was not opened")]
    NotRegular(String),
    /// There is no run in it.
    #[error("{0} contains no runs")]
    Empty(String),
    /// There is no such run in it.
    #[error("{0} contains no run {1}")]
    NoRun(String, i64),
    /// It can't be made.
    #[error("can't write the run database {0}: {why}", why = reason(.1))]
    Unwritable(String, #[source] std::io::Error),
    /// A copy of it, or a database of this process alone, can't be written to the folder for temporary files.
    #[error("can't write a temporary file: {why}", why = reason(.0))]
    Temporary(#[source] std::io::Error),
    /// A copy of a run can't be written.
    #[error("can't write the copy of a run: {why}", why = reason(.0))]
    Copy(#[source] std::io::Error),
    /// The path no longer names the file that is open.
    #[error("the run database {0} was removed or replaced during the run")]
    Replaced(String),
    /// Another program wrote to it while it was closed.
    #[error("the run database {0} was changed while it was read")]
    Changed(String),
    /// It can't be read or written.
    #[error("can't use the run database {0}: {why}", why = reason(&io_error(.1)))]
    Sqlite(String, #[source] rusqlite::Error),
}

const TARGET: WriteTarget = WriteTarget {
    elsewhere: "choose another run database with --store",
    next: "stored results are kept, and an audit continues with --resume",
};

impl From<Error> for crate::exit::Error {
    fn from(error: Error) -> Self {
        let help = match &error {
            Error::Unreadable(path, why) => return Self::not_read("the run database", path, why),
            Error::NotOurs(..) => "name another file with --store; this one was not changed",
            Error::Newer(..) => "use the newer version; the file was not changed",
            Error::Missing(_) => "check the name of the file; `keysunset audit` creates a run database",
            Error::Busy(_) => "wait until it ends, or choose another run database with --store or --out",
            Error::NotRegular(_) => "find out which program created it, and remove it",
            Error::Empty(_) => "add a run with `keysunset audit`",
            Error::NoRun(..) => "`keysunset history` lists the runs",
            Error::Replaced(_) => {
                "run the audit again, and keep other programs away from this folder: these results can't be proved"
            }
            Error::Changed(_) => "wait until the audit that writes to it ends, then run the command again",
            Error::Unwritable(path, why) => return not_written(path, why),
            Error::Temporary(why) | Error::Copy(why) => return Self::no_temporary_file(why),
            Error::Sqlite(path, why) => match why.sqlite_error_code() {
                // Without a code: a value in it that no version wrote.
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) | None => {
                    "restore the file from a backup, or name another one with --store"
                }
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    "close the program that uses it, then run the command again"
                }
                Some(_) => return not_written(path, &io_error(why)),
            },
        };
        let error = if error.is_bad_input() { Self::input(error) } else { Self::output(error) };
        error.help(help)
    }
}

fn not_written(path: &str, why: &std::io::Error) -> crate::exit::Error {
    crate::exit::Error::not_written(format_args!("the run database {path}"), why, TARGET)
}

/// An error of SQLite as the error of the system that it means, if there is one.
fn io_error(error: &rusqlite::Error) -> std::io::Error {
    use std::io::{Error, ErrorKind};

    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => ErrorKind::StorageFull.into(),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => ErrorKind::PermissionDenied.into(),
        Some(ErrorCode::SystemIoFailure) => {
            Error::other("the system refused a read or write (disk error, quota or limit on file sizes)")
        }
        Some(ErrorCode::CannotOpen) => Error::other("the file or its folder can't be opened"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::other("another program has locked it")
        }
        Some(ErrorCode::DatabaseCorrupt) => Error::other("the file is damaged"),
        Some(ErrorCode::NotADatabase) => Error::other("the file is no SQLite database"),
        Some(_) | None => Error::other(error.to_string()),
    }
}

/// The system's error, if no more handles are to be had, since SQLite does not say why it can't open a file. A database takes
/// three of them.
fn out_of_handles() -> Option<std::io::Error> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd as _;
        let stdin = std::io::stdin();
        let handles: std::io::Result<Vec<_>> = (0..3).map(|_| stdin.as_fd().try_clone_to_owned()).collect();
        handles.err().filter(is_out_of_handles)
    }
    #[cfg(not(unix))]
    None
}

/// Whether SQLite says that the file is not what it wrote.
#[must_use]
pub fn is_damage(error: &rusqlite::Error) -> bool {
    // What is read from a column and has no place in the model was not written by this program either.
    !matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
        )
    )
}

/// The open database.
pub struct Store {
    connection: RefCell<Connection>,
    /// How its file was when it was closed, while it is.
    resting: RefCell<Option<Box<rest::FileState>>>,
    path: String,
    identity: FileIdentity,
    /// Held while it is written to; the system lets go of it when the process ends, however it ends.
    _lock: Option<File>,
    /// The folder of the copy that is open in place of a write-protected store of an earlier version.
    copy: Option<TempDir>,
}

impl Error {
    /// What SQLite says of a copy of a run.
    #[expect(clippy::needless_pass_by_value, reason = "it is for `map_err`")]
    fn copy(error: rusqlite::Error) -> Self {
        Self::Copy(out_of_handles().unwrap_or_else(|| io_error(&error)))
    }

    /// What SQLite says of the database at this path.
    fn sqlite(path: &str, error: rusqlite::Error) -> Self {
        let cannot_open = error.sqlite_error_code() == Some(ErrorCode::CannotOpen);
        match out_of_handles().filter(|_| cannot_open) {
            Some(why) => Self::Unreadable(path.to_owned(), why),
            None => Self::Sqlite(path.to_owned(), error),
        }
    }

    /// The error of a temporary database.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "it is for `map_err`")]
    pub fn temporary(error: rusqlite::Error) -> Self {
        Self::Temporary(io_error(&error))
    }

    /// Whether it is the file that is wrong, rather than the disk or the right to write.
    fn is_bad_input(&self) -> bool {
        match self {
            Self::NotOurs(..)
            | Self::Unreadable(..)
            | Self::Newer(..)
            | Self::Missing(_)
            | Self::Busy(_)
            | Self::NotRegular(_)
            | Self::Empty(_)
            | Self::NoRun(..)
            | Self::Changed(_) => true,
            // The evidence is gone where it is damaged.
            Self::Sqlite(_, why) => {
                matches!(why.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
            }
            Self::Unwritable(..) | Self::Temporary(_) | Self::Copy(_) | Self::Replaced(_) => false,
        }
    }
}

impl Store {
    /// Whether the path still names the open file: what is written to another proves nothing.
    ///
    /// # Errors
    /// It was removed or replaced.
    pub fn check_in_place(&self) -> Result<(), Error> {
        if self.identity.is_in_place() { Ok(()) } else { Err(Error::Replaced(self.path.clone())) }
    }

    /// Every row of a query.
    fn all<T>(
        &self,
        query: &str,
        parameters: impl Params,
        from: impl FnMut(&Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let read = || {
            let connection = self.connection.borrow();
            let mut query = connection.prepare(query)?;
            query.query_map(parameters, from)?.collect::<Result<_, _>>()
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// The first row of a query; `None` where there is none.
    fn first<T>(
        &self,
        query: &str,
        parameters: impl Params,
        from: impl FnOnce(&Row) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let row = self.connection.borrow().query_row(query, parameters, from);
        row.optional().map_err(|error| self.sqlite(error))
    }

    fn execute(&self, statement: &str, parameters: impl Params) -> Result<(), Error> {
        self.connection.borrow().execute(statement, parameters).map(drop).map_err(|error| self.sqlite(error))
    }

    /// What is written to the copy of a write-protected store is lost.
    fn check_writable(&self) -> Result<(), Error> {
        self.copy.as_ref().map_or(Ok(()), |_| Err(self.write_protected()))
    }

    fn write_protected(&self) -> Error {
        Error::Unwritable(self.path.clone(), open::write_protection(Path::new(&self.path)))
    }

    fn sqlite(&self, error: rusqlite::Error) -> Error {
        match error.sqlite_error_code() {
            Some(ErrorCode::ReadOnly) => self.write_protected(),
            _ => Error::sqlite(&self.path, error),
        }
    }
}
