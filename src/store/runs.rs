//! Runs: what each was asked for and what it found out about the deployment, from its beginning to its end.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};

use super::batch_writer::Reopening;
use super::rows::{INSERT_INCOMPLETE_LIST, insert_incomplete_list, invalid, time_at, user_from, word_at};
use super::stats::statuses;
use super::{Error, Journal, Store};
use crate::model::{IncompleteList, Product, ReadStatus, User};
use crate::v1::RunSettings;

/// In SQL, users of whom another try may find out more. A 401 without a code is the word of a proxy, not of the deployment.
fn may_be_read() -> String {
    let transient = statuses(ReadStatus::is_transient);
    let forbidden = ReadStatus::Forbidden;
    format!(
        "(status IS NULL OR status IN ({transient})
         OR (status = '{forbidden}' AND http_status = 401 AND coalesce(error_code, '') = ''))"
    )
}

/// What another try may read of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// Users.
    pub users: u64,
    /// Whether lists of users have to be read again.
    pub lists: bool,
}

/// A run before its first request.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// What the reports call the deployment.
    pub deployment: String,
    /// Where it is, for a person to read.
    pub address: String,
    /// Which product.
    pub product: Product,
    /// The public part of the credential that asks.
    pub credential: String,
    /// What every "ago" counts from.
    pub started_at: DateTime<Utc>,
    /// Whether it looks for organizations, and records those that it sees.
    pub has_organizations: bool,
    /// How it is to be done.
    pub settings: RunSettings,
}

/// A run in the store: what it was asked for and what it found out about the deployment; all but its results.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Counts up from 1.
    pub id: i64,
    /// What the reports call the deployment.
    pub deployment: String,
    /// Where it was, for a person to read.
    pub address: String,
    /// Which product.
    pub product: Product,
    /// Its version; `None` where its answers have none.
    pub service_version: Option<String>,
    /// The public part of the credential that asked.
    pub credential: String,
    /// In seconds, how far the deployment's clock was ahead of this machine's; `None` where it was not measured.
    pub clock_skew: Option<i64>,
    /// What every "ago" counts from.
    pub started_at: DateTime<Utc>,
    /// `None` while it runs, and for ever if it was interrupted.
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether its reports were written, so that nothing is left to resume.
    pub reported: bool,
    /// Of keysunset.
    pub tool_version: String,
    /// Whether its organizations and memberships were recorded; otherwise which there were is unknown.
    pub has_organizations: bool,
    /// How it was to be done.
    pub settings: RunSettings,
}

impl Run {
    /// Whether both asked for the same: the same organizations, projects, lists and users. What a list of users held is not
    /// looked at, since people come and go.
    #[must_use]
    pub fn asks_as(&self, other: &Self) -> bool {
        self.settings.sources == other.settings.sources
    }

    /// Whether its responses were saved by someone and imported, instead of requested.
    #[must_use]
    pub const fn is_import(&self) -> bool {
        self.settings.requests.concurrency == 0
    }
}

