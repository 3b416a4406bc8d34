//! One pass over the rows of each run, for all formats, and their files, which get their names together.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::error::failed;
use super::file::{MANIFEST, reopened};
use super::formats::github::StepSummaryPage;
use super::formats::{Format, KEYS_CSV, Output};
use super::jobs::{Job, RepeatedJobs, run_all};
use super::judge::{Judge, JudgedUser};
use super::organizations::OrganizationTotals;
use super::summary::Summary;
use super::worst::WorstFindings;
use super::{Deployment, Error, FormatError, GatePolicy, Report, ReportInput, Row, RowContext, RunContext};
use crate::history::burn_down;
use crate::model::UserResult;
use crate::output::{CompleteFile, Naming, OutputFile, ReportFile};
use crate::plan::{Inventory, ProgressCounter, UnreadLists};
use crate::store::{Run, Store};

/// A format in progress. It gets the rows deployment by deployment, in order.
pub(super) trait Writer: Send {
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
pub(super) enum Rendered {
    /// A file, to be renamed.
    File(OutputFile),
    /// Lines for standard output, and a page for the step summary.
    Github(String, Option<StepSummaryPage>),
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
    let (mut complete, mut stdout, mut step_summary, mut stdout_file) =
        (Vec::new(), String::new(), None, None);
    // All of them end before the first has its name, since this, too, may fail.
    for (path, ended) in end_all(writers, &output, &mut report)? {
        match ended {
            Ended::File(file) => complete.push((file, path)),
            Ended::Unnamed(file) => stdout_file = Some(file),
            Ended::Github(lines, summary) => {
                stdout.push_str(&lines);
                step_summary = summary;
            }
        }
    }
    if let Some(page) = step_summary {
        page.append().map_err(|why| Error::StepSummary(page.path.display().to_string(), why))?;
    }
    let (mut files, mut naming) = (Vec::new(), None);
    if !output.stdout {
        let (persisted, begun) = persist_all(complete, &output)?;
        (files, naming) = (persisted, Some(begun));
    }
    Ok(Written { report, files, stdout, stdout_file, naming })
}

/// What is left of a format.
enum Ended {
    /// A file, complete on disk.
    File(CompleteFile),
    /// The same for standard output, to be read from its beginning; its name is gone.
    Unnamed(File),
    /// As [`Rendered`] has it.
    Github(String, Option<StepSummaryPage>),
}

/// Ends all formats; what is left of each, in their order. `report.html` ends after the others, since it shows a hash.
fn end_all(writers: Writers, output: &Output, report: &mut Report) -> Result<Vec<(PathBuf, Ended)>, Error> {
    let is_html = |path: &Path| Format::Html.file_names().iter().any(|name| path.ends_with(name));
    let (last, first) = writers.into_iter().enumerate().partition(|(_, (path, _))| is_html(path));
    let mut ended = end_together(first, output, report)?;
    report.keys_csv = ended.iter().find_map(|(_, (path, ended))| match ended {
        Ended::File(file) if path.ends_with(KEYS_CSV) => Some(file.sha256().to_owned()),
        Ended::File(_) | Ended::Unnamed(_) | Ended::Github(..) => None,
    });
    ended.extend(end_together(last, output, report)?);
    ended.sort_by_key(|(number, ..)| *number);
    Ok(ended.into_iter().map(|(_, ended)| ended).collect())
}

/// Ends formats, on all cores; what is left of each, with its number.
fn end_together(
    writers: Vec<Numbered<FormatInProgress>>,
    output: &Output,
    report: &Report,
) -> Result<Vec<Numbered<(PathBuf, Ended)>>, Error> {
    let end = |writer: Box<dyn Writer>| -> Result<Ended, FormatError> {
        Ok(match writer.end(report)? {
            Rendered::Github(lines, summary) => Ended::Github(lines, summary),
            Rendered::File(file) if output.stdout => Ended::Unnamed(reopened(file)?),
            Rendered::File(file) => Ended::File(CompleteFile::new(file)?),
        })
    };
    let mut ended: Vec<_> = writers.iter().map(|_| None).collect();
    let jobs = writers.into_iter().zip(&mut ended).map(|((number, (path, writer)), ended)| -> Job<Error> {
        Box::new(move || {
            let it = end(writer).map_err(|why| failed(&path, why))?;
            *ended = Some((number, (path, it)));
            Ok(())
        })
    });
    run_all(jobs.collect())?;
    Ok(ended.into_iter().flatten().collect())
}

/// A format under way, and where it goes.
type FormatInProgress = (PathBuf, Box<dyn Writer>);
pub(super) type Writers = Vec<FormatInProgress>;

/// With its position among all.
type Numbered<T> = (usize, T);

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
    complete: Vec<(CompleteFile, PathBuf)>,
    output: &Output,
) -> Result<(Vec<ReportFile>, Naming), Error> {
    for path in complete.iter().map(|(_, path)| path.as_path()).chain([&*output.out.join(MANIFEST)]) {
        if path.is_dir() {
            let why = io::Error::new(io::ErrorKind::IsADirectory, "it is a folder");
            return Err(failed(path, why));
        }
    }
    let naming = Naming::begin(&output.out).map_err(|why| failed(&output.out, why))?;
    let files =
        complete.into_iter().map(|(file, path)| file.persist(&path).map_err(|why| failed(&path, why)));
    Ok((files.collect::<Result<_, _>>()?, naming))
}
