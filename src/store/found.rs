//! What a search of files finds, in a temporary database until it is reported, so that memory does not grow with it.

use rusqlite::{Connection, Row, params};

use super::Error;
use super::places::{PLACE_COLUMNS, bind_place, place_from};
use super::rows::word_at;
use crate::place::{Place, Unsearched};

/// A place, and its line where that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where it is.
    pub place: Place,
    /// Masked.
    pub context: Option<String>,
}

/// All places of a search, and what was not searched.
#[derive(Debug)]
pub struct FoundPlaces {
    connection: Connection,
}

/// What a place of a work tree and one of its history have in common.
const SAME: &str =
    "a.repository = b.repository AND a.path = b.path AND a.member = b.member AND a.suffix = b.suffix";
/// The order of `locations.csv`.
const ORDER: &str =
    "repository, path, member, line, column, encoding, suffix, class, state, first_commit, context";

impl FoundPlaces {
    /// Without places.
    ///
    /// # Errors
    /// The folder for temporary files can't be used.
    pub fn new() -> Result<Self, Error> {
        create().map(|connection| Self { connection }).map_err(Error::temporary)
    }

    /// Adds places of files.
    ///
    /// # Errors
    /// As [`FoundPlaces::new`].
    pub fn add<'a>(&self, all: impl IntoIterator<Item = &'a Located>) -> Result<(), Error> {
        self.insert("found", all)
    }

    /// Adds places of a history.
    ///
    /// # Errors
    /// As [`FoundPlaces::new`].
    pub fn add_history<'a>(&self, all: impl IntoIterator<Item = &'a Located>) -> Result<(), Error> {
        self.insert("histories", all)
    }

    fn insert<'a>(&self, table: &str, all: impl IntoIterator<Item = &'a Located>) -> Result<(), Error> {
        let insert = || {
            let query = format!(
                "INSERT INTO {table} ({PLACE_COLUMNS}, context) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            );
            let mut insert = self.connection.prepare_cached(&query)?;
            for Located { place, context } in all {
                let columns = bind_place(&mut insert, 1, place)?;
                insert.raw_bind_parameter(columns, context)?;
                insert.raw_execute()?;
            }
            Ok(())
        };
        insert().map_err(Error::temporary)
    }

    /// Adds what was not searched.
    ///
    /// # Errors
    /// As [`FoundPlaces::new`].
    pub fn add_unsearched<'a>(&self, all: impl IntoIterator<Item = &'a Unsearched>) -> Result<(), Error> {
        let insert = || {
            let mut insert =
                self.connection.prepare_cached("INSERT OR IGNORE INTO unsearched VALUES (?, ?, ?, ?)")?;
            for Unsearched { repository, path, member, why } in all {
                insert.execute(params![repository, path, member, why.as_str()])?;
            }
            Ok(())
        };
        insert().map_err(Error::temporary)
    }

    /// Adds pointers of Git LFS, each with the name of its content: those whose content is not searched are not searched.
    ///
    /// # Errors
    /// As [`FoundPlaces::new`].
    pub fn add_pointers<'a>(
        &self,
        all: impl IntoIterator<Item = &'a (Unsearched, String)>,
    ) -> Result<(), Error> {
        let insert = || {
            let mut insert =
                self.connection.prepare_cached("INSERT OR IGNORE INTO pointers VALUES (?, ?, ?, ?, ?)")?;
            for (Unsearched { repository, path, member, why }, content) in all {
                insert.execute(params![repository, path, member, why.as_str(), content])?;
            }
            Ok(())
        };
        insert().map_err(Error::temporary)
    }

    /// Adds the names of contents of Git LFS that were searched.
    ///
    /// # Errors
    /// As [`FoundPlaces::new`].
    pub fn add_contents<'a>(&self, all: impl IntoIterator<Item = &'a String>) -> Result<(), Error> {
        let insert = || {
            let mut insert = self.connection.prepare_cached("INSERT OR IGNORE INTO contents VALUES (?)")?;
            for content in all {
                insert.execute([content])?;
            }
            Ok(())
        };
        insert().map_err(Error::temporary)
    }

    /// Sorts the places, after the last was added. One in the work tree and in its history is one place: the former with the
    /// commits of the latter.
    ///
    /// # Errors
    /// As [`FoundPlaces::new`].
    pub fn sort(&self) -> Result<(), Error> {
        let commits = "first_commit, first_date, first_author, last_commit, versions";
        let merge = format!(
            "CREATE INDEX found_once ON found (repository, path, member, suffix) WHERE state = 'worktree';
             CREATE INDEX histories_once ON histories (repository, path, member, suffix);
             UPDATE found AS a SET ({commits}) =
                 (SELECT {commits} FROM histories AS b WHERE {SAME} ORDER BY b.rowid LIMIT 1)
             WHERE state = 'worktree' AND EXISTS (SELECT 1 FROM histories AS b WHERE {SAME});
             DELETE FROM histories AS a
             WHERE EXISTS (SELECT 1 FROM found AS b WHERE {SAME} AND b.state = 'worktree');"
        );
        let sort = format!(
            "CREATE TABLE sorted AS SELECT * FROM found UNION ALL SELECT * FROM histories ORDER BY {ORDER};
             DROP TABLE found;
             DROP TABLE histories;
             INSERT OR IGNORE INTO unsearched
                 SELECT repository, path, member, why FROM pointers WHERE content NOT IN contents;"
        );
        let has_history = "SELECT EXISTS (SELECT 1 FROM histories)";
        let sorted = self.connection.query_row(has_history, [], |row| row.get(0)).and_then(|has_history| {
            self.connection.execute_batch(if has_history { &merge } else { "" })?;
            self.connection.execute_batch(&sort)
        });
        sorted.map_err(Error::temporary)
    }

    /// Hands over each place once, in order, after [`FoundPlaces::sort`].
    ///
    /// # Errors
    /// As [`FoundPlaces::new`], or what `each` says.
    pub fn each<E: From<Error>>(&self, mut each: impl FnMut(Located) -> Result<(), E>) -> Result<(), E> {
        let mut last = None;
        self.rows("SELECT * FROM sorted ORDER BY rowid", located_from, |located: Located| {
            if last.as_ref() == Some(&located.place) {
                return Ok(());
            }
            last = Some(located.place.clone());
            each(located)
        })
    }

    /// Hands over what was not searched, in order.
    ///
    /// # Errors
    /// As [`FoundPlaces::each`].
    pub fn each_unsearched<E: From<Error>>(
        &self,
        each: impl FnMut(Unsearched) -> Result<(), E>,
    ) -> Result<(), E> {
        self.rows("SELECT * FROM unsearched ORDER BY repository, path, member, why", unsearched_from, each)
    }

    fn rows<T, E: From<Error>>(
        &self,
        query: &str,
        from: impl Fn(&Row) -> rusqlite::Result<T>,
        mut each: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let wrong = |error| E::from(Error::temporary(error));
        let mut query = self.connection.prepare_cached(query).map_err(wrong)?;
        let mut rows = query.query([]).map_err(wrong)?;
        while let Some(row) = rows.next().map_err(wrong)? {
            each(from(row).map_err(wrong)?)?;
        }
        Ok(())
    }
}

fn located_from(row: &Row) -> rusqlite::Result<Located> {
    Ok(Located { place: place_from(row)?, context: row.get("context")? })
}

fn unsearched_from(row: &Row) -> rusqlite::Result<Unsearched> {
    Ok(Unsearched {
        repository: row.get("repository")?,
        path: row.get("path")?,
        member: row.get("member")?,
        why: word_at(row, "why")?,
    })
}

fn create() -> rusqlite::Result<Connection> {
    let connection = Connection::open("")?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = off;
         PRAGMA cache_size = -4096;
         CREATE TABLE found ({PLACE_COLUMNS}, context);
         CREATE TABLE histories ({PLACE_COLUMNS}, context);
         CREATE TABLE unsearched (
             repository TEXT, path TEXT, member TEXT, why TEXT, PRIMARY KEY (repository, path, member, why)
         ) WITHOUT ROWID;
         CREATE TABLE pointers (
             repository TEXT, path TEXT, member TEXT, why TEXT, content TEXT,
             PRIMARY KEY (repository, path, member, why, content)
         ) WITHOUT ROWID;
         CREATE TABLE contents (content TEXT PRIMARY KEY) WITHOUT ROWID;
         BEGIN"
    ))?;
    Ok(connection)
}
