//! `locations.json` and `locations.ndjson`: all rows, for programs. `schemas/locations.schema.json` describes them.

use std::io::Write as _;

use serde::Serialize;

use super::record::Record;
use super::{LocateFailOn, LocateReport, LocatedKey, LocationRow, UnsearchedRow};
use crate::output::{JsonArray, OutputFile};
use crate::place::NotSearched;
use crate::policy::{Severity, Verdict};
use crate::report::FormatError;
use crate::waivers::WaiverStatus;

/// Increases when a field is removed or changes its meaning, not when a field is added.
const VERSION: u32 = 1;
/// The `$id` of the schema, with the version.
const SCHEMA: &str = "urn:keysunset:locations:1";
const FORMAT: &str = "keysunset-locations";

/// A row, with what `locations.csv` has no column for.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    record: Record<'a>,
    /// Why it was not searched; `None` for a place.
    not_searched: Option<NotSearched>,
    waiver: Option<WaiverStatus>,
    /// The line, masked, with `--context`.
    context: Option<&'a str>,
    finding: bool,
}

impl<'a> Line<'a> {
    fn new(report: &'a LocateReport, row: &'a LocationRow) -> Self {
        let waiver = row.waiver.map(|(_, status)| status);
        let record = Record::new(report, row);
        Self { record, not_searched: None, waiver, context: row.context, finding: row.is_finding }
    }

    fn of_unsearched(report: &'a LocateReport, row: &'a UnsearchedRow) -> Self {
        let waiver = row.waiver.map(|(_, status)| status);
        let record = Record::of_unsearched(report, row, "");
        Self { record, not_searched: Some(row.unsearched.why), waiver, context: None, finding: false }
    }
}

fn each_line(
    report: &LocateReport,
    mut each: impl FnMut(&Line) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    report.rows.each(|row| each(&Line::new(report, row)))?;
    report.rows.each_unsearched(|row| each(&Line::of_unsearched(report, row)))
}

pub(super) fn write_lines(report: &LocateReport, mut file: OutputFile) -> Result<OutputFile, FormatError> {
    each_line(report, |line| {
        serde_json::to_writer(&mut file, line)?;
        Ok(file.write_all(b"\n")?)
    })?;
    Ok(file)
}

/// What comes before the rows.
#[derive(Serialize)]
struct Search<'a> {
    deployment: &'a str,
    keys_from: &'a str,
    roots: &'a [String],
    excluded: &'a [String],
    history: bool,
    archives: bool,
}

/// A key that is in no place.
#[derive(Serialize)]
struct Nowhere<'a> {
    deployment: &'a str,
    key_id: &'a str,
    key_suffix: &'a str,
    username: &'a str,
    description: &'a str,
    verdict: Verdict,
    severity: Severity,
}

impl<'a> Nowhere<'a> {
    fn new(key: &'a LocatedKey) -> Self {
        let LocatedKey { deployment, id, suffix, username, description, verdict, severity, .. } = key;
        let (verdict, severity) = (*verdict, *severity);
        let key_suffix = suffix.as_str();
        Self { deployment, key_id: id, key_suffix, username, description, verdict, severity }
    }
}

/// Counted from the rows.
#[derive(Serialize)]
struct Totals {
    files: u64,
    objects: u64,
    bytes: u64,
    keys: usize,
    keys_found: usize,
    keys_nowhere: usize,
    places: u64,
    live_places: u64,
    new_key_places: u64,
    stranger_places: u64,
    not_searched: u64,
    links_outside: u64,
    findings: u64,
    waived: u64,
}

impl Totals {
    fn new(report: &LocateReport) -> Self {
        let LocateReport { scope, counts, .. } = report;
        Self {
            files: scope.files,
            objects: scope.objects,
            bytes: scope.bytes,
            keys: report.keys().len(),
            keys_found: counts.found_keys(),
            keys_nowhere: report.nowhere().len(),
            places: counts.places(),
            live_places: counts.live(),
            new_key_places: counts.new_keys,
            stranger_places: counts.strangers,
            not_searched: counts.unsearched,
            links_outside: scope.links_outside,
            findings: counts.findings,
            waived: counts.waived,
        }
    }
}

/// What comes behind the rows.
#[derive(Serialize)]
struct Tail<'a> {
    nowhere: Vec<Nowhere<'a>>,
    fail_on: LocateFailOn,
    complete: bool,
    unknown_keys: &'a [String],
    totals: Totals,
}

pub(super) fn write(report: &LocateReport, mut file: OutputFile) -> Result<OutputFile, FormatError> {
    let scope = &report.scope;
    let search = Search {
        deployment: scope.deployment,
        keys_from: scope.keys_from,
        roots: &scope.roots,
        excluded: scope.excluded,
        history: scope.history,
        archives: scope.archives,
    };
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    write!(
        file,
        "{{\n\"$schema\": \"{SCHEMA}\",\n\"format\": \"{FORMAT}\",\n\"version\": {VERSION},\n\
         \"tool\": {{\"name\":\"{name}\",\"version\":\"{version}\"}},\n\"search\": "
    )?;
    serde_json::to_writer(&mut file, &search)?;
    file.write_all(b",\n\"rows\": ")?;
    let mut rows = JsonArray::open(&mut file)?;
    each_line(report, |line| {
        rows.next(&mut file)?;
        Ok(serde_json::to_writer(&mut file, line)?)
    })?;
    rows.close(&mut file, "\n]", "]")?;
    let tail = Tail {
        nowhere: report.nowhere().into_iter().map(Nowhere::new).collect(),
        fail_on: report.rows.fail_on,
        complete: report.is_complete(),
        unknown_keys: &scope.unknown_keys,
        totals: Totals::new(report),
    };
    let serde_json::Value::Object(fields) = serde_json::to_value(tail)? else { return Ok(file) };
    for (name, value) in fields {
        write!(file, ",\n\"{name}\": {value}")?;
    }
    file.write_all(b"\n}\n")?;
    Ok(file)
}
