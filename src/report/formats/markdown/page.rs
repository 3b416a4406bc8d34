//! The context of the template. The names are used in `templates/migration-report.md.j2` and in templates of users.
//! Foreign text is not escaped here; the filter `code` does that.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::context;
use minijinja::value::{Serde, Value};

use super::ROWS;
use super::chart::{self, Year};
use super::plan::Decisions;
use crate::model::{Organization, Product, ReadStatus, rfc3339};
use crate::policy::{Action, Severity, Verdict, day_or_instant};
use crate::report::record::{MissingUsers, Plain, Record};
use crate::report::wording::{self, Unknown};
use crate::report::{
    Deployment, OrganizationSummary, Report, Row, RowContext, Summary, WaiverIssue, worst_first,
};
use crate::store::Run;

/// Maximum organizations in the table. All of them are in `organizations.csv`.
const ORGANIZATIONS: usize = 100;

/// The data from the rows.
pub(in crate::report::formats) struct Rows {
    /// Users who could not be read, in order.
    pub(in crate::report::formats) unread: Vec<Value>,
    /// Keys by year of last use.
    pub(super) years: BTreeMap<Year, u64>,
    /// Keys by the decision of the plan.
    pub(super) decisions: Value,
}

impl Rows {
    /// Without any row.
    pub(in crate::report::formats) fn none() -> Self {
        Self { unread: Vec::new(), years: BTreeMap::new(), decisions: Decisions::default().counts() }
    }
}

/// The whole context.
pub(in crate::report::formats) fn page(report: &Report, rows: Rows) -> Value {
    let total = &report.total;
    let runs = || report.deployments.iter().map(|deployment| deployment.context.run);
    let guides: BTreeSet<_> = runs().map(Guide::new).collect();
    let incomplete_lists = report.deployments.iter().flat_map(|Deployment { context, .. }| {
        let lists = MissingUsers::of_run(context).filter(|missing| missing.list.is_some());
        lists.map(|missing| incomplete_list(context.run, &missing))
    });
    let cutoff = report.deployments.first().map(|it| it.context.policy.cutoff);
    // Rows for users whose names are unknown: one a list, and one a run that was cut short.
    let rows_of_nobody =
        total.incomplete_lists + runs().filter(|run| run.finished_at.is_none()).count() as u64;
    context! {
        // Sorted by name; usually one.
        several => report.deployments.len() > 1,
        deployments => report.deployments.iter().map(deployment).collect::<Value>(),
        complete => report.is_complete(),
        // Whether no users can be missing; users of known names may be unread.
        has_complete_lists => report.has_complete_lists(),
        fail_on => report.fail_on.as_str(),
        // Whether every run finished.
        finished => runs().all(|run| run.finished_at.is_some()),
        total => totals(total),
        cutoff => cutoff.map(day_or_instant).unwrap_or_default(),
        verdicts => verdicts(total),
        severities => severities(total),
        decisions => rows.decisions,
        actions => counts(Action::ALL, Action::as_str, |it| total.action(it)),
        read_statuses => read_statuses(total),
        years => rows.years.iter().map(|(year, count)| Serde((year.label(), *count))).collect::<Value>(),
        last_uses => chart::last_uses(&rows.years, cutoff),
        organizations => organizations(report),
        organization_count =>
            report.deployments.iter().filter_map(|it| it.organizations.as_ref()).map(Vec::len).sum::<usize>(),
        unread => rows.unread,
        // Users not read by deployment and status, with what to do about them.
        unread_statuses => report.deployments.iter().flat_map(unread_statuses).collect::<Value>(),
        gaps => incomplete_lists.collect::<Value>(),
        lapses => report.waiver_issues.iter().map(waiver_issue).collect::<Value>(),
        // Rows of `keys.csv` and of `keys.ndjson`.
        rows => total.keys + total.without_keys + total.unread() + rows_of_nobody,
        rows_of_nobody,
        // One for each product and version that needs other steps.
        guides => guides.into_iter().map(Guide::into_value).collect::<Value>(),
    }
}

fn verdicts(total: &Summary) -> Value {
    let row = |it: &Verdict| {
        context! { name => it.as_str(), count => total.verdict(*it), meaning => wording::verdict(*it) }
    };
    Verdict::ALL.iter().map(row).collect()
}

