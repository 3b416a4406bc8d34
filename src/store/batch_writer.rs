//! The single writer of a run under way. What comes in within some 20 ms, or while it writes, goes into one transaction.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;
use std::time::Duration;

use rusqlite::{CachedStatement, OptionalExtension as _, Transaction, TransactionBehavior, params};
use tokio::sync::mpsc;

use super::inventory::{insert_inventory, insert_programmatic_keys};
use super::journal::{JournalEntry, Question};
use super::rows::{INSERT_INCOMPLETE_LIST, INSERT_KEY, insert_incomplete_list, insert_key, json};
use super::{Error, Store};
use crate::model::{IncompleteList, Membership, Organization, Outcome, User, UserResult};

/// How long entries gather for one transaction, since its commit takes the most time. What a kill loses of them, a resumed run
/// reads again.
const GATHERING: Duration = Duration::from_millis(20);
/// Entries of one transaction.
const BATCH: usize = 4096;

/// What becomes of a run that is resumed once there is anything new: until then an earlier end stays what it was.
pub(super) struct Reopening {
    /// Whether the lists that were incomplete are forgotten, since they are read again.
    pub(super) lists: bool,
}

/// The rows of users who were admitted and not yet recorded, by [`identity`]: at most what discovery is ahead, and it saves a
/// lookup in an index without order.
type OpenRows = HashMap<String, i64>;

/// The id of a user, or of one without an id the name behind a 0, which no id has.
fn identity(user: &User) -> Cow<'_, str> {
    match &user.id {
        Some(id) => Cow::Borrowed(id),
        None => Cow::Owned(format!("\0{}", user.username.as_deref().unwrap_or_default())),
    }
}

/// What the writer knows from one transaction to the next.
pub(super) struct WriterState {
    run: i64,
    open: OpenRows,
    again: HashSet<i64>,
    reopening: Option<Reopening>,
}

impl WriterState {
    /// As [`Journal::start`](super::Journal::start) has it.
    pub(super) fn new(run: i64, again: HashSet<i64>, reopening: Option<Reopening>) -> Self {
        Self { run, open: OpenRows::new(), again, reopening }
    }
}

/// Writes all that comes, until every sender is gone. Gives the store back.
///
/// # Errors
/// What stopped it.
pub(super) fn write(
    store: Store,
    mut state: WriterState,
    mut inbox: mpsc::Receiver<JournalEntry>,
) -> Result<Store, Error> {
    while let Some(first) = inbox.blocking_recv() {
        if !matches!(first, JournalEntry::Admit(..) | JournalEntry::Ask(_)) {
            std::thread::park_timeout(GATHERING);
        }
        let batch = std::iter::once(first).chain(std::iter::from_fn(|| inbox.try_recv().ok())).take(BATCH);
        // Hours of reading into a file that is gone would prove nothing.
        store.check_in_place()?;
        let questions = write_batch(&store, &mut state, batch).map_err(|error| store.sqlite(error))?;
        for question in questions {
            question(&store);
        }
    }
    Ok(store)
}

/// Writes entries in one transaction. Gives the questions among them, which may see it.
fn write_batch(
    store: &Store,
    state: &mut WriterState,
    batch: impl Iterator<Item = JournalEntry>,
) -> rusqlite::Result<Vec<Question>> {
    let mut connection = store.connection.borrow_mut();
    // At once for writing: a manifest that is recorded meanwhile would turn a later change of mind into an error.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (mut answers, mut questions) = (Vec::new(), Vec::new());
    let mut writer = BatchWriter::new(&transaction, state)?;
    for entry in batch {
        match entry {
            JournalEntry::Admit(users, answer) => answers.push((answer, writer.admit(users)?)),
            JournalEntry::Result(result) => writer.record(&result)?,
            JournalEntry::Organization(organization) => writer.record_organization(&organization)?,
            JournalEntry::OrganizationList(id, outcome) => writer.record_organization_list(&id, &outcome)?,
            JournalEntry::List(list) => writer.record_list(&list)?,
            JournalEntry::Inventory(list, result) => {
                insert_inventory(&transaction, writer.state.run, &list, &result)?;
            }
            JournalEntry::ProgrammaticKeys(suffixes) => {
                insert_programmatic_keys(&transaction, writer.state.run, &suffixes)?;
            }
            JournalEntry::Ask(question) => questions.push(question),
            JournalEntry::Complete => writer.reopen()?,
        }
    }
    drop(writer);
    transaction.commit()?;
    for (answer, new) in answers {
        // A stage that has gone no longer wants the answer.
        let _ = answer.send(new);
    }
    Ok(questions)
}

