//! The README of a pack: what is in it, and for each number the commands that make it from the evidence, with what they print.

use chrono::{DateTime, Days, Utc};
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, syntax::SyntaxConfig};
use serde::Serialize;

use crate::model::rfc3339;
use crate::policy::{Policy, Severity, day_or_instant};
use crate::report::{Report, text};
use crate::store::Run;

const TEMPLATE: &str = include_str!("../../../templates/pack.md.j2");

/// What the README says, all of it from the reports.
#[derive(Serialize)]
pub struct PackFacts<'a> {
    run: i64,
    deployment: &'a str,
    address: &'a str,
    product: &'static str,
    started_at: String,
    finished_at: Option<String>,
    tool_version: &'a str,
    is_complete: bool,
    users: u64,
    users_read: u64,
    users_not_read: u64,
    incomplete_lists: u64,
    keys: u64,
    /// Of the keys that there are, by name.
    severities: Vec<(&'static str, u64)>,
    findings: u64,
    fail_on: &'static str,
    waived: u64,
    cutoff: String,
    cutoff_seconds: i64,
    active_within: u32,
    recent: String,
    recent_seconds: i64,
    readings_sha256: &'a str,
    /// `None` where they are unknown.
    organizations: Option<usize>,
    /// Whether it has `plan.csv` and its likes.
    has_plan: bool,
    /// Whether it has `locations.csv`; `None` where `locate` never ran.
    has_locations: Option<bool>,
}

impl<'a> PackFacts<'a> {
    /// Of the report of one run.
    #[must_use]
    pub fn new(
        run: &'a Run,
        policy: &Policy,
        report: &Report,
        readings_sha256: &'a str,
        (has_plan, has_locations): (bool, Option<bool>),
    ) -> Self {
        let total = &report.total;
        let mut severities: Vec<_> =
            Severity::ALL.iter().map(|severity| (severity.as_str(), total.severity(*severity))).collect();
        severities.retain(|(_, keys)| *keys > 0);
        severities.sort_unstable();
        let recent = policy.now.checked_sub_days(Days::new(policy.active_within.into()));
        let recent = recent.unwrap_or(DateTime::<Utc>::MIN_UTC);
        let organizations = report.deployments.first().and_then(|it| it.organizations.as_ref());
        Self {
            run: run.id,
            deployment: &run.deployment,
            address: &run.address,
            product: run.product.title(),
            started_at: rfc3339(run.started_at),
            finished_at: run.finished_at.map(rfc3339),
            tool_version: &run.tool_version,
            is_complete: report.is_complete(),
            users: total.requested(),
            users_read: total.read(),
            users_not_read: total.unread(),
            incomplete_lists: total.incomplete_lists,
            keys: total.keys,
            severities,
            findings: total.findings,
            fail_on: report.fail_on.as_str(),
            waived: total.waived,
            cutoff: day_or_instant(policy.cutoff),
            cutoff_seconds: policy.cutoff.timestamp(),
            active_within: policy.active_within,
            recent: rfc3339(recent),
            recent_seconds: recent.timestamp(),
            readings_sha256,
            organizations: organizations.map(Vec::len),
            has_plan,
            has_locations,
        }
    }
}

/// The text of the README.
///
/// # Errors
/// None that is known: the template is part of the program.
pub fn readme(facts: &PackFacts) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    environment.set_syntax(syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    environment.add_filter("code", |text: String| text::code_in_prose(&text));
    environment.render_str(TEMPLATE, Serde(facts))
}
