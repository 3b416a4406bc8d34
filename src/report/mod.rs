//! From the runs in a run database to reports: each run is read in order, every key is classified, and all formats are written
//! in one pass. Files have temporary names until all of them are complete and the totals agree.
//!
//! # How to add a format
//!
//! 1. A file of `formats/`, such as `formats/ndjson.rs`: a type that implements `Writer`, and a function `start` that makes it.
//! 2. `formats/mod.rs`: `mod ndjson;`, a variant of [`Format`], the name of its file and a line that starts it. The compiler
//!    asks for the last two; `--format`, its help, the manifest and the checks before a run follow from the variant.
//! 3. `FORMATS` in `tests/it/golden.rs`, which pins its bytes, and a section in `docs/reports.md`.
//!
//! A writer gets every row once and keeps nothing that grows with the rows: `top_n` keeps the worst, a `SpillFile` keeps text on
//! disk that comes later in the file, a `JsonArray` is written item by item. `record` has the fields of the public contract: a
//! new column is a field at its end. `wording` has the texts, `location` the line of a file for a finding. Other facts of a
//! deployment are read from the store of the [`RunContext`] in `begin`.

mod file;
mod formats;
mod jobs;
mod judge;
mod location;
mod organizations;
pub(crate) mod places;
mod record;
mod spill;
mod summary;
pub mod terminal;
mod top_n;
mod wording;
mod worst;

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
pub use file::{MANIFEST, write_atomic};
pub use formats::{Format, Output};
pub use judge::{JudgedList, WaiverIssue, WaiverIssueKind};
pub use organizations::OrganizationSummary;
pub(crate) use spill::SpillFile;
pub use summary::Summary;
pub use wording::waiver_issue;

use self::formats::github::StepSummaryPage;
use self::jobs::{Job, RepeatedJobs, run_all};
use self::judge::{Judge, JudgedUser};
use self::organizations::{OrganizationColumns, OrganizationTotals, worst_first};
use self::worst::{WorstFinding, WorstFindings};
use crate::digest::sha256_of_file;
use crate::exit::{WriteTarget, reason};
use crate::history::{BurnDown, burn_down};
use crate::model::{PersonalKey, UserResult};
use crate::output::{CompleteFile, JsonArray, OutputFile};
pub use crate::output::{CsvStyle, Naming, ReportFile, text};
use crate::plan::{
    AddressFile, Decided, Inventory, OwnerContext, OwnerPlan, OwnerRights, Per, Planner, Progress,
    ProgressCounter, Tools, UnreadLists,
};
use crate::policy::{FailOn, Judgement, Policy};
use crate::ratchet::{ComparedRun, Ratchet, Regression};
use crate::store::{self, Run, Store, StoredSearch};
use crate::waivers::{Waiver, WaiverStatus, Waivers};

/// One run of one deployment, the input of a report.
pub struct ReportInput<'a> {
    /// The run database.
    pub store: &'a Store,
    /// The run.
    pub run: &'a Run,
    /// The policy of the report, which may differ from that of the run.
    pub policy: Policy,
    /// An earlier run: only keys that are new or more severe are findings.
    pub ratchet: Option<&'a Ratchet>,
}

/// Which keys are findings, for all deployments.
#[derive(Clone, Copy)]
pub struct GatePolicy<'a> {
    /// Which keys are findings.
    pub fail_on: FailOn,
    /// Temporary exceptions.
    pub waivers: &'a Waivers,
}

/// The context of all rows of one deployment: what formats that work at the same time may share.
pub struct RowContext<'a> {
    /// The run.
    pub run: &'a Run,
    /// The policy of the report.
    pub policy: Policy,
    /// Incomplete lists.
    pub incomplete_lists: Vec<JudgedList<'a>>,
    /// What the migration plan needs besides users and keys.
    inventory: Inventory,
    gate: GatePolicy<'a>,
    /// Whether the report has other deployments, too.
    is_one_of_several: bool,
    /// Where `locate` found the keys; `None` where it never ran.
    pub search: Option<StoredSearch>,
}

/// The same with the databases, for what is done before and after the rows.
pub struct RunContext<'a> {
    rows: RowContext<'a>,
    /// The run database.
    pub store: &'a Store,
    /// The earlier run for comparison.
    pub ratchet: Option<&'a Ratchet>,
}

impl<'a> Deref for RunContext<'a> {
    type Target = RowContext<'a>;

