//! What came of the users of a run, in the order of a report, and of one user or key.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension as _, params};

use super::packed_result::{RESULTS, ResultPacker, rank, unpack_result};
use super::rows::{IS_IN_RANGE, membership_from, organization_from, outcome_from, user_from};
use super::{Error, Run, Store};
use crate::disk_sort::{DiskSorter, Sorted};
use crate::model::{IncompleteList, Membership, OrganizationResult, PersonalKey, User, UserResult};

/// Bytes of results that are sorted in memory.
const SORTED: usize = 2 << 20;

/// A run that has seen a key.
#[derive(Debug)]
pub struct KeyOccurrence {
    /// Which.
    pub run: Run,
    /// Of the key's owner.
    pub result: UserResult,
    /// As it was then.
    pub key: PersonalKey,
}

impl Store {
    /// Lists that could not be read to their end, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn incomplete_lists(&self, run: &Run) -> Result<Vec<IncompleteList>, Error> {
        self.all("SELECT * FROM gaps WHERE run = ? ORDER BY source", [run.id], |row| {
            let (source, org_id) = (row.get("source")?, row.get("org_id")?);
            Ok(IncompleteList { source, org_id, outcome: outcome_from(row)? })
        })
    }

    /// The organizations of a run, by id; `None` where an earlier version made the run, or it was imported: then which there
    /// were is unknown.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn organizations(&self, run: &Run) -> Result<Option<Vec<OrganizationResult>>, Error> {
        if !run.has_organizations {
            return Ok(None);
        }
        self.all("SELECT * FROM organizations WHERE run = ? ORDER BY org_id", [run.id], organization_from)
            .map(Some)
    }

    /// Hands over the result of every user of a run, by (username, user id), each with its keys by (creation, id). Who was
    /// requested and never read is handed over as such.
    ///
    /// # Errors
    /// What SQLite says, or what `each` says.
    pub fn results<E: From<Error>>(
        &self,
        run: &Run,
        mut each: impl FnMut(UserResult) -> Result<(), E>,
    ) -> Result<(), E> {
        for result in self.sorted_results(run)? {
            each(result?)?;
        }
        Ok(())
    }

    /// As [`Self::results`], to be asked for one by one. All of them are read at once, in the order of the file, and sorted on
    /// disk: to look up the rows of one user after the other would take longer than the rest of a report.
    ///
    /// # Errors
    /// What SQLite says, or the folder for temporary files can't be used.
    pub fn sorted_results(&self, run: &Run) -> Result<SortedResults, Error> {
        // The run is read from one end to the other, now and later: more pages would be kept in vain.
        self.execute("PRAGMA cache_size = -256", [])?;
        let mut sorter = DiskSorter::new(SORTED);
        let query = format!("{RESULTS} INDEXED BY readings_of_run WHERE run = ?");
        self.packed_results(run, &query, [run.id], |record| {
            rank(record).and_then(|rank| sorter.add(&rank, record)).map_err(Error::Temporary)
        })?;
        Ok(SortedResults { sorted: sorter.sort().map_err(Error::Temporary)?, path: self.path.clone() })
    }

    /// As [`Self::results`], in no order, of the users with an enabled key that was used since then or in the audit itself;
    /// of some others, too, since this goes by what the service says.
    ///
    /// # Errors
    /// What SQLite says, or what `each` says.
    pub fn results_used_since<E: From<Error>>(
        &self,
        run: &Run,
        since: DateTime<Utc>,
        mut each: impl FnMut(UserResult) -> Result<(), E>,
    ) -> Result<(), E> {
        let query = format!(
            "{RESULTS} INDEXED BY readings_of_run WHERE run = ?1 AND EXISTS (
                 SELECT 1 FROM keys
                 WHERE keys.reading = readings.id AND enabled IS NOT 0 AND (auditing OR last_used >= ?2)
             )"
        );
        self.packed_results(run, &query, [run.id, since.timestamp()], |record| {
            each(unpack_result(record).map_err(|error| self.sqlite(error))?)
        })
    }

    /// Hands over the results of a query of [`RESULTS`] of a run, in the order of their ids.
    fn packed_results<E: From<Error>>(
        &self,
        run: &Run,
        query: &str,
        parameters: impl rusqlite::Params,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let wrong = |error| E::from(self.sqlite(error));
        let connection = self.connection.borrow();
        let mut packer = ResultPacker::of_run(&connection).map_err(wrong)?;
        let mut parts = packer.read(run.id).map_err(wrong)?;
        let mut results = connection.prepare(query).map_err(wrong)?;
        let mut rows = results.query(parameters).map_err(wrong)?;
        let mut record = Vec::new();
        while let Some(row) = rows.next().map_err(wrong)? {
            parts.pack(row, &mut record).map_err(wrong)?;
            each(&record)?;
        }
        Ok(())
    }

    /// Hands over the memberships of the users of a run who have a key, in no order; `only_several`: of those users alone who
    /// have several.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn memberships_of_key_owners(
        &self,
        run: &Run,
        only_several: bool,
        mut each: impl FnMut(Membership),
    ) -> Result<(), Error> {
        let mut read = || {
            let connection = self.connection.borrow();
            let mut memberships = connection.prepare(&format!(
                "SELECT scope, memberships.id, roles, team_ids
                 FROM (
                     SELECT reading FROM memberships WHERE {IS_IN_RANGE} GROUP BY reading HAVING count(*) > ?2
                 ) AS users
                     CROSS JOIN readings NOT INDEXED ON readings.id = users.reading
                     CROSS JOIN memberships ON memberships.reading = users.reading
                 WHERE run = ?1 AND EXISTS (SELECT 1 FROM keys WHERE keys.reading = users.reading)"
            ))?;
            let mut rows = memberships.query([run.id, only_several.into()])?;
            while let Some(row) = rows.next()? {
                each(membership_from(row)?);
            }
            Ok(())
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// Hands over the users of a run who have a key, in no order, and whether the audit itself used one of their keys;
    /// `only_auditing`: those alone of whom it did.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn key_owners(
        &self,
        run: &Run,
        only_auditing: bool,
        mut each: impl FnMut(User, bool),
    ) -> Result<(), Error> {
        let mut read = || {
            let connection = self.connection.borrow();
            let mut owners = connection.prepare(&format!(
                "SELECT readings.*, auditing FROM (
                     SELECT reading, max(auditing) AS auditing FROM keys WHERE {IS_IN_RANGE} GROUP BY reading
                 ) AS owners CROSS JOIN readings NOT INDEXED ON readings.id = owners.reading
                 WHERE run = ?1 AND auditing >= ?2"
            ))?;
            let mut rows = owners.query(params![run.id, only_auditing])?;
            while let Some(row) = rows.next()? {
                each(user_from(row)?, row.get("auditing")?);
            }
            Ok(())
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// Hands over the users of a run, in no order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn users(&self, run: &Run, mut each: impl FnMut(User)) -> Result<(), Error> {
        let mut read = || {
            let query = "SELECT * FROM readings INDEXED BY readings_of_run WHERE run = ?";
            let connection = self.connection.borrow();
            let mut users = connection.prepare(query)?;
            let mut rows = users.query([run.id])?;
            while let Some(row) = rows.next()? {
                each(user_from(row)?);
            }
            Ok(())
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// The result of one user of a run; `None` if the user was not requested.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn result_of(&self, run: &Run, user: &User) -> Result<Option<UserResult>, Error> {
        // A name without an id is its own identity.
        self.result(
            "WHERE run = ?1 AND user_id = ?2 AND iif(user_id = '', username, '') = iif(?2 = '', ?3, '')",
            params![run.id, user.id_or_empty(), user.username],
        )
        .map_err(|error| self.sqlite(error))
    }

    /// Every run that has seen a key with this id or these last 12 digits, newest first. Upper and lower case are the same.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn occurrences(&self, key: &str) -> Result<Vec<KeyOccurrence>, Error> {
        let found: Vec<(i64, i64, String)> = self.all(
            "SELECT readings.run, readings.id, key_id FROM keys JOIN readings ON readings.id = keys.reading
             WHERE key_id = ?1 COLLATE NOCASE OR suffix = ?1 COLLATE NOCASE ORDER BY readings.run DESC, readings.id",
            [key],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let mut occurrences = Vec::new();
        for (run, id, key_id) in found {
            let run = self.run(Some(run))?;
            let result = self.result_at(id).map_err(|error| self.sqlite(error))?;
            let Some(result) = result else { continue };
            let key = result.keys.iter().find(|key| key.id == key_id).cloned();
            occurrences.extend(key.map(|key| KeyOccurrence { run, result, key }));
        }
        Ok(occurrences)
    }

    pub(super) fn result_at(&self, id: i64) -> rusqlite::Result<Option<UserResult>> {
        self.result("WHERE id = ?", [id])
    }

    fn result(&self, which: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<Option<UserResult>> {
        let connection = self.connection.borrow();
        let mut packer = ResultPacker::of_result(&connection)?;
        let mut query = connection.prepare_cached(&format!("{RESULTS} {which}"))?;
        let mut record = Vec::new();
        let found = query.query_row(parameters, |row| packer.read(row.get(0)?)?.pack(row, &mut record));
        let found = found.optional()?;
        found.map(|()| unpack_result(&record)).transpose()
    }
}

/// The results of a run, in order.
pub struct SortedResults {
    sorted: Sorted,
    path: String,
}

impl Iterator for SortedResults {
    type Item = Result<UserResult, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.sorted.next().map_err(Error::Temporary).transpose()?;
        let unpack = |record: &[u8]| unpack_result(record).map_err(|error| Error::sqlite(&self.path, error));
        Some(record.and_then(|(_, record)| unpack(record)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Product;
    use crate::store::NewRun;
    use crate::v1::{RequestSettings, RunSettings};

    /// Users 1 and 4 are of run 1, which was resumed after run 2 with users 2 and 3. All but user 3 have a key of the same number.
    fn store_with_a_run_between() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open_for_run(&folder.path().join("keysunset.db")).unwrap();
        for _ in 0..2 {
            let new = NewRun {
                deployment: String::new(),
                address: String::new(),
                product: Product::OpsManager,
                credential: String::new(),
                started_at: DateTime::UNIX_EPOCH,
                has_organizations: true,
                settings: RunSettings {
                    sources: Vec::new(),
                    lists: Vec::new(),
                    cutoff: DateTime::UNIX_EPOCH,
                    active_within: 90,
                    requests: RequestSettings::none(),
                },
            };
            store = store.begin(&new).unwrap().close().unwrap();
        }
        let rows = "INSERT INTO readings (id, run, user_id, status) VALUES
                (1, 1, 'user 1', 'read'), (2, 2, 'user 2', 'read'), (3, 2, 'user 3', 'read'), (4, 1, 'user 4', 'read');
            INSERT INTO keys (reading, key_id, description, auditing, used_count) VALUES
                (1, 'key 1', '', 0, 1), (2, 'key 2', '', 0, 2), (4, 'key 4', '', 1, 4);
            INSERT INTO memberships (reading, scope, id) VALUES
                (1, 'organization', 'a'), (2, 'organization', 'b'), (3, 'organization', 'b'),
                (4, 'organization', 'a'), (4, 'project', 'p');";
        store.connection.borrow().execute_batch(rows).unwrap();
        (folder, store)
    }

    #[test]
    fn a_run_between_the_users_of_another_is_not_mixed_with_it() {
        let (_folder, store) = store_with_a_run_between();
        let read = |id| {
            let run = store.run(Some(id)).unwrap();
            let mut found = Vec::new();
            let each = |result: UserResult| {
                let organizations: Vec<_> = result.user.origin.organizations().collect();
                let keys: Vec<_> = result.keys.iter().map(|key| &*key.id).collect();
                let user = result.user.id_or_empty();
                found.push(format!("{user}: {} of {}", keys.join(" "), organizations.join(" ")));
                Ok::<_, Error>(())
            };
            store.results(&run, each).unwrap();
            let (mut uses, mut owners, mut lists) = (Vec::new(), Vec::new(), Vec::new());
            store.key_usages(&run, |key| uses.extend(key.used_count)).unwrap();
            store.key_owners(&run, false, |user, auditing| owners.push((user.id, auditing))).unwrap();
            store.memberships_of_key_owners(&run, false, |membership| lists.push(membership.id)).unwrap();
            let mut of_several = Vec::new();
            let each = |membership: Membership| of_several.push(membership.id);
            store.memberships_of_key_owners(&run, true, each).unwrap();
            found.extend(owners.into_iter().map(|(id, auditing)| format!("{id:?} {auditing}")));
            found.push(format!("{uses:?} {lists:?} {of_several:?}"));
            (found, store.key_count(&run).unwrap())
        };
        let (found, keys) = read(1);
        assert_eq!(keys, 2);
        assert_eq!(
            found,
            [
                "user 1: key 1 of a",
                "user 4: key 4 of a",
                "Some(\"user 1\") false",
                "Some(\"user 4\") true",
                "[1, 4] [\"a\", \"a\", \"p\"] [\"a\", \"p\"]"
            ]
        );
        let (found, keys) = read(2);
        assert_eq!(keys, 1);
        assert_eq!(
            found,
            ["user 2: key 2 of b", "user 3:  of b", "Some(\"user 2\") false", "[2] [\"b\"] []"]
        );
        let run = store.run(Some(1)).unwrap();
        let mut auditing = 0;
        store.key_owners(&run, true, |_, _| auditing += 1).unwrap();
        assert_eq!(auditing, 1);
    }
}
