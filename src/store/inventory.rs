//! The lists that a migration plan needs.

use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::rows::{invalid, outcome_from};
use super::{Error, Run, Store};
use crate::inventory::{InventoryList, ListResult};
use crate::model::{Outcome, ReadStatus, Suffix};

impl Store {
    /// The lists of the deployment that a run read, by path: how each ended, and its rows as the text of a JSON array.
    ///
    /// # Errors
    /// What SQLite says, or a path that is no list.
    pub fn inventory(&self, run: &Run) -> Result<Vec<(InventoryList, Outcome, String)>, Error> {
        self.all("SELECT * FROM inventory WHERE run = ? ORDER BY path", [run.id], |row| {
            Ok((list_from(row)?, outcome_from(row)?, row.get("rows")?))
        })
    }

    /// How the lists of the deployment ended that a run asked for, by path.
    ///
    /// # Errors
    /// What SQLite says, or a path that is no list.
    pub fn inventory_outcomes(&self, run: &Run) -> Result<Vec<(InventoryList, ReadStatus)>, Error> {
        let query =
            "SELECT path, status, http_status, error_code, detail FROM inventory WHERE run = ? ORDER BY path";
        self.all(query, [run.id], |row| Ok((list_from(row)?, outcome_from(row)?.status)))
    }

    /// The lists of programmatic keys in which an earlier run of the same deployment found replacements, each once.
    ///
    /// # Errors
    /// What SQLite says, or a path that is no list.
    pub fn lists_with_replacements(&self, run: &Run) -> Result<Vec<InventoryList>, Error> {
        let query = "SELECT DISTINCT path FROM inventory JOIN runs ON runs.id = inventory.run
             WHERE runs.id < ? AND runs.deployment = ? AND rows <> '[]' ORDER BY path";
        let mut lists = self.all(query, params![run.id, run.deployment], list_from)?;
        lists.retain(|list| match list {
            InventoryList::ProgrammaticKeys { .. } | InventoryList::GlobalKeys => true,
            InventoryList::Projects
            | InventoryList::Teams { .. }
            | InventoryList::TeamRoles { .. }
            | InventoryList::Addresses { .. } => false,
        });
        Ok(lists)
    }

    /// Hands over the suffixes of all programmatic keys that a run read, sorted.
    ///
    /// # Errors
    /// What SQLite says, or what `each` returns.
    pub fn programmatic_keys<E: From<Error>>(
        &self,
        run: &Run,
        mut each: impl FnMut(Suffix) -> Result<(), E>,
    ) -> Result<(), E> {
        let wrong = |error| E::from(self.sqlite(error));
        let query = "SELECT suffix FROM programmatic_keys WHERE run = ? ORDER BY suffix";
        let connection = self.connection.borrow();
        let mut query = connection.prepare(query).map_err(wrong)?;
        let mut rows = query.query([run.id]).map_err(wrong)?;
        while let Some(row) = rows.next().map_err(wrong)? {
            let text: String = row.get(0).map_err(wrong)?;
            let suffix = Suffix::from_key(&text).ok_or_else(|| invalid(row, "suffix", text));
            each(suffix.map_err(wrong)?)?;
        }
        Ok(())
    }
}

/// Keeps a list of the deployment, in place of what was read of it before.
pub(super) fn insert_inventory(
    connection: &Connection,
    run: i64,
    list: &InventoryList,
    result: &ListResult<Value>,
) -> rusqlite::Result<()> {
    let Outcome { status, http_status, error_code, detail } = &result.outcome;
    let rows = Value::from(result.rows.as_slice()).to_string();
    let mut insert =
        connection.prepare_cached("INSERT OR REPLACE INTO inventory VALUES (?, ?, ?, ?, ?, ?, ?)")?;
    insert
        .execute(params![run, list.path(), status.as_str(), http_status, error_code, detail, rows])
        .map(drop)
}

/// Adds the suffixes of programmatic keys of a run, each once.
pub(super) fn insert_programmatic_keys(
    connection: &Connection,
    run: i64,
    suffixes: &[Suffix],
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO programmatic_keys VALUES (?, ?)")?;
    suffixes.iter().try_for_each(|suffix| insert.execute(params![run, suffix.as_str()]).map(drop))
}

fn list_from(row: &Row) -> rusqlite::Result<InventoryList> {
    let path: String = row.get("path")?;
    InventoryList::from_path(&path).ok_or_else(|| invalid(row, "path", path))
}