    fn deref(&self) -> &RowContext<'a> {
        &self.rows
    }
}

impl RowContext<'_> {
    /// Whether a waiver covers a key, as in the plan.
    fn is_waived(&self, key: &PersonalKey) -> bool {
        let waiver = self.gate.waivers.of_key(&key.id, &self.run.deployment);
        waiver.is_some_and(|waiver| waiver.status(self.run.started_at) != WaiverStatus::Expired)
    }

    /// Whether the run finished and has no incomplete list. Unread users are rows and do not matter here.
    #[must_use]
    pub fn has_complete_lists(&self) -> bool {
        self.run.finished_at.is_some() && self.incomplete_lists.is_empty()
    }
}

/// One row: a key, or a user without one.
pub struct Row<'a> {
    /// The result of the user.
    pub result: &'a UserResult,
    /// The organizations of the user.
    organizations: &'a OrganizationColumns,
    /// The plan of the user's keys.
    plan: &'a LazyPlan,
    /// What the plan decides about the key.
    decided: OnceLock<Decided>,
    /// The key; `None` for a user without keys, or who could not be read completely.
    pub key: Option<(&'a PersonalKey, &'a Judgement)>,
    /// The waiver of the key or of the unread user, and its status.
    pub waiver: Option<(&'a Waiver, WaiverStatus)>,
    /// How the key is worse than in the earlier run, if there is one.
    pub regression: Option<Regression>,
    /// Whether this key is a finding.
    pub is_finding: bool,
}

/// The plan of a user's keys. Each part is made when the first format asks for it: most need the decisions alone.
#[derive(Default)]
struct LazyPlan {
    rights: OnceLock<OwnerRights>,
    whole: OnceLock<Option<OwnerPlan>>,
}

impl Row<'_> {
    /// What `keysunset plan` without flags plans for the user; `None` for a user without a key.
    pub(crate) fn plan(&self, context: &RowContext) -> Option<&OwnerPlan> {
        let plan = self.plan.whole.get_or_init(|| {
            let planner = Planner {
                inventory: &context.inventory,
                policy: context.policy,
                per: Per::Owner,
                addresses: &AddressFile::default(),
                service_accounts: Tools::prefer_service_accounts(context.run.product),
                schedule: None,
            };
            let owner = OwnerContext { before: None, is_waived: &|key| context.is_waived(key) };
            planner.plan(self.result.clone(), &owner)
        });
        plan.as_ref()
    }

    /// What the plan decides about the key.
    pub(crate) fn decided(&self, context: &RowContext) -> Option<&Decided> {
        let (key, judged) = self.key.as_ref()?;
        let decided = self.decided.get_or_init(|| {
            let rights = || OwnerRights::new(self.result, &context.inventory);
            let rights = self.plan.rights.get_or_init(rights);
            rights.decide(key, judged, context.is_waived(key))
        });
        Some(decided)
    }

    /// Whether it is the row of a user who could not be read completely.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.key.is_none() && !self.result.outcome.status.is_complete()
    }

    /// Whether it has an active waiver.
    #[must_use]
    pub fn is_waived(&self) -> bool {
        judge::counts(self.waiver)
    }
}

/// A deployment and its totals.
pub struct Deployment<'a> {
    /// The context of its rows.
    pub context: RowContext<'a>,
    /// The earlier run for comparison.
    pub compared: Option<&'a ComparedRun>,
    /// The totals of its rows.
    pub summary: Summary,
    /// Sorted by id; `None` (unknown) if the run was imported or made by an earlier version.
    pub organizations: Option<Vec<OrganizationSummary>>,
    /// How far the replacements are; `None` (unknown) if the run did not read programmatic keys.
    progress: Option<Progress>,
    /// Lists for the migration plan that were not read.
    unread_lists: Option<UnreadLists>,
    /// The runs up to this one, if a format shows them.
    burn_down: Option<BurnDown>,
}

impl Deployment<'_> {
    /// Whether the run ended and no user can be missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.context.has_complete_lists() && self.summary.is_complete()
    }

    /// Whether the run ended, and no user without a waiver can be missing.
    #[must_use]
    pub fn is_complete_or_waived(&self) -> bool {
        self.context.run.finished_at.is_some() && self.summary.is_complete_or_waived()
    }
}

