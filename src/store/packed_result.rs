//! The result of a user as bytes, with its keys and memberships: the columns of their rows, by position. So results are
//! sorted on disk, and columns are not looked up by name, which would be a tenth of a report.

use std::cmp::Ordering;
use std::io;
use std::num::NonZeroU64;

use chrono::{DateTime, Utc};
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{CachedStatement, Connection, Row, Rows, Statement};
use serde::de::DeserializeOwned;

use super::rows::{IS_IN_RANGE, instant};
use crate::model::{
    ListLine, Membership, Origin, Outcome, PersonalKey, ReadStatus, Suffix, User, UserResult,
};
use crate::packed::{Packed, damaged, pack_bytes, pack_number};

/// Begins a query whose rows [`ResultParts::pack`] takes.
pub(super) const RESULTS: &str =
    "SELECT id, user_id, username, list, line, status, http_status, error_code, detail,
     attempts, read_at FROM readings";
/// Packs results of a run database.
pub(super) struct ResultPacker<'c> {
    keys: CachedStatement<'c>,
    memberships: CachedStatement<'c>,
}

impl<'c> ResultPacker<'c> {
    /// For the results of a run.
    pub(super) fn of_run(connection: &'c Connection) -> rusqlite::Result<Self> {
        Self::new(connection, IS_IN_RANGE)
    }

    /// For a single result.
    pub(super) fn of_result(connection: &'c Connection) -> rusqlite::Result<Self> {
        Self::new(connection, "reading = ?1")
    }

    fn new(connection: &'c Connection, which: &str) -> rusqlite::Result<Self> {
        let keys = format!(
            "SELECT reading, key_id, suffix, description, enabled, created_at, last_used, used_count, auditing
             FROM keys WHERE {which} ORDER BY reading"
        );
        // The order of the primary key is that of the model.
        let memberships = format!(
            "SELECT reading, scope, id, roles, team_ids FROM memberships WHERE {which} ORDER BY reading, scope, id"
        );
        let prepare = |query: &str| connection.prepare_cached(query);
        Ok(Self { keys: prepare(&keys)?, memberships: prepare(&memberships)? })
    }

    /// Begins to read what belongs to the run or the result of this id.
    pub(super) fn read(&mut self, id: i64) -> rusqlite::Result<ResultParts<'_>> {
        Ok(ResultParts([Parts::new(&mut self.keys, id)?, Parts::new(&mut self.memberships, id)?]))
    }
}

/// The keys and the memberships of results, each table read once from one end to the other: to look them up for one user after
/// the other would take twice as long.
pub(super) struct ResultParts<'s>([Parts<'s>; 2]);

impl ResultParts<'_> {
    /// Packs a row of [`RESULTS`] in place of what is in `record`, with what belongs to it. The ids of the rows ascend.
    pub(super) fn pack(&mut self, row: &Row, record: &mut Vec<u8>) -> rusqlite::Result<()> {
        record.clear();
        pack_columns(row, 1, record)?;
        let id = row.get(0)?;
        self.0.iter_mut().try_for_each(|parts| parts.pack(id, record))
    }
}

/// Rows of a table, in the order of the results to which they belong.
struct Parts<'s>(Rows<'s>);

impl<'s> Parts<'s> {
    fn new(statement: &'s mut Statement, id: i64) -> rusqlite::Result<Self> {
        let mut rows = statement.query([id])?;
        rows.advance()?;
        Ok(Self(rows))
    }

    /// Packs the rows of a result, and passes those of results before it, which are of other runs.
    fn pack(&mut self, result: i64, record: &mut Vec<u8>) -> rusqlite::Result<()> {
        while let Some(row) = self.0.get() {
            match row.get::<_, i64>(0)?.cmp(&result) {
                Ordering::Less => {}
                Ordering::Equal => {
                    pack_number(record, Some(1));
                    pack_columns(row, 1, record)?;
                }
                Ordering::Greater => break,
            }
            self.0.advance()?;
        }
        pack_number(record, None);
        Ok(())
    }
}

/// All columns from one on.
fn pack_columns(row: &Row, first: usize, record: &mut Vec<u8>) -> rusqlite::Result<()> {
    for column in first..row.as_ref().column_count() {
        match row.get_ref(column)? {
            ValueRef::Null => pack_number(record, None),
            ValueRef::Integer(number) => pack_number(record, Some(number)),
            ValueRef::Text(text) => pack_bytes(record, Some(text)),
            // The tables have no such columns.
            ValueRef::Real(_) | ValueRef::Blob(_) => return Err(wrong(damaged())),
        }
    }
    Ok(())
}

