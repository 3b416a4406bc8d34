//! What the template may use: the names here are those of `templates/migration-report.md.j2`, and of the templates of others.

use chrono::{DateTime, Datelike, Utc};
use serde::Serialize;

use crate::history::BurnDown;
use crate::model::{IncompleteList, Outcome, PersonalKey, Product, ReadStatus, rfc3339};
use crate::policy::{Action, Judgement, Severity, Verdict, day_or_instant};
use crate::report::{Report, Row, RunContext, Summary, WaiverIssue, WaiverIssueKind, text};
use crate::store::Run;
use crate::v1::RequestSettings;
use crate::waivers::{Waiver, WaiverStatus};

/// Characters of a description.
const DESCRIPTION: usize = 100;
/// Characters of the reason of a waiver.
const WAIVER_REASON: usize = 200;

/// A key as the template sees it. Foreign text is not yet escaped: the filter `code` does that.
#[derive(Serialize)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) ends_in: String,
    pub(super) description: String,
    pub(super) created: String,
    pub(super) uses: Option<u64>,
    pub(super) severity: Severity,
    pub(super) action: Action,
    pub(super) reason: String,
    pub(super) auditing: bool,
    pub(super) waiver: Option<Waived>,
}

impl Key {
    pub(super) fn new(
        key: &PersonalKey,
        judged: &Judgement,
        waiver: Option<(&Waiver, WaiverStatus)>,
    ) -> Self {
        Self {
            id: key.id.clone(),
            ends_in: key.suffix.as_ref().map_or_else(String::new, |suffix| suffix.as_str().to_owned()),
            description: text::shortened(&key.description, DESCRIPTION),
            created: key.created_at.map_or_else(String::new, |time| time.format("%Y-%m-%d").to_string()),
            uses: key.used_count,
            severity: judged.severity,
            action: judged.action,
            reason: judged.reason.clone(),
            auditing: key.auditing,
            waiver: waiver.map(Waived::new),
        }
    }
}

/// The waiver of a key or of a user, as the template sees it. Foreign text is not yet escaped.
#[derive(Serialize)]
pub(super) struct Waived {
    pub(super) standing: WaiverStatus,
    pub(super) expires: String,
    pub(super) reason: String,
    pub(super) owner: String,
    pub(super) ticket: Option<String>,
}

impl Waived {
    fn new((waiver, standing): (&Waiver, WaiverStatus)) -> Self {
        Self {
            standing,
            expires: waiver.expires.to_string(),
            reason: text::shortened(&waiver.reason, WAIVER_REASON),
            owner: waiver.owner.clone(),
            ticket: waiver.ticket.clone(),
        }
    }
}

/// A waiver of which something has to be said.
#[derive(Serialize)]
pub(super) struct IssueRow {
    pub(super) target: String,
    pub(super) line: u64,
    pub(super) kind: WaiverIssueKind,
    pub(super) expires: String,
    pub(super) owner: String,
}

