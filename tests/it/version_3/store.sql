PRAGMA application_id = 0x6b73756e;
PRAGMA user_version = 3;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
, clock_skew INTEGER, has_organizations INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO runs VALUES(1,'prod','http://127.0.0.1:40885/api/public/v1.0','ops-manager','4.4.12','zqckvqdf',1750000000,1750000000,1,'0.1.0','{"sources":["all organizations"],"lists":[],"cutoff":"2021-03-01T00:00:00Z","active_within":90,"concurrency":16,"rate":null,"timeout":30,"retries":4,"certificates_not_verified":false,"in_the_clear":false}',NULL,1);
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
, list TEXT, line INTEGER) STRICT;
INSERT INTO readings VALUES(1,1,'55011dabd18419d8ed109d10','wei.tran0@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(2,1,'55782c5fb51efa7c298a0436','mateo.quist+ops1@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(3,1,'54d7efd0588422b10370b909','ann.quist2@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(4,1,'558736e754cb8957f5fac5ad','jun.ito3@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(5,1,'54d02d2faa3760d7d5872c92','vera.garcia4@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(6,1,'54b5a7f60f7bfacae9454c7b','yara.quist+ops5@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
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
INSERT INTO keys VALUES(1,'5751e396b7edcffe83c30a81','813ff3f8216c','onboarding script',1,1464984470,NULL,0,0);
INSERT INTO keys VALUES(1,'57a515d2313abe04e50f360c','23e76892b565','billing report',1,1470436818,1470436819,1,0);
INSERT INTO keys VALUES(1,'57ecbe56ff9bf81387e6a5a0','de987f5d8d73','onboarding script',1,1475133014,1490686550,163,0);
INSERT INTO keys VALUES(2,'589b51d7b1e911795856b22a','f9701ee975d5','@ops',1,1486574039,1757981235,3054,0);
INSERT INTO keys VALUES(4,'585576e6f8eea95a28035b4e','01da16fc62bc','Puppet module',1,1481996006,1789034629,780,0);
INSERT INTO keys VALUES(4,'5bce099b748bc11995ad96c4','a4818b96f6b5','tab	here',0,1540229531,NULL,0,0);
INSERT INTO keys VALUES(5,'572736cd76a29b990e7214bb','d762cd53232c','Production Application',1,1462187725,NULL,0,0);
INSERT INTO keys VALUES(5,'58923089dd4300eb9559185c','7a0a41edb725','[click](http://example.com/)',1,1485975689,1661557564,25,0);
CREATE TABLE gaps (
    run         INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    source      TEXT NOT NULL,
    status      TEXT NOT NULL,
    http_status INTEGER,
    error_code  TEXT,
    detail      TEXT, org_id TEXT,
    PRIMARY KEY (run, source)
) STRICT, WITHOUT ROWID;
CREATE TABLE manifests (
    id       INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (run, sha256)
) STRICT;
INSERT INTO manifests VALUES(1,1,'2ef405014026387985ce3cf4c13a374f8042d8ad9ac67990059f205cadad1791',replace('{\n  "format": "keysunset-manifest",\n  "version": 2,\n  "tool": {\n    "name": "keysunset",\n    "version": "0.1.0",\n    "binary_sha256": "502124392d5b878e2f317ca8486ac43fe589e022710ed10ed2a8ac2cd173b22e",\n    "binary_not_read": null\n  },\n  "runs": [\n    {\n      "run": 1,\n      "deployment": "prod",\n      "address": "http://127.0.0.1:40885/api/public/v1.0",\n      "product": "ops-manager",\n      "service_version": "4.4.12",\n      "credential": "zqckvqdf",\n      "lists": [],\n      "organizations": [\n        {\n          "id": "5513ca7acb3a3aadf5adb432",\n          "name": "Example Research",\n          "is_deleted": false,\n          "list_status": "read",\n          "users": 1\n        },\n        {\n          "id": "5543dcc142eed0c8ef50c72b",\n          "name": "Example Payments",\n          "is_deleted": false,\n          "list_status": "read",\n          "users": 2\n        },\n        {\n          "id": "55a27ecd2d48869bd6c4366f",\n          "name": "Example Platform",\n          "is_deleted": false,\n          "list_status": "read",\n          "users": 6\n        }\n      ],\n      "started_at": "2025-06-15T15:06:40Z",\n      "finished_at": "2025-06-15T15:06:40Z",\n      "complete": true,\n      "clock_skew_seconds": null,\n      "tool_version": "0.1.0",\n      "settings": {\n        "sources": [\n          "all organizations"\n        ],\n        "lists": [],\n        "cutoff": "2021-03-01T00:00:00Z",\n        "active_within": 90,\n        "concurrency": 16,\n        "rate": null,\n        "timeout": 30,\n        "retries": 4,\n        "certificates_not_verified": false,\n        "in_the_clear": false\n      },\n      "settings_sha256": "873af1693db76f19592780ba8c866c05b62d0d88cfa889f1359fbb7d2ec3d898",\n      "totals": {\n        "organizations": 3,\n        "gaps": 0,\n        "users": 6,\n        "read": 6,\n        "not_read": 0,\n        "keys": 8\n      },\n      "readings_sha256": "07b44cdf1609187dadbd104a07593eee531fd085e503be2749935d6b0e856277",\n      "canonical_bytes": 7159,\n      "judged_by": {\n        "cutoff": "2021-03-01T00:00:00Z",\n        "active_within_days": 90,\n        "compared_with": null\n      },\n      "previous": null\n    }\n  ],\n  "gate": {\n    "fail_on": "any",\n    "strict_waivers": false,\n    "exit_zero": false,\n    "waivers": null,\n    "baseline": null\n  },\n  "output": {\n    "formats": [\n      "csv",\n      "markdown"\n    ],\n    "csv_raw": false,\n    "templates": null\n  },\n  "files": [\n    {\n      "name": "keys.csv",\n      "bytes": 4287,\n      "sha256": "2b8facc36daf5a903422d6158c7be7f79ec48d1a569671df93153c26c65b4b11"\n    },\n    {\n      "name": "migration-report.md",\n      "bytes": 8967,\n      "sha256": "7e1459d93969ca945d6efd5958a697ade6e158de5afb3e15660cf1440bff6d3c"\n    },\n    {\n      "name": "organizations.csv",\n      "bytes": 335,\n      "sha256": "2966dff9a3a218cd46c29e9553c913240ea2c4d22dc8f29d429ea771182b671e"\n    }\n  ]\n}\n','\n',char(10)));
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
INSERT INTO organizations VALUES(1,'5513ca7acb3a3aadf5adb432','Example Research',0,'read',200,NULL,NULL);
INSERT INTO organizations VALUES(1,'5543dcc142eed0c8ef50c72b','Example Payments',0,'read',200,NULL,NULL);
INSERT INTO organizations VALUES(1,'55a27ecd2d48869bd6c4366f','Example Platform',0,'read',200,NULL,NULL);
CREATE TABLE memberships (
    reading  INTEGER NOT NULL REFERENCES readings ON DELETE CASCADE,
    scope    TEXT NOT NULL,
    id       TEXT NOT NULL,
    roles    TEXT,
    team_ids TEXT,
    PRIMARY KEY (reading, scope, id)
) STRICT, WITHOUT ROWID;
INSERT INTO memberships VALUES(1,'organization','5513ca7acb3a3aadf5adb432','[{"org_id":null,"project_id":null,"name":"GLOBAL_OWNER"},{"org_id":"5513ca7acb3a3aadf5adb432","project_id":null,"name":"ORG_OWNER"},{"org_id":"5543dcc142eed0c8ef50c72b","project_id":null,"name":"ORG_OWNER"},{"org_id":"55a27ecd2d48869bd6c4366f","project_id":null,"name":"ORG_OWNER"}]','[]');
INSERT INTO memberships VALUES(1,'organization','5543dcc142eed0c8ef50c72b','[{"org_id":null,"project_id":null,"name":"GLOBAL_OWNER"},{"org_id":"5513ca7acb3a3aadf5adb432","project_id":null,"name":"ORG_OWNER"},{"org_id":"5543dcc142eed0c8ef50c72b","project_id":null,"name":"ORG_OWNER"},{"org_id":"55a27ecd2d48869bd6c4366f","project_id":null,"name":"ORG_OWNER"}]','[]');
INSERT INTO memberships VALUES(1,'organization','55a27ecd2d48869bd6c4366f','[{"org_id":null,"project_id":null,"name":"GLOBAL_OWNER"},{"org_id":"5513ca7acb3a3aadf5adb432","project_id":null,"name":"ORG_OWNER"},{"org_id":"5543dcc142eed0c8ef50c72b","project_id":null,"name":"ORG_OWNER"},{"org_id":"55a27ecd2d48869bd6c4366f","project_id":null,"name":"ORG_OWNER"}]','[]');
INSERT INTO memberships VALUES(2,'organization','55a27ecd2d48869bd6c4366f','[{"org_id":null,"project_id":"55729f0b55b3244234b5b8ed","name":"GROUP_READ_ONLY"},{"org_id":"55a27ecd2d48869bd6c4366f","project_id":null,"name":"ORG_MEMBER"}]','[]');
INSERT INTO memberships VALUES(3,'organization','55a27ecd2d48869bd6c4366f','[{"org_id":null,"project_id":"561619cf79586063e8e75540","name":"GROUP_MONITORING_ADMIN"},{"org_id":"55a27ecd2d48869bd6c4366f","project_id":null,"name":"ORG_MEMBER"}]','["5533618b2be01577cf7897e6"]');
INSERT INTO memberships VALUES(4,'organization','5543dcc142eed0c8ef50c72b','[{"org_id":null,"project_id":"54a9510bc802f5e02883cfdb","name":"GROUP_DATA_ACCESS_READ_WRITE"},{"org_id":null,"project_id":"55482fa55c03810338cff9c5","name":"GROUP_READ_ONLY"},{"org_id":"5543dcc142eed0c8ef50c72b","project_id":null,"name":"ORG_MEMBER"},{"org_id":"55a27ecd2d48869bd6c4366f","project_id":null,"name":"ORG_MEMBER"}]','[]');
INSERT INTO memberships VALUES(4,'organization','55a27ecd2d48869bd6c4366f','[{"org_id":null,"project_id":"54a9510bc802f5e02883cfdb","name":"GROUP_DATA_ACCESS_READ_WRITE"},{"org_id":null,"project_id":"55482fa55c03810338cff9c5","name":"GROUP_READ_ONLY"},{"org_id":"5543dcc142eed0c8ef50c72b","project_id":null,"name":"ORG_MEMBER"},{"org_id":"55a27ecd2d48869bd6c4366f","project_id":null,"name":"ORG_MEMBER"}]','[]');
INSERT INTO memberships VALUES(5,'organization','55a27ecd2d48869bd6c4366f','[{"org_id":null,"project_id":"55729f0b55b3244234b5b8ed","name":"GROUP_AUTOMATION_ADMIN"},{"org_id":"55a27ecd2d48869bd6c4366f","project_id":null,"name":"ORG_MEMBER"}]','[]');
INSERT INTO memberships VALUES(6,'organization','55a27ecd2d48869bd6c4366f','[{"org_id":"55a27ecd2d48869bd6c4366f","project_id":null,"name":"ORG_MEMBER"}]','["5533618b2be01577cf7897e6"]');
CREATE UNIQUE INDEX readings_once ON readings (run, user_id, iif(user_id = '', username, ''));
CREATE INDEX readings_of_run ON readings (run);
COMMIT;