/// A report over all deployments.
pub struct Report<'a> {
    /// Sorted by name, each name once; usually one.
    pub deployments: Vec<Deployment<'a>>,
    /// The totals of all deployments.
    pub total: Summary,
    /// Waivers with a problem.
    pub waiver_issues: Vec<WaiverIssue<'a>>,
    /// Which keys are findings.
    pub fail_on: FailOn,
    /// The worst findings, worst first.
    worst: Vec<WorstFinding>,
    /// The hash of `keys.csv`, if it is written before the format that shows it.
    keys_csv: Option<String>,
}

impl Report<'_> {
    /// The start of the last run, by which waivers are in effect.
    fn now(&self) -> DateTime<Utc> {
        self.deployments.iter().map(|it| it.context.run.started_at).max().unwrap_or_default()
    }

    /// Whether no user can be missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.has_complete_lists() && self.total.is_complete()
    }

    /// Whether keys are left that the ratchet accepts, so that "nothing to do" would be wrong.
    #[must_use]
    pub fn has_kept_keys(&self) -> bool {
        self.is_complete()
            && self.deployments.iter().any(|Deployment { compared, summary, .. }| {
                compared.is_some() && summary.keys > summary.waived
            })
    }

    /// Whether the run finished and has no incomplete list. Unread users are rows and do not matter here.
    #[must_use]
    pub fn has_complete_lists(&self) -> bool {
        self.deployments.iter().all(|deployment| deployment.context.has_complete_lists())
    }

    /// Whether every run ended, and no user without a waiver can be missing.
    #[must_use]
    pub fn is_complete_or_waived(&self) -> bool {
        self.deployments.iter().all(Deployment::is_complete_or_waived)
    }
}

/// A format in progress. It gets the rows deployment by deployment, in order.
trait Writer: Send {
    /// Begins a deployment.
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError>;

    /// Adds where `locate` found the keys of a user, which only the run database has; before the rows of the user.
    fn places(&mut self, _: &RunContext, _: &[Row]) -> Result<(), FormatError> {
        Ok(())
    }

    /// Adds the rows of the next user: one for each key, or one without a key.
    fn rows(&mut self, context: &RowContext, rows: &[Row]) -> Result<(), FormatError> {
        rows.iter().try_for_each(|row| self.row(context, row))
    }

    /// Adds the next row.
    fn row(&mut self, context: &RowContext, row: &Row) -> Result<(), FormatError>;

    /// Ends it.
    fn end(self: Box<Self>, report: &Report) -> Result<Rendered, FormatError>;
}

/// What a format returns.
enum Rendered {
    /// A file, to be renamed.
    File(OutputFile),
    /// Lines for standard output, and a page for the step summary.
    Github(String, Option<StepSummaryPage>),
}

/// Why a format can't continue.
enum FormatError {
    Io(io::Error),
    StepSummary(io::Error),
    Store(store::Error),
    Template(String),
}

impl From<rust_xlsxwriter::XlsxError> for FormatError {
    fn from(why: rust_xlsxwriter::XlsxError) -> Self {
        Self::Io(match why {
            rust_xlsxwriter::XlsxError::IoError(why) => why,
            why => io::Error::other(why),
        })
    }
}

/// Also from the error of the crate that writes JSON.
macro_rules! from_error {
    ($($Error:ty),+) => {$(
        impl From<$Error> for FormatError {
            fn from(why: $Error) -> Self {
                Self::Io(why.into())
            }
        }
    )+};
}
from_error!(io::Error, serde_json::Error);

impl From<store::Error> for FormatError {
    fn from(why: store::Error) -> Self {
        Self::Store(why)
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The evidence can't be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file can't be written.
    #[error("can't write {0}: {why}", why = reason(.1))]
    Write(String, #[source] io::Error),
    /// The summary of a GitHub step can't be added to its file.
    #[error("can't write {0}: {why}", why = reason(.1))]
    StepSummary(String, #[source] io::Error),
    /// A template is wrong.
    #[error("invalid template: {0}")]
    Template(String),
    /// The totals contradict each other.
    #[error("the numbers do not add up: {0}")]
    DoesNotAddUp(String),
}

/// The file whose hash `report.html` shows. Its format comes before that one.
const KEYS_CSV: &str = "keys.csv";

const REPORTS: WriteTarget = WriteTarget {
    elsewhere: "choose another folder with --out",
    next: "existing files were not changed, and `keysunset report` writes the reports of a stored run",
};
const STEP_SUMMARY: WriteTarget = WriteTarget {
    elsewhere: "set GITHUB_STEP_SUMMARY to another file",
    next: "existing files were not changed, and `keysunset report` writes the reports of a stored run",
};

impl From<Error> for crate::exit::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Write(path, why) => Self::not_written(path, &why, REPORTS),
            Error::StepSummary(path, why) => Self::not_written(path, &why, STEP_SUMMARY),
            Error::Template(_) => {
                Self::input(error).help("correct the template, or leave --templates out for the built-in one")
            }
            Error::DoesNotAddUp(_) => Self::bug(error),
        }
    }
}

