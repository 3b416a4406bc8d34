//! How much of a run there is, counted by the database, and which runs left nothing unknown.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rusqlite::Row;

use super::rows::{IS_IN_RANGE, instant, user_from};
use super::{Error, Run, Store};
use crate::model::{IncompleteList, PersonalKey, ReadStatus, User};

/// The users of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UserCounts {
    /// All who were to be read.
    pub requested: u64,
    /// Those of them who have been asked for, with whatever result.
    pub asked: u64,
    /// Those of whom nothing is unknown.
    pub complete: u64,
}

/// What a run does not know.
#[derive(Clone, Copy)]
pub enum Missing<'a> {
    /// A user who was not read, or not wholly.
    User(&'a User),
    /// A list that was not read to its end, and the name of its organization where it is known.
    List(&'a IncompleteList, Option<&'a str>),
}

impl Store {
    /// How many users a run has.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn user_counts(&self, run: &Run) -> Result<UserCounts, Error> {
        let query = format!(
            "SELECT count(*), count(status), count(*) FILTER (WHERE status IN ({}))
             FROM readings INDEXED BY readings_of_run WHERE run = ?",
            statuses(ReadStatus::is_complete)
        );
        let number = |row: &Row, at| row.get::<_, i64>(at).map(i64::cast_unsigned);
        let counts = |row: &Row| {
            Ok(UserCounts { requested: number(row, 0)?, asked: number(row, 1)?, complete: number(row, 2)? })
        };
        Ok(self.first(&query, [run.id], counts)?.unwrap_or_default())
    }

    /// Whether a run has a user.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_users(&self, run: &Run) -> Result<bool, Error> {
        let query = "SELECT EXISTS (SELECT 1 FROM readings WHERE run = ?)";
        Ok(self.first(query, [run.id], |row| row.get(0))?.unwrap_or_default())
    }

    /// How the reading of users ended in a run, each status once.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn read_statuses(&self, run: &Run) -> Result<BTreeSet<ReadStatus>, Error> {
        let query = "SELECT DISTINCT status FROM readings WHERE run = ? AND status IS NOT NULL";
        let statuses = self.all(query, [run.id], |row| row.get::<_, String>(0))?;
        Ok(statuses.iter().filter_map(|status| status.parse().ok()).collect())
    }

    /// How many keys were found in a run.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn key_count(&self, run: &Run) -> Result<u64, Error> {
        let query = format!("SELECT count(*) FROM {}", of_run("keys"));
        let count = self.first(&query, [run.id], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))?;
        Ok(count.unwrap_or_default())
    }

    /// The ids of keys that a run has of several users, which only saved responses may show.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn repeated_keys(&self, run: &Run) -> Result<Vec<String>, Error> {
        let query = format!("SELECT key_id FROM {} GROUP BY key_id HAVING count(*) > 1", of_run("keys"));
        self.all(&query, [run.id], |row| row.get(0))
    }

    /// Hands over every key of a run, in no order, with nothing in it but what a verdict takes: whether it is enabled, when
    /// it was made, its last use and its count. That allocates nothing, and takes 0.5 µs a key: a third more than to count in SQL, where the
    /// rules of the policy would be written a second time.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn key_usages(&self, run: &Run, mut each: impl FnMut(&PersonalKey)) -> Result<(), Error> {
        let mut read = || {
            let connection = self.connection.borrow();
            let mut query = connection.prepare(&format!(
                "SELECT enabled, created_at, last_used, used_count FROM {}",
                of_run("keys")
            ))?;
            let mut rows = query.query([run.id])?;
            while let Some(row) = rows.next()? {
                each(&PersonalKey {
                    enabled: row.get(0)?,
                    created_at: row.get::<_, Option<i64>>(1)?.and_then(instant),
                    last_used: row.get::<_, Option<i64>>(2)?.and_then(instant),
                    used_count: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
                    ..PersonalKey::default()
                });
            }
            Ok(())
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// When the last complete run of this run's deployment that asked for the same ended, this one included and later ones not.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_complete(&self, run: &Run) -> Result<Option<DateTime<Utc>>, Error> {
        let is_alike = |it: &Run| it.id <= run.id && it.deployment == run.deployment && it.asks_as(run);
        Ok(self.newest_complete(is_alike, |_, _| false)?.and_then(|run| run.finished_at))
    }

    /// The newest of the runs that are `wanted` which ended, with all lists read to their end and all users read but what is
    /// `excused` in it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_complete(
        &self,
        wanted: impl Fn(&Run) -> bool,
        excused: impl Fn(&Run, Missing) -> bool,
    ) -> Result<Option<Run>, Error> {
        for run in self.runs()? {
            if wanted(&run)
                && run.finished_at.is_some()
                && self.is_every_list_read(&run, |missing| excused(&run, missing))?
                && self.are_all_users_read(&run, |user| excused(&run, Missing::User(user)))?
            {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    fn is_every_list_read(&self, run: &Run, excused: impl Fn(Missing) -> bool) -> Result<bool, Error> {
        let lists = self.incomplete_lists(run)?;
        let organizations = if lists.is_empty() { None } else { self.organizations(run)? };
        let organizations: BTreeMap<_, _> = organizations
            .into_iter()
            .flatten()
            .map(|it| (it.organization.id, it.organization.name))
            .collect();
        let name = |list: &IncompleteList| organizations.get(list.org_id.as_ref()?)?.as_deref();
        Ok(lists.iter().all(|list| excused(Missing::List(list, name(list)))))
    }

    fn are_all_users_read(&self, run: &Run, excused: impl Fn(&User) -> bool) -> Result<bool, Error> {
        let read = || {
            let query = format!(
                "SELECT * FROM readings WHERE run = ? AND coalesce(status, '') NOT IN ({})",
                statuses(ReadStatus::is_complete)
            );
            let connection = self.connection.borrow();
            let mut query = connection.prepare(&query)?;
            let mut unread = query.query([run.id])?;
            while let Some(row) = unread.next()? {
                if !excused(&user_from(row)?) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        read().map_err(|error| self.sqlite(error))
    }
}

/// In SQL, the rows of `keys` or `memberships` that belong to a run. They are read from one end to the other, each with the
/// result that it belongs to: SQLite finds that beside the one before, where a lookup the other way round begins at the root.
pub(super) fn of_run(table: &str) -> String {
    format!(
        "{table} CROSS JOIN readings NOT INDEXED ON readings.id = {table}.reading
         WHERE {IS_IN_RANGE} AND run = ?1"
    )
}

/// The statuses that are `wanted`, as a list in SQL.
pub(super) fn statuses(wanted: impl Fn(ReadStatus) -> bool) -> String {
    let wanted = ReadStatus::ALL.iter().filter(|status| wanted(**status));
    wanted.map(|status| format!("'{status}'")).collect::<Vec<_>>().join(", ")
}
