//! The single writer: a thread of its own, so that the fan-out never waits for a disk. What comes in while it writes
//! goes into one transaction.

use std::collections::HashMap;
use std::thread::JoinHandle;

use chrono::{DateTime, Utc};
use rusqlite::{
    CachedStatement, Connection, OptionalExtension as _, Transaction, TransactionBehavior, params,
};
use tokio::sync::{mpsc, oneshot};

use super::{Error, Store};
use crate::model::{IncompleteList, Outcome, PersonalKey, User, UserResult};

/// Entries that may wait for the writer; more, and the fan-out waits.
const QUEUE: usize = 1024;
/// Entries of one transaction.
const BATCH: usize = 4096;

enum Entry {
    /// Users who are to be read; those who are new to the run are sent back.
    Admit(Vec<User>, oneshot::Sender<Vec<User>>),
    Record(Box<UserResult>),
    IncompleteList(IncompleteList),
}

/// The journal of the run under way. Cheap to clone; [`Journal::close`] ends it.
pub struct Journal {
    entries: mpsc::Sender<Entry>,
    writer: JoinHandle<Result<Store, Error>>,
    run: i64,
}

/// The writer has ended early; [`Journal::close`] tells why.
#[derive(Debug)]
pub struct WriterStopped;

/// The way into the journal for one stage.
#[derive(Clone)]
pub struct JournalHandle(mpsc::Sender<Entry>);

impl Journal {
    pub(super) fn start(store: Store, run: i64) -> Self {
        let (entries, inbox) = mpsc::channel(QUEUE);
        let writer = std::thread::spawn(move || write(store, run, inbox));
        Self { entries, writer, run }
    }

    /// The run's number.
    #[must_use]
    pub fn run(&self) -> i64 {
        self.run
    }

    /// A pen for one stage.
    #[must_use]
    pub fn pen(&self) -> JournalHandle {
        JournalHandle(self.entries.clone())
    }

    /// Waits until all is written; every pen must be gone. Gives the store back.
    ///
    /// # Errors
    /// What stopped the writer.
    pub fn close(self) -> Result<Store, Error> {
        drop(self.entries);
        self.writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl JournalHandle {
    /// Requests users; gives back those who are new to the run, in order. For one known already a better name is noted.
    ///
    /// # Errors
    /// [`WriterStopped`].
    pub async fn admit(&self, users: Vec<User>) -> Result<Vec<User>, WriterStopped> {
        let (answer, new) = oneshot::channel();
        self.send(Entry::Admit(users, answer)).await?;
        new.await.map_err(|_| WriterStopped)
    }

    /// Enters what came of one user.
    ///
    /// # Errors
    /// [`WriterStopped`].
    pub async fn record(&self, reading: UserResult) -> Result<(), WriterStopped> {
        self.send(Entry::Record(Box::new(reading))).await
    }

    /// Enters a list that could not be read to its end.
    ///
    /// # Errors
    /// [`WriterStopped`].
    pub async fn gap(&self, gap: IncompleteList) -> Result<(), WriterStopped> {
        self.send(Entry::IncompleteList(gap)).await
    }

    async fn send(&self, entry: Entry) -> Result<(), WriterStopped> {
        self.0.send(entry).await.map_err(|_| WriterStopped)
    }
}

impl Store {
    /// Notes the version of the deployment, if it told one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_version(&self, run: i64, version: Option<&str>) -> Result<(), Error> {
        self.update(
            "UPDATE runs SET service_version = coalesce(?2, service_version) WHERE id = ?1",
            params![run, version],
        )
    }

    /// Notes how far the deployment's clock was ahead, in seconds, if that was seen.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_clock_skew(&self, run: i64, seconds: Option<i64>) -> Result<(), Error> {
        self.update(
            "UPDATE runs SET clock_skew = coalesce(clock_skew, ?2) WHERE id = ?1",
            params![run, seconds],
        )
    }

    /// Marks a run as finished: all that was requested has been asked for.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn finish(&self, run: i64, at: DateTime<Utc>) -> Result<(), Error> {
        self.update("UPDATE runs SET finished_at = ?2 WHERE id = ?1", params![run, at.timestamp()])
    }

    /// Marks a run as reported: nothing is left to resume.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reported(&self, run: i64) -> Result<(), Error> {
        self.update("UPDATE runs SET reported = 1 WHERE id = ?1", [run])
    }

    /// Forgets a run that came to nothing, and what was reported of it meanwhile: the next run takes its number.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn discard(&self, run: i64) -> Result<(), Error> {
        self.update("DELETE FROM manifests WHERE run = ?", [run])?;
        self.update("DELETE FROM runs WHERE id = ?", [run])
    }

    fn update(&self, statement: &str, parameters: impl rusqlite::Params) -> Result<(), Error> {
        self.connection.execute(statement, parameters).map(drop).map_err(|error| self.sqlite(error))
    }
}

/// Readings that were admitted and not yet recorded, by user id: at most what discovery is ahead, and it saves a lookup
/// in an index without order.
type Open = HashMap<String, i64>;

fn write(mut store: Store, run: i64, mut inbox: mpsc::Receiver<Entry>) -> Result<Store, Error> {
    let mut open = Open::new();
    while let Some(first) = inbox.blocking_recv() {
        let batch = std::iter::once(first).chain(std::iter::from_fn(|| inbox.try_recv().ok())).take(BATCH);
        match write_batch(&mut store.connection, run, &mut open, batch) {
            Ok(()) => {}
            Err(error) => return Err(store.sqlite(error)),
        }
    }
    Ok(store)
}

