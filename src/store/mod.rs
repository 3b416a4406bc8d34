//! The evidence, in SQLite: every run, whom it asked for, what came of each, and the keys. Written at once while a run
//! goes on ([`Journal`]), read back in order afterwards ([`Store`]).

mod baseline;
mod journal;
mod manifests;
mod past;
mod prune;
mod schema;

use std::fs::{File, TryLockError};
use std::path::Path;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

pub use baseline::Baseline;
pub use journal::{Closed, Journal, Pen};
pub use past::Tally;
pub use prune::Removed;

use crate::model::{Gap, Line, Origin, Outcome, PersonalKey, Product, ReadStatus, Reading, Suffix, User};

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program's database, or no database at all.
    #[error(
        "{0} is not a keysunset store: {1}\nhelp: name another file with --store; this one was left as it is"
    )]
    NotOurs(String, String),
    /// Written by a newer version.
    #[error(
        "{0} was written by a newer keysunset (schema {1}; this one knows {2})\nhelp: use that version; the file was left as it is"
    )]
    Newer(String, i64, i64),
    /// There is no such file, and nothing was to be created.
    #[error("there is no store at {0}\nhelp: `keysunset audit` makes one; --store or --out say where")]
    Missing(String),
    /// Another run is going on in it.
    #[error(
        "another audit is writing to {0}\nhelp: wait for it, or give this one a store of its own with --store or --out"
    )]
    Busy(String),
    /// There is no such run in it.
    #[error("{0}")]
    NoRun(String),
    /// It can't be made.
    #[error("the store {0} can't be written: {1}")]
    Unwritable(String, #[source] std::io::Error),
    /// It can't be read or written.
    #[error("the store {0} can't be used: {1}")]
    Sqlite(String, #[source] rusqlite::Error),
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

/// A run that has seen a key.
#[derive(Debug)]
pub struct Sighting {
    /// Which.
    pub run: Run,
    /// Of the key's owner.
    pub reading: Reading,
    /// As it was then.
    pub key: PersonalKey,
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
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::NotOurs(..) | Self::Newer(..) | Self::Missing(_) | Self::Busy(_) | Self::NoRun(_) => true,
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
        if path.metadata().is_ok_and(|file| file.len() > 0) {
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
            Some(id) => Error::NoRun(format!("{} holds no run {id}", self.path)),
            None => {
                Error::NoRun(format!("{} holds no run yet\nhelp: `keysunset audit` makes one", self.path))
            }
        })
    }

    /// Lists that could not be read to their end, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn gaps(&self, run: &Run) -> Result<Vec<Gap>, Error> {
        let read = || {
            let mut query = self.connection.prepare("SELECT * FROM gaps WHERE run = ? ORDER BY source")?;
            let gaps = query.query_map([run.id], |row| {
                Ok(Gap { source: row.get("source")?, outcome: outcome_of(row)? })
            })?;
            gaps.collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// When the last complete run of this run's deployment ended, this one included and later ones not. It is complete
    /// where it came to its end, every list did, and of no user anything is unknown.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_complete(&self, run: &Run) -> Result<Option<DateTime<Utc>>, Error> {
        let complete = ReadStatus::ALL.iter().filter(|status| status.is_complete());
        let complete: Vec<_> = complete.map(|status| format!("'{status}'")).collect();
        let query = format!(
            "SELECT finished_at FROM runs
             WHERE deployment = ? AND id <= ? AND finished_at IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM gaps WHERE run = runs.id)
                 AND NOT EXISTS (SELECT 1 FROM readings
                     WHERE run = runs.id AND (status IS NULL OR status NOT IN ({})))
             ORDER BY id DESC LIMIT 1",
            complete.join(", ")
        );
        self.connection
            .query_row(&query, params![run.deployment, run.id], |row| time_of(row, "finished_at"))
            .optional()
            .map(Option::flatten)
            .map_err(|error| self.sqlite(error))
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

    /// Whether a run ended, had no gaps, and everybody was read but those who are excused.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_complete_but_for(&self, run: &Run, excused: impl Fn(&User) -> bool) -> Result<bool, Error> {
        if run.finished_at.is_none() || !self.gaps(run)?.is_empty() {
            return Ok(false);
        }
        let read = || {
            let mut query = self.connection.prepare(
                "SELECT * FROM readings WHERE run = ? AND coalesce(status, '') NOT IN ('read', 'removed')",
            )?;
            let mut unread = query.query([run.id])?;
            while let Some(row) = unread.next()? {
                if !excused(&user_of(row)?) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// Every run that has seen a key of this id, newest first. Upper and lower case are the same.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sightings(&self, key_id: &str) -> Result<Vec<Sighting>, Error> {
        let find = || {
            let mut query = self.connection.prepare(
                "SELECT readings.run, readings.id FROM keys JOIN readings ON readings.id = keys.reading
                 WHERE key_id = ? COLLATE NOCASE ORDER BY readings.run DESC, readings.id",
            )?;
            let found =
                query.query_map([key_id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
            found.collect::<Result<Vec<_>, _>>()
        };
        let mut sightings = Vec::new();
        for (run, reading) in find().map_err(|error| self.sqlite(error))? {
            let reading = self.one_reading("SELECT * FROM readings WHERE id = ?", params![reading])?;
            let run = self.run(Some(run))?;
            let Some(reading) = reading else { continue };
            let key = reading.keys.iter().find(|key| key.id.eq_ignore_ascii_case(key_id)).cloned();
            sightings.extend(key.map(|key| Sighting { run, reading, key }));
        }
        Ok(sightings)
    }

    /// What a run has of a user; `None` if it never asked for that one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reading(&self, run: &Run, user: &User) -> Result<Option<Reading>, Error> {
        self.one_reading("SELECT * FROM readings WHERE run = ? AND user_id = ?", params![run.id, user.id])
    }

    fn one_reading(&self, query: &str, parameters: impl rusqlite::Params) -> Result<Option<Reading>, Error> {
        let read = || {
            let Some((id, reading)) = self.connection.query_row(query, parameters, reading_of).optional()?
            else {
                return Ok(None);
            };
            let mut keys = self.connection.prepare(KEYS_OF_A_READING)?;
            let keys = keys.query_map([id], key_of)?.collect::<Result<_, _>>()?;
            Ok(Some(Reading { keys, ..reading }))
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// Hands over every reading of a run, by (username, user id), each with its keys by (creation, id). What was
    /// requested and never read is handed over as such.
    ///
    /// # Errors
    /// What SQLite says, or what `each` says.
    pub fn readings<E: From<Error>>(
        &self,
        run: &Run,
        mut each: impl FnMut(Reading) -> Result<(), E>,
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

fn instant(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

fn time_of(row: &Row, column: &str) -> rusqlite::Result<Option<DateTime<Utc>>> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(instant))
}

/// A column that holds one of our own words.
fn word_of<T: std::str::FromStr<Err = String>>(row: &Row, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|why: String| invalid(row, column, why))
}

fn invalid(
    row: &Row,
    column: &str,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    let index = row.as_ref().column_index(column).unwrap_or_default();
    rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, why.into())
}

fn run_of(row: &Row) -> rusqlite::Result<Run> {
    let settings: String = row.get("settings")?;
    Ok(Run {
        id: row.get("id")?,
        deployment: row.get("deployment")?,
        address: row.get("address")?,
        product: word_of(row, "product")?,
        service_version: row.get("service_version")?,
        credential: row.get("credential")?,
        clock_skew: row.get("clock_skew")?,
        started_at: time_of(row, "started_at")?.unwrap_or_default(),
        finished_at: time_of(row, "finished_at")?,
        tool_version: row.get("tool_version")?,
        settings: serde_json::from_str(&settings).map_err(|why| invalid(row, "settings", why))?,
    })
}

fn user_of(row: &Row) -> rusqlite::Result<User> {
    let line = match (row.get::<_, Option<String>>("list")?, row.get::<_, Option<i64>>("line")?) {
        (Some(list), Some(number)) => Some(Line { list: list.into(), number: number.cast_unsigned() }),
        _ => None,
    };
    let organization = row.get::<_, Option<String>>("organization")?.map(Into::into);
    Ok(User {
        id: row.get("user_id")?,
        username: row.get("username")?,
        origin: Origin { organization, line },
    })
}

fn outcome_of(row: &Row) -> rusqlite::Result<Outcome> {
    Ok(Outcome {
        status: word_of(row, "status")?,
        http_status: row.get("http_status")?,
        error_code: row.get("error_code")?,
        detail: row.get("detail")?,
    })
}

fn reading_of(row: &Row) -> rusqlite::Result<(i64, Reading)> {
    let user = user_of(row)?;
    let open = row.get_ref("status")? == rusqlite::types::ValueRef::Null;
    let outcome = if open {
        Outcome::unread(ReadStatus::Error, None, "never asked: the run ended before")
    } else {
        outcome_of(row)?
    };
    let reading = Reading {
        user,
        keys: Vec::new(),
        outcome,
        attempts: row.get("attempts")?,
        read_at: time_of(row, "read_at")?,
    };
    Ok((row.get("id")?, reading))
}

/// By position, since looking up nine names a row is a twentieth of a report.
const KEYS_OF_A_READING: &str =
    "SELECT key_id, suffix, description, enabled, created_at, last_used, used_count, auditing
    FROM keys WHERE reading = ? ORDER BY created_at, key_id";

fn key_of(row: &Row) -> rusqlite::Result<PersonalKey> {
    let time = |at| row.get::<_, Option<i64>>(at).map(|seconds| seconds.and_then(instant));
    Ok(PersonalKey {
        id: row.get(0)?,
        suffix: row.get_ref(1)?.as_str_or_null()?.and_then(Suffix::of),
        description: row.get(2)?,
        enabled: row.get(3)?,
        created_at: time(4)?,
        last_used: time(5)?,
        used_count: row.get::<_, Option<i64>>(6)?.map(i64::cast_unsigned),
        auditing: row.get(7)?,
    })
}
