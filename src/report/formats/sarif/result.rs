//! A result is one key. Its message and locations have the same types as those of notifications.

use memchr::memchr3;
use serde::Serialize;

use crate::policy::{Judgement, Severity, Verdict};
use crate::report::location::SourceLocation;
use crate::report::record::Record;
use crate::report::text::printable;
use crate::report::{Row, wording};
use crate::waivers::Waiver;

/// A SARIF result.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifResult<'a> {
    rule_id: Verdict,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    partial_fingerprints: PartialFingerprints,
    rank: u8,
    /// None or one, never absent: §3.27.23 requires the field in all results of a run, or in none.
    suppressions: Vec<Suppression>,
    properties: Properties<'a>,
}

/// Computed from deployment, key id and rule only, and the user where several have the key.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartialFingerprints {
    #[serde(rename = "deploymentKeyRule/v1")]
    deployment_key_rule: String,
    /// The fingerprint that GitHub uses. GitHub would compute it from the line: all keys of a user would be one alert, which
    /// changes with the list.
    primary_location_line_hash: String,
}

#[derive(Serialize)]
pub(in crate::report) struct Suppression {
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

impl<'a> SarifResult<'a> {
    pub(super) fn new(
        record: &'a Record<'a>,
        row: &Row,
        judged: &Judgement,
        location: &SourceLocation,
        fingerprint: String,
    ) -> Self {
        let (line_hash, _) = fingerprint.split_at(16);
        let waiver = row.waiver.filter(|_| row.is_waived());
        Self {
            rule_id: judged.verdict,
            rule_index: judged.verdict as usize,
            level: level(judged.severity),
            message: Message::new(&wording::row(record)),
            locations: [Location::new(record, location)],
            partial_fingerprints: PartialFingerprints {
                primary_location_line_hash: format!("{line_hash}:1"),
                deployment_key_rule: fingerprint,
            },
            rank: rank(judged.severity),
            suppressions: waiver.into_iter().map(|(waiver, _)| Suppression::new(waiver)).collect(),
            properties: Properties { record, is_finding: row.is_finding },
        }
    }
}

impl Suppression {
    /// `external`, because waivers are in their own file; `accepted`, because their author accepted the key.
    pub(in crate::report) fn new(waiver: &Waiver) -> Self {
        let Waiver { reason, owner, expires, ticket, .. } = waiver;
        let ticket = ticket.as_deref().map_or_else(String::new, |ticket| format!(", {ticket}"));
        Self {
            kind: "external",
            status: "accepted",
            justification: printable(&format!("{reason} ({owner}, until {expires}{ticket})")),
        }
    }
}

/// A plain text message.
#[derive(Debug, Serialize)]
pub(in crate::report) struct Message {
    text: String,
}

impl Message {
    /// Any text. Braces are doubled (§3.11.5), or they would be placeholders. `](` is split, because it makes a link (§3.11.6)
    /// and viewers differ in how they read a backslash before a bracket.
    pub(in crate::report) fn new(text: &str) -> Self {
        let text = printable(text);
        // Most texts need no change.
        if memchr3(b'{', b'}', b']', text.as_bytes()).is_none() {
            return Self { text };
        }
        Self { text: text.replace('{', "{{").replace('}', "}}").replace("](", "] (") }
    }
}

/// The location of a result or notification: a line, and the deployment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location {
    physical_location: PhysicalLocation,
    logical_locations: [LogicalLocation; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Debug, Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
    kind: &'static str,
}

impl Location {
    /// The location of a key, or of a user without keys.
    pub(super) fn new(record: &Record, location: &SourceLocation) -> Self {
        let user = record.user_id.or(record.username).unwrap_or_default();
        let (name, kind) = match record.key_id {
            Some(key) => (key, "personalApiKey"),
            None => (user, "user"),
        };
        let path = [Some(record.deployment), record.org_id, Some(user), record.key_id];
        let path: Vec<_> = path.into_iter().flatten().map(printable).collect();
        Self {
            physical_location: PhysicalLocation {
                artifact_location: ArtifactLocation { uri: location.uri() },
                region: Region { start_line: location.line },
            },
            logical_locations: [LogicalLocation {
                name: printable(name),
                fully_qualified_name: path.join("::"),
                kind,
            }],
        }
    }
}

/// SARIF has three levels; `note` does not fail a check.
pub(in crate::report) const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// From 0 to 100: finer than the three levels.
pub(in crate::report) const fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 100,
        Severity::High => 80,
        Severity::Medium => 60,
        Severity::Low => 40,
        Severity::Info => 20,
    }
}
