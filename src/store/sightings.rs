//! One key over all runs, and one user in one.

use rusqlite::{OptionalExtension as _, params};

use super::rows::{KEYS_OF_A_READING, key_of, reading_of};
use super::{Error, Run, Store};
use crate::model::{PersonalKey, User, UserResult};

/// A run that has seen a key.
#[derive(Debug)]
pub struct KeyOccurrence {
    /// Which.
    pub run: Run,
    /// Of the key's owner.
    pub reading: UserResult,
    /// As it was then.
    pub key: PersonalKey,
}

impl Store {
    /// Every run that has seen a key of this id, newest first. Upper and lower case are the same.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sightings(&self, key_id: &str) -> Result<Vec<KeyOccurrence>, Error> {
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
            sightings.extend(key.map(|key| KeyOccurrence { run, reading, key }));
        }
        Ok(sightings)
    }

    /// What a run has of a user; `None` if it never asked for that one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reading(&self, run: &Run, user: &User) -> Result<Option<UserResult>, Error> {
        // A name that has no id stands for itself.
        self.one_reading(
            "SELECT * FROM readings
             WHERE run = ?1 AND user_id = ?2 AND iif(user_id = '', username, '') = iif(?2 = '', ?3, '')",
            params![run.id, user.id, user.username],
        )
    }

    fn one_reading(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Option<UserResult>, Error> {
        let read = || {
            let Some((id, reading)) = self.connection.query_row(query, parameters, reading_of).optional()?
            else {
                return Ok(None);
            };
            let mut keys = self.connection.prepare(KEYS_OF_A_READING)?;
            let keys = keys.query_map([id], key_of)?.collect::<Result<_, _>>()?;
            Ok(Some(UserResult { keys, ..reading }))
        };
        read().map_err(|error| self.sqlite(error))
    }
}
