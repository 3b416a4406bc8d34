//! `locations.sarif`: SARIF 2.1.0 for code scanning, one result for each place of a personal key, at its very line, and a
//! notification for what was not searched. Paths are relative to the repository.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::record::Record;
use super::{Identities, LocateReport, LocationRow, not_searched, path_or_git, sentence, unsearched_label};
use crate::output::{JsonArray, OutputFile};
use crate::place::Place;
use crate::policy::Severity;
use crate::report::FormatError;
use crate::report::formats::sarif::{MAX_RESULTS, Message, SCHEMA, Suppression, descriptor, level, rank};
use crate::report::location::SourceLocation;
use crate::report::text::printable;
use crate::store;

/// The rules, by index.
const LIVE: usize = 0;
const HISTORY: usize = 1;
const MAX_NOTIFICATIONS: usize = 1_000;
const RULES: [&str; 2] = ["key-in-file", "key-in-history"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LocationResult<'a> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Value; 1],
    partial_fingerprints: Value,
    rank: u8,
    suppressions: Vec<Suppression>,
    properties: Properties<'a>,
}

#[derive(Serialize)]
struct Properties<'a> {
    #[serde(flatten)]
    record: Record<'a>,
    is_finding: bool,
}

impl<'a> LocationResult<'a> {
    fn new(report: &'a LocateReport, row: &'a LocationRow, identities: &mut Identities) -> Self {
        let is_live = row.place.state.is_live();
        let rule = if is_live { LIVE } else { HISTORY };
        let severity = row.key.map(|key| key.severity);
        let identity = identities.of(row);
        let line_hash: String = identity.chars().take(16).collect();
        let waiver = row.waiver.filter(|_| row.is_waived());
        Self {
            rule_id: RULES[rule],
            rule_index: rule,
            level: if is_live { severity.map_or("warning", level) } else { "note" },
            message: Message::new(&sentence(row)),
            locations: [location(row.place)],
            partial_fingerprints: json!({
                "keyPath/v1": identity,
                "primaryLocationLineHash": format!("{line_hash}:1"),
            }),
            rank: severity.map_or(0, rank),
            suppressions: waiver.into_iter().map(|(waiver, _)| Suppression::new(waiver)).collect(),
            properties: Properties { record: Record::new(report, row), is_finding: row.is_finding },
        }
    }
}

/// The line of the file. What is only in the history has a file, whose line may be another by now, and its commit.
fn location(place: &Place) -> Value {
    let line = place.line.filter(|_| place.state.is_live() && place.member.is_empty());
    let path = path_or_git(&place.path);
    let file = SourceLocation::new(&path, line.unwrap_or(1));
    let mut physical = json!({ "artifactLocation": { "uri": file.uri() } });
    if let Some(line) = line {
        let column = place.column.filter(|_| place.encoding == "plain");
        physical["region"] = match column {
            Some(column) => json!({ "startLine": line, "startColumn": column }),
            None => json!({ "startLine": line }),
        };
    }
    let mut logical = Vec::new();
    if !place.member.is_empty() {
        let name = format!("{path}!{}", place.member);
        logical.push(json!({ "fullyQualifiedName": printable(&name), "kind": "member" }));
    }
    let first = place.first.as_ref().map(|commit| &commit.id);
    for commit in first.into_iter().chain(place.last_commit.as_ref().filter(|last| first != Some(*last))) {
        let name = format!("{commit}:{}", place.path);
        logical.push(json!({ "name": commit, "fullyQualifiedName": printable(&name), "kind": "commit" }));
    }
    let mut location = json!({ "physicalLocation": physical });
    if !logical.is_empty() {
        location["logicalLocations"] = logical.into();
    }
    location
}

fn notification(number: usize, text: &str) -> Value {
    json!({
        "descriptor": { "id": NOTIFICATIONS[number].0, "index": number },
        "level": "error",
        "message": Message::new(text),
    })
}

/// Of what was not searched, and of unknown keys.
const NOTIFICATIONS: [(&str, &str, &str, &str); 3] = [
    (
        "not-searched",
        "NotSearched",
        "A file, an archive or a repository was not searched completely",
        "There may be keys in it. Fetch the whole repository, unpack the archive, or make the file readable, then search again.",
    ),
    (
        "unknown-keys",
        "UnknownKeys",
        "Keys may be missing from the search",
        "The audit does not know all keys. Complete the audit, then search again.",
    ),
    (
        "results-left-out",
        "ResultsLeftOut",
        "Places are left out",
        "Code scanning limits the number of results. locations.csv lists all places.",
    ),
];

