//! A copy of one run in a database of its own, which holds nothing of the others.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::open::open_file;
use super::{Error, Run, Store, schema};

/// Every table with rows of a run, and which of its rows those are. Of `manifests`, whose documents name other runs, a copy
/// has only what [`record_manifest`] adds.
const TABLES: [(&str, &str); 11] = [
    ("runs", "id = ?"),
    ("readings", "run = ? ORDER BY id"),
    ("keys", "reading IN (SELECT id FROM readings WHERE run = ?) ORDER BY reading, key_id"),
    ("gaps", "run = ? ORDER BY source"),
    ("organizations", "run = ? ORDER BY org_id"),
    ("memberships", "reading IN (SELECT id FROM readings WHERE run = ?) ORDER BY reading, scope, id"),
    ("inventory", "run = ? ORDER BY path"),
    ("programmatic_keys", "run = ? ORDER BY suffix"),
    ("searches", "id = (SELECT max(id) FROM searches WHERE run = ?)"),
    ("searched_keys", "search = (SELECT max(id) FROM searches WHERE run = ?) ORDER BY suffix"),
    ("places", "search = (SELECT max(id) FROM searches WHERE run = ?) ORDER BY rowid"),
];

impl Store {
    /// Copies a run into a new database at `path`, a single file that is read without others
    /// beside it. The same run gives the same bytes.
    ///
    /// # Errors
    /// What SQLite says of either.
    pub fn copy_run(&self, run: &Run, path: &Path) -> Result<(), Error> {
        let copy = || {
            let mut copy = open_file(path)?;
            // What is cut short is thrown away.
            copy.execute_batch("PRAGMA journal_mode = off; PRAGMA synchronous = off")?;
            schema::create(&mut copy)?;
            Ok(copy)
        };
        let mut copy = copy().map_err(Error::copy)?;
        let transaction = copy.transaction().map_err(Error::copy)?;
        for (table, rows) in TABLES {
            self.copy_rows(table, rows, run, &transaction)?;
        }
        transaction.commit().map_err(Error::copy)
    }

    /// One row is in memory at a time.
    fn copy_rows(&self, table: &str, rows: &str, run: &Run, copy: &Connection) -> Result<(), Error> {
        let ours = |error| self.sqlite(error);
        let connection = self.connection.borrow();
        let mut from = connection.prepare(&format!("SELECT * FROM {table} WHERE {rows}")).map_err(ours)?;
        let columns = from.column_count();
        let values = vec!["?"; columns].join(", ");
        let mut to = copy.prepare(&format!("INSERT INTO {table} VALUES ({values})")).map_err(Error::copy)?;
        let mut rows = from.query([run.id]).map_err(ours)?;
        while let Some(row) = rows.next().map_err(ours)? {
            let values: Vec<Value> =
                (0..columns).map(|at| row.get(at)).collect::<Result<_, _>>().map_err(ours)?;
            to.execute(params_from_iter(values)).map_err(Error::copy)?;
        }
        Ok(())
    }
}

/// Adds a manifest to such a copy.
///
/// # Errors
/// What SQLite says.
pub fn record_manifest(copy: &Path, run: i64, sha256: &str, document: &str) -> Result<(), Error> {
    let record = || {
        let copy = open_file(copy)?;
        copy.execute_batch("PRAGMA journal_mode = off; PRAGMA synchronous = off")?;
        copy.execute(
            "INSERT INTO manifests (run, sha256, document) VALUES (?, ?, ?)",
            params![run, sha256, document],
        )
    };
    record().map(drop).map_err(Error::copy)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn of_every_table_it_is_decided_whether_a_copy_has_it() {
        let mut memory = Connection::open_in_memory().unwrap();
        schema::create(&mut memory).unwrap();
        let mut tables = memory.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let tables: BTreeSet<String> =
            tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let decided = TABLES.iter().map(|(table, _)| (*table).to_owned()).chain(["manifests".to_owned()]);
        assert_eq!(tables, decided.collect());
    }
}
