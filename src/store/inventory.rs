//! The lists that a migration plan needs.

use rusqlite::params;
use serde_json::Value;

use super::rows::{invalid, outcome_from};
use super::{Error, Run, Store};
use crate::inventory::{InventoryList, ListResult};
use crate::model::Outcome;

impl Store {
    /// Keeps a list of the deployment, in place of what was read of it before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn record_inventory(
        &self,
        run: &Run,
        list: &InventoryList,
        result: &ListResult<Value>,
    ) -> Result<(), Error> {
        let Outcome { status, http_status, error_code, detail } = &result.outcome;
        let rows = Value::from(result.rows.as_slice()).to_string();
        self.execute(
            "INSERT OR REPLACE INTO inventory VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![run.id, list.path(), status.as_str(), http_status, error_code, detail, rows],
        )
    }

    /// The lists of the deployment that a run read, by path: how each ended, and its rows as the text of a JSON array.
    ///
    /// # Errors
    /// What SQLite says, or a path that is no list.
    pub fn inventory(&self, run: &Run) -> Result<Vec<(InventoryList, Outcome, String)>, Error> {
        self.all("SELECT * FROM inventory WHERE run = ? ORDER BY path", [run.id], |row| {
            let path: String = row.get("path")?;
            let list = InventoryList::from_path(&path).ok_or_else(|| invalid(row, "path", path.clone()))?;
            Ok((list, outcome_from(row)?, row.get("rows")?))
        })
    }
}