fn tool() -> Value {
    let rule = |(number, name, short, help): (usize, &str, &str, &str)| {
        let mut rule = descriptor(RULES[number], name, short, &format!("{short}."), help);
        rule["defaultConfiguration"] = json!({ "level": if number == LIVE { "error" } else { "note" } });
        rule["properties"] = json!({
            "tags": ["security", "credentials"],
            "precision": "very-high",
            "security-severity": if number == LIVE { "8.0" } else { "3.0" },
        });
        rule
    };
    let rules = [
        (
            LIVE,
            "KeyInFile",
            "A deprecated personal API key is in a file",
            "Replace the username and the key in this line with the public and private key of a programmatic API key, read \
             from a secret store. The file stops working when the personal key is gone.",
        ),
        (
            HISTORY,
            "KeyInHistory",
            "A deprecated personal API key is in the history of the repository",
            "Delete the key in the deployment: a key in a history is known to all who can read the repository.",
        ),
    ];
    let notifications: Vec<_> = NOTIFICATIONS
        .iter()
        .map(|(id, name, short, help)| descriptor(id, name, short, &format!("{short}."), help))
        .collect();
    json!({ "driver": {
        "name": "keysunset",
        "fullName": "keysunset: places of deprecated personal API keys of MongoDB deployments",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules.map(rule),
        "notifications": notifications,
    } })
}

/// The worst are kept where code scanning takes no more.
type Rank = (bool, bool, Option<Severity>);

fn rank_of(row: &LocationRow) -> Rank {
    (row.is_waived(), !row.place.state.is_live(), row.key.map(|key| key.severity))
}

pub(super) fn write(report: &LocateReport, mut file: OutputFile) -> Result<OutputFile, FormatError> {
    write!(file, "{{\"$schema\":\"{SCHEMA}\",\"version\":\"2.1.0\",\"runs\":[{{\"tool\":")?;
    serde_json::to_writer(&mut file, &tool())?;
    file.write_all(b",\"results\":")?;
    let mut results = JsonArray::open(&mut file)?;
    let mut identities = Identities::default();
    let mut ranks: BTreeMap<Rank, u64> = BTreeMap::new();
    report.rows.each_key(|row| {
        *ranks.entry(rank_of(row)).or_default() += 1;
        Ok::<_, store::Error>(())
    })?;
    let (mut left, all) = (MAX_RESULTS, report.counts.places());
    for rank in ranks.into_keys() {
        if left == 0 {
            break;
        }
        report.rows.each_key(|row| {
            if left > 0 && rank_of(row) == rank {
                left -= 1;
                results.next(&mut file)?;
                serde_json::to_writer(&mut file, &LocationResult::new(report, row, &mut identities))?;
            }
            Ok::<_, FormatError>(())
        })?;
    }
    results.close(&mut file, "\n]", "]")?;
    let invocation = json!({
        "executionSuccessful": report.is_complete_or_waived(),
        "toolExecutionNotifications": notifications(report, all.saturating_sub(MAX_RESULTS), all)?,
    });
    writeln!(file, ",\"invocations\":[{invocation}]}}]}}")?;
    Ok(file)
}

fn notifications(report: &LocateReport, left_out: u64, all: u64) -> Result<Vec<Value>, store::Error> {
    let (mut notifications, mut more) = (Vec::new(), 0_u64);
    report.rows.each_unsearched(|row| {
        if row.is_waived() {
            return Ok(());
        }
        let it = row.unsearched;
        if notifications.len() < MAX_NOTIFICATIONS {
            let text = format!("{}: {}", unsearched_label(it), not_searched(it.why));
            notifications.push(notification(0, &text));
        } else {
            more += 1;
        }
        Ok::<_, store::Error>(())
    })?;
    if more > 0 {
        let text = format!("{more} more were not searched completely; locations.csv lists all");
        notifications.push(notification(0, &text));
    }
    notifications.extend(report.scope.unknown_keys.iter().map(|why| notification(1, why)));
    if left_out > 0 {
        let text = format!(
            "{left_out} of {all} places are left out, because code scanning accepts at most {MAX_RESULTS}: waived places first, \
             then those that are not live, then those of the least severe keys; locations.csv lists all"
        );
        notifications.push(notification(2, &text));
    }
    Ok(notifications)
}
