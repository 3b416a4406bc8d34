//! The half of verifying that needs the store: facts, readings, the record of the manifest, and the chain before it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use serde_json::Value;

use super::{Check, CheckResult, CheckStatus, parse};
use crate::evidence::export;
use crate::evidence::manifest::{CanonicalForm, Manifest, PreviousManifest, RunEntry};
use crate::report::text::shortened;
use crate::store::{self, Run, Store};

/// So much of a value that differs.
const SHOWN: usize = 100;
/// The fields that come from the readings rather than from the run.
const OF_READINGS: [&str; 4] = ["complete", "totals", "readings_sha256", "canonical_bytes"];

/// The results of all stores, and of each run in the store that has it.
pub(super) fn checks(
    manifest: &Manifest,
    sha256: &str,
    stores: &[PathBuf],
    has_chain: bool,
) -> Vec<CheckResult> {
    let mut results = Vec::new();
    let mut open = Vec::new();
    for path in stores {
        match Store::open(path) {
            Ok(store) => {
                results.push(damage(&store, &path.display().to_string()));
                open.push(store);
            }
            Err(why @ (store::Error::Missing(_) | store::Error::Newer(..) | store::Error::Busy(_))) => {
                results.push(Check::Store.unknown(first_line(&why)));
            }
            Err(why) => results.push(failed(Check::Store, &why)),
        }
    }
    for entry in &manifest.runs {
        let Some(store) = store_of(entry, manifest, &open) else {
            results.push(Check::Run.unknown(format!(
                "{}: its run database was not found, so facts, user results, record and chain were not checked",
                entry.label()
            )));
            continue;
        };
        results.extend(run_and_readings(store, entry, manifest.version));
        results.push(record(store, entry, manifest.version, sha256));
        if !has_chain {
            results.extend(entry.previous.as_ref().map(not_followed));
            continue;
        }
        results.push(match chain(store, entry) {
            Ok(found) => Check::Chain.ok(found),
            Err(ChainError::Broken(found)) => Check::Chain.differs(found),
            Err(ChainError::Store(why)) => failed(Check::Chain, &why),
        });
    }
    results
}

/// What follows a link of the chain in another store.
fn not_followed(previous: &PreviousManifest) -> CheckResult {
    let PreviousManifest { run, sha256 } = previous;
    let found = format!(
        "the manifest of run {run} before ({sha256}) is not in an evidence pack; name the run database with --store"
    );
    Check::Chain.with(CheckStatus::Note, found)
}

/// A broken file is another one than was written, but what can't be read may be fine.
fn failed(check: Check, why: &store::Error) -> CheckResult {
    let status = match why {
        store::Error::Sqlite(_, error) if !store::is_damage(error) => CheckStatus::Unknown,
        store::Error::Unwritable(..) | store::Error::Unreadable(..) => CheckStatus::Unknown,
        _ => CheckStatus::Differs,
    };
    check.with(status, first_line(why))
}

/// Which of the stores the run is in: the only one of the only run, or the one where the run of that number is of that deployment.
fn store_of<'a>(entry: &RunEntry, manifest: &Manifest, stores: &'a [Store]) -> Option<&'a Store> {
    match (&manifest.runs[..], stores) {
        ([_], [store]) => Some(store),
        _ => stores
            .iter()
            .find(|store| store.run(Some(entry.run)).is_ok_and(|run| run.deployment == entry.deployment)),
    }
}

fn damage(store: &Store, name: &str) -> CheckResult {
    match store.damage() {
        Ok(found) if found.is_empty() => Check::Store.ok(format!("{name}: intact")),
        Ok(found) => Check::Store.differs(format!("{name} is damaged: {}", found.join("; "))),
        Err(why) => Check::Store.differs(first_line(&why)),
    }
}

fn run_and_readings(store: &Store, entry: &RunEntry, version: u64) -> Vec<CheckResult> {
    let label = entry.label();
    let run = match store.run(Some(entry.run)) {
        Ok(run) => run,
        Err(store::Error::NoRun(..)) => {
            let found = "is no longer in the run database, so its facts and user results were not checked";
            return vec![Check::Run.unknown(format!("{label} {found}"))];
        }
        Err(why) => return vec![Check::Run.differs(first_line(&why))],
    };
    match differences(store, &run, entry, version) {
        Err(why) => vec![Check::Readings.differs(first_line(&why))],
        Ok((of_run, of_readings)) => {
            let readings = format!("of {label}, SHA-256 {}", entry.readings_sha256);
            vec![
                equal_or(Check::Run, &of_run, &label, &label),
                equal_or(Check::Readings, &of_readings, &readings, &label),
            ]
        }
    }
}

fn equal_or(check: Check, differences: &[String], found: &str, run: &str) -> CheckResult {
    if differences.is_empty() {
        check.ok(found)
    } else {
        check.differs(format!("{run}: {}", differences.join("; ")))
    }
}

