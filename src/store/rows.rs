//! Between the rows of the tables and the model.

use std::num::NonZeroU64;

use chrono::{DateTime, Utc};
use rusqlite::{Row, Statement, params};

use crate::model::{ListLine, Origin, Outcome, PersonalKey, ReadStatus, Suffix, User, UserResult};

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

pub(super) fn user_from(row: &Row) -> rusqlite::Result<User> {
    // 0 is the line of a list that has none of its own.
    let line = match (row.get::<_, Option<String>>("list")?, row.get::<_, Option<i64>>("line")?) {
        (Some(list), Some(number)) => {
            Some(ListLine { list: list.into(), number: NonZeroU64::new(number.cast_unsigned()) })
        }
        _ => None,
    };
    let organization = row.get::<_, Option<String>>("organization")?.map(Into::into);
    Ok(User {
        id: row.get("user_id")?,
        username: row.get("username")?,
        origin: Origin { organization, line },
    })
}

pub(super) fn outcome_from(row: &Row) -> rusqlite::Result<Outcome> {
    Ok(Outcome {
        status: word_at(row, "status")?,
        http_status: row.get("http_status")?,
        error_code: row.get("error_code")?,
        detail: row.get("detail")?,
    })
}

/// The id of the row, and the result without its keys.
pub(super) fn result_from(row: &Row) -> rusqlite::Result<(i64, UserResult)> {
    let user = user_from(row)?;
    let open = row.get_ref("status")? == rusqlite::types::ValueRef::Null;
    let outcome = if open {
        Outcome::unread(ReadStatus::Error, None, "never asked: the run ended before")
    } else {
        outcome_from(row)?
    };
    let result = UserResult {
        user,
        keys: Vec::new(),
        outcome,
        attempts: row.get("attempts")?,
        read_at: time_at(row, "read_at")?,
    };
    Ok((row.get("id")?, result))
}

/// A run, and the fields of an incomplete list.
pub(super) const INSERT_INCOMPLETE_LIST: &str =
    "INSERT INTO gaps (run, source, status, http_status, error_code, detail) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING";

/// The columns of a key in the order of the table, for [`insert_key`] and [`key_from`]. By position, since looking up nine
/// names a row is a twentieth of a report.
pub(super) const INSERT_KEY: &str = "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
/// See [`INSERT_KEY`].
pub(super) const KEYS_OF_RESULT: &str = "SELECT * FROM keys WHERE reading = ? ORDER BY created_at, key_id";

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

pub(super) fn key_from(row: &Row) -> rusqlite::Result<PersonalKey> {
    let time = |at| row.get::<_, Option<i64>>(at).map(|seconds| seconds.and_then(instant));
    Ok(PersonalKey {
        id: row.get(1)?,
        suffix: row.get_ref(2)?.as_str_or_null()?.and_then(Suffix::from_key),
        description: row.get(3)?,
        enabled: row.get(4)?,
        created_at: time(5)?,
        last_used: time(6)?,
        used_count: row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
        auditing: row.get(8)?,
    })
}