/// What takes the results of each run beside the formats, in the order of the rows.
pub trait ResultReader: Send {
    /// Begins a run.
    ///
    /// # Errors
    /// Why there is no report.
    fn begin(&mut self, store: &Store, run: &Run) -> Result<(), Error>;

    /// Takes the next results.
    ///
    /// # Errors
    /// Why there is no report.
    fn read(&mut self, results: &[&UserResult]) -> Result<(), Error>;

    /// Ends the run.
    ///
    /// # Errors
    /// Why there is no report.
    fn end(&mut self) -> Result<(), Error>;
}

/// Nothing takes them.
impl ResultReader for () {
    fn begin(&mut self, _: &Store, _: &Run) -> Result<(), Error> {
        Ok(())
    }

    fn read(&mut self, _: &[&UserResult]) -> Result<(), Error> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// What was written.
pub struct Written<'a> {
    /// What the gate and the summary on the terminal are made from.
    pub report: Report<'a>,
    /// The files, in the order of the formats.
    pub files: Vec<ReportFile>,
    /// What has yet to be written to standard output.
    pub stdout: String,
    /// The report that goes there, from its first byte on; it has no name any more.
    pub stdout_file: Option<File>,
    /// Kept until the manifest has its name, too, so that a signal does not come between.
    pub naming: Option<Naming>,
}

/// Makes the folder and starts every format, so that a folder that can't be written to or a wrong template is noticed
/// before hours of reading.
///
/// # Errors
/// Why it can't.
pub fn prepare(output: &Output) -> Result<(), Error> {
    let (output, _folder) = output.with_folder()?;
    output.formats.iter().try_for_each(|format| format.start(&output).map(drop))
}

/// Writes one report of all runs, deployment by deployment. No two are of the same. `reader` takes their results, too.
///
/// # Errors
/// As [`Error`] has it; then no file in `out` has changed.
pub fn write<'a>(
    inputs: &[ReportInput<'a>],
    gate: GatePolicy<'a>,
    output: &Output,
    reader: &mut dyn ResultReader,
) -> Result<Written<'a>, Error> {
    let (output, _folder) = output.with_folder()?;
    let mut writers = Vec::new();
    for format in &output.formats {
        writers.extend(format.start(&output)?);
    }
    let mut by_name: Vec<_> = inputs.iter().collect();
    by_name.sort_by(|one, other| one.run.deployment.cmp(&other.run.deployment));
    let now = inputs.iter().map(|input| input.run.started_at).max().unwrap_or_default();
    let mut judge = Judge::new(gate, now);
    let mut worst = WorstFindings::default();
    let mut deployments = Vec::new();
    let needs = Needs {
        several: inputs.len() > 1,
        burn_down: output.formats.iter().any(|format| format.has_burn_down()),
    };
    for input in by_name {
        deployments.push(write_deployment(input, needs, &mut judge, &mut worst, &mut writers, reader)?);
    }
    let total = Summary::over(deployments.iter().map(|deployment| &deployment.summary));
    let (waiver_issues, worst) = (judge.waiver_issues(), worst.into_vec());
    let fail_on = gate.fail_on;
    let mut report = Report { deployments, total, waiver_issues, fail_on, worst, keys_csv: None };
    let (mut complete, mut stdout, mut step_summary) = (Vec::new(), String::new(), None);
    // All of them end before the first has its name, since this, too, may fail.
    for (path, rendered) in end_all(writers, &output.formats, &mut report)? {
        match rendered {
            Rendered::File(file) => complete.push((file, path)),
            Rendered::Github(lines, summary) => {
                stdout.push_str(&lines);
                step_summary = summary;
            }
        }
    }
    if let Some(page) = step_summary {
        page.append().map_err(|why| Error::StepSummary(page.path.display().to_string(), why))?;
    }
    let (mut files, mut stdout_file, mut naming) = (Vec::new(), None, None);
    if output.stdout {
        let file = complete.pop().map(|(file, path)| reopened(file).map_err(|why| failed(&path, why)));
        stdout_file = file.transpose()?;
    } else {
        let (persisted, begun) = persist_all(complete, &output)?;
        (files, naming) = (persisted, Some(begun));
    }
    Ok(Written { report, files, stdout, stdout_file, naming })
}

