//! The tables of a store, version by version. A new version is a migration more, and nothing else.

use std::sync::OnceLock;

use rusqlite::{Connection, TransactionBehavior};

use super::Error;

/// In the file's header: `ksun`.
pub(super) const APPLICATION_ID: i64 = 0x6b73_756e;
/// The newest, by the number of migrations.
#[expect(clippy::cast_possible_wrap, reason = "there are a handful")]
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// What each version adds to the one before, the first to an empty file. Whatever was released stays as it is: a store of any
/// version is brought up by the migrations that it has not had, and a new one is made by all of them.
const MIGRATIONS: [&str; 6] = [VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6];

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

const VERSION_3: &str = "
-- Whether all organizations and memberships of the run are here: earlier versions kept one organization a user.
ALTER TABLE runs ADD COLUMN has_organizations INTEGER NOT NULL DEFAULT 0;
-- What was seen of each organization, and how the list of its users ended; NULL where that was never asked for.
CREATE TABLE organizations (
    run         INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    org_id      TEXT NOT NULL,
    name        TEXT,
    is_deleted  INTEGER,
    status      TEXT,
    http_status INTEGER,
    error_code  TEXT,
    detail      TEXT,
    PRIMARY KEY (run, org_id)
) STRICT, WITHOUT ROWID;
-- The lists that show a user, with the rights that each shows, in JSON; NULL where it does not say.
CREATE TABLE memberships (
    reading  INTEGER NOT NULL REFERENCES readings ON DELETE CASCADE,
    scope    TEXT NOT NULL,
    id       TEXT NOT NULL,
    roles    TEXT,
    team_ids TEXT,
    PRIMARY KEY (reading, scope, id)
) STRICT, WITHOUT ROWID;
INSERT INTO memberships (reading, scope, id)
    SELECT id, 'organization', organization FROM readings WHERE organization IS NOT NULL;
ALTER TABLE readings DROP COLUMN organization;
ALTER TABLE gaps ADD COLUMN org_id TEXT;
UPDATE gaps SET org_id = substr(source, length('organization ') + 1) WHERE source GLOB 'organization *';
";

const VERSION_4: &str = "
-- Lists that a migration plan needs: projects, teams, programmatic keys. `path` is the resource, `rows` a JSON array.
CREATE TABLE inventory (
    run         INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    path        TEXT NOT NULL,
    status      TEXT NOT NULL,
    http_status INTEGER,
    error_code  TEXT,
    detail      TEXT,
    rows        TEXT NOT NULL,
    PRIMARY KEY (run, path)
) STRICT, WITHOUT ROWID;
";

const VERSION_5: &str = "
-- The last 12 digits of the programmatic keys in the lists of `inventory`.
CREATE TABLE programmatic_keys (
    run    INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    suffix TEXT NOT NULL,
    PRIMARY KEY (run, suffix)
) STRICT, WITHOUT ROWID;
-- What `locate` searched; the newest search of a run counts. `roots` is a JSON array.
CREATE TABLE searches (
    id          INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    searched_at INTEGER NOT NULL,
    is_complete INTEGER NOT NULL,
    roots       TEXT NOT NULL
) STRICT;
-- Where keys are, with the columns of `locations.csv`.
CREATE TABLE places (
    search       INTEGER NOT NULL REFERENCES searches ON DELETE CASCADE,
    suffix       TEXT NOT NULL,
    class        TEXT NOT NULL,
    state        TEXT NOT NULL,
    repository   TEXT NOT NULL,
    path         TEXT NOT NULL,
    member       TEXT NOT NULL,
    line         INTEGER,
    column       INTEGER,
    encoding     TEXT NOT NULL,
    first_commit TEXT,
    first_date   INTEGER,
    first_author TEXT,
    last_commit  TEXT,
    versions     INTEGER
) STRICT;
CREATE INDEX places_of_search ON places (search, suffix);
";

const VERSION_6: &str = "
-- The last 12 digits of the personal keys that a search had: a run may get more keys afterwards.
CREATE TABLE searched_keys (
    search INTEGER NOT NULL REFERENCES searches ON DELETE CASCADE,
    suffix TEXT NOT NULL,
    PRIMARY KEY (search, suffix)
) STRICT, WITHOUT ROWID;
-- Of an earlier search only the keys that it found are known.
INSERT INTO searched_keys SELECT DISTINCT search, suffix FROM places WHERE class = 'key';
";

