//! The tables of a store, version by version. A new version is a migration more, and nothing else.

use rusqlite::{Connection, TransactionBehavior};

/// In the file's header: `ksun`.
pub(super) const APPLICATION_ID: i64 = 0x6b73_756e;
/// The newest, by the number of migrations.
#[expect(clippy::cast_possible_wrap, reason = "there are a handful")]
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// What each version adds to the one before, the first to an empty file. Whatever was released stays as it is: a store of any
/// version is brought up by the migrations that it has not had, and a new one is made by all of them.
const MIGRATIONS: [&str; 2] = [VERSION_1, VERSION_2];

/// A row of `readings` is inserted when its user is requested, and filled in when the user was read: what is open is what is
/// missing. Times are seconds since 1970, UTC. Column names are the model's.
const VERSION_1: &str = "
CREATE TABLE runs (
    id              INTEGER PRIMARY KEY,
    deployment      TEXT NOT NULL,
    address         TEXT NOT NULL,
    product         TEXT NOT NULL,
    service_version TEXT,
    credential      TEXT NOT NULL,
    started_at      INTEGER NOT NULL,
    finished_at     INTEGER,
    reported        INTEGER NOT NULL DEFAULT 0,
    tool_version    TEXT NOT NULL,
    settings        TEXT NOT NULL
) STRICT;
CREATE TABLE readings (
    id          INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    user_id     TEXT NOT NULL,
    username    TEXT,
    status      TEXT,
    http_status INTEGER,
    error_code  TEXT,
    detail      TEXT,
    attempts    INTEGER NOT NULL DEFAULT 0,
    read_at     INTEGER
) STRICT;
-- A user is requested once; a name that has no id stands for itself.
CREATE UNIQUE INDEX readings_once ON readings (run, user_id, iif(user_id = '', username, ''));
-- In the order of entry, so that a run is read in one sweep; the report's order is sorted out by SQLite's sorter, which
-- costs less than keeping an index of names while users come in any order.
CREATE INDEX readings_of_run ON readings (run);
CREATE TABLE keys (
    reading     INTEGER NOT NULL REFERENCES readings ON DELETE CASCADE,
    key_id      TEXT NOT NULL,
    suffix      TEXT,
    description TEXT NOT NULL,
    enabled     INTEGER,
    created_at  INTEGER,
    last_used   INTEGER,
    used_count  INTEGER,
    auditing    INTEGER NOT NULL,
    PRIMARY KEY (reading, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE gaps (
    run         INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    source      TEXT NOT NULL,
    status      TEXT NOT NULL,
    http_status INTEGER,
    error_code  TEXT,
    detail      TEXT,
    PRIMARY KEY (run, source)
) STRICT, WITHOUT ROWID;
";

const VERSION_2: &str = "
-- How many seconds the deployment's clock was ahead of this machine's.
ALTER TABLE runs ADD COLUMN clock_skew INTEGER;
-- Who named the user: an organization, the line of a list.
ALTER TABLE readings ADD COLUMN organization TEXT;
ALTER TABLE readings ADD COLUMN list TEXT;
ALTER TABLE readings ADD COLUMN line INTEGER;
-- Each manifest written of a run, and its hash. They refer to nothing, so that the chain outlives the runs.
CREATE TABLE manifests (
    id       INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (run, sha256)
) STRICT;
";

/// Makes the tables of the newest version in an empty file.
pub(super) fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    migrate(connection).map(drop)
}

/// Runs the migrations that are missing, all or none, and gives the version that was found. It is asked for in the
/// transaction, since two may come here at once.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or_default()) {
        transaction.execute_batch(migration)?;
    }
    if version < VERSION {
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(version)
}