/// Ends all formats, on all cores; what each returns, in their order. `keys.csv` ends before the format that shows its hash.
fn end_all(
    writers: Writers,
    formats: &[Format],
    report: &mut Report,
) -> Result<Vec<(PathBuf, Rendered)>, Error> {
    let mut ended: Vec<_> = writers.iter().map(|_| None).collect();
    let (mut later, shows_hash) = (Vec::new(), formats.contains(&Format::Html));
    for ((path, writer), ended) in writers.into_iter().zip(&mut ended) {
        if path.ends_with(KEYS_CSV) && shows_hash {
            let mut rendered = writer.end(report).map_err(|why| failed(&path, why))?;
            if let Rendered::File(file) = &mut rendered {
                report.keys_csv = Some(hash(file).map_err(|why| failed(&path, why))?);
            }
            *ended = Some((path, rendered));
        } else {
            later.push((path, writer, ended));
        }
    }
    let report = &*report;
    let jobs = later.into_iter().map(|(path, writer, ended)| -> Job<Error> {
        Box::new(move || {
            let rendered = writer.end(report).map_err(|why| failed(&path, why))?;
            *ended = Some((path, rendered));
            Ok(())
        })
    });
    run_all(jobs.collect())?;
    Ok(ended.into_iter().flatten().collect())
}

/// The hash of a complete file.
fn hash(file: &mut OutputFile) -> io::Result<String> {
    file.flush()?;
    let file = file.get_mut().as_file_mut();
    file.rewind()?;
    Ok(sha256_of_file(file)?.0)
}

/// A complete file, to be read from its beginning; its name is gone.
fn reopened(file: OutputFile) -> io::Result<File> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?.into_file();
    file.rewind()?;
    Ok(file)
}

/// The formats under way, and where each goes.
type Writers = Vec<(PathBuf, Box<dyn Writer>)>;

/// What formats need besides rows.
#[derive(Clone, Copy)]
struct Needs {
    /// Whether there are several deployments.
    several: bool,
    burn_down: bool,
}

/// Hands the rows of one deployment to all writers.
fn write_deployment<'a>(
    input: &ReportInput<'a>,
    needs: Needs,
    judge: &mut Judge<'a>,
    worst: &mut WorstFindings,
    writers: &mut Writers,
    reader: &mut dyn ResultReader,
) -> Result<Deployment<'a>, Error> {
    let ReportInput { store, run, policy, ratchet } = *input;
    let _awake = store.awake()?;
    let organizations = store.organizations(run)?;
    let name = |id: &str| {
        let all = organizations.as_ref()?;
        let at = all.binary_search_by(|it| it.organization.id.as_str().cmp(id)).ok()?;
        all[at].organization.name.as_deref()
    };
    let incomplete_lists = store.incomplete_lists(run)?.into_iter().map(|list| {
        let name = list.org_id.as_deref().and_then(name);
        judge.list(list, name, &run.deployment)
    });
    let incomplete_lists = incomplete_lists.collect();
    let (inventory, gate) = (Inventory::read(store, run)?, judge.gate());
    let search = store.search(run)?;
    let is_one_of_several = needs.several;
    let rows = RowContext { run, policy, incomplete_lists, inventory, gate, is_one_of_several, search };
    let context = RunContext { rows, store, ratchet };
    reader.begin(store, run)?;
    for (path, writer) in &mut *writers {
        writer.begin(&context).map_err(|why| failed(path, why))?;
    }
    let mut summary = Summary::new(&context.incomplete_lists);
    let is_known = organizations.is_some();
    let mut totals = OrganizationTotals::new(organizations.unwrap_or_default());
    let mut progress = ProgressCounter::new(&context.inventory, &policy);
    let mut results = store.sorted_results(run)?;
    let mut next_users = || {
        let mut users = Vec::with_capacity(BATCH);
        for result in results.by_ref().take(BATCH) {
            let result = result?;
            let columns = totals.columns(&result.user);
            let user = judge.user(result, columns, &context)?;
            summary.add_user(&user.result);
            totals.add_user(&user.result);
            if let Some(progress) = &mut progress {
                progress.add(&user.result);
            }
            for row in &user.rows() {
                summary.add(row);
                worst.add(row);
                if let Some((key, judged)) = &row.key {
                    totals.add_key(&user.result.user, key, judged.severity);
                }
            }
            users.push(user);
        }
        Ok(users)
    };
    let (mut users, mut repeated) = (next_users()?, RepeatedJobs::default());
    while !users.is_empty() {
        let rows: Vec<_> = users.iter().map(JudgedUser::rows).collect();
        if context.search.is_some() {
            for (path, writer) in &mut *writers {
                let mut places = |rows: &Vec<_>| writer.places(&context, rows);
                rows.iter().try_for_each(&mut places).map_err(|why| failed(path, why))?;
            }
        }
        let results: Vec<_> = users.iter().map(|user| &user.result).collect();
        let next =
            write_batch(&context, (&results, &rows), (writers, reader), &mut next_users, &mut repeated)?;
        users = next;
    }
    reader.end()?;
    summary
        .reconcile((store.user_counts(run)?.requested, store.key_count(run)?))
        .map_err(Error::DoesNotAddUp)?;
    let organizations = is_known.then(|| totals.into_summaries());
    let progress = progress.map(ProgressCounter::finish);
    let unread_lists = UnreadLists::of_run(store, run)?;
    let burn_down = needs.burn_down.then(|| burn_down(store, run, policy.cutoff, summary.run_stats()));
    let (burn_down, compared) = (burn_down.transpose()?, ratchet.map(|ratchet| &ratchet.run));
    let context = context.rows;
    Ok(Deployment { context, compared, summary, organizations, progress, unread_lists, burn_down })
}

