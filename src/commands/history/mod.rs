//! `keysunset history`: the results of each run, and the forecast.

pub(super) mod json;
mod page;

use chrono::{DateTime, Utc};

use crate::cli::{self, PolicyArgs};
use crate::config::ReportSettings;
use crate::console::{print, print_json};
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::history::{PageFormat, RunSummary, summaries};
use crate::plan::Progress;
use crate::policy::{Policy, day_or_instant, deployment_now};
use crate::report::text::printable;
use crate::store::{Run, Store};

/// Of one deployment, or of every one in the store, by name. Uses count by the cutoff of the settings, or
/// by each run's own.
pub(crate) fn run(args: cli::History, context: &Context) -> Result<Exit, Error> {
    let policy = PolicyArgs { cutoff: args.cutoff, ..PolicyArgs::default() };
    let settings = ReportSettings::for_store(args.store, policy, context.env)?;
    let store = Store::open(&settings.store)?;
    let all = deployments(&store, args.deployment.as_deref())?
        .into_iter()
        .map(|name| {
            let runs = summaries(&store, &name, settings.cutoff)?;
            let progress = runs.iter().map(|it| Progress::of_run(&store, &it.run, &policy_of(it)));
            let progress = progress.collect::<Result<_, _>>()?;
            Ok::<_, Error>(DeploymentRuns { name, runs, progress })
        })
        .collect::<Result<Vec<_>, _>>()?;
    match args.form.form() {
        PageFormat::Text => print(&page::text(&all))?,
        PageFormat::Json => print_json(&json::document(&all))?,
        PageFormat::Markdown => print(&page::markdown(&all))?,
    }
    Ok(Exit::Clean)
}

/// The names of the deployments of a store, or the one that is wanted.
pub(super) fn deployments(store: &Store, wanted: Option<&str>) -> Result<Vec<String>, Error> {
    // The error for a store without a run.
    store.run(None)?;
    let mut names: Vec<_> = store.runs()?.into_iter().map(|run| run.deployment).collect();
    names.sort_unstable();
    names.dedup();
    let Some(wanted) = wanted else { return Ok(names) };
    if names.iter().any(|name| name == wanted) {
        return Ok(vec![wanted.to_owned()]);
    }
    let names: Vec<_> = names.iter().map(|name| printable(name)).collect();
    Err(Error::input(format!("the run database contains no run of {}", printable(wanted)))
        .help(format!("it contains runs of: {}", names.join(", "))))
}

/// The policy by which the uses of a run are counted.
pub(super) fn policy_of(RunSummary { run, cutoff, .. }: &RunSummary) -> Policy {
    let now = deployment_now(run.started_at, run.clock_skew);
    Policy { now, cutoff: *cutoff, active_within: run.settings.active_within }
}

/// The runs of one deployment, oldest first; at least one.
struct DeploymentRuns {
    name: String,
    runs: Vec<RunSummary>,
    /// How far the replacements of each run are; `None` where that is unknown.
    progress: Vec<Option<Progress>>,
}

impl DeploymentRuns {
    /// The runs with replacements, and how far these are.
    fn replacements(&self) -> impl Iterator<Item = (&Run, &Progress)> {
        let all = self.runs.iter().zip(&self.progress);
        let known = all.filter_map(|(summary, progress)| Some((&summary.run, progress.as_ref()?)));
        known.filter(|(_, progress)| progress.total() > 0)
    }

    /// Keys left, where all of them are known.
    fn keys(&self) -> Vec<Option<u64>> {
        self.runs.iter().map(|summary| summary.is_complete().then_some(summary.stats.keys)).collect()
    }

    /// Users not read, where all of them are known.
    fn unread(&self) -> Vec<Option<u64>> {
        self.runs.iter().map(|summary| summary.is_whole().then_some(summary.stats.unread)).collect()
    }

    /// What has to be known to read the table, in sentences.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(newest) = self.runs.last() {
            let runs = self.runs.iter().map(|summary| &summary.run);
            let others: Vec<_> = runs.filter(|run| !run.asks_as(&newest.run)).collect();
            if !others.is_empty() {
                let asked: Vec<_> =
                    newest.run.settings.sources.iter().map(|source| printable(source)).collect();
                notes.push(format!(
                    "{} selected other users than run {} ({}); changes and the forecast compare only runs with the same selection",
                    numbered(others),
                    newest.run.id,
                    asked.join(", "),
                ));
            }
        }
        let mut cutoffs: Vec<DateTime<Utc>> = self.runs.iter().map(|summary| summary.cutoff).collect();
        cutoffs.sort_unstable();
        cutoffs.dedup();
        let days: Vec<_> = cutoffs.into_iter().map(day_or_instant).collect();
        notes.push(match &days[..] {
            [one] => format!("the cutoff is {one}"),
            several => format!(
                "each run uses its own cutoff ({}); --cutoff DATE sets one for all runs",
                several.join(", ")
            ),
        });
        notes
    }
}

/// The runs by number.
pub(super) fn numbered<'a>(runs: impl IntoIterator<Item = &'a Run>) -> String {
    let ids: Vec<_> = runs.into_iter().map(|run| run.id.to_string()).collect();
    format!("{} {}", if ids.len() == 1 { "run" } else { "runs" }, ids.join(", "))
}