/// The schema of the newest version, made once: a report of many stores opens each of them several times.
static NEWEST: OnceLock<Vec<SchemaObject>> = OnceLock::new();

/// Makes the tables of the newest version in an empty file.
pub(super) fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    add_versions(&transaction, 0)?;
    transaction.commit()
}

/// The version of a database whose schema is, statement by statement, what this program makes. A trigger, a view or another
/// index would change what is written or read.
///
/// # Errors
/// A newer version, any other schema, or what SQLite says.
pub(super) fn check(connection: &Connection, name: &str) -> Result<i64, Error> {
    let sqlite = |error| Error::sqlite(name, error);
    // The version and the schema of one moment, since another process may be migrating.
    let transaction = connection.unchecked_transaction().map_err(sqlite)?;
    let version = check_now(&transaction, name)?;
    transaction.commit().map_err(sqlite)?;
    Ok(version)
}

/// Runs the migrations that are missing, all or none. The version is asked for in the transaction, since two may come here
/// at once.
///
/// # Errors
/// As [`check`].
pub(super) fn migrate(connection: &mut Connection, name: &str) -> Result<(), Error> {
    let sqlite = |error| Error::sqlite(name, error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
    let version = check_now(&transaction, name)?;
    add_versions(&transaction, version).and_then(|()| transaction.commit()).map_err(sqlite)
}

fn add_versions(connection: &Connection, version: i64) -> rusqlite::Result<()> {
    for migration in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or_default()) {
        connection.execute_batch(migration)?;
    }
    connection.pragma_update(None, "user_version", VERSION)
}

fn check_now(connection: &Connection, name: &str) -> Result<i64, Error> {
    let sqlite = |error| Error::sqlite(name, error);
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sqlite)?;
    if version > VERSION {
        return Err(Error::Newer(name.to_owned(), version, VERSION));
    }
    let found = objects(connection).map_err(sqlite)?;
    if version == VERSION && NEWEST.get().is_none() {
        // All threads would make the same.
        let _ = NEWEST.set(expected(VERSION).map_err(sqlite)?);
    }
    let why = match NEWEST.get().filter(|_| version == VERSION) {
        Some(newest) => difference(&found, newest),
        None => difference(&found, &expected(version).map_err(sqlite)?),
    };
    why.map_or(Ok(version), |why| Err(Error::NotOurs(name.to_owned(), why)))
}

/// A row of `sqlite_schema`.
#[derive(PartialEq, Eq)]
struct SchemaObject {
    /// `table`, `index`, `view` or `trigger`.
    kind: String,
    name: String,
    table: String,
    /// Missing for the index of a constraint.
    sql: Option<String>,
}

fn objects(connection: &Connection) -> rusqlite::Result<Vec<SchemaObject>> {
    let mut query = connection.prepare(
        "SELECT CAST(type AS TEXT), CAST(name AS TEXT), CAST(tbl_name AS TEXT), CAST(sql AS TEXT) FROM main.sqlite_schema
         ORDER BY type, name",
    )?;
    let rows = query.query_map([], |row| {
        Ok(SchemaObject { kind: row.get(0)?, name: row.get(1)?, table: row.get(2)?, sql: row.get(3)? })
    })?;
    rows.collect()
}

/// What the migrations up to a version make.
fn expected(version: i64) -> rusqlite::Result<Vec<SchemaObject>> {
    let memory = Connection::open_in_memory()?;
    for migration in MIGRATIONS.iter().take(usize::try_from(version).unwrap_or_default()) {
        memory.execute_batch(migration)?;
    }
    objects(&memory)
}

/// The first object that is one too many, another, or missing. Names are quoted with their control characters escaped.
fn difference(found: &[SchemaObject], expected: &[SchemaObject]) -> Option<String> {
    let is_same = |one: &SchemaObject, other: &SchemaObject| one.kind == other.kind && one.name == other.name;
    if let Some(object) = found.iter().find(|object| !expected.contains(object)) {
        let SchemaObject { kind, name, .. } = object;
        return Some(if expected.iter().any(|it| is_same(it, object)) {
            format!("its {kind} {name:?} differs from the one that keysunset creates")
        } else {
            format!("it has the {kind} {name:?}, which keysunset does not create", kind = kind.escape_debug())
        });
    }
    let missing = expected.iter().find(|object| !found.contains(object));
    missing.map(|SchemaObject { kind, name, .. }| format!("its {kind} {name:?} is missing"))
}
