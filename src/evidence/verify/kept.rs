//! The half of verifying that needs the store: facts, readings, the record of the manifest, and the chain before it.

use std::path::PathBuf;

use serde_json::Value;

use super::{Check, Line, Status, parse};
use crate::evidence::manifest::{self, Facts, Manifest, Previous};
use crate::report::text::shortened;
use crate::store::{self, Run, Store};

/// So much of a value that differs.
const SHOWN: usize = 100;
/// The fields that come from the readings rather than from the run.
const OF_READINGS: [&str; 4] = ["complete", "totals", "readings_sha256", "canonical_bytes"];

/// The lines of all stores, and of each run in the store that has it.
pub(super) fn lines(manifest: &Manifest, sha256: &str, stores: &[PathBuf]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut open = Vec::new();
    for path in stores {
        let name = path.display();
        match Store::open(path) {
            Ok(store) => {
                lines.push(sound(&store, &name.to_string()));
                open.push(store);
            }
            Err(why @ (store::Error::Missing(_) | store::Error::Newer(..) | store::Error::Busy(_))) => {
                lines.push(Line::new(Check::Store, Status::Unknown, first_line(&why)));
            }
            Err(why) => lines.push(Line::new(Check::Store, status(&why), first_line(&why))),
        }
    }
    for facts in &manifest.runs {
        let Some(store) = home(facts, manifest, &open) else {
            let found = format!(
                "{}: without its store neither facts, readings, record nor chain can be checked",
                facts.told()
            );
            lines.push(Line::new(Check::Run, Status::Unknown, found));
            continue;
        };
        lines.extend(run_and_readings(store, facts));
        lines.push(record(store, facts, sha256));
        lines.push(chain(store, facts));
    }
    lines
}

/// What an error says of the store: a broken file is another one than was written, but what can't be read may be fine.
fn status(why: &store::Error) -> Status {
    match why {
        store::Error::Sqlite(_, error) if !store::is_damage(error) => Status::Unknown,
        store::Error::Unwritable(..) => Status::Unknown,
        _ => Status::Differs,
    }
}

/// Which of the stores the run is in: the only one of the only run, or the one where the run of that number is of that deployment.
fn home<'a>(facts: &Facts, manifest: &Manifest, stores: &'a [Store]) -> Option<&'a Store> {
    match (&manifest.runs[..], stores) {
        ([_], [store]) => Some(store),
        _ => stores
            .iter()
            .find(|store| store.run(Some(facts.run)).is_ok_and(|run| run.deployment == facts.deployment)),
    }
}

fn sound(store: &Store, name: &str) -> Line {
    match store.damage() {
        Ok(found) if found.is_empty() => Line::new(Check::Store, Status::Ok, format!("{name}: sound")),
        Ok(found) => {
            Line::new(Check::Store, Status::Differs, format!("{name} is damaged: {}", found.join("; ")))
        }
        Err(why) => Line::new(Check::Store, Status::Differs, first_line(&why)),
    }
}

fn run_and_readings(store: &Store, facts: &Facts) -> Vec<Line> {
    let unreadable = |check, why: &dyn std::fmt::Display| Line::new(check, Status::Differs, first_line(why));
    match store.run(Some(facts.run)) {
        Err(store::Error::NoRun(..)) => {
            let found = format!(
                "{} is no longer in the store, so its facts and readings can't be checked",
                facts.told()
            );
            vec![Line::new(Check::Run, Status::Unknown, found)]
        }
        Err(why) => vec![unreadable(Check::Run, &why)],
        Ok(run) => match differences(store, &run, facts) {
            Err(why) => vec![unreadable(Check::Readings, &why)],
            Ok((of_run, of_readings)) => {
                let (run, hash) = (facts.told(), &facts.readings_sha256);
                let readings = format!("of {run}, SHA-256 {hash}");
                vec![
                    equal_or(Check::Run, &of_run, run.clone(), &run),
                    equal_or(Check::Readings, &of_readings, readings, &run),
                ]
            }
        },
    }
}

fn equal_or(check: Check, differences: &[String], found: String, run: &str) -> Line {
    if differences.is_empty() {
        Line::new(check, Status::Ok, found)
    } else {
        Line::new(check, Status::Differs, format!("{run}: {}", differences.join("; ")))
    }
}

