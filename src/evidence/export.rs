//! The canonical form of a run: one JSON document a line, fields in a fixed order, so that the same evidence is the same bytes
//! wherever it is kept. `keysunset export` writes it, and the manifest has its hash. Nothing in it is judged.
//!
//! The first line is the run's facts without its number, then a line an organization, a line an incomplete list, a line a user
//! in the report's order, and one that counts them, without which the form is cut short. `docs/evidence.md` lists every field.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod line;
mod read;
mod version_1;

use std::collections::BTreeMap;
use std::io::{self, Write};

pub use line::{ExportCounts, ExportedRun};
pub use read::{Entries, ExportEntry, ReadError, read};

use self::line::{ExportLine, ResultLine};
use crate::console::STDOUT;
use crate::exit::reason;
use crate::model::UserResult;
use crate::output::add_json;
use crate::store::{self, Run, Store};

/// Of the form. It goes up with every change of a field.
pub const VERSION: u64 = 2;

/// Why it can't be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The evidence can't be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Wherever it was to go.
    #[error("can't write the export: {why}", why = reason(.0))]
    Write(#[from] io::Error),
}

impl From<Error> for crate::exit::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Write(why) => Self::not_written("standard output", &why, STDOUT),
        }
    }
}

/// Writes a run in a version of the form; holds no more than one user of it.
///
/// # Errors
/// What the store or `out` says.
pub fn write<W: Write>(store: &Store, run: &Run, version: u64, out: W) -> Result<Exported<W>, Error> {
    let mut export = ExportWriter::begin(store, run, version, out)?;
    store.results(run, |result| export.add(&result).map_err(Error::from))?;
    Ok(export.end()?)
}

/// A run on its way into the form, for who reads its results anyway.
pub struct ExportWriter<W> {
    lines: LineWriter<W>,
    counts: ExportCounts,
    users_by_organization: BTreeMap<String, u64>,
}

/// A run that was written.
pub struct Exported<W> {
    /// As its last line has them.
    pub counts: ExportCounts,
    /// How many users the list of each organization has.
    pub users_by_organization: BTreeMap<String, u64>,
    /// Where it was written to.
    pub out: W,
}

impl<W: Write> ExportWriter<W> {
    /// Writes all that comes before the results.
    ///
    /// # Errors
    /// What the store or `out` says.
    pub fn begin(store: &Store, run: &Run, version: u64, out: W) -> Result<Self, Error> {
        let mut lines = LineWriter { version, out, line: Vec::new() };
        let mut counts = ExportCounts::new(version);
        lines.write(ExportLine::Run(Box::new(ExportedRun::new(run, version))))?;
        for organization in store.organizations(run)?.into_iter().flatten() {
            counts.organizations = counts.organizations.map(|count| count + 1);
            lines.write(ExportLine::Organization(organization))?;
        }
        for list in store.incomplete_lists(run)? {
            counts.gaps += 1;
            lines.write(ExportLine::IncompleteList(list))?;
        }
        Ok(Self { lines, counts, users_by_organization: BTreeMap::new() })
    }

    /// Writes the next result of the run.
    ///
    /// # Errors
    /// What `out` says.
    pub fn add(&mut self, result: &UserResult) -> io::Result<()> {
        self.counts.add(result);
        for id in result.user.origin.organizations() {
            match self.users_by_organization.get_mut(id) {
                Some(count) => *count += 1,
                None => drop(self.users_by_organization.insert(id.to_owned(), 1)),
            }
        }
        self.lines.write_result(result)
    }

    /// Writes the last line, after all results.
    ///
    /// # Errors
    /// What `out` says.
    pub fn end(self) -> io::Result<Exported<W>> {
        let Self { mut lines, counts, users_by_organization } = self;
        lines.write(ExportLine::End(counts))?;
        Ok(Exported { counts, users_by_organization, out: lines.out })
    }
}

struct LineWriter<W> {
    version: u64,
    out: W,
    /// The line under way, so that `out` is handed whole lines.
    line: Vec<u8>,
}

impl<W: Write> LineWriter<W> {
    fn write(&mut self, line: ExportLine) -> io::Result<()> {
        self.line.clear();
        match self.version {
            1 => match version_1::Line::new(line) {
                Some(line) => serde_json::to_writer(&mut self.line, &line)?,
                None => return Ok(()),
            },
            _ => serde_json::to_writer(&mut self.line, &line)?,
        }
        self.end_line()
    }

    /// As [`ExportLine::UserResult`], without a copy of it.
    fn write_result(&mut self, result: &UserResult) -> io::Result<()> {
        if self.version == 1 {
            return self.write(ExportLine::UserResult(result.clone()));
        }
        self.line.clear();
        add_json(&mut self.line, &ResultLine::new(result))?;
        self.end_line()
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }
}