impl IssueRow {
    fn new(issue: &WaiverIssue) -> Self {
        let waiver = issue.waiver;
        Self {
            target: waiver.target.to_string(),
            line: waiver.line,
            kind: issue.kind,
            expires: waiver.expires.to_string(),
            owner: waiver.owner.clone(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Owner {
    pub(super) deployment: String,
    pub(super) username: String,
    pub(super) id: String,
    pub(super) keys: Vec<Key>,
}

#[derive(Serialize)]
pub(super) struct Unread {
    pub(super) deployment: String,
    pub(super) username: String,
    pub(super) id: String,
    pub(super) status: ReadStatus,
    pub(super) http_status: Option<u16>,
    pub(super) error_code: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) waiver: Option<Waived>,
}

/// Where a key stands in the picture of last use.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Year {
    Before2010,
    In(i32),
    Future,
    Never,
    Unknown,
}

impl Year {
    /// Bounded, since the dates are the service's word.
    pub(super) fn new(last_used: Option<DateTime<Utc>>, verdict: Verdict, now: DateTime<Utc>) -> Self {
        match last_used {
            None if verdict == Verdict::NeverUsed => Self::Never,
            None => Self::Unknown,
            Some(time) if time.year() < 2010 => Self::Before2010,
            Some(time) if time.year() > now.year() => Self::Future,
            Some(time) => Self::In(time.year()),
        }
    }

    pub(super) fn label(&self) -> String {
        match self {
            Self::Before2010 => "before 2010".to_owned(),
            Self::In(year) => year.to_string(),
            Self::Future => "future".to_owned(),
            Self::Never => "never".to_owned(),
            Self::Unknown => "unknown".to_owned(),
        }
    }
}

/// A name, what it means, and how many.
#[derive(Serialize)]
pub(super) struct Count {
    pub(super) name: &'static str,
    pub(super) count: u64,
}

/// All that the template may use.
#[derive(Serialize)]
pub(super) struct Page<'a> {
    /// By name; mostly one.
    pub(super) deployments: Vec<Deployment<'a>>,
    pub(super) complete: bool,
    /// Whether every run came to its end.
    pub(super) finished: bool,
    pub(super) total: Totals,
    pub(super) cutoff: String,
    pub(super) verdicts: Vec<Count>,
    pub(super) severities: Vec<Count>,
    pub(super) actions: Vec<Count>,
    pub(super) read_statuses: Vec<Count>,
    pub(super) years: Vec<(String, u64)>,
    pub(super) owners: Vec<Owner>,
    pub(super) shown: usize,
    pub(super) unread: &'a [Unread],
    pub(super) gaps: Vec<Unread>,
    /// Waivers that ended, will soon, or match nothing.
    pub(super) lapses: Vec<IssueRow>,
    /// Rows of `keys.csv`, and so of `keys.ndjson`.
    pub(super) rows: u64,
    /// Of those, rows that stand for users whose names nobody could learn.
    pub(super) rows_of_nobody: u64,
    /// One for each way to make a programmatic key.
    pub(super) guides: Vec<Guide>,
}

/// A deployment, how it was asked, and what came of it.
#[derive(Serialize)]
pub(super) struct Deployment<'a> {
    pub(super) name: &'a str,
    pub(super) address: &'a str,
    pub(super) product: &'static str,
    pub(super) service_version: Option<&'a str>,
    pub(super) credential: &'a str,
    pub(super) tool_version: &'a str,
    pub(super) started: String,
    pub(super) finished: Option<String>,
    pub(super) cutoff: String,
    pub(super) active_within: u32,
    pub(super) sources: &'a [String],
    #[serde(flatten)]
    pub(super) requests: &'a RequestSettings,
    pub(super) clock_skew: Option<i64>,
    /// Whether that is more than the tolerance, so that activity is judged by its clock.
    pub(super) is_judged_by_its_clock: bool,
    pub(super) burn_down: &'a BurnDown,
    /// The earlier run it is compared with.
    pub(super) compared_with: Option<&'a str>,
    /// Keys of that run that this one has not seen.
    pub(super) unseen: u64,
    pub(super) complete: bool,
    pub(super) total: Totals,
}

#[derive(Serialize)]
pub(super) struct Totals {
    pub(super) requested: u64,
    pub(super) read: u64,
    /// Of those read, users of whom the deployment says that personal keys are gone.
    pub(super) removed: u64,
    pub(super) unread: u64,
    pub(super) without_keys: u64,
    pub(super) keys: u64,
    pub(super) enabled: u64,
    pub(super) waived: u64,
    pub(super) waived_users: u64,
    pub(super) findings: u64,
    pub(super) new: u64,
    pub(super) more_severe: u64,
}

/// What the way to a programmatic key depends on.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::struct_excessive_bools, reason = "a template has nothing but conditions to branch on")]
pub(super) struct Guide {
    pub(super) product: &'static str,
    pub(super) is_ops_manager: bool,
    pub(super) is_atlas: bool,
    /// Ops Manager up to 4.4 says whitelist, everybody else access list.
    pub(super) says_whitelist: bool,
    /// Whether this version has programmatic keys: Ops Manager since 4.2.
    pub(super) has_programmatic_keys: bool,
}

impl Unread {
    fn new(context: &RunContext, username: String, id: String, outcome: &Outcome) -> Self {
        Self {
            deployment: context.run.deployment.clone(),
            username,
            id,
            status: outcome.status,
            http_status: outcome.http_status,
            error_code: outcome.error_code.clone(),
            detail: outcome.detail.clone().map(|detail| text::shortened(&detail, 200)),
            waiver: None,
        }
    }

    pub(super) fn from_row(context: &RunContext, row: &Row) -> Self {
        let user = &row.result.user;
        let who = Self::new(
            context,
            user.username.clone().unwrap_or_default(),
            user.id.clone(),
            &row.result.outcome,
        );
        Self { waiver: row.waiver.map(Waived::new), ..who }
    }

    fn from_list(context: &RunContext, list: &IncompleteList) -> Self {
        Self::new(context, list.source.clone(), String::new(), &list.outcome)
    }
}

