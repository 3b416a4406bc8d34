//! One file a command. Each calls the stages in order; no other module knows them all.

pub(crate) mod audit;
mod baseline;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod export;
mod half_upgraded;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod locate;
pub(crate) mod man;
mod manifest;
pub(crate) mod merge;
mod outputs;
mod pack;
pub(crate) mod plan;
pub(crate) mod prune;
pub(crate) mod report;
mod resume;
pub(crate) mod sandbox;
pub(crate) mod verify;

use crate::config::ReportSettings;
use crate::console::{Text, print, print_aside, print_file, warn};
use crate::context::Clock;
use crate::evidence::manifest::ManifestParts;
use crate::exit::{Error, Exit};
use crate::gate::GateResult;
use crate::model::rfc3339;
use crate::policy::{Policy, deployment_now};
use crate::report::{
    Format, GatePolicy, Output, Report, ReportInput, ResultReader, Written, terminal, waiver_issue,
};
use crate::signals::{Interruption, Signals};
use crate::store::{FileIdentity, Run, Store};
use crate::waivers::Waivers;

/// `run 3 of 2025-01-01T00:00:00Z`
fn run_label(run: &Run) -> String {
    format!("run {} of {}", run.id, rfc3339(run.started_at))
}

/// The rules by which a run is judged: the settings', or else its own.
fn judged_by(run: &Run, settings: &ReportSettings) -> Policy {
    Policy {
        now: deployment_now(run.started_at, run.clock_skew),
        cutoff: settings.cutoff.unwrap_or(run.settings.cutoff),
        active_within: settings.active_within.unwrap_or(run.settings.active_within),
    }
}

/// Renders stored runs, each of a deployment of its own, into one report, prints the summary, and decides the exit code.
fn render(
    runs: &[(&Store, &Run)],
    settings: &ReportSettings,
    waivers: &Waivers,
    quiet: bool,
    mut parts: Option<ManifestParts>,
) -> Result<Exit, Error> {
    let ratchets = runs.iter().map(|(store, run)| {
        let _awake = store.awake()?;
        baseline::ratchet(store, run, settings, waivers)
    });
    let ratchets = ratchets.collect::<Result<Vec<_>, _>>()?;
    let evidence = runs.iter().zip(&ratchets).map(|((store, run), ratchet)| ReportInput {
        store,
        run,
        policy: judged_by(run, settings),
        ratchet: ratchet.as_ref(),
    });
    let rules = GatePolicy { fail_on: settings.fail_on, waivers };
    let evidence: Vec<_> = evidence.collect();
    for late in evidence.iter().filter(|it| it.policy.cutoff > it.policy.now) {
        let cutoff = rfc3339(late.policy.cutoff);
        let message = format!("the cutoff {cutoff} is after the run: no key counts as used after it");
        warn(&message, Some("check --cutoff"));
    }
    let reader: &mut dyn ResultReader = match &mut parts {
        Some(parts) => parts,
        None => &mut (),
    };
    let Written { report, mut files, stdout, stdout_file, naming } =
        crate::report::write(&evidence, rules, &settings.output, reader)?;
    if let Some(parts) = parts {
        files.push(manifest::write(&evidence, parts, settings, waivers, &files)?);
    }
    drop(naming);
    let lapsed = if settings.strict_waivers { report.waiver_issues.len() as u64 } else { 0 };
    let result = GateResult::new(&report, lapsed);
    print(&stdout)?;
    stdout_file.map_or(Ok(()), print_file)?;
    if quiet {
        // The summary has them, too.
        runs.iter().filter_map(|(_, run)| terminal::clock_difference(run)).for_each(|why| warn(&why, None));
        report.waiver_issues.iter().for_each(|lapse| warn(&waiver_issue(lapse), None));
    } else {
        let (notes, next) = (notes(result, settings), next(result, &report, settings));
        let summary = terminal::summary(&report, &files, &notes, next);
        if settings.output.stdout { print_aside(&summary) } else { print(&summary)? }
    }
    Ok(if settings.exit_zero { Exit::Clean } else { result.exit() })
}

/// Begins what a manifest needs; `None` where no file is written, and so no manifest.
fn manifest_parts(settings: &ReportSettings) -> Result<Option<ManifestParts>, Error> {
    let parts = (!settings.output.stdout).then(ManifestParts::begin);
    parts.transpose().map_err(|why| Error::not_started(&why))
}

/// While the run database is opened, which may wait for the lock of another program.
const OPENING: Interruption = Interruption {
    message: "interrupted while opening the run database; nothing was stored",
    help: Some("run the same command again"),
};