/// Reads what [`ResultParts::pack`] packed.
pub(super) fn unpack_result(record: &[u8]) -> rusqlite::Result<UserResult> {
    let mut columns = Columns(Packed(record));
    let id = Some(columns.text()?).filter(|id| !id.is_empty());
    let username = columns.optional_text()?;
    // 0 is the line of a list that has none of its own.
    let line = match (columns.optional_text()?, columns.number()?) {
        (Some(list), Some(number)) => {
            Some(ListLine { list: list.into(), number: NonZeroU64::new(number.cast_unsigned()) })
        }
        _ => None,
    };
    let outcome = columns.outcome()?;
    let attempts = columns.number()?.and_then(|attempts| u32::try_from(attempts).ok());
    let read_at = columns.time()?;
    let mut keys = columns.rows(Columns::key)?;
    keys.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
    let memberships = columns.rows(Columns::membership)?;
    let user = User { id, username, origin: Origin { memberships, line } };
    Ok(UserResult { user, keys, outcome, attempts: attempts.ok_or_else(|| wrong(damaged()))?, read_at })
}

/// Columns that were packed and not read yet.
struct Columns<'a>(Packed<'a>);

impl<'a> Columns<'a> {
    fn rows<T>(&mut self, row: impl Fn(&mut Self) -> rusqlite::Result<T>) -> rusqlite::Result<Vec<T>> {
        let mut rows = Vec::new();
        while self.number()?.is_some() {
            rows.push(row(self)?);
        }
        Ok(rows)
    }

    fn key(&mut self) -> rusqlite::Result<PersonalKey> {
        Ok(PersonalKey {
            id: self.text()?,
            suffix: self.text_ref()?.and_then(Suffix::from_key),
            description: self.text()?,
            enabled: self.truth()?,
            created_at: self.time()?,
            last_used: self.time()?,
            used_count: self.number()?.map(i64::cast_unsigned),
            auditing: self.truth()?.unwrap_or_default(),
        })
    }

    fn membership(&mut self) -> rusqlite::Result<Membership> {
        let scope = self.text_ref()?.unwrap_or_default();
        Ok(Membership {
            scope: scope.parse().map_err(|why: String| wrong(why))?,
            id: self.text()?,
            roles: self.json()?,
            team_ids: self.json()?,
        })
    }

    fn outcome(&mut self) -> rusqlite::Result<Outcome> {
        let status = self.text_ref()?.map(str::parse).transpose().map_err(|why: String| wrong(why))?;
        let (http_status, error_code, detail) =
            (self.number()?, self.optional_text()?, self.optional_text()?);
        let Some(status) = status else {
            return Ok(Outcome::unread(ReadStatus::Error, None, "not requested: the run ended earlier"));
        };
        let http_status = http_status.map(u16::try_from).transpose().map_err(wrong)?;
        Ok(Outcome { status, http_status, error_code, detail })
    }

    /// JSON that this program wrote; `None` where there is none.
    fn json<T: DeserializeOwned>(&mut self) -> rusqlite::Result<Option<T>> {
        self.text_ref()?.map(serde_json::from_str).transpose().map_err(wrong)
    }

    fn number(&mut self) -> rusqlite::Result<Option<i64>> {
        self.0.number().map_err(wrong)
    }

    fn truth(&mut self) -> rusqlite::Result<Option<bool>> {
        self.number().map(|number| number.map(|number| number != 0))
    }

    fn time(&mut self) -> rusqlite::Result<Option<DateTime<Utc>>> {
        self.number().map(|seconds| seconds.and_then(instant))
    }

    fn text_ref(&mut self) -> rusqlite::Result<Option<&'a str>> {
        self.0.text().map_err(wrong)
    }

    fn optional_text(&mut self) -> rusqlite::Result<Option<String>> {
        self.text_ref().map(|text| text.map(str::to_owned))
    }

    /// Of a column that is never empty.
    fn text(&mut self) -> rusqlite::Result<String> {
        self.optional_text().map(Option::unwrap_or_default)
    }
}

fn wrong(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, why.into())
}

/// Bytes by whose order users are sorted by (username, user id), with a user without a name first.
pub(super) fn rank(record: &[u8]) -> io::Result<Vec<u8>> {
    let mut columns = Packed(record);
    let (id, name) = (columns.bytes()?.unwrap_or_default(), columns.bytes()?.unwrap_or_default());
    let mut rank = Vec::with_capacity(id.len() + name.len() + 2);
    for (at, part) in name.split(|byte| *byte == 0).enumerate() {
        // A 0 in a name comes before all other bytes, and behind the end of the name.
        rank.extend_from_slice(if at == 0 { &[] } else { &[0, 1] });
        rank.extend_from_slice(part);
    }
    rank.extend_from_slice(&[0, 0]);
    rank.extend_from_slice(id);
    Ok(rank)
}