impl<'a> Page<'a> {
    pub(super) fn new(report: &'a Report<'a>, burn_downs: &'a [BurnDown]) -> Self {
        let total = &report.total;
        let each = report.deployments.iter().zip(burn_downs);
        let deployments: Vec<_> = each.map(|(it, burn_down)| Deployment::new(it, burn_down)).collect();
        let mut guides: Vec<_> = report.deployments.iter().map(|it| Guide::new(it.context.run)).collect();
        guides.sort();
        guides.dedup();
        let rows_of_nobody =
            total.incomplete_lists + deployments.iter().filter(|it| it.finished.is_none()).count() as u64;
        Self {
            lapses: report.waiver_issues.iter().map(IssueRow::new).collect(),
            rows: total.keys + total.without_keys + total.unread() + rows_of_nobody,
            rows_of_nobody,
            complete: report.is_complete(),
            finished: deployments.iter().all(|deployment| deployment.finished.is_some()),
            total: Totals::new(total),
            cutoff: deployments.first().map_or_else(String::new, |deployment| deployment.cutoff.clone()),
            read_statuses: counts(ReadStatus::ALL, ReadStatus::as_str, |it| total.users(it)),
            verdicts: counts(Verdict::ALL, Verdict::as_str, |it| total.verdict(it)),
            severities: counts(Severity::ALL, Severity::as_str, |it| total.severity(it)),
            actions: counts(Action::ALL, Action::as_str, |it| total.action(it)),
            years: Vec::new(),
            owners: Vec::new(),
            shown: 0,
            unread: &[],
            gaps: report
                .deployments
                .iter()
                .flat_map(|it| {
                    it.context.incomplete_lists.iter().map(|list| Unread::from_list(&it.context, list))
                })
                .collect(),
            deployments,
            guides,
        }
    }
}

impl<'a> Deployment<'a> {
    fn new(deployment: &'a crate::report::Deployment<'a>, burn_down: &'a BurnDown) -> Self {
        let crate::report::Deployment { context, summary } = deployment;
        let run = context.run;
        Self {
            name: &run.deployment,
            address: &run.address,
            product: run.product.title(),
            service_version: run.service_version.as_deref(),
            credential: &run.credential,
            tool_version: &run.tool_version,
            started: rfc3339(run.started_at),
            finished: run.finished_at.map(rfc3339),
            cutoff: day_or_instant(context.policy.cutoff),
            active_within: context.policy.active_within,
            sources: &run.settings.sources,
            requests: &run.settings.requests,
            clock_skew: run.clock_skew,
            is_judged_by_its_clock: context.policy.now != run.started_at,
            burn_down,
            unseen: context
                .ratchet
                .map_or(0, |ratchet| ratchet.count.saturating_sub(summary.keys - summary.new)),
            compared_with: context.ratchet.map(|ratchet| ratchet.name.as_str()),
            complete: deployment.is_complete(),
            total: Totals::new(summary),
        }
    }
}

impl Totals {
    fn new(summary: &Summary) -> Self {
        Self {
            requested: summary.requested(),
            read: summary.read(),
            removed: summary.users(ReadStatus::Removed),
            unread: summary.unread(),
            without_keys: summary.without_keys,
            keys: summary.keys,
            enabled: summary.enabled,
            waived: summary.waived,
            waived_users: summary.waived_users,
            findings: summary.findings,
            new: summary.new,
            more_severe: summary.more_severe,
        }
    }
}

impl Guide {
    fn new(run: &Run) -> Self {
        let version = run.service_version.as_deref();
        Self {
            product: run.product.title(),
            is_ops_manager: run.product == Product::OpsManager,
            is_atlas: run.product == Product::Atlas,
            says_whitelist: run.product == Product::OpsManager && !at_least(version, (5, 0)),
            has_programmatic_keys: run.product != Product::OpsManager || at_least(version, (4, 2)),
        }
    }
}

pub(super) fn counts<T: Copy>(
    all: &[T],
    name: fn(T) -> &'static str,
    count: impl Fn(T) -> u64,
) -> Vec<Count> {
    all.iter().map(|it| Count { name: name(*it), count: count(*it) }).collect()
}

/// Whether a version is this or later; an unknown one is taken for the newest of the old, 4.4.
pub(super) fn at_least(version: Option<&str>, wanted: (u32, u32)) -> bool {
    let mut parts = version.unwrap_or("4.4").split('.').map_while(|part| part.parse::<u32>().ok());
    let major = parts.next().unwrap_or(4);
    (major, parts.next().unwrap_or(0)) >= wanted
}