/// A run of which all users were requested, and the folder for its reports as it was before.
struct WholeRun {
    store: Store,
    run: i64,
    out: Option<FileIdentity>,
    /// Begun before the run, while there is nothing else to do.
    parts: Option<ManifestParts>,
}

/// Writes the reports of a run that is whole. `interruption` is what a signal interrupts meanwhile.
fn reported(
    whole: WholeRun,
    settings: &ReportSettings,
    waivers: &Waivers,
    quiet: bool,
    signals: &mut Signals,
    interruption: Interruption,
) -> Result<Exit, Error> {
    let WholeRun { store, run, out, parts } = whole;
    signals.unless(interruption, || {
        check_in_place(&store, out.as_ref(), settings)?;
        let exit = render(&[(&store, &store.run(Some(run))?)], settings, waivers, quiet, parts)?;
        check_in_place(&store, out.as_ref(), settings)?;
        store.mark_reported(run)?;
        Ok(exit)
    })?
}

/// The folder of the reports as it is before a run; `None` where no report is a file. The run database may be in it all the
/// same, and then it is made.
fn output_folder(settings: &ReportSettings) -> Result<Option<FileIdentity>, Error> {
    let Output { out, stdout, .. } = &settings.output;
    let identity = match *stdout {
        true if settings.store.starts_with(out) => std::fs::create_dir_all(out).map(|()| None),
        true => Ok(None),
        false => FileIdentity::new(out).map(Some),
    };
    Ok(identity.map_err(|why| crate::report::Error::Write(out.display().to_string(), why))?)
}

/// Reports without the evidence behind them, or in another folder than was meant, are none.
fn check_in_place(store: &Store, out: Option<&FileIdentity>, settings: &ReportSettings) -> Result<(), Error> {
    store.check_in_place()?;
    if out.is_none_or(FileIdentity::is_in_place) {
        return Ok(());
    }
    let folder = settings.output.out.display();
    let message = format!("the folder {folder} was removed or replaced during the run");
    let store = settings.store.display();
    Err(Error::output(message)
        .help(format!("the run is stored in {store}: run `keysunset report` to write its reports")))
}

/// The waivers of the settings, if there are any; by the day of `clock` they may end at most a year ahead.
fn waivers(settings: &ReportSettings, clock: Clock) -> Result<Waivers, Error> {
    let Some(path) = &settings.waivers else { return Ok(Waivers::default()) };
    Waivers::read(path, clock.now().date_naive())
}

/// What was decided elsewhere than on the command line, and changes what the summary or the exit code is worth.
fn notes(result: GateResult, settings: &ReportSettings) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(file) = settings.url_file {
        notes.push(format!("the URL comes from {file} in the working folder"));
    }
    if settings.exit_zero && result.exit() != Exit::Clean {
        let code = result.exit() as u8;
        notes.push(format!("--exit-zero is set: the exit code is 0 instead of {code}"));
    }
    notes
}

/// What to do now that the report is there.
fn next(result: GateResult, report: &Report, settings: &ReportSettings) -> Text {
    let markdown = Format::Markdown;
    let is_written = settings.output.formats.contains(&markdown) && !settings.output.stdout;
    let written = markdown.file_names().first().filter(|_| is_written);
    let page = written.map_or_else(
        || format!("`keysunset report --format {markdown}`"),
        |name| settings.output.out.join(name).display().to_string(),
    );
    let see = |what: &str| Text::from(what).plain(": ").unbroken(&page);
    match result {
        GateResult::Clean if report.has_kept_keys() => see("no key got worse; the remaining keys"),
        GateResult::Clean if report.is_complete() => "nothing: no findings, and all users were read".into(),
        GateResult::Clean => {
            "nothing now: no findings, and waivers cover all users and lists that were not read".into()
        }
        GateResult::Findings if report.total.findings == 0 => "correct the waivers named above".into(),
        GateResult::Findings => see("replace the keys, worst first"),
        GateResult::Incomplete => see(why_incomplete(report)).plain(", section \"Not read\""),
        GateResult::FindingsIncomplete => {
            see(&format!("replace the keys, worst first, and {}", why_incomplete(report)))
        }
    }
}

/// What to do about an incomplete run.
fn why_incomplete(report: &Report) -> &'static str {
    match (report.total.unread(), report.total.incomplete_lists) {
        (1.., 1..) => "find out why some users and lists could not be read",
        (1.., 0) => "find out why some users could not be read",
        (0, 1..) => "find out why some lists could not be read completely",
        (0, 0) => "finish the run",
    }
}
