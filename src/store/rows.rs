//! From the rows of the tables to the model.

use chrono::{DateTime, Utc};
use rusqlite::Row;

use super::Run;
use crate::model::{Line, Origin, Outcome, PersonalKey, ReadStatus, Suffix, User, UserResult};

pub(super) fn instant(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

pub(super) fn time_of(row: &Row, column: &str) -> rusqlite::Result<Option<DateTime<Utc>>> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(instant))
}

/// A column that holds one of our own words.
pub(super) fn word_of<T: std::str::FromStr<Err = String>>(row: &Row, column: &str) -> rusqlite::Result<T> {
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

pub(super) fn run_of(row: &Row) -> rusqlite::Result<Run> {
    let settings: String = row.get("settings")?;
    Ok(Run {
        id: row.get("id")?,
        deployment: row.get("deployment")?,
        address: row.get("address")?,
        product: word_of(row, "product")?,
        service_version: row.get("service_version")?,
        credential: row.get("credential")?,
        clock_skew: row.get("clock_skew")?,
        started_at: time_of(row, "started_at")?.unwrap_or_default(),
        finished_at: time_of(row, "finished_at")?,
        tool_version: row.get("tool_version")?,
        settings: serde_json::from_str(&settings).map_err(|why| invalid(row, "settings", why))?,
    })
}

pub(super) fn user_of(row: &Row) -> rusqlite::Result<User> {
    let line = match (row.get::<_, Option<String>>("list")?, row.get::<_, Option<i64>>("line")?) {
        (Some(list), Some(number)) => Some(Line { list: list.into(), number: number.cast_unsigned() }),
        _ => None,
    };
    let organization = row.get::<_, Option<String>>("organization")?.map(Into::into);
    Ok(User {
        id: row.get("user_id")?,
        username: row.get("username")?,
        origin: Origin { organization, line },
    })
}

pub(super) fn outcome_of(row: &Row) -> rusqlite::Result<Outcome> {
    Ok(Outcome {
        status: word_of(row, "status")?,
        http_status: row.get("http_status")?,
        error_code: row.get("error_code")?,
        detail: row.get("detail")?,
    })
}

pub(super) fn reading_of(row: &Row) -> rusqlite::Result<(i64, UserResult)> {
    let user = user_of(row)?;
    let open = row.get_ref("status")? == rusqlite::types::ValueRef::Null;
    let outcome = if open {
        Outcome::unread(ReadStatus::Error, None, "never asked: the run ended before")
    } else {
        outcome_of(row)?
    };
    let reading = UserResult {
        user,
        keys: Vec::new(),
        outcome,
        attempts: row.get("attempts")?,
        read_at: time_of(row, "read_at")?,
    };
    Ok((row.get("id")?, reading))
}

/// By position, since looking up nine names a row is a twentieth of a report.
pub(super) const KEYS_OF_A_READING: &str =
    "SELECT key_id, suffix, description, enabled, created_at, last_used, used_count, auditing
    FROM keys WHERE reading = ? ORDER BY created_at, key_id";

pub(super) fn key_of(row: &Row) -> rusqlite::Result<PersonalKey> {
    let time = |at| row.get::<_, Option<i64>>(at).map(|seconds| seconds.and_then(instant));
    Ok(PersonalKey {
        id: row.get(0)?,
        suffix: row.get_ref(1)?.as_str_or_null()?.and_then(Suffix::of),
        description: row.get(2)?,
        enabled: row.get(3)?,
        created_at: time(4)?,
        last_used: time(5)?,
        used_count: row.get::<_, Option<i64>>(6)?.map(i64::cast_unsigned),
        auditing: row.get(7)?,
    })
}
