//! A result: one key.

use serde::Serialize;

use super::message::{Location, Message};
use crate::policy::{Judgement, Severity, Verdict};
use crate::report::location::{SourceLocation, identity};
use crate::report::record::Record;
use crate::report::text::printable;
use crate::report::{Row, wording};
use crate::waivers::Waiver;

/// As SARIF has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Found<'a> {
    rule_id: Verdict,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    partial_fingerprints: PartialFingerprints,
    rank: u8,
    /// None or one, and never left out: §3.27.23 wants them of all results of a run, or of none.
    suppressions: Vec<Suppression>,
    properties: Properties<'a>,
}

/// Of deployment, key id and rule alone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartialFingerprints {
    #[serde(rename = "deploymentKeyRule/v1")]
    deployment_key_rule: String,
    /// The one that GitHub goes by, in the form of its own, which would be of the line: all keys of a user would be one alert,
    /// and another one as soon as the list changes.
    primary_location_line_hash: String,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

/// The fields of `keys.csv`.
#[derive(Serialize)]
struct Properties<'a> {
    #[serde(flatten)]
    record: &'a Record<'a>,
    /// Whether it fails the gate.
    is_finding: bool,
}

impl<'a> Found<'a> {
    pub(super) fn of(
        record: &'a Record<'a>,
        row: &Row,
        judged: &Judgement,
        location: &SourceLocation,
    ) -> Self {
        let identity = identity(record, judged.verdict.as_str());
        let (line_hash, _) = identity.split_at(16);
        let waiver = row.waiver.filter(|_| row.is_waived());
        Self {
            rule_id: judged.verdict,
            rule_index: judged.verdict as usize,
            level: level(judged.severity),
            message: Message::of(&wording::row(record)),
            locations: [Location::of(record, location)],
            partial_fingerprints: PartialFingerprints {
                primary_location_line_hash: format!("{line_hash}:1"),
                deployment_key_rule: identity,
            },
            rank: rank(judged.severity),
            suppressions: waiver.into_iter().map(|(waiver, _)| Suppression::of(waiver)).collect(),
            properties: Properties { record, is_finding: row.is_finding },
        }
    }
}

impl Suppression {
    /// Waivers stand in a file of their own, and whoever wrote one there has accepted the key.
    fn of(waiver: &Waiver) -> Self {
        let Waiver { reason, owner, expires, ticket, .. } = waiver;
        let ticket = ticket.as_deref().map_or_else(String::new, |ticket| format!(", {ticket}"));
        Self {
            kind: "external",
            status: "accepted",
            justification: printable(&format!("{reason} ({owner}, until {expires}{ticket})")),
        }
    }
}

/// SARIF has three, of which `note` fails nothing.
const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// From 0 to 100: what the levels are too few for.
const fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 100,
        Severity::High => 80,
        Severity::Medium => 60,
        Severity::Low => 40,
        Severity::Info => 20,
    }
}