fn severities(total: &Summary) -> Value {
    let row = |it: &Severity| {
        context! {
            name => it.as_str(),
            count => total.severity(*it),
            meaning => wording::severity(*it),
            action => it.action().as_str(),
        }
    };
    Severity::ALL.iter().map(row).collect()
}

fn read_statuses(total: &Summary) -> Value {
    let row = |it: &ReadStatus| {
        context! { name => it.as_str(), count => total.users(*it), meaning => wording::read_status(*it) }
    };
    ReadStatus::ALL.iter().map(row).collect()
}

fn unread_statuses(deployment: &Deployment) -> Vec<Value> {
    let Deployment { context, summary, .. } = deployment;
    let unread = ReadStatus::ALL.iter().filter(|it| !it.is_complete() && summary.users(**it) > 0);
    let row = |status: &ReadStatus| {
        context! {
            deployment => &context.run.deployment,
            status => status.as_str(),
            users => summary.users(*status),
            remedy => wording::remedy(context.run, Unknown::User, *status),
        }
    };
    unread.map(row).collect()
}

/// A deployment, its run and its totals.
fn deployment(deployment: &Deployment) -> Value {
    let Deployment { context, compared, summary, organizations, progress, unread_lists, burn_down } =
        deployment;
    let (run, ratchet) = (context.run, compared);
    let unseen = ratchet.map_or(0, |ratchet| ratchet.count.saturating_sub(summary.keys - summary.new));
    context! {
        name => &run.deployment,
        // Whether scripts of the plan can call it: a demo and saved responses have no address.
        has_scripts => run.address.starts_with("https://") || run.address.starts_with("http://"),
        // How far the replacements are; `none` if unknown.
        progress => progress.map(|it| it.to_string()).filter(|it| !it.is_empty()),
        // Lists for the plan that were not read.
        unread_lists => unread_lists.as_ref().map(|lists| {
            context! { names => lists.names(), effects => lists.effects(), advice => lists.advice() }
        }),
        address => &run.address,
        product => run.product.title(),
        service_version => &run.service_version,
        credential => &run.credential,
        tool_version => &run.tool_version,
        started => rfc3339(run.started_at),
        finished => run.finished_at.map(rfc3339),
        cutoff => day_or_instant(context.policy.cutoff),
        active_within => context.policy.active_within,
        sources => Serde(&run.settings.sources),
        // Lists of users in files, or imported files, each with its SHA-256.
        lists => Serde(&run.settings.lists),
        imported => run.is_import(),
        clock_skew => run.clock_skew,
        // Whether ages and recent use count by that clock, because the difference is above the tolerance.
        is_judged_by_its_clock => context.policy.now != run.started_at,
        burn_down => burn_down.as_ref().map(Serde),
        burn_down_chart => burn_down.as_ref().map(chart::burn_down),
        // The earlier run for comparison.
        compared_with => ratchet.map(|ratchet| &ratchet.name),
        // Keys of that run that are not in this one.
        unseen,
        complete => deployment.is_complete(),
        has_complete_lists => context.has_complete_lists(),
        total => totals(summary),
        critical => summary.severity(Severity::Critical),
        high => summary.severity(Severity::High),
        // `none` if unknown.
        organizations => organizations.as_deref().map(organization_table),
        ..Serde(&run.settings.requests)
    }
}

/// The worst organizations of all deployments.
fn organizations(report: &Report) -> Value {
    let mut all: Vec<_> = report
        .deployments
        .iter()
        .flat_map(|it| it.organizations.iter().flatten().map(move |organization| (it, organization)))
        .collect();
    all.sort_by(|(_, one), (_, other)| one.rank().cmp(&other.rank()));
    let row = |(it, summary): (&Deployment, &OrganizationSummary)| {
        context! { deployment => &it.context.run.deployment, ..organization(summary) }
    };
    all.into_iter().take(ROWS).map(row).collect()
}

pub(in crate::report::formats) fn organization_table(organizations: &[OrganizationSummary]) -> Value {
    let count = |is: fn(&OrganizationSummary) -> bool| organizations.iter().filter(|it| is(it)).count();
    context! {
        count => organizations.len(),
        deleted => count(|it| it.organization.is_deleted == Some(true)),
        incomplete => count(|it| !it.list_status.is_complete()),
        // The worst first.
        rows => worst_first(organizations).into_iter().take(ORGANIZATIONS).map(organization).collect::<Value>(),
    }
}

