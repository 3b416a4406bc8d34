//! Between the rows of the tables and the model.

use std::num::NonZeroU64;

use chrono::{DateTime, Utc};
use rusqlite::{Row, Statement, params};
use serde::Serialize;

use crate::model::{
    IncompleteList, ListLine, Membership, Organization, OrganizationResult, Origin, Outcome, PersonalKey,
    ReadStatus, Suffix, User,
};
use crate::output::add_json;

/// In SQL, whether a key or membership is between those of the first and of the last result of run `?1`. Among them may be
/// some of another run that began before this one was resumed.
pub(super) const IS_IN_RANGE: &str =
    "reading BETWEEN (SELECT min(id) FROM readings INDEXED BY readings_of_run WHERE run = ?1)
         AND (SELECT max(id) FROM readings INDEXED BY readings_of_run WHERE run = ?1)";

pub(super) fn instant(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

pub(super) fn time_at(row: &Row, column: &str) -> rusqlite::Result<Option<DateTime<Utc>>> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(instant))
}

/// A column that holds one of our own words.
pub(super) fn word_at<T: std::str::FromStr<Err = String>>(row: &Row, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|why: String| invalid(row, column, why))
}

pub(super) fn invalid(
    row: &Row,
    column: &str,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    let index = row.as_ref().column_index(column).unwrap_or_default();
    rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, why.into())
}

/// A user without the lists that show him.
pub(super) fn user_from(row: &Row) -> rusqlite::Result<User> {
    // 0 is the line of a list that has none of its own.
    let line = match (row.get::<_, Option<String>>("list")?, row.get::<_, Option<i64>>("line")?) {
        (Some(list), Some(number)) => {
            Some(ListLine { list: list.into(), number: NonZeroU64::new(number.cast_unsigned()) })
        }
        _ => None,
    };
    let origin = Origin { memberships: Vec::new(), line };
    let id = Some(row.get("user_id")?).filter(|id: &String| !id.is_empty());
    Ok(User { id, username: row.get("username")?, origin })
}

pub(super) fn outcome_from(row: &Row) -> rusqlite::Result<Outcome> {
    Ok(Outcome {
        status: word_at(row, "status")?,
        http_status: row.get("http_status")?,
        error_code: row.get("error_code")?,
        detail: row.get("detail")?,
    })
}

/// From the columns scope, id, roles and ids of teams.
pub(super) fn membership_from(row: &Row) -> rusqlite::Result<Membership> {
    let text = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from);
    Ok(Membership {
        scope: row.get_ref(0)?.as_str()?.parse().map_err(|why: String| invalid(row, "scope", why))?,
        id: row.get(1)?,
        roles: text(2)?.map(serde_json::from_str).transpose().map_err(|why| invalid(row, "roles", why))?,
        team_ids: text(3)?
            .map(serde_json::from_str)
            .transpose()
            .map_err(|why| invalid(row, "team_ids", why))?,
    })
}

/// Roles or ids of teams, as [`membership_from`] reads them.
pub(super) fn json<T: Serialize>(value: Option<&T>) -> rusqlite::Result<Option<String>> {
    let wrong = |why: Box<dyn std::error::Error + Send + Sync>| rusqlite::Error::ToSqlConversionFailure(why);
    let Some(value) = value else { return Ok(None) };
    let mut json = Vec::new();
    add_json(&mut json, value).map_err(|why| wrong(why.into()))?;
    String::from_utf8(json).map(Some).map_err(|why| wrong(why.into()))
}

pub(super) fn organization_from(row: &Row) -> rusqlite::Result<OrganizationResult> {
    let organization =
        Organization { id: row.get("org_id")?, name: row.get("name")?, is_deleted: row.get("is_deleted")? };
    let outcome = if row.get_ref("status")? == rusqlite::types::ValueRef::Null {
        Outcome::unread(ReadStatus::Error, None, "its users were not listed: the run ended earlier")
    } else {
        outcome_from(row)?
    };
    Ok(OrganizationResult { organization, outcome })
}

pub(super) const INSERT_INCOMPLETE_LIST: &str =
    "INSERT INTO gaps (run, source, org_id, status, http_status, error_code, detail) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING";

pub(super) fn insert_incomplete_list(
    statement: &mut Statement,
    run: i64,
    list: &IncompleteList,
) -> rusqlite::Result<()> {
    let IncompleteList { source, org_id, outcome } = list;
    let Outcome { status, http_status, error_code, detail } = outcome;
    let status = status.as_str();
    statement.execute(params![run, source, org_id, status, http_status, error_code, detail]).map(drop)
}

/// The columns of a key in the order of the table, for [`insert_key`].
pub(super) const INSERT_KEY: &str = "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

pub(super) fn insert_key(statement: &mut Statement, result: i64, key: &PersonalKey) -> rusqlite::Result<()> {
    statement.execute(params![
        result,
        key.id,
        key.suffix.as_ref().map(Suffix::as_str),
        key.description,
        key.enabled,
        key.created_at.map(|time| time.timestamp()),
        key.last_used.map(|time| time.timestamp()),
        key.used_count.map(u64::cast_signed),
        key.auditing,
    ])?;
    Ok(())
}