const FIND: &str = "SELECT id, status IS NULL FROM readings
     WHERE run = ?1 AND user_id = ?2 AND iif(user_id = '', username, '') = iif(?2 = '', ?3, '')";
const INSERT_USER: &str = "INSERT INTO readings (run, user_id, username, list, line) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING";
/// Of two names for one id, and of two lines, the smaller, so that the order of their coming changes nothing.
const UPDATE_USER: &str = "UPDATE readings SET username = coalesce(min(username, ?2), username, ?2),
        list = iif(?3 IS NULL OR (list, line) <= (?3, ?4), list, ?3),
        line = iif(?3 IS NULL OR (list, line) <= (?3, ?4), line, ?4)
     WHERE id = ?1 AND (username IS NULL OR username > ?2 OR ?3 IS NOT NULL)";
/// Not `OR REPLACE`: for that SQLite would begin a journal of the statement, of 64 KiB.
const INSERT_MEMBERSHIP: &str = "INSERT INTO memberships VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET roles = excluded.roles, team_ids = excluded.team_ids";
const UPDATE_RESULT: &str = "UPDATE readings SET status = ?2, http_status = ?3, error_code = ?4, detail = ?5,
        attempts = iif(?8, attempts, 0) + ?6, read_at = ?7
     WHERE id = ?1";

/// The line that named a user, column by column.
fn list_line(user: &User) -> (Option<&str>, Option<i64>) {
    let line = user.origin.line.as_ref();
    (line.map(|line| &*line.list), line.map(|line| line.number.map_or(0, NonZeroU64::get).cast_signed()))
}

/// What writes one transaction. The connection keeps its statements prepared; those of every user are looked up there once.
struct BatchWriter<'a> {
    transaction: &'a Transaction<'a>,
    state: &'a mut WriterState,
    find: CachedStatement<'a>,
    insert_user: CachedStatement<'a>,
    update_user: CachedStatement<'a>,
    insert_membership: CachedStatement<'a>,
    update_result: CachedStatement<'a>,
    insert_key: CachedStatement<'a>,
}

impl<'a> BatchWriter<'a> {
    fn new(transaction: &'a Transaction<'a>, state: &'a mut WriterState) -> rusqlite::Result<Self> {
        let prepare = |statement| transaction.prepare_cached(statement);
        Ok(Self {
            transaction,
            state,
            find: prepare(FIND)?,
            insert_user: prepare(INSERT_USER)?,
            update_user: prepare(UPDATE_USER)?,
            insert_membership: prepare(INSERT_MEMBERSHIP)?,
            update_result: prepare(UPDATE_RESULT)?,
            insert_key: prepare(INSERT_KEY)?,
        })
    }

    /// Before anything of the run is changed.
    fn reopen(&mut self) -> rusqlite::Result<()> {
        let Some(Reopening { lists }) = self.state.reopening.take() else { return Ok(()) };
        let run = [self.state.run];
        if lists {
            self.transaction.execute("DELETE FROM gaps WHERE run = ?", run)?;
            // Names are resolved again, and one that had no user may have one now.
            self.transaction.execute("DELETE FROM readings WHERE run = ? AND user_id = ''", run)?;
        }
        self.transaction.execute("UPDATE runs SET finished_at = NULL, reported = 0 WHERE id = ?", run)?;
        Ok(())
    }

