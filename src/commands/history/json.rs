//! The history for programs. The names are promised outward (docs/history.md), whatever the model calls its fields.

use serde::Serialize;

use super::DeploymentRuns;
use crate::history::{Forecast, RunSummary, forecast};
use crate::model::rfc3339;
use crate::plan::{Progress, ReplacementState, SILENT_DAYS};

/// Goes up when a field changes its meaning or goes; new ones may come at any time.
pub(in crate::commands) const VERSION: u32 = 1;

#[derive(Serialize)]
pub(super) struct HistoryDocument<'a> {
    version: u32,
    /// By name.
    deployments: Vec<DeploymentHistory<'a>>,
}

#[derive(Serialize)]
struct DeploymentHistory<'a> {
    deployment: &'a str,
    /// Oldest first.
    runs: Vec<RunInHistory<'a>>,
    forecast: ForecastFields,
}

#[derive(Serialize)]
pub(in crate::commands) struct RunFacts<'a> {
    run: i64,
    deployment: &'a str,
    address: &'a str,
    sources: &'a [String],
    started_at: String,
    finished_at: Option<String>,
    complete: bool,
    /// What is missing, in words; `None` where nothing is.
    missing: Option<String>,
    users: u64,
    users_not_read: u64,
    gaps: u64,
    keys: u64,
    enabled: u64,
    used_after_cutoff: u64,
    usage_unknown: u64,
    cutoff: String,
    /// `None` where the run did not read any list of programmatic keys.
    replacements: Option<ReplacementFields>,
}

/// How many replacements are in each state.
#[derive(Serialize)]
struct ReplacementFields {
    planned: u64,
    created: u64,
    /// Always `None`: the service does not show whether a programmatic key is used.
    used: Option<u64>,
    silent: u64,
    /// Days without a use after which an old key is silent.
    silent_days: i64,
    disabled: u64,
    gone: u64,
    unknown: u64,
}

impl ReplacementFields {
    fn new(progress: &Progress) -> Self {
        Self {
            planned: progress.count(ReplacementState::Planned),
            created: progress.count(ReplacementState::Created),
            used: None,
            silent: progress.count(ReplacementState::Silent),
            silent_days: SILENT_DAYS,
            disabled: progress.count(ReplacementState::Disabled),
            gone: progress.count(ReplacementState::Gone),
            unknown: progress.count(ReplacementState::Unknown),
        }
    }
}

impl<'a> RunFacts<'a> {
    pub(in crate::commands) fn new(summary: &'a RunSummary, progress: Option<&Progress>) -> Self {
        let (run, stats) = (&summary.run, &summary.stats);
        Self {
            run: run.id,
            deployment: &run.deployment,
            address: &run.address,
            sources: &run.settings.sources,
            started_at: rfc3339(run.started_at),
            finished_at: run.finished_at.map(rfc3339),
            complete: summary.is_complete(),
            missing: summary.missing(),
            users: stats.users,
            users_not_read: stats.unread,
            gaps: stats.incomplete_lists,
            keys: stats.keys,
            enabled: stats.enabled,
            used_after_cutoff: stats.used_after_cutoff,
            usage_unknown: stats.usage_unknown,
            cutoff: rfc3339(summary.cutoff),
            replacements: progress.map(ReplacementFields::new),
        }
    }
}

/// A run among those before it.
#[derive(Serialize)]
struct RunInHistory<'a> {
    #[serde(flatten)]
    facts: RunFacts<'a>,
    change: Option<i64>,
}

#[derive(Serialize)]
struct ForecastFields {
    /// `day`, `reached`, `beyond` or `none`.
    kind: &'static str,
    /// For `day` alone.
    day: Option<String>,
    /// The runs of which the slope was taken.
    runs: Vec<i64>,
    keys_fewer_a_week: Option<f64>,
    /// All of it in a sentence.
    told: String,
}

impl ForecastFields {
    fn new(forecast: &Forecast) -> Self {
        let (kind, day, slope) = match forecast {
            Forecast::Day(day, slope) => ("day", Some(day.to_string()), Some(slope)),
            Forecast::Reached { .. } => ("reached", None, None),
            Forecast::Beyond(slope) => ("beyond", None, Some(slope)),
            Forecast::None(_) => ("none", None, None),
        };
        Self {
            kind,
            day,
            runs: slope.map(|slope| slope.runs.clone()).unwrap_or_default(),
            keys_fewer_a_week: slope.map(crate::history::forecast::Slope::a_week),
            told: forecast.to_string(),
        }
    }
}

pub(super) fn document(deployments: &[DeploymentRuns]) -> HistoryDocument<'_> {
    let deployments = deployments.iter().map(|deployment| DeploymentHistory {
        deployment: &deployment.name,
        runs: deployment
            .runs
            .iter()
            .zip(&deployment.progress)
            .map(|(summary, progress)| RunInHistory {
                facts: RunFacts::new(summary, progress.as_ref()),
                change: summary.change,
            })
            .collect(),
        forecast: ForecastFields::new(&forecast(&deployment.runs)),
    });
    HistoryDocument { version: VERSION, deployments: deployments.collect() }
}
