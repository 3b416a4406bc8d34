//! `migration-report.md`: for the person who has to act on it and the auditor who has to believe it. What it looks like is
//! in `templates/migration-report.md.j2`; here is what the template may use.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use chrono::{DateTime, Datelike, Utc};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::{Ended, Error, Facts, Lapse, LapseKind, Report, Row, Summary, Writer, text};
use crate::history::BurnDown;
use crate::model::{Gap, Outcome, Product, ReadStatus, rfc3339};
use crate::policy::{Action, Severity, Verdict, day_or_instant};
use crate::store::Run;
use crate::waivers::{Standing, Waiver};

const NAME: &str = "migration-report.md.j2";
const BUILT_IN: &str = include_str!("../../templates/migration-report.md.j2");
/// Keys shown; all of them are in the CSV. Users not read likewise.
const SHOWN: usize = 500;
/// Characters of a description.
const DESCRIPTION: usize = 100;
/// Characters of the reason of a waiver.
const WAIVER_REASON: usize = 200;

/// The file under way: the worst keys so far, and no more.
struct Markdown {
    file: BufWriter<NamedTempFile>,
    template: Environment<'static>,
    /// The least bad on top.
    worst: BinaryHeap<Ranked>,
    unread: Vec<Unread>,
    by_year: BTreeMap<Year, u64>,
}

/// A key in the order of badness: the smallest is the worst.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    severity: Severity,
    last_used: Reverse<Option<DateTime<Utc>>>,
    /// Deployment, name and id.
    owner: (String, String, String),
    created_at: Option<DateTime<Utc>>,
    key: Key,
}

/// A key as the template sees it. Foreign text is not yet escaped: the filter `code` does that.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    id: String,
    ends_in: String,
    description: String,
    created: String,
    uses: Option<u64>,
    severity: Severity,
    action: Action,
    reason: String,
    auditing: bool,
    waiver: Option<Waived>,
}

/// The waiver of a key or of a user, as the template sees it. Foreign text is not yet escaped.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Waived {
    standing: Standing,
    expires: String,
    reason: String,
    owner: String,
    ticket: Option<String>,
}

impl Waived {
    fn of((waiver, standing): (&Waiver, Standing)) -> Self {
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
struct Lapsed {
    target: String,
    line: u64,
    kind: LapseKind,
    expires: String,
    owner: String,
}

impl Lapsed {
    fn of(lapse: &Lapse) -> Self {
        let waiver = lapse.waiver;
        Self {
            target: waiver.target.to_string(),
            line: waiver.line,
            kind: lapse.kind,
            expires: waiver.expires.to_string(),
            owner: waiver.owner.clone(),
        }
    }
}

#[derive(Serialize)]
struct Owner {
    deployment: String,
    username: String,
    id: String,
    keys: Vec<Key>,
}

#[derive(Serialize)]
struct Unread {
    deployment: String,
    username: String,
    id: String,
    status: ReadStatus,
    http_status: Option<u16>,
    error_code: Option<String>,
    detail: Option<String>,
    waiver: Option<Waived>,
}

/// Where a key stands in the picture of last use.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Year {
    Before2010,
    In(i32),
    Future,
    Never,
    Unknown,
}

impl Year {
    /// Bounded, since the dates are the service's word.
    fn of(last_used: Option<DateTime<Utc>>, verdict: Verdict, now: DateTime<Utc>) -> Self {
        match last_used {
            None if verdict == Verdict::NeverUsed => Self::Never,
            None => Self::Unknown,
            Some(time) if time.year() < 2010 => Self::Before2010,
            Some(time) if time.year() > now.year() => Self::Future,
            Some(time) => Self::In(time.year()),
        }
    }