/// Field by field: of the run, and of its readings.
fn differences(
    store: &Store,
    run: &Run,
    said: &Facts,
) -> Result<(Vec<String>, Vec<String>), crate::evidence::export::Error> {
    // What is no fact of the store is taken over, so that it can't differ: the chain is looked at by itself.
    let mut kept = Facts::of(store, run, said.judged_by.clone())?;
    kept.previous.clone_from(&said.previous);
    let json = |facts| serde_json::to_value(facts).map_err(std::io::Error::from);
    let (said, kept) = (json(said)?, json(&kept)?);
    let (mut of_run, mut of_readings) = (Vec::new(), Vec::new());
    let show = |value: &Value| shortened(&value.to_string(), SHOWN);
    for (field, said) in said.as_object().into_iter().flatten() {
        let kept = &kept[field];
        if said != kept {
            let found = format!("{field} is {} in the manifest, and {} in the store", show(said), show(kept));
            if OF_READINGS.contains(&field.as_str()) { &mut of_readings } else { &mut of_run }.push(found);
        }
    }
    Ok((of_run, of_readings))
}

/// Whether the store knows this very manifest.
fn record(store: &Store, facts: &Facts, sha256: &str) -> Line {
    let run = facts.told();
    match store.manifest(facts.run, sha256).and_then(|known| Ok((known, other_readings(store, facts)?))) {
        Ok((_, Some(other))) => Line::new(
            Check::Record,
            Status::Differs,
            format!(
                "an earlier manifest of {run}, which had ended by then, names other readings ({other}): they were changed since"
            ),
        ),
        Ok((Some(_), None)) => {
            Line::new(Check::Record, Status::Ok, format!("the store knows this manifest of {run}"))
        }
        Ok((None, None)) => Line::new(
            Check::Record,
            Status::Differs,
            format!(
                "the store knows no such manifest of {run}: it was changed, or made of another store, or could not be recorded"
            ),
        ),
        Err(why) => Line::new(Check::Record, status(&why), first_line(&why)),
    }
}

/// The hash of the readings by a manifest of the same ended run that does not agree. What has ended never changes.
fn other_readings(store: &Store, facts: &Facts) -> Result<Option<String>, store::Error> {
    let documents = store.manifests(facts.run)?;
    let of_run = documents.iter().filter_map(|text| parse(text, "").ok());
    let mut others = of_run.flat_map(|manifest| manifest.runs).filter(|other| {
        other.run == facts.run && other.is_ended_as(facts) && other.readings_sha256 != facts.readings_sha256
    });
    Ok(others.next().map(|other| other.readings_sha256))
}

/// Back from the run to the first manifest of the store, each held against the hash that the one after it names.
fn chain(store: &Store, facts: &Facts) -> Line {
    match walk(store, facts) {
        Ok(Ok(found)) => Line::new(Check::Chain, Status::Ok, found),
        Ok(Err(found)) => Line::new(Check::Chain, Status::Differs, found),
        Err(why) => Line::new(Check::Chain, status(&why), first_line(&why)),
    }
}

fn walk(store: &Store, facts: &Facts) -> Result<Result<String, String>, store::Error> {
    let (mut run, mut named, mut before) = (facts.run, facts.previous.clone(), 0_u64);
    loop {
        let kept = Previous::of(store, run)?;
        if named != kept {
            let show = |previous: &Option<Previous>| match previous {
                None => "none".to_owned(),
                Some(Previous { run, sha256 }) => format!("that of run {run} ({sha256})"),
            };
            let (named, kept) = (show(&named), show(&kept));
            return Ok(Err(format!(
                "the manifest of run {run} names as the one before it {named}; the store has {kept}"
            )));
        }
        let Some(previous) = named else {
            return Ok(Ok(match before {
                0 => format!("run {} is the first that the store has a manifest of", facts.run),
                1 => format!("1 manifest before, of run {run}"),
                _ => format!("{before} manifests before, back to run {run}"),
            }));
        };
        let text = store.manifest(previous.run, &previous.sha256)?.unwrap_or_default();
        if manifest::sha256(&text) != previous.sha256 {
            return Ok(Err(format!(
                "the manifest of run {} in the store is not the one of its hash",
                previous.run
            )));
        }
        let manifest = match parse(&text, &format!("the manifest of run {} in the store", previous.run)) {
            Ok(manifest) => manifest,
            Err(why) => return Ok(Err(why.message)),
        };
        run = previous.run;
        before += 1;
        let expected = Previous::of(store, run)?;
        // One manifest may be of several stores, whose runs may have the same numbers.
        let mut own = manifest.runs.iter().filter(|facts| facts.run == run).map(|facts| &facts.previous);
        named = match own.clone().find(|named| **named == expected).or_else(|| own.next()) {
            Some(named) => named.clone(),
            None => {
                return Ok(Err(format!("what the store has as the manifest of run {run} is of another run")));
            }
        };
    }
}

/// What happened, without the advice that goes with an error that ends the program.
fn first_line(why: &(impl std::fmt::Display + ?Sized)) -> String {
    why.to_string().lines().next().unwrap_or_default().to_owned()
}
