//! The fields of a row of `locations.csv`. The names are a public contract.

use serde::Serialize;

use super::{LocateReport, LocationRow, UnsearchedRow};
use crate::model::rfc3339;
use crate::place::{Class, State};
use crate::policy::{Action, Severity};

/// The fields, in the order of the columns: new ones are only appended. `T` is foreign text.
#[derive(Debug, Default, Serialize)]
pub(super) struct Record<'a, T = &'a str> {
    deployment: T,
    key_id: Option<T>,
    key_suffix: Option<&'a str>,
    username: Option<T>,
    pub(super) description: Option<T>,
    severity: Option<Severity>,
    action: Option<Action>,
    class: Option<Class>,
    state: Option<State>,
    repository: T,
    path: T,
    member: Option<T>,
    line: Option<u64>,
    column: Option<u64>,
    encoding: Option<&'a str>,
    first_commit: Option<&'a str>,
    first_date: Option<String>,
    first_author: Option<T>,
    last_commit: Option<&'a str>,
    versions: Option<u64>,
}

impl<'a, T: From<&'a str> + Default> Record<'a, T> {
    pub(super) fn new(report: &'a LocateReport, row: &'a LocationRow) -> Self {
        let LocationRow { key, place, .. } = row;
        Self {
            deployment: T::from(key.map_or(report.scope.deployment, |key| &key.deployment)),
            key_id: key.map(|key| T::from(&key.id)),
            key_suffix: Some(place.suffix.as_str()),
            username: key.map(|key| T::from(&key.username)),
            description: key.map(|key| T::from(&key.description)),
            severity: key.map(|key| key.severity),
            action: key.map(|key| key.action),
            class: Some(place.class),
            state: Some(place.state),
            repository: T::from(&place.repository),
            path: T::from(&place.path),
            member: text(&place.member),
            line: place.line,
            column: place.column,
            encoding: Some(&place.encoding),
            first_commit: place.first.as_ref().map(|commit| &*commit.id),
            first_date: place.first.as_ref().map(|commit| rfc3339(commit.date)),
            first_author: place.first.as_ref().map(|commit| T::from(&commit.author)),
            last_commit: place.last_commit.as_deref(),
            versions: place.versions,
        }
    }

    /// Of what was not searched: it has no class, and `reason` is in the description.
    pub(super) fn of_unsearched(report: &'a LocateReport, row: &'a UnsearchedRow, reason: &'a str) -> Self {
        let unsearched = row.unsearched;
        Self {
            deployment: T::from(report.scope.deployment),
            description: text(reason),
            repository: T::from(&unsearched.repository),
            path: T::from(&unsearched.path),
            member: text(&unsearched.member),
            ..Self::default()
        }
    }
}

fn text<'a, T: From<&'a str>>(text: &'a str) -> Option<T> {
    Some(text).filter(|text| !text.is_empty()).map(T::from)
}