    fn label(&self) -> String {
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
struct Count {
    name: &'static str,
    count: u64,
}

/// All that the template may use.
#[derive(Serialize)]
struct Page<'a> {
    /// By name; mostly one.
    deployments: Vec<Deployment<'a>>,
    complete: bool,
    /// Whether every run came to its end.
    finished: bool,
    total: Totals,
    cutoff: String,
    verdicts: Vec<Count>,
    severities: Vec<Count>,
    actions: Vec<Count>,
    read_statuses: Vec<Count>,
    years: Vec<(String, u64)>,
    owners: Vec<Owner>,
    shown: usize,
    unread: &'a [Unread],
    gaps: Vec<Unread>,
    /// Waivers that ended, will soon, or match nothing.
    lapses: Vec<Lapsed>,
    /// Rows of `keys.csv`, and so of `keys.ndjson`.
    rows: u64,
    /// Of those, rows that stand for users whose names nobody could learn.
    rows_of_nobody: u64,
    /// One for each way to make a programmatic key.
    guides: Vec<Guide>,
}

/// A deployment, how it was asked, and what came of it.
#[derive(Serialize)]
struct Deployment<'a> {
    name: &'a str,
    address: &'a str,
    product: &'static str,
    service_version: Option<&'a str>,
    credential: &'a str,
    tool_version: &'a str,
    started: String,
    finished: Option<String>,
    cutoff: String,
    active_within: u32,
    sources: &'a [String],
    concurrency: usize,
    rate: Option<f64>,
    timeout: u64,
    retries: u32,
    certificates_not_verified: bool,
    in_the_clear: bool,
    clock_skew: Option<i64>,
    burn_down: Option<&'a BurnDown>,
    /// The earlier run it is compared with.
    compared_with: Option<&'a str>,
    complete: bool,
    total: Totals,
}

#[derive(Serialize)]
struct Totals {
    requested: u64,
    read: u64,
    /// Of those read, users of whom the deployment says that personal keys are gone.
    removed: u64,
    unread: u64,
    without_keys: u64,
    keys: u64,
    enabled: u64,
    waived: u64,
    waived_users: u64,
    findings: u64,
    new: u64,
    more_severe: u64,
}

/// What the way to a programmatic key depends on.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::struct_excessive_bools, reason = "a template has nothing but conditions to branch on")]
struct Guide {
    product: &'static str,
    is_ops_manager: bool,
    is_atlas: bool,
    /// Ops Manager up to 4.4 says whitelist, everybody else access list.
    says_whitelist: bool,
    /// Whether this version has programmatic keys: Ops Manager since 4.2.
    has_programmatic_keys: bool,
}

/// `templates` is the folder that may hold a template of one's own.
pub(super) fn start(
    file: BufWriter<NamedTempFile>,
    templates: Option<&Path>,
) -> Result<impl Writer + use<>, Error> {
    Ok(Markdown {
        file,
        template: environment(templates)?,
        worst: BinaryHeap::new(),
        unread: Vec::new(),
        by_year: BTreeMap::new(),
    })
}

fn environment(templates: Option<&Path>) -> Result<Environment<'static>, Error> {
    let source = match templates {
        None => BUILT_IN.to_owned(),
        Some(folder) => match std::fs::read_to_string(folder.join(NAME)) {
            Ok(source) => source,
            Err(why) if why.kind() == io::ErrorKind::NotFound && folder.is_dir() => BUILT_IN.to_owned(),
            Err(why) => return Err(Error::Template(format!("{}: {why}", folder.join(NAME).display()))),
        },
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(|why| template_error(&why))?);
    environment.add_filter("code", |text: String| text::code(&text));
    environment.add_template_owned(NAME, source).map_err(|why| template_error(&why))?;
    Ok(environment)
}

fn template_error(error: &minijinja::Error) -> Error {
    let line = error.line().map_or_else(String::new, |line| format!(", line {line}"));
    Error::Template(format!("{}{line}: {error}", error.name().unwrap_or(NAME)))
}

impl Writer for Markdown {
    fn begin(&mut self, _: &Facts) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, facts: &Facts, row: &Row) -> io::Result<()> {
        let Some((key, judged)) = &row.key else {
            if !row.reading.outcome.status.is_complete() && self.unread.len() < SHOWN {
                self.unread.push(Unread::of(facts, row));
            }
            return Ok(());
        };
        *self.by_year.entry(Year::of(key.last_used, judged.verdict, facts.policy.now)).or_default() += 1;
        let user = &row.reading.user;
        self.worst.push(Ranked {
            severity: judged.severity,
            last_used: Reverse(key.last_used),
            owner: (facts.run.deployment.clone(), user.username.clone().unwrap_or_default(), user.id.clone()),
            created_at: key.created_at,
            key: Key {
                id: key.id.clone(),
                ends_in: key.suffix.as_ref().map_or_else(String::new, |suffix| suffix.as_str().to_owned()),
                description: text::shortened(&key.description, DESCRIPTION),
                created: key.created_at.map_or_else(String::new, |time| time.format("%Y-%m-%d").to_string()),
                uses: key.used_count,
                severity: judged.severity,
                action: judged.action,
                reason: judged.reason.clone(),
                auditing: key.auditing,
                waiver: row.waiver.map(Waived::of),
            },
        });
        if self.worst.len() > SHOWN {
            self.worst.pop();
        }
        Ok(())
    }

    fn end(self: Box<Self>, report: &Report) -> Result<Ended, Error> {
        let Self { mut file, template, worst, unread, by_year } = *self;
        let shown = worst.len();
        let page = Page {
            owners: owners(worst),
            shown,
            unread: &unread,
            years: by_year.iter().map(|(year, count)| (year.label(), *count)).collect(),
            ..Page::of(report)
        };
        let page = template.get_template(NAME).and_then(|template| template.render(Serde(page)));
        let page = page.map_err(|why| template_error(&why))?;
        file.write_all(page.as_bytes()).map_err(|why| Error::Write("migration-report.md".to_owned(), why))?;
        Ok(Ended::File(file))
    }
}

