//! The ratchet: what got worse than in an earlier run fails the gate, what stayed or got better does not. So an organization
//! with hundreds of keys gets to none, and never back.

use chrono::{DateTime, Utc};

use crate::model::{PersonalKey, UserResult};
use crate::policy::{Judgement, Policy, Severity};
use crate::store::{self, Baseline};

/// How a key is worse than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regression {
    /// It was not there, or not seen.
    New,
    /// It was there, less severe: this was its severity.
    Than(Severity),
}

/// An earlier run to be compared with.
pub struct Ratchet {
    /// What it is called, such as `run 3 of 2025-01-01T00:00:00Z`.
    pub name: String,
    /// How many keys it had.
    pub count: u64,
    started_at: DateTime<Utc>,
    keys: Baseline,
}

impl Ratchet {
    /// Of the run that started then; `fill` is given what takes each of its readings.
    ///
    /// # Errors
    /// What `fill` says, or a table that can't be written.
    pub fn of<E: From<store::Error>>(
        name: String,
        started_at: DateTime<Utc>,
        fill: impl FnOnce(&mut dyn FnMut(&UserResult) -> Result<(), store::Error>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let keys = Baseline::of(fill)?;
        Ok(Self { name, count: keys.count()?, started_at, keys })
    }

    /// Whether a key is worse than it was, both judged by the same rules, each at the start of its own run.
    ///
    /// # Errors
    /// A table that can't be read.
    pub fn worse(
        &self,
        key: &PersonalKey,
        judged: &Judgement,
        policy: &Policy,
    ) -> Result<Option<Regression>, store::Error> {
        let Some(before) = self.keys.key(&key.id)? else { return Ok(Some(Regression::New)) };
        let then = Policy { now: self.started_at, ..*policy }.severity(&before);
        Ok((judged.severity < then).then_some(Regression::Than(then)))
    }
}