/// Users whose rows are written together. More would take more memory, and hardly less time.
const BATCH: usize = 128;

/// Hands the rows of some users to all writers, and reads the next users meanwhile, with `next` on this thread.
fn write_batch<'a>(
    context: &RowContext,
    (results, users): (&[&UserResult], &[Vec<Row>]),
    (writers, reader): (&mut Writers, &mut dyn ResultReader),
    next: &mut dyn FnMut() -> Result<Vec<JudgedUser<'a>>, Error>,
    repeated: &mut RepeatedJobs,
) -> Result<Vec<JudgedUser<'a>>, Error> {
    let mut jobs: Vec<Job<Error>> = vec![Box::new(|| reader.read(results))];
    for (path, writer) in writers {
        let mut write = move || users.iter().try_for_each(|rows| writer.rows(context, rows));
        jobs.push(Box::new(move || write().map_err(|why| failed(path, why))));
    }
    repeated.run(next, jobs)
}

/// Gives every file its name, once all are on disk and no folder has one of the names.
fn persist_all(
    complete: Vec<(OutputFile, PathBuf)>,
    output: &Output,
) -> Result<(Vec<ReportFile>, Naming), Error> {
    for path in complete.iter().map(|(_, path)| path.as_path()).chain([&*output.out.join(MANIFEST)]) {
        if path.is_dir() {
            let why = io::Error::new(io::ErrorKind::IsADirectory, "it is a folder");
            return Err(failed(path, why));
        }
    }
    let mut files: Vec<_> = complete.iter().map(|_| None).collect();
    let (unhashed, paths): (Vec<_>, Vec<_>) = complete.into_iter().unzip();
    let jobs =
        unhashed.into_iter().zip(&mut files).zip(&paths).map(|((file, complete), path)| -> Job<Error> {
            Box::new(move || {
                *complete = Some(CompleteFile::new(file).map_err(|why| failed(path, why))?);
                Ok(())
            })
        });
    run_all(jobs.collect())?;
    let naming = Naming::begin().map_err(|why| failed(&output.out, why))?;
    let files = files.into_iter().flatten().zip(&paths);
    let files = files.map(|(file, path)| file.persist(path).map_err(|why| failed(path, why)));
    Ok((files.collect::<Result<_, _>>()?, naming))
}

fn failed(path: &Path, why: impl Into<FormatError>) -> Error {
    match why.into() {
        FormatError::Io(why) => Error::Write(path.display().to_string(), why),
        FormatError::StepSummary(why) => Error::StepSummary(path.display().to_string(), why),
        FormatError::Store(why) => Error::Store(why),
        FormatError::Template(why) => Error::Template(why),
    }
}