/// A section an owner, in the order of the worst key of each.
fn owners(worst: BinaryHeap<Ranked>) -> Vec<Owner> {
    let mut owners: Vec<Owner> = Vec::new();
    let mut place = BTreeMap::new();
    for Ranked { owner, key, .. } in worst.into_sorted_vec() {
        let at = *place.entry(owner.clone()).or_insert(owners.len());
        if at == owners.len() {
            let (deployment, username, id) = owner;
            owners.push(Owner { deployment, username, id, keys: Vec::new() });
        }
        owners[at].keys.push(key);
    }
    owners
}

impl Unread {
    fn new(facts: &Facts, username: String, id: String, outcome: &Outcome) -> Self {
        Self {
            deployment: facts.run.deployment.clone(),
            username,
            id,
            status: outcome.status,
            http_status: outcome.http_status,
            error_code: outcome.error_code.clone(),
            detail: outcome.detail.clone().map(|detail| text::shortened(&detail, 200)),
            waiver: None,
        }
    }

    fn of(facts: &Facts, row: &Row) -> Self {
        let user = &row.reading.user;
        let who = Self::new(
            facts,
            user.username.clone().unwrap_or_default(),
            user.id.clone(),
            &row.reading.outcome,
        );
        Self { waiver: row.waiver.map(Waived::of), ..who }
    }

    fn of_gap(facts: &Facts, gap: &Gap) -> Self {
        Self::new(facts, gap.source.clone(), String::new(), &gap.outcome)
    }
}

impl<'a> Page<'a> {
    fn of(report: &'a Report<'a>) -> Self {
        let total = &report.total;
        let deployments: Vec<_> = report.deployments.iter().map(Deployment::of).collect();
        let mut guides: Vec<_> = report.deployments.iter().map(|it| Guide::of(it.facts.run)).collect();
        guides.sort();
        guides.dedup();
        let rows_of_nobody =
            total.gaps + deployments.iter().filter(|it| it.finished.is_none()).count() as u64;
        Self {
            lapses: report.lapses.iter().map(Lapsed::of).collect(),
            rows: total.keys + total.without_keys + total.unread() + rows_of_nobody,
            rows_of_nobody,
            complete: report.is_complete(),
            finished: deployments.iter().all(|deployment| deployment.finished.is_some()),
            total: Totals::of(total),
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
                .flat_map(|it| it.facts.gaps.iter().map(|gap| Unread::of_gap(&it.facts, gap)))
                .collect(),
            deployments,
            guides,
        }
    }
}

impl<'a> Deployment<'a> {
    fn of(deployment: &'a super::Deployment<'a>) -> Self {
        let super::Deployment { facts, summary } = deployment;
        let run = facts.run;
        Self {
            name: &run.deployment,
            address: &run.address,
            product: run.product.title(),
            service_version: run.service_version.as_deref(),
            credential: &run.credential,
            tool_version: &run.tool_version,
            started: rfc3339(run.started_at),
            finished: run.finished_at.map(rfc3339),
            cutoff: day_or_instant(facts.policy.cutoff),
            active_within: facts.policy.active_within,
            sources: &run.settings.sources,
            concurrency: run.settings.concurrency,
            rate: run.settings.rate,
            timeout: run.settings.timeout,
            retries: run.settings.retries,
            certificates_not_verified: run.settings.certificates_not_verified,
            in_the_clear: run.settings.in_the_clear,
            clock_skew: run.clock_skew,
            burn_down: facts.burn_down.as_ref(),
            compared_with: facts.ratchet.map(|ratchet| ratchet.name.as_str()),
            complete: facts.is_whole() && summary.is_complete(),
            total: Totals::of(summary),
        }
    }
}

impl Totals {
    fn of(summary: &Summary) -> Self {
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
    fn of(run: &Run) -> Self {
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

fn counts<T: Copy>(all: &[T], name: fn(T) -> &'static str, count: impl Fn(T) -> u64) -> Vec<Count> {
    all.iter().map(|it| Count { name: name(*it), count: count(*it) }).collect()
}

/// Whether a version is this or later; an unknown one is taken for the newest of the old, 4.4.
fn at_least(version: Option<&str>, wanted: (u32, u32)) -> bool {
    let mut parts = version.unwrap_or("4.4").split('.').map_while(|part| part.parse::<u32>().ok());
    let major = parts.next().unwrap_or(4);
    (major, parts.next().unwrap_or(0)) >= wanted
}
