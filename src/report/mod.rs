//! From the evidence to what people read: each run is read back in order, every key judged, and every format written
//! in one pass. A file is written beside its name and renamed once all of them are whole and the numbers add up.

mod csv;
mod markdown;
mod summary;
pub mod terminal;
pub mod text;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

pub use summary::Summary;

use crate::model::{Gap, PersonalKey, Reading};
use crate::policy::{Judgement, Policy};
use crate::store::{self, Run, Store};

named! {
    /// What a report may be written as.
    pub enum Format {
        /// keys.csv: one row a key, and one for every user without keys or not read
        Csv = "csv",
        /// migration-report.md: for the person who acts on it and the auditor who has to believe it
        Markdown = "markdown",
    }
}

impl Format {
    /// Its name in `--out`.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Csv => "keys.csv",
            Self::Markdown => "migration-report.md",
        }
    }
}

/// What to write, and where.
#[derive(Debug, Clone)]
pub struct Output {
    /// The folder, made where it is missing.
    pub out: PathBuf,
    /// In the order in which they were asked for.
    pub formats: Vec<Format>,
    /// Templates that replace the built-in ones of the same name.
    pub templates: Option<PathBuf>,
    /// Whether CSV fields are left as they are, even where a spreadsheet would run them.
    pub csv_raw: bool,
}

/// What every row of the report shares.
pub struct Facts<'a> {
    /// What was asked of which deployment.
    pub run: &'a Run,
    /// The rules in force, which need not be those of the run.
    pub policy: &'a Policy,
    /// Lists that were not read to their end.
    pub gaps: &'a [Gap],
}

impl Facts<'_> {
    /// Whether nothing is known to be missing, apart from users who are rows of their own.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.run.finished_at.is_some() && self.gaps.is_empty()
    }
}

/// One row: a key, or a user without one.
pub struct Row<'a> {
    /// What came of the user.
    pub reading: &'a Reading,
    /// The key; `None` for a user without keys, or for what could not be read of one.
    pub key: Option<(&'a PersonalKey, Judgement)>,
}

/// A format under way.
trait Writer {
    /// Takes the next row, in order.
    fn row(&mut self, facts: &Facts, row: &Row) -> io::Result<()>;

    /// Ends the file.
    fn end(self: Box<Self>, facts: &Facts, summary: &Summary) -> Result<BufWriter<NamedTempFile>, Error>;
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The evidence can't be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file can't be written.
    #[error(
        "{0} can't be written: {1}\nhelp: what stood there before is untouched; the evidence is in the store, so `keysunset report` can try again"
    )]
    Write(String, #[source] io::Error),
    /// A template is wrong.
    #[error("the template can't be used: {0}")]
    Template(String),
    /// The totals contradict each other.
    #[error("the numbers do not add up: {0}")]
    DoesNotAddUp(String),
}

/// What was written.
pub struct Written {
    /// The totals.
    pub summary: Summary,
    /// The files, in the order of the formats.
    pub files: Vec<PathBuf>,
}

/// Makes the folder and starts every format, so that a folder that can't be written to or a wrong template is known
/// before hours of reading.
///
/// # Errors
/// Why it can't.
pub fn prepare(output: &Output) -> Result<(), Error> {
    let wrong = |why| Error::Write(output.out.display().to_string(), why);
    std::fs::create_dir_all(&output.out).map_err(wrong)?;
    output.formats.iter().try_for_each(|format| start(*format, output).map(drop))
}

/// Writes the report of a run.
///
/// # Errors
/// As [`Error`] has it; then no file in `out` has changed.
pub fn write(store: &Store, run: &Run, policy: &Policy, output: &Output) -> Result<Written, Error> {
    let gaps = store.gaps(run)?;
    let facts = Facts { run, policy, gaps: &gaps };
    std::fs::create_dir_all(&output.out)
        .map_err(|why| Error::Write(output.out.display().to_string(), why))?;
    let mut writers = Vec::new();
    for format in &output.formats {
        writers.push((output.out.join(format.file_name()), start(*format, output)?));
    }
    let mut summary = Summary::new(gaps.len() as u64);
    store.readings(run, |reading| {
        for row in rows(&reading, policy) {
            summary.add(&row);
            for (path, writer) in &mut writers {
                writer.row(&facts, &row).map_err(|why| Error::Write(path.display().to_string(), why))?;
            }
        }
        Ok::<_, Error>(())
    })?;
    summary.reconcile(store.counts(run)?).map_err(Error::DoesNotAddUp)?;
    let mut whole = Vec::new();
    for (path, writer) in writers {
        whole.push((writer.end(&facts, &summary)?, path));
    }
    let mut files = Vec::new();
    for (file, path) in whole {
        put(file, &path).map_err(|why| Error::Write(path.display().to_string(), why))?;
        files.push(path);
    }
    Ok(Written { summary, files })
}

fn start(format: Format, output: &Output) -> Result<Box<dyn Writer>, Error> {
    let file = || {
        let path = output.out.join(format.file_name());
        beside(&output.out).map(BufWriter::new).map_err(|why| Error::Write(path.display().to_string(), why))
    };
    Ok(match format {
        Format::Csv => Box::new(csv::start(file()?, output.csv_raw)),
        Format::Markdown => Box::new(markdown::start(file()?, output.templates.as_deref())?),
    })
}

/// The rows of one user: one that says what was not read or that there is nothing, and one a key.
fn rows<'a>(reading: &'a Reading, policy: &Policy) -> impl Iterator<Item = Row<'a>> {
    let alone = reading.keys.is_empty() || !reading.outcome.status.is_complete();
    let user = alone.then_some(Row { reading, key: None });
    let keys = reading.keys.iter().map(|key| Row { reading, key: Some((key, policy.judge(key))) });
    user.into_iter().chain(keys)
}

/// A nameless-to-be file in the same folder, so that renaming it is one step. Readable as the user's umask has it.
fn beside(out: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keysunset-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(out)
}

fn put(file: BufWriter<NamedTempFile>, path: &Path) -> io::Result<()> {
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    File::sync_all(file.as_file())?;
    file.persist(path).map(drop).map_err(|failed| failed.error)
}
