//! `locations.md`: for the person who changes the scripts. The section "Where it sits" is the one of the audit's report.

use std::io::{self, Write as _};

use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::{LocateReport, LocatedKey, LocationRow, not_searched, unsearched_label};
use crate::output::OutputFile;
use crate::place::{Class, Place};
use crate::policy::Severity;
use crate::report::formats::markdown::locations;

/// Maximum keys. All of them are in the CSV.
pub(in crate::report) const KEYS: usize = 200;
/// Maximum places of a key.
const PLACES: usize = 20;

/// A key and its places.
#[derive(Serialize)]
pub(in crate::report) struct KeyPlaces<'a> {
    pub(in crate::report) key_id: &'a str,
    pub(in crate::report) key_suffix: &'a str,
    pub(in crate::report) username: &'a str,
    pub(in crate::report) description: &'a str,
    pub(in crate::report) severity: Severity,
    pub(in crate::report) count: usize,
    pub(in crate::report) live: usize,
    pub(in crate::report) places: Vec<PlaceRow<'a>>,
}

/// A row of its table.
#[derive(Serialize)]
pub(in crate::report) struct PlaceRow<'a> {
    state: &'static str,
    is_live: bool,
    repository: &'a str,
    place: String,
    encoding: &'a str,
    first_commit: &'a str,
    first_author: &'a str,
    context: &'a str,
    is_waived: bool,
}

impl<'a> PlaceRow<'a> {
    fn new(place: &'a Place) -> Self {
        let first = place.first.as_ref();
        Self {
            state: place.state.as_str(),
            is_live: place.state.is_live(),
            repository: &place.repository,
            place: place.label(),
            encoding: &place.encoding,
            first_commit: first.map_or("", |commit| &commit.id),
            first_author: first.map_or("", |commit| &commit.author),
            context: "",
            is_waived: false,
        }
    }
}

impl<'a> KeyPlaces<'a> {
    /// Of a key that is filled in; live places first.
    pub(in crate::report) fn of_places(places: impl IntoIterator<Item = &'a Place>) -> Self {
        Self::of_rows(places.into_iter().map(PlaceRow::new).collect())
    }

    fn of_rows(mut rows: Vec<PlaceRow<'a>>) -> Self {
        rows.sort_by_key(|row| !row.is_live);
        let (count, live) = (rows.len(), rows.iter().filter(|row| row.is_live).count());
        rows.truncate(PLACES);
        let severity = Severity::Info;
        Self {
            key_id: "",
            key_suffix: "",
            username: "",
            description: "",
            severity,
            count,
            live,
            places: rows,
        }
    }

    fn new(key: &'a LocatedKey, rows: &[&'a LocationRow]) -> Self {
        let place = |row: &&'a LocationRow| PlaceRow {
            context: row.context.unwrap_or_default(),
            is_waived: row.is_waived(),
            ..PlaceRow::new(row.place)
        };
        let LocatedKey { id, suffix, username, description, severity, .. } = key;
        let key_suffix = suffix.as_str();
        let rows = Self::of_rows(rows.iter().map(place).collect());
        Self { key_id: id, key_suffix, username, description, severity: *severity, ..rows }
    }
}

pub(super) fn write(report: &LocateReport, mut file: OutputFile) -> io::Result<OutputFile> {
    file.write_all(page(report)?.as_bytes())?;
    Ok(file)
}

/// The page.
pub(super) fn page(report: &LocateReport) -> io::Result<String> {
    let mut keys = report.with_places();
    let found = keys.len();
    keys.truncate(KEYS);
    let keys: Vec<_> = keys.iter().map(|(key, rows)| KeyPlaces::new(key, rows)).collect();
    let nowhere = report.nowhere();
    let unsearched = report.unsearched.iter().take(KEYS).map(|row| {
        let is_waived = row.is_waived();
        context! { name => unsearched_label(row.unsearched), why => not_searched(row.unsearched.why), is_waived }
    });
    let of = |class| report.rows.iter().filter(|row| row.place.class == class).count();
    let page = context! {
        deployment => report.deployment,
        keys_from => &report.keys_from,
        roots => &report.roots,
        excluded => report.excluded.to_vec(),
        history => report.history,
        archives => report.archives,
        complete => report.unknown_keys.is_empty() && report.unsearched.is_empty(),
        unknown_keys => &report.unknown_keys,
        searched_keys => report.keys.len(),
        found,
        located => Serde(&keys),
        nowhere => nowhere.iter().take(KEYS).map(|key| self::key(key)).collect::<Value>(),
        nowhere_count => nowhere.len(),
        unsearched => unsearched.collect::<Value>(),
        unsearched_count => report.unsearched.len(),
        files => report.files,
        objects => report.objects,
        links_outside => report.links_outside,
        places => of(Class::Key),
        live => report.key_rows().filter(|row| row.place.state.is_live()).count(),
        new_keys => of(Class::NewKey),
        strangers => of(Class::Stranger),
        findings => report.findings(),
        fail_on => report.fail_on.as_str(),
    };
    locations(page)
}

fn key(key: &LocatedKey) -> Value {
    context! {
        key_id => &key.id,
        key_suffix => key.suffix.as_str(),
        username => &key.username,
        description => &key.description,
        severity => key.severity.as_str(),
    }
}
