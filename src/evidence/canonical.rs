//! The canonical form of a run: one JSON document a line, fields in a fixed order, so that the same evidence is the same bytes
//! wherever it is kept. `keysunset export` writes it, and the manifest has its hash. Nothing in it is judged.
//!
//! The first line is the run's facts without its number, then a line a gap, a line a reading in the report's order, and one
//! that counts them, without which the form is cut short. `docs/evidence.md` lists every field.

mod line;
mod read;

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use read::{Broken, Entries, Entry, read};

use self::line::{IncompleteListLine, Line, UserResultLine};
use crate::model::{Product, UserResult};
use crate::store::{self, Run, Store};
use crate::v1::RunSettings;

/// Of the form. It goes up with every change of a field.
pub const VERSION: u64 = 1;

/// The first line: what was asked of which deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    version: u64,
    /// What the reports call it.
    pub deployment: String,
    /// Where it was, for a person to read.
    pub address: String,
    /// Which product.
    pub product: Product,
    /// Its version, as far as it told.
    pub service_version: Option<String>,
    /// The public part of the credential that asked.
    pub credential: String,
    /// In seconds, how far the deployment's clock was ahead; `None` where nobody looked.
    pub clock_skew: Option<i64>,
    /// What every "ago" counts from.
    pub started_at: DateTime<Utc>,
    /// `None`: it was cut short.
    pub finished_at: Option<DateTime<Utc>>,
    /// Of keysunset.
    pub tool_version: String,
    /// How it was to be done.
    pub settings: RunSettings,
}

/// The last line: how much there is before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Lists of users that could not be read to their end.
    pub gaps: u64,
    /// Users who were requested: lines.
    pub users: u64,
    /// Those of whom nothing can have been missed.
    pub read: u64,
    /// The others.
    pub not_read: u64,
    /// Their keys.
    pub keys: u64,
}

/// Why it can't be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The evidence can't be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Wherever it was to go.
    #[error("can't write the canonical form: {0}")]
    Write(#[from] io::Error),
}

impl From<Error> for crate::exit::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Write(_) => Self::output(error),
        }
    }
}

impl From<&Run> for Head {
    fn from(run: &Run) -> Self {
        // Neither the number nor whether it was reported: the same run elsewhere is the same bytes.
        Self {
            version: VERSION,
            deployment: run.deployment.clone(),
            address: run.address.clone(),
            product: run.product,
            service_version: run.service_version.clone(),
            credential: run.credential.clone(),
            clock_skew: run.clock_skew,
            started_at: run.started_at,
            finished_at: run.finished_at,
            tool_version: run.tool_version.clone(),
            settings: run.settings.clone(),
        }
    }
}

impl Totals {
    fn count(&mut self, reading: &UserResult) {
        self.users += 1;
        *(if reading.outcome.status.is_complete() { &mut self.read } else { &mut self.not_read }) += 1;
        self.keys += reading.keys.len() as u64;
    }
}

/// Writes a run; holds no more than one user of it.
///
/// # Errors
/// What the store or `out` says.
pub fn write(store: &Store, run: &Run, out: &mut impl Write) -> Result<Totals, Error> {
    let mut sheet = Sheet { out, line: Vec::new() };
    let mut totals = Totals::default();
    sheet.put(&Line::Run(Box::new(Head::from(run))))?;
    for gap in &store.incomplete_lists(run)? {
        totals.gaps += 1;
        sheet.put(&Line::IncompleteList(IncompleteListLine::from(gap)))?;
    }
    store.results(run, |reading| {
        totals.count(&reading);
        sheet.put(&Line::UserResult(UserResultLine::from(&reading))).map_err(Error::from)
    })?;
    sheet.put(&Line::End(totals))?;
    Ok(totals)
}

struct Sheet<'a, W> {
    out: &'a mut W,
    /// The line under way, so that `out` is handed whole lines.
    line: Vec<u8>,
}

impl<W: Write> Sheet<'_, W> {
    fn put(&mut self, line: &Line) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }
}