    fn admit(&mut self, users: Vec<User>) -> rusqlite::Result<Vec<User>> {
        let mut new = Vec::with_capacity(users.len());
        for user in users {
            if let Some(id) = self.state.open.get(&*identity(&user)).copied() {
                self.request_again(id, &user)?;
                continue;
            }
            let (id, is_new) = if let Some(id) = self.request(&user)? {
                (id, true)
            } else {
                let (id, missing) = self.find(&user)?;
                self.request_again(id, &user)?;
                // Requested before the run was resumed, and not since.
                (id, missing || self.state.again.contains(&id))
            };
            if is_new {
                self.state.open.insert(identity(&user).into_owned(), id);
                new.push(user);
            }
        }
        Ok(new)
    }

    /// The row of a user who is in the run, and whether he has yet to be read.
    fn find(&mut self, user: &User) -> rusqlite::Result<(i64, bool)> {
        let row = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?));
        self.find.query_row(params![self.state.run, user.id_or_empty(), user.username], row)
    }

    /// The row of a user who is new to the run, `None` for any other. The insertion finds that out, and most are new.
    fn request(&mut self, user: &User) -> rusqlite::Result<Option<i64>> {
        if self.state.reopening.is_some() {
            if self.find(user).optional()?.is_some() {
                return Ok(None);
            }
            self.reopen()?;
        }
        let (list, line) = list_line(user);
        let columns = params![self.state.run, user.id_or_empty(), user.username, list, line];
        if self.insert_user.execute(columns)? == 0 {
            return Ok(None);
        }
        let id = self.transaction.last_insert_rowid();
        self.record_memberships(id, user)?;
        Ok(Some(id))
    }

    /// What a list shows now replaces what it showed when the run began and was then resumed.
    fn record_memberships(&mut self, id: i64, user: &User) -> rusqlite::Result<()> {
        if user.origin.memberships.is_empty() {
            return Ok(());
        }
        self.reopen()?;
        user.origin.memberships.iter().try_for_each(|Membership { scope, id: of, roles, team_ids }| {
            let (roles, team_ids) = (json(roles.as_ref())?, json(team_ids.as_ref())?);
            self.insert_membership.execute(params![id, scope.as_str(), of, roles, team_ids]).map(drop)
        })
    }

    /// A user who was requested before may get a better name or line.
    fn request_again(&mut self, id: i64, user: &User) -> rusqlite::Result<()> {
        self.record_memberships(id, user)?;
        let (list, line) = list_line(user);
        self.update_user.execute(params![id, user.username, list, line]).map(drop)
    }

    fn record(&mut self, result: &UserResult) -> rusqlite::Result<()> {
        self.reopen()?;
        let id = match self.state.open.remove(&*identity(&result.user)) {
            Some(id) => id,
            None => match self.request(&result.user)? {
                Some(id) => id,
                None => self.find(&result.user)?.0,
            },
        };
        let Outcome { status, http_status, error_code, detail } = &result.outcome;
        let (attempts, read_at) = (result.attempts, result.read_at.map(|time| time.timestamp()));
        // The later result replaces the earlier one with all that hangs on it; the attempts are those of both.
        let is_again = self.state.again.remove(&id);
        if is_again {
            self.transaction.prepare_cached("DELETE FROM keys WHERE reading = ?")?.execute([id])?;
        }
        let status = status.as_str();
        let columns = params![id, status, http_status, error_code, detail, attempts, read_at, is_again];
        self.update_result.execute(columns)?;
        result.keys.iter().try_for_each(|key| insert_key(&mut self.insert_key, id, key))
    }

    /// An organization that was named before may get its name.
    fn record_organization(&mut self, organization: &Organization) -> rusqlite::Result<()> {
        self.reopen()?;
        let Organization { id, name, is_deleted } = organization;
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO organizations (run, org_id, name, is_deleted) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET name = coalesce(excluded.name, name),
                is_deleted = coalesce(excluded.is_deleted, is_deleted)",
        )?;
        insert.execute(params![self.state.run, id, name, is_deleted]).map(drop)
    }

    fn record_organization_list(&mut self, id: &str, outcome: &Outcome) -> rusqlite::Result<()> {
        self.reopen()?;
        let Outcome { status, http_status, error_code, detail } = outcome;
        let mut update = self.transaction.prepare_cached(
            "UPDATE organizations SET status = ?3, http_status = ?4, error_code = ?5, detail = ?6
             WHERE run = ?1 AND org_id = ?2",
        )?;
        update
            .execute(params![self.state.run, id, status.as_str(), http_status, error_code, detail])
            .map(drop)
    }

    fn record_list(&mut self, list: &IncompleteList) -> rusqlite::Result<()> {
        self.reopen()?;
        let mut insert = self.transaction.prepare_cached(INSERT_INCOMPLETE_LIST)?;
        insert_incomplete_list(&mut insert, self.state.run, list)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;
    use tempfile::TempDir;
    use tokio::sync::oneshot;

    use super::*;
    use crate::model::{ListScope, Origin, PersonalKey};

    const STATEMENTS: [&str; 6] =
        [FIND, INSERT_USER, UPDATE_USER, INSERT_MEMBERSHIP, UPDATE_RESULT, INSERT_KEY];

    /// A run database in a folder, with a run.
    fn begun() -> (TempDir, Store, WriterState) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_for_run(&folder.path().join("keysunset.db")).unwrap();
        let run =
            "INSERT INTO runs (deployment, address, product, credential, started_at, tool_version, settings)
             VALUES ('', '', '', '', 0, '', '')";
        store.execute(run, []).unwrap();
        let state = WriterState::new(1, HashSet::new(), None);
        (folder, store, state)
    }

    fn users(organization: &str) -> Vec<User> {
        let membership = |id: &str| Membership {
            scope: ListScope::Organization,
            id: id.to_owned(),
            roles: Some(Vec::new()),
            team_ids: None,
        };
        let user = |number| User {
            id: Some(format!("user {number}")),
            username: Some("ann".to_owned()),
            origin: Origin { memberships: vec![membership(organization)], line: None },
        };
        (0..10).map(user).collect()
    }

    fn result(user: User) -> JournalEntry {
        let key = |number| PersonalKey { id: format!("key {number}"), ..PersonalKey::default() };
        let keys = (0..3).map(key).collect();
        let outcome = Outcome::read(200);
        JournalEntry::Result(Box::new(UserResult { user, keys, outcome, attempts: 1, read_at: None }))
    }

    /// So that a statement too many is noticed: it would take a twentieth of what the journal takes.
    #[test]
    fn each_row_takes_one_statement() {
        let (_folder, store, mut state) = begun();
        let mut statements = |entries: Vec<JournalEntry>| {
            let changes = store.connection.borrow().total_changes();
            write_batch(&store, &mut state, entries.into_iter()).unwrap();
            let connection = store.connection.borrow();
            let runs = STATEMENTS.map(|statement| {
                connection.prepare_cached(statement).unwrap().reset_status(StatementStatus::Run)
            });
            (runs, connection.total_changes() - changes)
        };
        let admit = |organization| JournalEntry::Admit(users(organization), oneshot::channel().0);
        // A row for the user and one for the membership.
        assert_eq!(statements(vec![admit("a")]), ([0, 10, 0, 10, 0, 0], 20));
        // Users who are not yet read are not looked up.
        assert_eq!(statements(vec![admit("b")]), ([0, 0, 10, 10, 0, 0], 10));
        // The result, and a row for each key.
        let results = users("a").into_iter().map(result).collect();
        assert_eq!(statements(results), ([0, 0, 0, 0, 10, 30], 40));
        // Users who are read.
        assert_eq!(statements(vec![admit("c")]), ([10, 10, 10, 10, 0, 0], 10));
    }

    #[test]
    fn names_without_an_id_are_users_of_their_own() {
        let (_folder, store, mut state) = begun();
        let user = |name: &str| User { id: None, username: Some(name.to_owned()), origin: Origin::default() };
        let (answer, mut new) = oneshot::channel();
        let admit = JournalEntry::Admit(vec![user("ann"), user("bob"), user("ann")], answer);
        write_batch(&store, &mut state, [admit, result(user("bob"))].into_iter()).unwrap();
        assert_eq!(new.try_recv().unwrap().len(), 2);
        let query = "SELECT username, status FROM readings ORDER BY username";
        let row = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?));
        let rows: Vec<(String, Option<String>)> = store.all(query, [], row).unwrap();
        assert_eq!(rows, [("ann".to_owned(), None), ("bob".to_owned(), Some("read".to_owned()))]);
    }
}
