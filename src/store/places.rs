//! What `locate` found: the newest search of a run counts.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rusqlite::{Row, Statement, ToSql, params};

use super::rows::{invalid, time_at, word_at};
use super::stats::of_run;
use super::{Error, FoundPlaces, Run, Store};
use crate::model::Suffix;
use crate::place::{Class, Commit, Place, State};

/// A search for the keys of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// When it began.
    pub searched_at: DateTime<Utc>,
    /// Whether everything was searched to its end.
    pub is_complete: bool,
    /// The paths that were searched, as they were typed.
    pub roots: Vec<String>,
}

/// How many places of a key a search found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlaceCounts {
    /// All of them.
    pub all: u64,
    /// Those whose scripts break without the key.
    pub live: u64,
}

/// The newest search of a run, and what it counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSearch {
    id: i64,
    /// What was searched.
    pub search: Search,
    counts: HashMap<Suffix, PlaceCounts>,
    /// Keys of the run that the search did not have, such as those that it got when it was resumed.
    unsearched: HashSet<Suffix>,
}

impl StoredSearch {
    /// How many places of a key were found; `None` for a key that was not searched for.
    #[must_use]
    pub fn counts(&self, suffix: Option<&Suffix>) -> Option<PlaceCounts> {
        let suffix = suffix.filter(|suffix| !self.unsearched.contains(suffix))?;
        Some(self.counts.get(suffix).copied().unwrap_or_default())
    }

    /// Whether everything was searched to its end, for all keys of the run whose last digits are known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.search.is_complete && self.unsearched.is_empty()
    }
}

/// The columns of a place, in the order of [`bind_place`].
pub(super) const PLACE_COLUMNS: &str = "suffix, class, state, repository, path, member, line, column, encoding, first_commit, \
    first_date, first_author, last_commit, versions";

/// Sets the parameters of a place from a number on, and gives the number of the next one.
pub(super) fn bind_place(insert: &mut Statement, first: usize, place: &Place) -> rusqlite::Result<usize> {
    let Place { suffix, class, state, repository, path, member, line, column, encoding, .. } = place;
    let commit = place.first.as_ref();
    let columns: [&dyn ToSql; 14] = [
        &suffix.as_str(),
        &class.as_str(),
        &state.as_str(),
        repository,
        path,
        member,
        &line.map(u64::cast_signed),
        &column.map(u64::cast_signed),
        encoding,
        &commit.map(|commit| &commit.id),
        &commit.map(|commit| commit.date.timestamp()),
        &commit.map(|commit| &commit.author),
        &place.last_commit,
        &place.versions.map(u64::cast_signed),
    ];
    for (number, column) in (first..).zip(columns) {
        insert.raw_bind_parameter(number, column)?;
    }
    Ok(first + columns.len())
}

