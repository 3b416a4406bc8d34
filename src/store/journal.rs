//! The way into the run database for a run under way. A thread of its own writes, so that the fan-out never waits for a disk.

use std::collections::HashSet;
use std::thread::{JoinHandle, Thread};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::batch_writer::{Reopening, WriterState, write};
use super::{Error, Store};
use crate::inventory::{InventoryList, ListResult};
use crate::model::{IncompleteList, Organization, Outcome, Suffix, User, UserResult};

/// Entries that may wait for the writer; more, and the fan-out waits.
const QUEUE: usize = 1024;
pub(super) enum JournalEntry {
    /// Users who are to be read; those who are new to the run are sent back.
    Admit(Vec<User>, oneshot::Sender<Vec<User>>),
    Result(Box<UserResult>),
    Organization(Organization),
    OrganizationList(String, Outcome),
    List(IncompleteList),
    /// A list that the migration plan needs.
    Inventory(InventoryList, ListResult<Value>),
    /// Some of those of such a list.
    ProgrammaticKeys(Vec<Suffix>),
    /// To be called once all earlier entries are written.
    Ask(Question),
    /// All users were asked for.
    Complete,
}

pub(super) type Question = Box<dyn FnOnce(&Store) + Send>;

/// The journal of the run under way. Cheap to clone; [`Journal::close`] ends it.
pub struct Journal {
    entries: mpsc::Sender<JournalEntry>,
    writer: JoinHandle<Result<Store, Error>>,
    run: i64,
    is_resumed: bool,
}

/// The writer has ended early; [`Journal::close`] says why.
#[derive(Debug)]
pub struct WriterStopped;

/// The way into the journal for one stage.
#[derive(Clone)]
pub struct JournalHandle {
    entries: mpsc::Sender<JournalEntry>,
    writer: Thread,
}

impl Journal {
    /// `again` are the rows of users who have a result that another one may replace.
    pub(super) fn start(store: Store, run: i64, again: HashSet<i64>, reopening: Option<Reopening>) -> Self {
        let (entries, inbox) = mpsc::channel(QUEUE);
        let is_resumed = reopening.is_some();
        let state = WriterState::new(run, again, reopening);
        let writer = std::thread::spawn(move || write(store, state, inbox));
        Self { entries, writer, run, is_resumed }
    }

    /// The run's number.
    #[must_use]
    pub fn run(&self) -> i64 {
        self.run
    }

    /// Whether some of the run was written before.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// A handle for one stage.
    #[must_use]
    pub fn handle(&self) -> JournalHandle {
        JournalHandle { entries: self.entries.clone(), writer: self.writer.thread().clone() }
    }

    /// Waits until all is written; every handle must be gone. Gives the store back.
    ///
    /// # Errors
    /// What stopped the writer.
    pub fn close(self) -> Result<Store, Error> {
        drop(self.entries);
        self.writer.thread().unpark();
        self.writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl JournalHandle {
    /// Requests users; gives back those who are new to the run, in order. One known already may get a better name.
    ///
    /// # Errors
    /// [`WriterStopped`].
    pub async fn admit(&self, users: Vec<User>) -> Result<Vec<User>, WriterStopped> {
        let (answer, new) = oneshot::channel();
        self.send(JournalEntry::Admit(users, answer)).await?;
        // These wait for the answer.
        self.writer.unpark();
        new.await.map_err(|_| WriterStopped)
    }

    /// Records the result of one user.
    ///
    /// # Errors
    /// [`WriterStopped`].
    pub async fn record(&self, result: UserResult) -> Result<(), WriterStopped> {
        self.send(JournalEntry::Result(Box::new(result))).await
    }

    /// Records an organization that was seen.
    ///
    /// # Errors
    /// [`WriterStopped`].
    pub async fn record_organization(&self, organization: Organization) -> Result<(), WriterStopped> {
        self.send(JournalEntry::Organization(organization)).await
    }

    /// Records how the list of the users of an organization ended.
    ///
    /// # Errors
    /// [`WriterStopped`].
    pub async fn record_organization_list(&self, id: String, outcome: Outcome) -> Result<(), WriterStopped> {
        self.send(JournalEntry::OrganizationList(id, outcome)).await
    }

    /// Records a list that could not be read to its end.
    ///
    /// # Errors
    /// [`WriterStopped`].
    pub async fn record_list(&self, list: IncompleteList) -> Result<(), WriterStopped> {
        self.send(JournalEntry::List(list)).await
    }

    /// Records a list that the migration plan needs, in place of what was read of it before.
    ///
    /// # Errors
    /// [`WriterStopped`].
    pub async fn record_inventory(
        &self,
        list: InventoryList,
        result: ListResult<Value>,
    ) -> Result<(), WriterStopped> {
        self.send(JournalEntry::Inventory(list, result)).await
    }

    /// Records the suffixes of programmatic keys, each once.
    ///
    /// # Errors
    /// [`WriterStopped`].
    pub async fn record_programmatic_keys(&self, suffixes: Vec<Suffix>) -> Result<(), WriterStopped> {
        self.send(JournalEntry::ProgrammaticKeys(suffixes)).await
    }

    /// What `read` says of the run database once all earlier entries are written.
    ///
    /// # Errors
    /// [`WriterStopped`].
    pub async fn ask<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> T + Send + 'static,
    ) -> Result<T, WriterStopped> {
        let (answer, answered) = oneshot::channel();
        let question = move |store: &Store| drop(answer.send(read(store)));
        self.send(JournalEntry::Ask(Box::new(question))).await?;
        self.writer.unpark();
        answered.await.map_err(|_| WriterStopped)
    }

    /// Records that all users were asked for, whether or not that brought anything new.
    ///
    /// # Errors
    /// [`WriterStopped`].
    pub async fn complete(&self) -> Result<(), WriterStopped> {
        self.send(JournalEntry::Complete).await
    }

    async fn send(&self, entry: JournalEntry) -> Result<(), WriterStopped> {
        self.entries.send(entry).await.map_err(|_| WriterStopped)
    }
}
