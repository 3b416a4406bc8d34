//! Which runs left nothing unknown.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension as _, params};

use super::rows::{time_of, user_of};
use super::{Error, Run, Store};
use crate::model::{ReadStatus, User};

impl Store {
    /// When the last complete run of this run's deployment that asked for the same ended, this one included and later ones not. It is complete
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
                 AND json_extract(settings, '$.sources') = ?
                 AND NOT EXISTS (SELECT 1 FROM gaps WHERE run = runs.id)
                 AND NOT EXISTS (SELECT 1 FROM readings
                     WHERE run = runs.id AND (status IS NULL OR status NOT IN ({})))
             ORDER BY id DESC LIMIT 1",
            complete.join(", ")
        );
        self.connection
            .query_row(
                &query,
                params![run.deployment, run.id, serde_json::json!(run.settings.sources).to_string()],
                |row| time_of(row, "finished_at"),
            )
            .optional()
            .map(Option::flatten)
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
}
