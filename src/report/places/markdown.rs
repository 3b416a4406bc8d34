//! `locations.md`: for the person who changes the scripts. The section "Where it sits" is the one of the audit's report.

use std::io::{self, Write as _};

use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::summary::{KEYS, KeyWithPlaces, ShownPlace};
use super::{LocateReport, LocatedKey, not_searched, unsearched_label};
use crate::output::OutputFile;
use crate::place::Place;
use crate::policy::Severity;
use crate::report::formats::markdown::locations;
use crate::store::PlaceCounts;

/// A key and its places.
#[derive(Serialize)]
pub(in crate::report) struct KeyPlaces<'a> {
    pub(in crate::report) key_id: &'a str,
    pub(in crate::report) key_suffix: &'a str,
    pub(in crate::report) username: &'a str,
    pub(in crate::report) description: &'a str,
    pub(in crate::report) severity: Severity,
    pub(in crate::report) count: u64,
    pub(in crate::report) live: u64,
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
    /// Of a key that is filled in, with its first places.
    pub(in crate::report) fn of_places(places: &'a [Place], counts: PlaceCounts) -> Self {
        Self {
            key_id: "",
            key_suffix: "",
            username: "",
            description: "",
            severity: Severity::Info,
            count: counts.all,
            live: counts.live,
            places: places.iter().map(PlaceRow::new).collect(),
        }
    }

    fn new(it: &'a KeyWithPlaces) -> Self {
        let KeyWithPlaces { key, count, live, places } = it;
        let row = |shown: &'a ShownPlace| PlaceRow {
            context: shown.context.as_deref().unwrap_or_default(),
            is_waived: shown.is_waived,
            ..PlaceRow::new(&shown.place)
        };
        let LocatedKey { id, suffix, username, description, severity, .. } = key;
        Self {
            key_id: id,
            key_suffix: suffix.as_str(),
            username,
            description,
            severity: *severity,
            count: *count,
            live: *live,
            places: places.iter().map(row).collect(),
        }
    }
}

pub(super) fn write(report: &LocateReport, mut file: OutputFile) -> io::Result<OutputFile> {
    file.write_all(page(report)?.as_bytes())?;
    Ok(file)
}

/// The page.
pub(super) fn page(report: &LocateReport) -> io::Result<String> {
    let LocateReport { scope, counts, .. } = report;
    let keys: Vec<_> = report.located.iter().map(KeyPlaces::new).collect();
    let nowhere = report.nowhere();
    let unsearched = report.unsearched.iter().map(|(it, is_waived)| {
        context! { name => unsearched_label(it), why => not_searched(it.why), is_waived }
    });
    let page = context! {
        deployment => scope.deployment,
        keys_from => scope.keys_from,
        roots => &scope.roots,
        excluded => scope.excluded.to_vec(),
        history => scope.history,
        archives => scope.archives,
        complete => report.is_complete(),
        unknown_keys => &scope.unknown_keys,
        searched_keys => report.keys().len(),
        found => counts.found_keys(),
        located => Serde(&keys),
        nowhere => nowhere.iter().take(KEYS).map(|key| self::key(key)).collect::<Value>(),
        nowhere_count => nowhere.len(),
        unsearched => unsearched.collect::<Value>(),
        unsearched_count => counts.unsearched,
        files => scope.files,
        objects => scope.objects,
        links_outside => scope.links_outside,
        places => counts.places(),
        live => counts.live(),
        new_keys => counts.new_keys,
        strangers => counts.strangers,
        findings => counts.findings,
        fail_on => report.rows.fail_on.as_str(),
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