fn write_batch(
    connection: &mut Connection,
    run: i64,
    open: &mut Open,
    batch: impl Iterator<Item = Entry>,
) -> rusqlite::Result<()> {
    // At once for writing: a manifest that is recorded meanwhile would turn a later change of mind into an error.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut answers = Vec::new();
    {
        let mut desk = BatchWriter::open(&transaction, run, open)?;
        for entry in batch {
            match entry {
                Entry::Admit(users, answer) => answers.push((answer, desk.admit(users)?)),
                Entry::Record(reading) => desk.record(&reading)?,
                Entry::IncompleteList(gap) => desk.gap(&gap)?,
            }
        }
    }
    transaction.commit()?;
    for (answer, new) in answers {
        // A stage that has gone no longer wants the answer.
        let _ = answer.send(new);
    }
    Ok(())
}

/// A user's origin, column by column.
fn origin(user: &User) -> (Option<&str>, Option<&str>, Option<i64>) {
    let line = user.origin.line.as_ref();
    (
        user.origin.organization.as_deref(),
        line.map(|line| &*line.list),
        line.map(|line| line.number.cast_signed()),
    )
}

/// The prepared statements of one transaction.
struct BatchWriter<'a> {
    run: i64,
    open: &'a mut Open,
    known: CachedStatement<'a>,
    request: CachedStatement<'a>,
    again: CachedStatement<'a>,
    record: CachedStatement<'a>,
    key: CachedStatement<'a>,
    gap: CachedStatement<'a>,
}

impl<'a> BatchWriter<'a> {
    fn open(transaction: &'a Transaction, run: i64, open: &'a mut Open) -> rusqlite::Result<Self> {
        Ok(Self {
            run,
            open,
            known: transaction.prepare_cached(
                "SELECT id, status IS NULL FROM readings WHERE run = ?1 AND user_id = ?2 AND iif(user_id = '', username, '') = iif(?2 = '', ?3, '')",
            )?,
            request: transaction.prepare_cached(
                "INSERT INTO readings (run, user_id, username, organization, list, line) VALUES (?, ?, ?, ?, ?, ?)",
            )?,
            // Of two names for one id, and of two places, the smaller, so that the order of their coming changes nothing.
            again: transaction.prepare_cached(
                "UPDATE readings SET username = coalesce(min(username, ?2), username, ?2),
                    organization = coalesce(min(organization, ?3), organization, ?3),
                    (list, line) = (SELECT list, line FROM (SELECT list, line UNION ALL SELECT ?4, ?5)
                        WHERE list IS NOT NULL ORDER BY list, line LIMIT 1)
                 WHERE id = ?1",
            )?,
            record: transaction.prepare_cached(
                "UPDATE readings SET status = ?2, http_status = ?3, error_code = ?4, detail = ?5, attempts = ?6, read_at = ?7
                 WHERE id = ?1",
            )?,
            key: transaction.prepare_cached(
                "INSERT INTO keys (reading, key_id, suffix, description, enabled, created_at, last_used, used_count, auditing)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            gap: transaction.prepare_cached(
                "INSERT INTO gaps (run, source, status, http_status, error_code, detail) VALUES (?, ?, ?, ?, ?, ?)
                 ON CONFLICT DO NOTHING",
            )?,
        })
    }

    fn admit(&mut self, users: Vec<User>) -> rusqlite::Result<Vec<User>> {
        let mut new = Vec::with_capacity(users.len());
        for user in users {
            let Some((id, missing)) = self.find(&user)? else {
                let id = self.request(&user)?;
                self.open.insert(user.id.clone(), id);
                new.push(user);
                continue;
            };
            let (organization, list, line) = origin(&user);
            self.again.execute(params![id, user.username, organization, list, line])?;
            // Requested by a run that was cut short, and not by this one yet.
            if missing && !self.open.contains_key(&user.id) {
                self.open.insert(user.id.clone(), id);
                new.push(user);
            }
        }
        Ok(new)
    }

    /// Where a user stands, and whether he has yet to be read.
    fn find(&mut self, user: &User) -> rusqlite::Result<Option<(i64, bool)>> {
        let row = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?));
        self.known.query_row(params![self.run, user.id, user.username], row).optional()
    }

    fn request(&mut self, user: &User) -> rusqlite::Result<i64> {
        let (organization, list, line) = origin(user);
        self.request.insert(params![self.run, user.id, user.username, organization, list, line])
    }

    fn record(&mut self, reading: &UserResult) -> rusqlite::Result<()> {
        let id = match self.open.remove(&reading.user.id) {
            Some(id) => id,
            None => match self.find(&reading.user)? {
                Some((id, _)) => id,
                None => self.request(&reading.user)?,
            },
        };
        let Outcome { status, http_status, error_code, detail } = &reading.outcome;
        let read_at = reading.read_at.map(|time| time.timestamp());
        self.record.execute(params![
            id,
            status.as_str(),
            http_status,
            error_code,
            detail,
            reading.attempts,
            read_at
        ])?;
        for key in &reading.keys {
            self.key(id, key)?;
        }
        Ok(())
    }

    fn key(&mut self, reading: i64, key: &PersonalKey) -> rusqlite::Result<()> {
        self.key.execute(params![
            reading,
            key.id,
            key.suffix.as_ref().map(crate::model::Suffix::as_str),
            key.description,
            key.enabled,
            key.created_at.map(|time| time.timestamp()),
            key.last_used.map(|time| time.timestamp()),
            key.used_count.map(u64::cast_signed),
            key.auditing,
        ])?;
        Ok(())
    }

    fn gap(&mut self, gap: &IncompleteList) -> rusqlite::Result<()> {
        let Outcome { status, http_status, error_code, detail } = &gap.outcome;
        self.gap.execute(params![self.run, gap.source, status.as_str(), http_status, error_code, detail])?;
        Ok(())
    }
}