/// One row of the table. A user of several organizations counts in each.
fn organization(summary: &OrganizationSummary) -> Value {
    let Organization { id, name, is_deleted } = &summary.organization;
    context! {
        id,
        name,
        deleted => *is_deleted == Some(true),
        list_status => summary.list_status.as_str(),
        complete => summary.list_status.is_complete(),
        users => summary.users,
        unread => summary.users_unread(),
        keys => summary.keys,
        enabled => summary.enabled,
        severities => counts(Severity::ALL, Severity::as_str, |it| summary.severity(it)),
    }
}

fn totals(summary: &Summary) -> Value {
    context! {
        requested => summary.requested(),
        read => summary.read(),
        // Of the read users, those for whom the deployment confirmed that it has no personal keys.
        removed => summary.users(ReadStatus::Removed),
        unread => summary.unread(),
        incomplete_lists => summary.incomplete_lists,
        without_keys => summary.without_keys,
        keys => summary.keys,
        enabled => summary.enabled,
        waived => summary.waived,
        waived_users => summary.waived_users,
        waived_lists => summary.waived_lists,
        findings => summary.findings,
        new => summary.new,
        more_severe => summary.more_severe,
    }
}

/// Names with their counts.
fn counts<T: Copy>(all: &[T], name: fn(T) -> &'static str, count: impl Fn(T) -> u64) -> Value {
    all.iter().map(|it| context! { name => name(*it), count => count(*it) }).collect()
}

/// A row, with the names of the columns of `keys.csv`.
pub(in crate::report::formats) fn row(context: &RowContext, row: &Row) -> Value {
    Value::from(Serde(Record::<Plain>::new(context, row)))
}

/// A waiver with a problem.
fn waiver_issue(issue: &WaiverIssue) -> Value {
    let waiver = issue.waiver;
    context! {
        target => waiver.target.to_string(),
        line => waiver.line,
        kind => issue.kind.as_str(),
        problem => wording::waiver_problem(issue),
        expires => waiver.expires.to_string(),
        owner => &waiver.owner,
    }
}

/// An incomplete list, with the names of the columns of `keys.csv`.
fn incomplete_list(run: &Run, missing: &MissingUsers) -> Value {
    let outcome = missing.list.map(|judged| &judged.list.outcome);
    context! {
        source => missing.source(),
        detail => missing.detail(),
        remedy => outcome.map(|outcome| wording::remedy(run, Unknown::List, outcome.status)),
        ..Serde(missing.record::<Plain>())
    }
}

/// What the steps to a programmatic key depend on.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Guide {
    title: &'static str,
    product: Product,
    /// Whether this version has programmatic keys: Ops Manager since 4.2.
    has_programmatic_keys: bool,
    /// Whether this version still has personal keys: Ops Manager up to 4.4. It also calls an access list a whitelist.
    has_personal_keys: bool,
}

impl Guide {
    fn new(run: &Run) -> Self {
        let (version, is_ops_manager) = (run.service_version.as_deref(), run.product == Product::OpsManager);
        Self {
            title: run.product.title(),
            product: run.product,
            has_programmatic_keys: !is_ops_manager || at_least(version, (4, 2)),
            has_personal_keys: is_ops_manager && !at_least(version, (5, 0)),
        }
    }

    fn into_value(self) -> Value {
        let Self { title, product, has_programmatic_keys, has_personal_keys } = self;
        context! {
            product => title,
            is_ops_manager => product == Product::OpsManager,
            is_atlas => product == Product::Atlas,
            says_whitelist => has_personal_keys,
            has_programmatic_keys,
            has_personal_keys,
        }
    }
}

/// Whether a version is `wanted` or later. An unknown version is treated as 4.4, the last one with personal keys.
fn at_least(version: Option<&str>, wanted: (u32, u32)) -> bool {
    let mut parts = version.unwrap_or("4.4").split('.').map_while(|part| part.parse::<u32>().ok());
    let major = parts.next().unwrap_or(4);
    (major, parts.next().unwrap_or(0)) >= wanted
}
