//! The evidence, in SQLite: every run, whom it asked for, what came of each, and the keys. Written at once while a run
//! goes on ([`Journal`]), read back in order afterwards ([`Store`]).

mod identity;
mod journal;
mod lock;
mod manifests;
mod open;
mod pairs;
mod prune;
mod results;
mod rows;
mod runs;
mod schema;
mod stats;

use std::fs::File;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Params, Row};
use tempfile::TempDir;

pub use identity::FileIdentity;
pub use journal::{Journal, JournalHandle, WriterStopped};
pub use prune::Removed;
pub use results::KeyOccurrence;
pub use runs::{NewRun, Run, Unread};
pub use stats::{Missing, UserCounts};

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program's database, or no database at all.
    #[error("{0} is not a keysunset store: {1}")]
    NotOurs(String, String),
    /// Written by a newer version.
    #[error("{0} was written by a newer keysunset (schema {1}; this one knows {2})")]
    Newer(String, i64, i64),
    /// There is no such file, and nothing was to be created.
    #[error("there is no store at {0}")]
    Missing(String),
    /// Another run is going on in it.
    #[error("another audit is writing to {0}")]
    Busy(String),
    /// What is beside it, or should be, is a pipe, a folder or the like.
    #[error("{0} is not a regular file, so the run database beside it is not used")]
    NotRegular(String),
    /// There is no run in it.
    #[error("{0} holds no run yet")]
    Empty(String),
    /// There is no such run in it.
    #[error("{0} holds no run {1}")]
    NoRun(String, i64),
    /// It can't be made.
    #[error("the store {0} can't be written: {1}")]
    Unwritable(String, #[source] std::io::Error),
    /// The path no longer names the file that is open.
    #[error("the run database {0} was removed or replaced during the run")]
    Replaced(String),
    /// It can't be read or written.
    #[error("the store {0} can't be used: {1}")]
    Sqlite(String, #[source] rusqlite::Error),
}

impl From<Error> for crate::exit::Error {
    fn from(error: Error) -> Self {
        let converted = if error.is_bad_input() { Self::input(&error) } else { Self::output(&error) };
        match error {
            Error::NotOurs(..) => converted.help("name another file with --store; this one was left as it is"),
            Error::Newer(..) => converted.help("use that version; the file was left as it is"),
            Error::Missing(_) => converted.help("`keysunset audit` makes one; --store or --out say where"),
            Error::Busy(_) => {
                converted.help("wait for it, or give this one a store of its own with --store or --out")
            }
            Error::NotRegular(_) => converted.help("find out what put it there, and remove it"),
            Error::Empty(_) => converted.help("`keysunset audit` makes one"),
            Error::Replaced(_) => converted.help(
                "its results can't be proved: audit again, and keep other programs away from its folder meanwhile",
            ),
            Error::NoRun(..) | Error::Unwritable(..) | Error::Sqlite(..) => converted,
        }
    }
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
    connection: Connection,
    path: String,
    identity: FileIdentity,
    /// Held while it is written to; the system lets go of it when the process ends, however it ends.
    _lock: Option<File>,
    /// The folder of the copy that is open in place of a write-protected store of an earlier version.
    _copy: Option<TempDir>,
}

impl Error {
    /// Whether it is the file that is wrong, rather than the disk or the right to write.
    fn is_bad_input(&self) -> bool {
        match self {
            Self::NotOurs(..)
            | Self::Newer(..)
            | Self::Missing(_)
            | Self::Busy(_)
            | Self::NotRegular(_)
            | Self::Empty(_)
            | Self::NoRun(..) => true,
            Self::Unwritable(..) | Self::Replaced(_) => false,
            Self::Sqlite(_, error) => matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::DatabaseCorrupt
                        | ErrorCode::NotADatabase
                        | ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                )
            ),
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
            let mut query = self.connection.prepare(query)?;
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
        let row = self.connection.query_row(query, parameters, from);
        row.optional().map_err(|error| self.sqlite(error))
    }

    fn execute(&self, statement: &str, parameters: impl Params) -> Result<(), Error> {
        self.connection.execute(statement, parameters).map(drop).map_err(|error| self.sqlite(error))
    }

    fn sqlite(&self, error: rusqlite::Error) -> Error {
        Error::Sqlite(self.path.clone(), error)
    }
}
