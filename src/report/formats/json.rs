//! `findings.json`: all results, for programs. The rows come first and the totals after them, so that one pass is enough.
//! `schemas/findings.schema.json` describes it. The types here are separate from the model, so that a rename there breaks no
//! reader.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use chrono::NaiveDate;
use serde::Serialize;

use crate::model::{self, Outcome, Product, ReadStatus, rfc3339};
use crate::output::add_json;
use crate::policy::{Action, Severity, Verdict};
use crate::report::record::{MissingUsers, Record};
use crate::report::{
    FormatError, JsonArray, OrganizationSummary, OutputFile, Rendered, Report, Row, RowContext, RunContext,
    Summary, WaiverIssue, WaiverIssueKind, Writer,
};
use crate::v1::{RunSettings, SettingsWithUnits};
use crate::waivers::Target;

/// Increases when a field is removed or changes its meaning, not when a field is added.
const VERSION: u32 = 2;
/// The `$id` of the schema, with the version.
const SCHEMA: &str = "urn:keysunset:findings:2";
const FORMAT: &str = "keysunset-findings";

/// The file in progress.
struct Json {
    file: OutputFile,
    rows: JsonArray,
    row: Vec<u8>,
}

pub(super) fn start(mut file: OutputFile) -> Result<impl Writer, FormatError> {
    let tool = Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
    write!(file, "{{\n\"$schema\": \"{SCHEMA}\"")?;
    field(&mut file, "format", FORMAT)?;
    field(&mut file, "version", &VERSION)?;
    field(&mut file, "tool", &tool)?;
    file.write_all(b",\n\"rows\": ")?;
    let rows = JsonArray::open(&mut file)?;
    Ok(Json { file, rows, row: Vec::new() })
}

/// Writes a field on its own line; not for the first field.
fn field(file: &mut OutputFile, name: &str, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    write!(file, ",\n\"{name}\": ")?;
    Ok(serde_json::to_writer(file, value)?)
}

impl Json {
    /// `finding`: whether the key is one; `None` without a key.
    fn write(&mut self, record: &Record, finding: Option<bool>) -> Result<(), FormatError> {
        self.row.clear();
        add_json(&mut self.row, record)?;
        // One more field, in place of the closing bracket.
        self.row.pop();
        self.row.extend(b",\"finding\":");
        add_json(&mut self.row, &finding)?;
        self.row.push(b'}');
        self.rows.next(&mut self.file)?;
        Ok(self.file.write_all(&self.row)?)
    }
}

impl Writer for Json {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        MissingUsers::of_run(context).try_for_each(|missing| self.write(&missing.record(), None))
    }

    fn row(&mut self, context: &RowContext, row: &Row) -> Result<(), FormatError> {
        self.write(&Record::new(context, row), row.key.is_some().then_some(row.is_finding))
    }

    fn end(self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        let Self { mut file, rows, .. } = *self;
        rows.close(&mut file, "\n]", "\n]")?;
        field(&mut file, "fail_on", &report.fail_on)?;
        field(&mut file, "complete", &report.is_complete())?;
        field(&mut file, "totals", &Totals::new(&report.total))?;
        field(&mut file, "deployments", &report.deployments.iter().map(Deployment::new).collect::<Vec<_>>())?;
        field(&mut file, "lapses", &report.waiver_issues.iter().map(IssueRow::new).collect::<Vec<_>>())?;
        file.write_all(b"\n}\n")?;
        Ok(Rendered::File(file))
    }
}

/// The program that wrote the file. Another version may have read the deployment.
#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

/// A deployment, its run and its totals.
#[derive(Serialize)]
struct Deployment<'a> {
    name: &'a str,
    address: &'a str,
    product: Product,
    service_version: Option<&'a str>,
    credential: &'a str,
    run: i64,
    started_at: String,
    finished_at: Option<String>,
    clock_skew_seconds: Option<i64>,
    tool_version: &'a str,
    #[serde(serialize_with = "SettingsWithUnits::serialize")]
    settings: &'a RunSettings,
    policy: Policy,
    compared: Option<Compared<'a>>,
    complete: bool,
    gaps: Vec<IncompleteList<'a>>,
    /// Sorted by id; `None` if unknown.
    organizations: Option<Vec<Organization<'a>>>,
    totals: Totals,
}

impl<'a> Deployment<'a> {
    fn new(deployment: &'a crate::report::Deployment<'a>) -> Self {
        let crate::report::Deployment { context, summary, organizations, .. } = deployment;
        let run = context.run;
        Self {
            name: &run.deployment,
            address: &run.address,
            product: run.product,
            service_version: run.service_version.as_deref(),
            credential: &run.credential,
            run: run.id,
            started_at: rfc3339(run.started_at),
            finished_at: run.finished_at.map(rfc3339),
            clock_skew_seconds: run.clock_skew,
            tool_version: &run.tool_version,
            settings: &run.settings,
            policy: Policy::new(context),
            compared: deployment.compared.map(|ratchet| Compared {
                with: &ratchet.name,
                new_keys: summary.new,
                more_severe_keys: summary.more_severe,
            }),
            complete: deployment.is_complete(),
            gaps: context.incomplete_lists.iter().map(|judged| IncompleteList::new(&judged.list)).collect(),
            organizations: organizations.as_ref().map(|all| all.iter().map(Organization::new).collect()),
            totals: Totals::new(summary),
        }
    }
}

