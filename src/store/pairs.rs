//! Two runs side by side, paired by the database, so that no run is held in memory.

use super::{Error, Run, Store};
use crate::model::UserResult;

impl Store {
    /// Hands over all users of two runs, by (username, user id) of the later one where it has them: the result of `before`
    /// and that of `after`, `None` where the user is not in that run. A user is known by his id; a name that had no user in
    /// one run is the user of that name in the other.
    ///
    /// # Errors
    /// What SQLite says, or what `each` says.
    pub fn pairs<E: From<Error>>(
        &self,
        before: &Run,
        after: &Run,
        mut each: impl FnMut(Option<UserResult>, Option<UserResult>) -> Result<(), E>,
    ) -> Result<(), E> {
        let wrong = |error| E::from(self.sqlite(error));
        self.pair(before, after).map_err(wrong)?;
        let query = "SELECT before, after FROM temp.pairs ORDER BY username, user_id";
        let connection = self.connection.borrow();
        let mut pairs = connection.prepare(query).map_err(wrong)?;
        let mut rows = pairs.query([]).map_err(wrong)?;
        while let Some(row) = rows.next().map_err(wrong)? {
            let side = |at: usize| match row.get::<_, Option<i64>>(at)? {
                Some(id) => self.result_at(id),
                None => Ok(None),
            };
            let (before, after) = (side(0).map_err(wrong)?, side(1).map_err(wrong)?);
            each(before, after)?;
        }
        Ok(())
    }

    /// Who is whom in two runs, in tables that last as long as the connection and are no part of the file.
    fn pair(&self, before: &Run, after: &Run) -> rusqlite::Result<()> {
        let connection = self.connection.borrow();
        connection.execute_batch(
            "DROP TABLE IF EXISTS temp.pairs;
             DROP TABLE IF EXISTS temp.alone;
             CREATE TEMP TABLE pairs (before INTEGER UNIQUE, after INTEGER UNIQUE, username TEXT, user_id TEXT);
             CREATE TEMP TABLE alone (
                 run INTEGER, username TEXT COLLATE NOCASE, user_id TEXT, reading INTEGER,
                 PRIMARY KEY (run, username, user_id, reading)
             ) WITHOUT ROWID",
        )?;
        let runs = [before.id, after.id];
        connection.execute(
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
            connection.execute(&left, [run])?;
        }
        // Of two users of that name one is paired, and the other stays alone.
        connection.execute(
            "INSERT OR IGNORE INTO temp.pairs
             SELECT a.reading, b.reading, b.username, iif(b.user_id = '', a.user_id, b.user_id)
             FROM temp.alone AS a CROSS JOIN temp.alone AS b ON b.run = ?2 AND b.username = a.username
             WHERE a.run = ?1 AND a.username <> '' AND (a.user_id = '' OR b.user_id = '')
             ORDER BY a.user_id, b.user_id",
            runs,
        )?;
        connection.execute(
            "INSERT INTO temp.pairs
             SELECT iif(run = ?1, reading, NULL), iif(run = ?2, reading, NULL), username, user_id FROM temp.alone
             WHERE reading NOT IN (SELECT before FROM temp.pairs WHERE before IS NOT NULL)
                 AND reading NOT IN (SELECT after FROM temp.pairs WHERE after IS NOT NULL)",
            runs,
        )?;
        Ok(())
    }
}