impl Store {
    /// Inserts a new run and starts its journal.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn begin(self, run: &NewRun) -> Result<Journal, Error> {
        let NewRun { deployment, address, product, credential, started_at, has_organizations, settings } =
            run;
        let settings = serde_json::to_string(settings)
            .map_err(|why| self.sqlite(rusqlite::Error::ToSqlConversionFailure(why.into())))?;
        self.execute(
            "INSERT INTO runs
                 (deployment, address, product, credential, started_at, tool_version, has_organizations, settings)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                deployment,
                address,
                product.as_str(),
                credential,
                started_at.timestamp(),
                env!("CARGO_PKG_VERSION"),
                has_organizations,
                settings,
            ],
        )?;
        let id = self.connection.borrow().last_insert_rowid();
        Ok(Journal::start(self, id, HashSet::new(), None))
    }

    /// What another try may read of a run: users who were not asked for or whose answer said nothing about them, and lists
    /// that were not read to their end. Those of a run that did not end never were.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unread(&self, run: &Run) -> Result<Unread, Error> {
        let query = format!(
            "SELECT count(*) FILTER (WHERE user_id <> ''), count(*) FILTER (WHERE user_id = '')
             FROM readings WHERE run = ? AND {}",
            may_be_read()
        );
        let counts =
            self.first(&query, [run.id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        let (users, names) = counts.unwrap_or_default();
        let lists = run.finished_at.is_none() || names > 0 || !self.incomplete_lists(run)?.is_empty();
        Ok(Unread { users: users.cast_unsigned(), lists })
    }

    /// Continues a run: its journal, and the users to read. With `lists`, those that were incomplete before are
    /// forgotten, since discovery begins again. A run that had ended stays so until there is anything new.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn resume(self, run: &Run, lists: bool) -> Result<(Journal, Vec<User>), Error> {
        let which = may_be_read();
        let query = format!("SELECT * FROM readings WHERE run = ? AND user_id <> '' AND {which} ORDER BY id");
        let rows = self.all(&query, [run.id], |row| Ok((row.get::<_, i64>("id")?, user_from(row)?)))?;
        let (again, users): (HashSet<_>, Vec<_>) = rows.into_iter().unzip();
        Ok((Journal::start(self, run.id, again, Some(Reopening { lists })), users))
    }

    /// Every run, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn runs(&self) -> Result<Vec<Run>, Error> {
        self.all("SELECT * FROM runs ORDER BY id DESC", [], run_from)
    }

    /// The run of that number, or the newest.
    ///
    /// # Errors
    /// No such run, or what SQLite says.
    pub fn run(&self, id: Option<i64>) -> Result<Run, Error> {
        let query = "SELECT * FROM runs WHERE id = ?1 OR ?1 IS NULL ORDER BY id DESC LIMIT 1";
        self.first(query, [id], run_from)?.ok_or_else(|| match id {
            Some(id) => Error::NoRun(self.path.clone(), id),
            None => Error::Empty(self.path.clone()),
        })
    }

    /// Adds to the versions of the servers that answered, as one text with `, ` between them: those before the run was
    /// resumed count as those after.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_service_versions(&self, run: i64, versions: Option<&str>) -> Result<(), Error> {
        let known = self.run(Some(run))?.service_version;
        let all = [known.as_deref(), versions].into_iter().flatten().flat_map(|texts| texts.split(", "));
        let all: BTreeSet<_> = all.collect();
        let all = (!all.is_empty()).then(|| all.into_iter().collect::<Vec<_>>().join(", "));
        self.execute("UPDATE runs SET service_version = ?2 WHERE id = ?1", params![run, all])
    }

    /// Keeps how far the deployment's clock was ahead, in seconds, if that was seen.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_clock_skew(&self, run: i64, seconds: Option<i64>) -> Result<(), Error> {
        self.execute(
            "UPDATE runs SET clock_skew = coalesce(clock_skew, ?2) WHERE id = ?1",
            params![run, seconds],
        )
    }

    /// Adds an incomplete list to a run whose journal is closed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_incomplete_list(&self, run: &Run, list: &IncompleteList) -> Result<(), Error> {
        let insert = || {
            let connection = self.connection.borrow();
            let mut insert = connection.prepare(INSERT_INCOMPLETE_LIST)?;
            insert_incomplete_list(&mut insert, run.id, list)
        };
        insert().map_err(|error| self.sqlite(error))
    }

    /// Marks a run as finished: all that was requested has been asked for. One that had ended before, and was resumed, ends at
    /// least a second later than each of its manifests says, since what ended at one time must never have two results.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn finish(&self, run: i64, at: DateTime<Utc>) -> Result<(), Error> {
        self.execute(
            "UPDATE runs SET finished_at = max(?2, coalesce((
                 SELECT 1 + max(unixepoch(json_extract(value, '$.finished_at')))
                 FROM manifests CROSS JOIN json_each(iif(json_valid(document), document, '{}'), '$.runs')
                 WHERE manifests.run = ?1 AND json_extract(value, '$.run') = ?1
                     AND json_extract(value, '$.deployment') = runs.deployment
             ), 0)) WHERE id = ?1",
            params![run, at.timestamp()],
        )
    }

    /// Marks a run as reported: nothing is left to resume.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mark_reported(&self, run: i64) -> Result<(), Error> {
        self.execute("UPDATE runs SET reported = 1 WHERE id = ?1", [run])
    }

    /// Deletes a run that has no result worth keeping, and its manifests, since the next run takes its number.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn discard(&self, run: i64) -> Result<(), Error> {
        self.execute("DELETE FROM manifests WHERE run = ?", [run])?;
        self.execute("DELETE FROM runs WHERE id = ?", [run])
    }
}

fn run_from(row: &Row) -> rusqlite::Result<Run> {
    let settings: String = row.get("settings")?;
    Ok(Run {
        id: row.get("id")?,
        deployment: row.get("deployment")?,
        address: row.get("address")?,
        product: word_at(row, "product")?,
        service_version: row.get("service_version")?,
        credential: row.get("credential")?,
        clock_skew: row.get("clock_skew")?,
        started_at: time_at(row, "started_at")?.unwrap_or_default(),
        finished_at: time_at(row, "finished_at")?,
        reported: row.get("reported")?,
        tool_version: row.get("tool_version")?,
        has_organizations: row.get("has_organizations")?,
        settings: serde_json::from_str(&settings).map_err(|why| invalid(row, "settings", why))?,
    })
}