/// The policy of this report, which may differ from that of the run.
#[derive(Serialize)]
struct Policy {
    as_of: String,
    cutoff: String,
    active_within_days: u32,
}

impl Policy {
    fn new(context: &RowContext) -> Self {
        Self {
            as_of: rfc3339(context.policy.now),
            cutoff: rfc3339(context.policy.cutoff),
            active_within_days: context.policy.active_within,
        }
    }
}

/// The comparison with an earlier run: with `--ratchet` only keys that are new or more severe are findings.
#[derive(Serialize)]
struct Compared<'a> {
    with: &'a str,
    new_keys: u64,
    more_severe_keys: u64,
}

/// An incomplete list.
#[derive(Serialize)]
struct IncompleteList<'a> {
    source: &'a str,
    org_id: Option<&'a str>,
    read_status: ReadStatus,
    http_status: Option<u16>,
    error_code: Option<&'a str>,
    detail: Option<&'a str>,
}

impl<'a> IncompleteList<'a> {
    fn new(list: &'a model::IncompleteList) -> Self {
        let Outcome { status, http_status, error_code, detail } = &list.outcome;
        Self {
            source: &list.source,
            org_id: list.org_id.as_deref(),
            read_status: *status,
            http_status: *http_status,
            error_code: error_code.as_deref(),
            detail: detail.as_deref(),
        }
    }
}

/// An organization and the totals of the users in its list. A user of several organizations counts in each.
#[derive(Serialize)]
struct Organization<'a> {
    id: &'a str,
    name: Option<&'a str>,
    deleted: Option<bool>,
    list_status: ReadStatus,
    users: u64,
    users_read: u64,
    keys: u64,
    keys_enabled: u64,
    severities: Counts,
}

impl<'a> Organization<'a> {
    fn new(summary: &'a OrganizationSummary) -> Self {
        let model::Organization { id, name, is_deleted } = &summary.organization;
        Self {
            id,
            name: name.as_deref(),
            deleted: *is_deleted,
            list_status: summary.list_status,
            users: summary.users,
            users_read: summary.users_read,
            keys: summary.keys,
            keys_enabled: summary.enabled,
            severities: counts(Severity::ALL, Severity::as_str, |it| summary.severity(it)),
        }
    }
}

/// Counts by name, also those that are 0.
type Counts = BTreeMap<&'static str, u64>;

#[derive(Serialize)]
struct Totals {
    users: u64,
    users_read: u64,
    users_unread: u64,
    users_without_keys: u64,
    users_waived: u64,
    read_statuses: Counts,
    gaps: u64,
    gaps_waived: u64,
    keys: u64,
    keys_enabled: u64,
    keys_waived: u64,
    findings: u64,
    verdicts: Counts,
    severities: Counts,
    actions: Counts,
}

impl Totals {
    fn new(summary: &Summary) -> Self {
        Self {
            users: summary.requested(),
            users_read: summary.read(),
            users_unread: summary.unread(),
            users_without_keys: summary.without_keys,
            users_waived: summary.waived_users,
            read_statuses: counts(ReadStatus::ALL, ReadStatus::as_str, |it| summary.users(it)),
            gaps: summary.incomplete_lists,
            gaps_waived: summary.waived_lists,
            keys: summary.keys,
            keys_enabled: summary.enabled,
            keys_waived: summary.waived,
            findings: summary.findings,
            verdicts: counts(Verdict::ALL, Verdict::as_str, |it| summary.verdict(it)),
            severities: counts(Severity::ALL, Severity::as_str, |it| summary.severity(it)),
            actions: counts(Action::ALL, Action::as_str, |it| summary.action(it)),
        }
    }
}

fn counts<T: Copy>(all: &[T], name: fn(T) -> &'static str, count: impl Fn(T) -> u64) -> Counts {
    all.iter().map(|it| (name(*it), count(*it))).collect()
}

/// A waiver with a problem.
#[derive(Serialize)]
struct IssueRow<'a> {
    lapse: WaiverIssueKind,
    line: u64,
    key_id: Option<&'a str>,
    user: Option<&'a str>,
    organization: Option<&'a str>,
    deployment: Option<&'a str>,
    reason: &'a str,
    owner: &'a str,
    expires: NaiveDate,
    days_left: i64,
    ticket: Option<&'a str>,
}

impl<'a> IssueRow<'a> {
    fn new(issue: &'a WaiverIssue<'a>) -> Self {
        let waiver = issue.waiver;
        let (key_id, user, organization) = match &waiver.target {
            Target::Key(id) => (Some(id.as_str()), None, None),
            Target::User(user) => (None, Some(user.as_str()), None),
            Target::Organization(organization) => (None, None, Some(organization.as_str())),
            Target::Path => (None, None, None),
        };
        Self {
            lapse: issue.kind,
            line: waiver.line,
            key_id,
            user,
            organization,
            deployment: waiver.deployment.as_deref(),
            reason: &waiver.reason,
            owner: &waiver.owner,
            expires: waiver.expires,
            days_left: issue.days_left,
            ticket: waiver.ticket.as_deref(),
        }
    }
}