/// Field by field: of the run, and of its readings.
fn differences(
    store: &Store,
    run: &Run,
    named: &RunEntry,
    version: u64,
) -> Result<(Vec<String>, Vec<String>), export::Error> {
    // What is no fact of the store is taken over, so that it can't differ: the chain is looked at alone.
    let form = CanonicalForm::of_run(store, run, version)?;
    let mut stored = RunEntry::new(store, run, named.judged_by.clone(), form, version)?;
    stored.previous.clone_from(&named.previous);
    let json = |entry| serde_json::to_value(entry).map_err(std::io::Error::from);
    let (named, stored) = (json(named)?, json(&stored)?);
    let (mut of_run, mut of_readings) = (Vec::new(), Vec::new());
    let show = |value: &Value| shortened(&value.to_string(), SHOWN);
    for (field, named) in named.as_object().into_iter().flatten() {
        let stored = &stored[field];
        if named != stored {
            let (named, stored) = (show(named), show(stored));
            let found = format!("{field} is {named} in the manifest, but {stored} in the run database");
            if OF_READINGS.contains(&field.as_str()) { &mut of_readings } else { &mut of_run }.push(found);
        }
    }
    Ok((of_run, of_readings))
}

/// Whether the store knows this very manifest.
fn record(store: &Store, entry: &RunEntry, version: u64, sha256: &str) -> CheckResult {
    let run = entry.label();
    let found = || Ok((store.manifest(entry.run, sha256)?, other_readings(store, entry, version)?));
    match found() {
        Ok((_, Some(other))) => Check::Record.differs(format!(
            "an earlier manifest of the ended {run} has other user results ({other}): they were modified later"
        )),
        Ok((Some(_), None)) => Check::Record.ok(format!("this manifest of {run} is recorded in the run database")),
        Ok((None, None)) => Check::Record.differs(format!(
            "this manifest of {run} is not recorded in the run database: it was modified, belongs to another run database, or could not be recorded"
        )),
        Err(export::Error::Store(why)) => failed(Check::Record, &why),
        Err(why @ export::Error::Write(_)) => Check::Record.unknown(first_line(&why)),
    }
}

/// The hash of the readings by a manifest of the same ended run that does not agree. What has ended never changes. A manifest
/// of another version has the hash of another form, which is made again from the store.
fn other_readings(store: &Store, entry: &RunEntry, version: u64) -> Result<Option<String>, export::Error> {
    let mut expected = BTreeMap::from([(version, Some(entry.readings_sha256.clone()))]);
    for manifest in store.manifests(entry.run)?.iter().filter_map(|text| parse(text, "").ok()) {
        if let Entry::Vacant(missing) = expected.entry(manifest.version) {
            missing.insert(match store.run(Some(entry.run)) {
                Ok(run) => Some(CanonicalForm::of_run(store, &run, manifest.version)?.sha256),
                Err(store::Error::NoRun(..)) => None,
                Err(why) => return Err(why.into()),
            });
        }
        let Some(Some(expected)) = expected.get(&manifest.version) else { continue };
        let is_other = |other: &RunEntry| {
            other.run == entry.run && other.is_ended_as(entry) && other.readings_sha256 != *expected
        };
        if let Some(other) = manifest.runs.into_iter().find(is_other) {
            return Ok(Some(other.readings_sha256));
        }
    }
    Ok(None)
}

/// Why the chain can't be followed.
enum ChainError {
    /// A link is not as the one after it names it.
    Broken(String),
    Store(store::Error),
}

impl From<store::Error> for ChainError {
    fn from(why: store::Error) -> Self {
        Self::Store(why)
    }
}

/// Back from the run to the first manifest of the store, each held against the hash that the one after it names.
fn chain(store: &Store, entry: &RunEntry) -> Result<String, ChainError> {
    let (mut run, mut named, mut before) = (entry.run, entry.previous.clone(), 0_u64);
    loop {
        let stored = PreviousManifest::from_store(store, run)?;
        if named != stored {
            let show = |previous: &Option<PreviousManifest>| match previous {
                None => "none".to_owned(),
                Some(PreviousManifest { run, sha256 }) => format!("that of run {run} ({sha256})"),
            };
            let (named, stored) = (show(&named), show(&stored));
            return Err(ChainError::Broken(format!(
                "the manifest of run {run} names {named} as the previous manifest, but the run database has {stored}"
            )));
        }
        let Some(previous) = &named else {
            return Ok(match before {
                0 => format!("run {} has the first manifest in the run database", entry.run),
                1 => format!("1 earlier manifest, of run {run}"),
                _ => format!("{before} earlier manifests, back to run {run}"),
            });
        };
        let manifest = previous_manifest(store, previous)?;
        run = previous.run;
        before += 1;
        let expected = PreviousManifest::from_store(store, run)?;
        // One manifest may be of several stores, whose runs may have the same numbers.
        let mut own = manifest.runs.iter().filter(|entry| entry.run == run).map(|entry| &entry.previous);
        let Some(link) = own.clone().find(|named| **named == expected).or_else(|| own.next()) else {
            return Err(ChainError::Broken(format!(
                "the recorded manifest of run {run} belongs to another run"
            )));
        };
        named.clone_from(link);
    }
}

fn previous_manifest(
    store: &Store,
    PreviousManifest { run, sha256 }: &PreviousManifest,
) -> Result<Manifest, ChainError> {
    let name = format!("the recorded manifest of run {run}");
    let text = store.manifest(*run, sha256)?.unwrap_or_default();
    if crate::digest::sha256(text.as_bytes()) != *sha256 {
        return Err(ChainError::Broken(format!("{name} does not match its hash")));
    }
    parse(&text, &name).map_err(|why| ChainError::Broken(why.message))
}

/// What happened, without the advice that goes with an error that ends the program.
fn first_line(why: &(impl std::fmt::Display + ?Sized)) -> String {
    why.to_string().lines().next().unwrap_or_default().to_owned()
}
