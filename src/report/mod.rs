//! From the evidence to what people read: each run is read back in order, every key judged, and every format written
//! in one pass. A file is written beside its name and renamed once all of them are whole and the numbers add up.

mod csv;
mod judge;
mod markdown;
mod record;
mod summary;
pub mod terminal;
pub mod text;

use std::io::{self, BufWriter, Seek as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

pub use judge::{Lapse, LapseKind};
pub use summary::Summary;

use self::judge::Judge;
use crate::model::{Gap, PersonalKey, Reading};
use crate::policy::{FailOn, Judgement, Policy};
use crate::store::{self, Run, Store};
use crate::waivers::{Standing, Waiver, Waivers};

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

/// One run of one deployment, to be reported on.
pub struct Evidence<'a> {
    /// Where it is kept.
    pub store: &'a Store,
    /// What was asked of which deployment.
    pub run: &'a Run,
    /// The rules in force, which need not be those of the run.
    pub policy: Policy,
}

/// What decides which keys fail the gate, whatever the deployment.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Which keys are findings.
    pub fail_on: FailOn,
    /// Which of them are accepted all the same.
    pub waivers: &'a Waivers,
}

/// What every row of one deployment shares.
pub struct Facts<'a> {
    /// What was asked of it.
    pub run: &'a Run,
    /// The rules in force.
    pub policy: Policy,
    /// Lists that were not read to their end.
    pub gaps: Vec<Gap>,
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
    /// The waiver of the key, or of the user who could not be read, and how it stands.
    pub waiver: Option<(&'a Waiver, Standing)>,
    /// Whether this key fails the gate.
    pub is_finding: bool,
}

impl Row<'_> {
    /// Whether a waiver counts for it.
    #[must_use]
    pub fn is_waived(&self) -> bool {
        self.waiver.is_some_and(|(_, standing)| standing != Standing::Expired)
    }
}

/// A deployment, and what its rows came to.
pub struct Deployment<'a> {
    /// What they share.
    pub facts: Facts<'a>,
    /// Their totals.
    pub summary: Summary,
}

/// What all rows came to, and what they share.
pub struct Report<'a> {
    /// By name; mostly one.
    pub deployments: Vec<Deployment<'a>>,
    /// Over all of them.
    pub total: Summary,
    /// What has to be said of waivers.
    pub lapses: Vec<Lapse<'a>>,
}

impl Report<'_> {
    /// Whether nobody can have been missed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_whole() && self.total.is_complete()
    }

    /// Whether nothing is known to be missing, apart from users who are rows of their own.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.deployments.iter().all(|deployment| deployment.facts.is_whole())
    }
}

/// A format under way. Rows come deployment by deployment, in order.
trait Writer {
    /// Takes what the rows to come share.
    fn begin(&mut self, facts: &Facts) -> io::Result<()>;

    /// Takes the next row.
    fn row(&mut self, facts: &Facts, row: &Row) -> io::Result<()>;

    /// Ends the file.
    fn end(self: Box<Self>, report: &Report) -> Result<BufWriter<NamedTempFile>, Error>;
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

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it stands.
    pub path: PathBuf,
    /// Of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// How many.
    pub bytes: u64,
}

/// What was written.
pub struct Written<'a> {
    /// What the rows came to.
    pub report: Report<'a>,
    /// The files, in the order of the formats.
    pub files: Vec<File>,
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

/// Writes one report of all the evidence, deployment by deployment.
///
/// # Errors
/// As [`Error`] has it; then no file in `out` has changed.
pub fn write<'a>(evidence: &[Evidence<'a>], rules: Rules<'a>, output: &Output) -> Result<Written<'a>, Error> {
    std::fs::create_dir_all(&output.out)
        .map_err(|why| Error::Write(output.out.display().to_string(), why))?;
    let mut writers = Vec::new();
    for format in &output.formats {
        writers.push((output.out.join(format.file_name()), start(*format, output)?));
    }
    let mut by_name: Vec<_> = evidence.iter().collect();
    by_name.sort_by(|one, other| one.run.deployment.cmp(&other.run.deployment));
    let mut judge = Judge::new(rules);
    let mut deployments = Vec::new();
    for Evidence { store, run, policy } in by_name {
        let facts = Facts { run, policy: *policy, gaps: store.gaps(run)? };
        let wrong = |path: &Path, why| Error::Write(path.display().to_string(), why);
        for (path, writer) in &mut writers {
            writer.begin(&facts).map_err(|why| wrong(path, why))?;
        }
        let mut summary = Summary::new(facts.gaps.len() as u64);
        store.readings(run, |reading| {
            for row in judge.rows(&reading, policy) {
                summary.add(&row);
                for (path, writer) in &mut writers {
                    writer.row(&facts, &row).map_err(|why| wrong(path, why))?;
                }
            }
            Ok::<_, Error>(())
        })?;
        summary.reconcile(store.counts(run)?).map_err(Error::DoesNotAddUp)?;
        deployments.push(Deployment { facts, summary });
    }
    let total = Summary::over(deployments.iter().map(|deployment| &deployment.summary));
    let lapses = judge.lapses(&deployments);
    let report = Report { deployments, total, lapses };
    let mut whole = Vec::new();
    for (path, writer) in writers {
        whole.push((writer.end(&report)?, path));
    }
    let mut files = Vec::new();
    for (file, path) in whole {
        files.push(put(file, &path).map_err(|why| Error::Write(path.display().to_string(), why))?);
    }
    Ok(Written { report, files })
}

fn start(format: Format, output: &Output) -> Result<Box<dyn Writer>, Error> {
    let file = || {
        let path = output.out.join(format.file_name());
        beside(&output.out).map(BufWriter::new).map_err(|why| Error::Write(path.display().to_string(), why))
    };
    Ok(match format {
        Format::Csv => Box::new(csv::start(file()?, output.csv_raw)?),
        Format::Markdown => Box::new(markdown::start(file()?, output.templates.as_deref())?),
    })
}

/// A nameless-to-be file in the same folder, so that renaming it is one step. Readable as the user's umask has it.
fn beside(out: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keysunset-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(out)
}

/// Renames it, once it is whole on the disk; its hash is of what the disk gives back.
fn put(file: BufWriter<NamedTempFile>, path: &Path) -> io::Result<File> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    let mut hasher = Sha256::new();
    file.rewind()?;
    let bytes = io::copy(&mut file, &mut hasher)?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(File { path: path.to_owned(), sha256: text::hexadecimal(&hasher.finalize()), bytes })
}