impl Store {
    /// Keeps a search of a run for these keys and what it found, all or nothing. The store was opened for this alone.
    ///
    /// # Errors
    /// What SQLite says, or a store that is write-protected.
    pub fn record_search<'a>(
        &self,
        run: &Run,
        search: &Search,
        keys: impl IntoIterator<Item = &'a Suffix>,
        found: &FoundPlaces,
    ) -> Result<(), Error> {
        self.check_writable()?;
        let wrong = |error| self.sqlite(error);
        let Search { searched_at, is_complete, roots } = search;
        let roots = serde_json::Value::from(roots.as_slice()).to_string();
        self.execute(
            "INSERT INTO searches (run, searched_at, is_complete, roots) VALUES (?, ?, ?, ?)",
            params![run.id, searched_at.timestamp(), is_complete, roots],
        )?;
        let connection = self.connection.borrow();
        let id = connection.last_insert_rowid();
        let query = "INSERT OR IGNORE INTO searched_keys (search, suffix) VALUES (?, ?)";
        let mut insert = connection.prepare(query).map_err(wrong)?;
        for suffix in keys {
            insert.execute(params![id, suffix.as_str()]).map_err(wrong)?;
        }
        let query = format!(
            "INSERT INTO places (search, {PLACE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        );
        let mut insert = connection.prepare(&query).map_err(wrong)?;
        insert.raw_bind_parameter(1, id).map_err(wrong)?;
        found.each(|located| {
            let inserted = bind_place(&mut insert, 2, &located.place).and_then(|_| insert.raw_execute());
            inserted.map(drop).map_err(wrong)
        })?;
        drop(insert);
        connection.execute_batch("COMMIT; BEGIN").map_err(wrong)
    }

    /// The newest search of a run; `None` where `locate` never ran for it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn search(&self, run: &Run) -> Result<Option<StoredSearch>, Error> {
        let query = "SELECT * FROM searches WHERE run = ? ORDER BY id DESC LIMIT 1";
        let found = self.first(query, [run.id], |row| {
            let roots: String = row.get("roots")?;
            let search = Search {
                searched_at: time_at(row, "searched_at")?.unwrap_or_default(),
                is_complete: row.get("is_complete")?,
                roots: serde_json::from_str(&roots).map_err(|why| invalid(row, "roots", why))?,
            };
            Ok((row.get("id")?, search))
        })?;
        let Some((id, search)) = found else { return Ok(None) };
        let query = format!(
            "SELECT suffix, count(*), count(*) FILTER (WHERE {}) FROM places
             WHERE search = ? AND class = '{}' GROUP BY suffix",
            live_states(),
            Class::Key
        );
        let counts = self.all(&query, [id], |row| {
            let number = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
            Ok((suffix_at(row, "suffix")?, PlaceCounts { all: number(1)?, live: number(2)? }))
        })?;
        let query = format!(
            "SELECT DISTINCT suffix FROM {} AND suffix IS NOT NULL AND NOT EXISTS
                 (SELECT 1 FROM searched_keys AS it WHERE search = ?2 AND it.suffix = keys.suffix)",
            of_run("keys")
        );
        let unsearched = self.all(&query, [run.id, id], |row| suffix_at(row, "suffix"))?;
        let (counts, unsearched) = (counts.into_iter().collect(), unsearched.into_iter().collect());
        Ok(Some(StoredSearch { id, search, counts, unsearched }))
    }

    /// Hands over all places that a search found, in the order of `locations.csv`.
    ///
    /// # Errors
    /// What SQLite says, or what `each` returns.
    pub fn all_places(
        &self,
        search: &StoredSearch,
        mut each: impl FnMut(Place) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let wrong = |error| self.sqlite(error);
        let connection = self.connection.borrow();
        let query = "SELECT * FROM places WHERE search = ? ORDER BY rowid";
        let mut places = connection.prepare(query).map_err(wrong)?;
        let mut rows = places.query([search.id]).map_err(wrong)?;
        while let Some(row) = rows.next().map_err(wrong)? {
            each(place_from(row).map_err(wrong)?)?;
        }
        Ok(())
    }

    /// The places of a personal key, in the order of `locations.csv`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn places(&self, search: &StoredSearch, suffix: &Suffix) -> Result<Vec<Place>, Error> {
        let query = format!(
            "SELECT * FROM places WHERE search = ? AND suffix = ? AND class = '{}' ORDER BY rowid",
            Class::Key
        );
        self.all(&query, params![search.id, suffix.as_str()], place_from)
    }

    /// So many places of a personal key at most, live ones first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn first_places(
        &self,
        search: &StoredSearch,
        suffix: &Suffix,
        limit: usize,
    ) -> Result<Vec<Place>, Error> {
        let query = format!(
            "SELECT * FROM places WHERE search = ? AND suffix = ? AND class = '{}'
             ORDER BY {} DESC, rowid LIMIT {limit}",
            Class::Key,
            live_states()
        );
        self.all(&query, params![search.id, suffix.as_str()], place_from)
    }
}

/// In SQL: whether a place is live.
fn live_states() -> String {
    let live: Vec<_> =
        State::ALL.iter().filter(|state| state.is_live()).map(|it| format!("'{it}'")).collect();
    format!("state IN ({})", live.join(", "))
}

fn suffix_at(row: &Row, column: &str) -> rusqlite::Result<Suffix> {
    let text: String = row.get(column)?;
    Suffix::try_from(text).map_err(|why| invalid(row, column, why))
}

pub(super) fn place_from(row: &Row) -> rusqlite::Result<Place> {
    let number = |column: &str| row.get::<_, Option<i64>>(column).map(|it| it.map(i64::cast_unsigned));
    let first = match row.get::<_, Option<String>>("first_commit")? {
        Some(id) => Some(Commit {
            id,
            date: time_at(row, "first_date")?.unwrap_or_default(),
            author: row.get::<_, Option<String>>("first_author")?.unwrap_or_default(),
        }),
        None => None,
    };
    Ok(Place {
        suffix: suffix_at(row, "suffix")?,
        class: word_at(row, "class")?,
        state: word_at(row, "state")?,
        repository: row.get("repository")?,
        path: row.get("path")?,
        member: row.get("member")?,
        line: number("line")?,
        column: number("column")?,
        encoding: row.get("encoding")?,
        first,
        last_commit: row.get("last_commit")?,
        versions: number("versions")?,
    })
}
