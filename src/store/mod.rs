//! The evidence, in SQLite: every run, whom it asked for, what came of each, and the keys. Written at once while a run
//! goes on ([`Journal`]), read back in order afterwards ([`Store`]).

mod baseline;
mod complete;
mod journal;
mod manifests;
mod past;
mod prune;
mod rows;
mod schema;
mod sightings;

use std::fs::{File, TryLockError};
use std::path::Path;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

pub use baseline::Baseline;
pub use journal::{Journal, JournalHandle, WriterStopped};
pub use past::RunStats;
pub use prune::Removed;
pub use sightings::KeyOccurrence;

use self::rows::{KEYS_OF_A_READING, key_of, outcome_of, reading_of, run_of, user_of};

use crate::model::{IncompleteList, Product, User, UserResult};

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
    /// There is no run in it.
    #[error("{0} holds no run yet")]
    Empty(String),
    /// There is no such run in it.
    #[error("{0} holds no run {1}")]
    NoRun(String, i64),
    /// It can't be made.
    #[error("the store {0} can't be written: {1}")]
    Unwritable(String, #[source] std::io::Error),
    /// It can't be read or written.
    #[error("the store {0} can't be used: {1}")]
    Sqlite(String, #[source] rusqlite::Error),
}

impl From<Error> for crate::exit::Error {
    fn from(error: Error) -> Self {
        let told = if error.is_bad_input() { Self::input(&error) } else { Self::output(&error) };
        match error {
            Error::NotOurs(..) => told.help("name another file with --store; this one was left as it is"),
            Error::Newer(..) => told.help("use that version; the file was left as it is"),
            Error::Missing(_) => told.help("`keysunset audit` makes one; --store or --out say where"),
            Error::Busy(_) => {
                told.help("wait for it, or give this one a store of its own with --store or --out")
            }
            Error::Empty(_) => told.help("`keysunset audit` makes one"),
            Error::NoRun(..) | Error::Unwritable(..) | Error::Sqlite(..) => told,
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

/// What a run was asked for and what it found out about the deployment: all but its readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Counts up from 1; 0 before the run is in the store.
    pub id: i64,
    /// What the reports call it.
    pub deployment: String,
    /// Where it was, for a person to read.
    pub address: String,
    /// Which product.
    pub product: Product,
    /// Its version, as far as it told.
    pub service_version: Option<String>,
    /// The public part of the credential that asked.
    pub credential: String,
    /// In seconds, how far the deployment's clock was ahead of this machine's; `None` where nobody looked.
    pub clock_skew: Option<i64>,
    /// What every "ago" counts from.
    pub started_at: DateTime<Utc>,
    /// `None` while it runs, and for ever if it was interrupted.
    pub finished_at: Option<DateTime<Utc>>,
    /// Of keysunset.
    pub tool_version: String,
    /// How it was to be done.
    pub settings: RunSettings,
}

/// The settings that shape a run's result, as they are kept with it. No secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// What was to be audited, such as `organization 5980…` or `users from list.csv`.
    pub sources: Vec<String>,
    /// What tells the lists among them from others of the same names.
    #[serde(default)]
    pub lists: Vec<String>,
    /// A use at or after it counts.
    pub cutoff: DateTime<Utc>,
    /// In days.
    pub active_within: u32,
    /// Requests in flight.
    pub concurrency: usize,
    /// Requests a second.
    pub rate: Option<f64>,
    /// In seconds.
    pub timeout: u64,
    /// Of one request.
    pub retries: u32,
    /// Whether any certificate was taken, so that somebody else may have answered.
    #[serde(default)]
    pub certificates_not_verified: bool,
    /// Whether it went over plain http to another host.
    #[serde(default)]
    pub in_the_clear: bool,
}

/// The open database.
pub struct Store {
    connection: Connection,
    path: String,
    /// Held by whoever writes; the system lets go of it when the process ends, however it ends.
    _lock: Option<File>,
}

impl Error {
    /// Whether it is the file that is wrong, rather than the disk or the right to write.
    fn is_bad_input(&self) -> bool {
        match self {
            Self::NotOurs(..)
            | Self::Newer(..)
            | Self::Missing(_)
            | Self::Busy(_)
            | Self::Empty(_)
            | Self::NoRun(..) => true,
            Self::Unwritable(..) => false,
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
    /// Opens the store at `path` for a run, or makes one. Nobody else may write to it meanwhile; reading is free.
    ///
    /// # Errors
    /// A file that is not ours or newer than this program (left as it was), another run going on, or what SQLite says.
    pub fn open_for_run(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        // Nothing is left beside another program's file; and of two who would make the store, one waits outside.
        if path.metadata().is_ok_and(|file| !file.is_file() || file.len() > 0) {
            schema::recognize(path, &name)?;
        }
        let lock = lock_beside(path, &name)?;
        let connection = schema::connect(path, schema::Wanted::OrNew)?;
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
        let connection = schema::connect(path, schema::Wanted::Existing)?;
        let store = Self { connection, path: path.display().to_string(), _lock: None };
        // One view for all that is read, whatever a run writes meanwhile.
        store.connection.execute_batch("BEGIN").map_err(|error| store.sqlite(error))?;
        Ok(store)
    }

    fn sqlite(&self, error: rusqlite::Error) -> Error {
        Error::Sqlite(self.path.clone(), error)
    }

    /// Enters a new run and starts its journal.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn begin(self, run: &Run) -> Result<Journal, Error> {
        let settings = serde_json::to_string(&run.settings)
            .map_err(|why| self.sqlite(rusqlite::Error::ToSqlConversionFailure(why.into())))?;
        self.connection
            .execute(
                "INSERT INTO runs (deployment, address, product, credential, started_at, tool_version, settings)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    run.deployment,
                    run.address,
                    run.product.as_str(),
                    run.credential,
                    run.started_at.timestamp(),
                    run.tool_version,
                    settings,
                ],
            )
            .map_err(|error| self.sqlite(error))?;
        let id = self.connection.last_insert_rowid();
        Ok(Journal::start(self, id))
    }

    /// Goes on with a run: its journal, and the users who were requested and not read. What could not be listed before is
    /// forgotten, since discovery begins anew.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn resume(self, run: &Run) -> Result<(Journal, Vec<User>), Error> {
        let open = || {
            self.connection.execute("DELETE FROM gaps WHERE run = ?", [run.id])?;
            // Names are resolved anew, and one that was nobody's may be somebody's now.
            self.connection.execute("DELETE FROM readings WHERE run = ? AND user_id = ''", [run.id])?;
            let mut query = self
                .connection
                .prepare("SELECT * FROM readings WHERE run = ? AND status IS NULL ORDER BY id")?;
            let users = query.query_map([run.id], user_of)?;
            users.collect::<Result<Vec<_>, _>>()
        };
        let users = open().map_err(|error| self.sqlite(error))?;
        Ok((Journal::start(self, run.id), users))
    }

    /// Every run, newest first, each with whether its reports were written.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn runs(&self) -> Result<Vec<(Run, bool)>, Error> {
        let read = || {
            let mut query = self.connection.prepare("SELECT * FROM runs ORDER BY id DESC")?;
            query
                .query_map([], |row| Ok((run_of(row)?, row.get("reported")?)))?
                .collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// The run of that number, or the newest.
    ///
    /// # Errors
    /// No such run, or what SQLite says.
    pub fn run(&self, id: Option<i64>) -> Result<Run, Error> {
        let found = self
            .connection
            .query_row(
                "SELECT * FROM runs WHERE id = ?1 OR ?1 IS NULL ORDER BY id DESC LIMIT 1",
                [id],
                run_of,
            )
            .optional()
            .map_err(|error| self.sqlite(error))?;
        found.ok_or_else(|| match id {
            Some(id) => Error::NoRun(self.path.clone(), id),
            None => Error::Empty(self.path.clone()),
        })
    }

    /// Lists that could not be read to their end, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn gaps(&self, run: &Run) -> Result<Vec<IncompleteList>, Error> {
        let read = || {
            let mut query = self.connection.prepare("SELECT * FROM gaps WHERE run = ? ORDER BY source")?;
            let gaps = query.query_map([run.id], |row| {
                Ok(IncompleteList { source: row.get("source")?, outcome: outcome_of(row)? })
            })?;
            gaps.collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// How many users were requested and how many keys found: counted by the database, apart from the rows below.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn counts(&self, run: &Run) -> Result<(u64, u64), Error> {
        let count = |query| {
            self.connection.query_row(query, [run.id], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))
        };
        let read = || {
            Ok((
                count("SELECT count(*) FROM readings WHERE run = ?")?,
                count(
                    "SELECT count(*) FROM keys JOIN readings ON readings.id = keys.reading WHERE readings.run = ?",
                )?,
            ))
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// How many users were requested and how many of them have been asked for.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn progress(&self, run: &Run) -> Result<(u64, u64), Error> {
        let count =
            |row: &Row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()));
        self.connection
            .query_row("SELECT count(*), count(status) FROM readings WHERE run = ?", [run.id], count)
            .map_err(|error| self.sqlite(error))
    }

    /// Hands over every reading of a run, by (username, user id), each with its keys by (creation, id). What was
    /// requested and never read is handed over as such.
    ///
    /// # Errors
    /// What SQLite says, or what `each` says.
    pub fn readings<E: From<Error>>(
        &self,
        run: &Run,
        mut each: impl FnMut(UserResult) -> Result<(), E>,
    ) -> Result<(), E> {
        let wrong = |error| E::from(self.sqlite(error));
        let prepare = |sql| self.connection.prepare(sql).map_err(wrong);
        let mut readings = prepare(
            "SELECT * FROM readings INDEXED BY readings_of_run WHERE run = ? ORDER BY coalesce(username, ''), user_id",
        )?;
        let mut keys = prepare(KEYS_OF_A_READING)?;
        let mut rows = readings.query([run.id]).map_err(wrong)?;
        while let Some(row) = rows.next().map_err(wrong)? {
            let (id, mut reading) = reading_of(row).map_err(wrong)?;
            let found = keys.query_map([id], key_of).map_err(wrong)?;
            reading.keys = found.collect::<Result<_, _>>().map_err(wrong)?;
            each(reading)?;
        }
        Ok(())
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
