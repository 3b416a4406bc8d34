//! More than one run: what each came to, and two of them side by side. Counted and paired by the database, so that no run is
//! held in memory.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension as _, params};

use super::{Error, KEYS_OF_A_READING, Run, Store, key_of, reading_of};
use crate::model::{ReadStatus, UserResult};

/// What a run came to, as far as it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunStats {
    /// Everybody who was to be read.
    pub users: u64,
    /// Users of whom something is unknown, those among them whom nobody came to ask for.
    pub unread: u64,
    /// Lists of users that were not read to their end.
    pub gaps: u64,
    /// All keys that were seen.
    pub keys: u64,
    /// Those that may still be in force.
    pub enabled: u64,
    /// Those of the verdict `used-after-cutoff`.
    pub used_after_cutoff: u64,
    /// Those of the verdict `usage-unknown`.
    pub usage_unknown: u64,
}

impl Store {
    /// What a run came to. A use at or after `cutoff` counts as after.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn tally(&self, run: &Run, cutoff: DateTime<Utc>) -> Result<RunStats, Error> {
        let complete: Vec<_> = ReadStatus::ALL
            .iter()
            .filter(|status| status.is_complete())
            .map(|status| format!("'{status}'"))
            .collect();
        let users = format!(
            "SELECT count(*), count(*) FILTER (WHERE status IN ({})) FROM readings INDEXED BY readings_of_run WHERE run = ?",
            complete.join(", ")
        );
        // The verdicts are those of the policy, which a test holds against this.
        let keys = "SELECT count(*), count(*) FILTER (WHERE enabled IS NOT 0), count(*) FILTER (WHERE last_used >= ?2),
                count(*) FILTER (WHERE last_used IS NULL AND used_count IS NOT 0)
            FROM readings INDEXED BY readings_of_run CROSS JOIN keys ON keys.reading = readings.id WHERE readings.run = ?1";
        let read = || {
            let number = |row: &rusqlite::Row, at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
            let (users, read) =
                self.connection.query_row(&users, [run.id], |row| Ok((number(row, 0)?, number(row, 1)?)))?;
            let gaps = "SELECT count(*) FROM gaps WHERE run = ?";
            let gaps = self.connection.query_row(gaps, [run.id], |row| number(row, 0))?;
            self.connection.query_row(keys, params![run.id, cutoff.timestamp()], |row| {
                Ok(RunStats {
                    users,
                    unread: users - read,
                    gaps,
                    keys: number(row, 0)?,
                    enabled: number(row, 1)?,
                    used_after_cutoff: number(row, 2)?,
                    usage_unknown: number(row, 3)?,
                })
            })
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// Hands over everybody of two runs, by (username, user id) of the later one where it has them: the reading of `before`
    /// and that of `after`, `None` where the user is not in that run. A user is known by his id; a name that was nobody's in
    /// one run is whoever bears it in the other.
    ///
    /// # Errors
    /// What SQLite says, or what `each` says.
    pub fn side_by_side<E: From<Error>>(
        &self,
        before: &Run,
        after: &Run,
        mut each: impl FnMut(Option<UserResult>, Option<UserResult>) -> Result<(), E>,
    ) -> Result<(), E> {
        let wrong = |error| E::from(self.sqlite(error));
        self.pair(before, after).map_err(wrong)?;
        let prepare = |sql| self.connection.prepare(sql).map_err(wrong);
        let mut pairs = prepare("SELECT before, after FROM temp.pairs ORDER BY username, user_id")?;
        let mut reading = prepare("SELECT * FROM readings WHERE id = ?")?;
        let mut keys = prepare(KEYS_OF_A_READING)?;
        let mut whole = |id: Option<i64>| {
            let Some((id, mut reading)) =
                id.map(|id| reading.query_row([id], reading_of).optional()).transpose()?.flatten()
            else {
                return Ok(None);
            };
            reading.keys = keys.query_map([id], key_of)?.collect::<Result<_, _>>()?;
            Ok(Some(reading))
        };
        let mut rows = pairs.query([]).map_err(wrong)?;
        while let Some(row) = rows.next().map_err(wrong)? {
            let side = |at: usize| row.get::<_, Option<i64>>(at).map_err(wrong);
            let (before, after) = (side(0)?, side(1)?);
            each(whole(before).map_err(wrong)?, whole(after).map_err(wrong)?)?;
        }
        Ok(())
    }

    /// Who is whom in two runs, in tables that last as long as the connection and are no part of the file.
    fn pair(&self, before: &Run, after: &Run) -> rusqlite::Result<()> {
        self.connection.execute_batch(
            "DROP TABLE IF EXISTS temp.pairs;
             DROP TABLE IF EXISTS temp.alone;
             CREATE TEMP TABLE pairs (before INTEGER UNIQUE, after INTEGER UNIQUE, username TEXT, user_id TEXT);
             CREATE TEMP TABLE alone (
                 run INTEGER, username TEXT COLLATE NOCASE, user_id TEXT, reading INTEGER,
                 PRIMARY KEY (run, username, user_id, reading)
             ) WITHOUT ROWID",
        )?;
        let runs = [before.id, after.id];
        self.connection.execute(
            "INSERT INTO temp.pairs
             SELECT a.id, b.id, coalesce(b.username, a.username, ''), b.user_id
             FROM main.readings AS a CROSS JOIN main.readings AS b INDEXED BY readings_once
                 ON b.run = ?2 AND b.user_id = a.user_id
             WHERE a.run = ?1 AND a.user_id <> ''",
            runs,
        )?;
        for (run, side) in [(before.id, "before"), (after.id, "after")] {
            let left = format!(
                "INSERT INTO temp.alone SELECT run, coalesce(username, ''), user_id, id FROM main.readings
                 WHERE run = ? AND id NOT IN (SELECT {side} FROM temp.pairs)"
            );
            self.connection.execute(&left, [run])?;
        }
        // Whoever is two by that name is one of them, and the other stays alone.
        self.connection.execute(
            "INSERT OR IGNORE INTO temp.pairs
             SELECT a.reading, b.reading, b.username, iif(b.user_id = '', a.user_id, b.user_id)
             FROM temp.alone AS a CROSS JOIN temp.alone AS b ON b.run = ?2 AND b.username = a.username
             WHERE a.run = ?1 AND a.username <> '' AND (a.user_id = '' OR b.user_id = '')
             ORDER BY a.user_id, b.user_id",
            runs,
        )?;
        self.connection.execute(
            "INSERT INTO temp.pairs
             SELECT iif(run = ?1, reading, NULL), iif(run = ?2, reading, NULL), username, user_id FROM temp.alone
             WHERE reading NOT IN (SELECT before FROM temp.pairs WHERE before IS NOT NULL)
                 AND reading NOT IN (SELECT after FROM temp.pairs WHERE after IS NOT NULL)",
            runs,
        )?;
        Ok(())
    }
}
