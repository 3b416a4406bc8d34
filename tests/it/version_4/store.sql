PRAGMA application_id = 0x6b73756e;
PRAGMA user_version = 4;
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
INSERT INTO runs VALUES(1,'fixture','http://127.0.0.1:35847/api/public/v1.0','ops-manager','4.4.12','sgxlfybn',1750000000,1750000000,1,'0.1.0','{"sources":["all organizations"],"lists":[],"cutoff":"2021-03-01T00:00:00Z","active_within":90,"concurrency":16,"rate":null,"timeout":30,"retries":4,"certificates_not_verified":false,"in_the_clear":false}',NULL,1);
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
INSERT INTO readings VALUES(1,1,'55262849a770f274725b056c','jun.eriksen0@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(2,1,'55c9e85d0ab2cc7b4ff11d56','ivan.nowak1@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(3,1,'55719f8e3ac861316e3c4da7','kofi.sato2@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(4,1,'55fe149872168862c158c3df','olga.o''neil3@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(5,1,'55b68d3089fec6dcaee86e4d','quinn.zhou4@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(6,1,'54f554f60fe8d07ca0eeaf9c','jun.nowak5@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
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
INSERT INTO keys VALUES(1,'59176a055d23d48e6a4701b9','7b390c441727','Grafana data source',1,1494706693,1614556799,10,0);
INSERT INTO keys VALUES(1,'5ab40a0b82cc763fa9270af8','1de080deab20','jenkins',1,1521748491,1525582486,32065,0);
INSERT INTO keys VALUES(1,'5d1182b109f4d249093daa05','d89197a9832e','monitoring',1,1561428657,NULL,0,0);
INSERT INTO keys VALUES(4,'5c2d92e87584d94f5621f31b','9e7aa3e2ec70','monitoring',1,1546490600,NULL,0,0);
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
INSERT INTO manifests VALUES(1,1,'40bce7bb67484e650247ab96bb511aaf73d0173a2b87b2a6876b66dacbe27377',replace('{\n  "format": "keysunset-manifest",\n  "version": 2,\n  "tool": {\n    "name": "keysunset",\n    "version": "0.1.0",\n    "binary_sha256": "7513eb5b2fc8649f425c44a1fe507d987ab07f5eebb1d318694ee08bd01bf427",\n    "binary_not_read": null\n  },\n  "runs": [\n    {\n      "run": 1,\n      "deployment": "fixture",\n      "address": "http://127.0.0.1:35847/api/public/v1.0",\n      "product": "ops-manager",\n      "service_version": "4.4.12",\n      "credential": "sgxlfybn",\n      "lists": [],\n      "organizations": [\n        {\n          "id": "558242d22fb71e55d7146cba",\n          "name": "Example Platform",\n          "is_deleted": false,\n          "list_status": "read",\n          "users": 6\n        },\n        {\n          "id": "563bd6f6d39575a88a842086",\n          "name": "Example Research",\n          "is_deleted": false,\n          "list_status": "read",\n          "users": 1\n        },\n        {\n          "id": "56704038abd2c4b94e67df0f",\n          "name": "Example Payments",\n          "is_deleted": false,\n          "list_status": "read",\n          "users": 2\n        }\n      ],\n      "started_at": "2025-06-15T15:06:40Z",\n      "finished_at": "2025-06-15T15:06:40Z",\n      "complete": true,\n      "clock_skew_seconds": null,\n      "tool_version": "0.1.0",\n      "settings": {\n        "sources": [\n          "all organizations"\n        ],\n        "lists": [],\n        "cutoff": "2021-03-01T00:00:00Z",\n        "active_within": 90,\n        "concurrency": 16,\n        "rate": null,\n        "timeout": 30,\n        "retries": 4,\n        "certificates_not_verified": false,\n        "in_the_clear": false\n      },\n      "settings_sha256": "873af1693db76f19592780ba8c866c05b62d0d88cfa889f1359fbb7d2ec3d898",\n      "totals": {\n        "organizations": 3,\n        "gaps": 0,\n        "users": 6,\n        "read": 6,\n        "not_read": 0,\n        "keys": 4\n      },\n      "readings_sha256": "bbf133f15904bc828065cc9fc903644be7ac349057d8ad62e168e536e75b7bbb",\n      "canonical_bytes": 6322,\n      "judged_by": {\n        "cutoff": "2021-03-01T00:00:00Z",\n        "active_within_days": 90,\n        "compared_with": null\n      },\n      "previous": null\n    }\n  ],\n  "gate": {\n    "fail_on": "any",\n    "strict_waivers": false,\n    "exit_zero": false,\n    "waivers": null,\n    "baseline": null\n  },\n  "output": {\n    "formats": [\n      "csv"\n    ],\n    "csv_raw": false,\n    "templates": null\n  },\n  "files": [\n    {\n      "name": "keys.csv",\n      "bytes": 3047,\n      "sha256": "ceb935e3fd10e60cacb0878d83f7d9383794f885823f11310a1e160f4a37f0e9"\n    },\n    {\n      "name": "organizations.csv",\n      "bytes": 344,\n      "sha256": "1e5ab079911e9aef5a855a5cf9468ddeb1f5736437c47149bad1a18ff514e2bb"\n    }\n  ]\n}\n','\n',char(10)));
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
INSERT INTO organizations VALUES(1,'558242d22fb71e55d7146cba','Example Platform',0,'read',200,NULL,NULL);
INSERT INTO organizations VALUES(1,'563bd6f6d39575a88a842086','Example Research',0,'read',200,NULL,NULL);
INSERT INTO organizations VALUES(1,'56704038abd2c4b94e67df0f','Example Payments',0,'read',200,NULL,NULL);
CREATE TABLE memberships (
    reading  INTEGER NOT NULL REFERENCES readings ON DELETE CASCADE,
    scope    TEXT NOT NULL,
    id       TEXT NOT NULL,
    roles    TEXT,
    team_ids TEXT,
    PRIMARY KEY (reading, scope, id)
) STRICT, WITHOUT ROWID;
INSERT INTO memberships VALUES(1,'organization','558242d22fb71e55d7146cba','[{"org_id":null,"project_id":null,"name":"GLOBAL_OWNER"},{"org_id":"558242d22fb71e55d7146cba","project_id":null,"name":"ORG_OWNER"},{"org_id":"563bd6f6d39575a88a842086","project_id":null,"name":"ORG_OWNER"},{"org_id":"56704038abd2c4b94e67df0f","project_id":null,"name":"ORG_OWNER"}]','[]');
INSERT INTO memberships VALUES(1,'organization','563bd6f6d39575a88a842086','[{"org_id":null,"project_id":null,"name":"GLOBAL_OWNER"},{"org_id":"558242d22fb71e55d7146cba","project_id":null,"name":"ORG_OWNER"},{"org_id":"563bd6f6d39575a88a842086","project_id":null,"name":"ORG_OWNER"},{"org_id":"56704038abd2c4b94e67df0f","project_id":null,"name":"ORG_OWNER"}]','[]');
INSERT INTO memberships VALUES(1,'organization','56704038abd2c4b94e67df0f','[{"org_id":null,"project_id":null,"name":"GLOBAL_OWNER"},{"org_id":"558242d22fb71e55d7146cba","project_id":null,"name":"ORG_OWNER"},{"org_id":"563bd6f6d39575a88a842086","project_id":null,"name":"ORG_OWNER"},{"org_id":"56704038abd2c4b94e67df0f","project_id":null,"name":"ORG_OWNER"}]','[]');
INSERT INTO memberships VALUES(2,'organization','558242d22fb71e55d7146cba','[{"org_id":null,"project_id":"55b3eb1de03e303d5aa60f6e","name":"GROUP_READ_ONLY"},{"org_id":"558242d22fb71e55d7146cba","project_id":null,"name":"ORG_READ_ONLY"}]','[]');
INSERT INTO memberships VALUES(3,'organization','558242d22fb71e55d7146cba','[{"org_id":null,"project_id":"55df1855e6f6b915869bea8e","name":"GROUP_READ_ONLY"},{"org_id":"558242d22fb71e55d7146cba","project_id":null,"name":"ORG_MEMBER"}]','["559bfd5475248d208c31f47a"]');
INSERT INTO memberships VALUES(4,'organization','558242d22fb71e55d7146cba','[{"org_id":null,"project_id":"56570772d41ae3bd7dc097b4","name":"GROUP_MONITORING_ADMIN"},{"org_id":null,"project_id":"567cf4213300aa5aaf2edead","name":"GROUP_MONITORING_ADMIN"},{"org_id":"558242d22fb71e55d7146cba","project_id":null,"name":"ORG_MEMBER"},{"org_id":"56704038abd2c4b94e67df0f","project_id":null,"name":"ORG_MEMBER"}]','[]');
INSERT INTO memberships VALUES(4,'organization','56704038abd2c4b94e67df0f','[{"org_id":null,"project_id":"56570772d41ae3bd7dc097b4","name":"GROUP_MONITORING_ADMIN"},{"org_id":null,"project_id":"567cf4213300aa5aaf2edead","name":"GROUP_MONITORING_ADMIN"},{"org_id":"558242d22fb71e55d7146cba","project_id":null,"name":"ORG_MEMBER"},{"org_id":"56704038abd2c4b94e67df0f","project_id":null,"name":"ORG_MEMBER"}]','[]');
INSERT INTO memberships VALUES(5,'organization','558242d22fb71e55d7146cba','[{"org_id":null,"project_id":"55b3eb1de03e303d5aa60f6e","name":"GROUP_AUTOMATION_ADMIN"},{"org_id":"558242d22fb71e55d7146cba","project_id":null,"name":"ORG_MEMBER"}]','[]');
INSERT INTO memberships VALUES(6,'organization','558242d22fb71e55d7146cba','[{"org_id":"558242d22fb71e55d7146cba","project_id":null,"name":"ORG_MEMBER"}]','["559bfd5475248d208c31f47a"]');
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
INSERT INTO inventory VALUES(1,'admin/apiKeys','read',200,NULL,NULL,'[]');
INSERT INTO inventory VALUES(1,'groups','read',200,NULL,NULL,'[{"id":"55b3eb1de03e303d5aa60f6e","name":"production","org_id":"558242d22fb71e55d7146cba"},{"id":"55df1855e6f6b915869bea8e","name":"staging","org_id":"558242d22fb71e55d7146cba"},{"id":"567cf4213300aa5aaf2edead","name":"analytics","org_id":"558242d22fb71e55d7146cba"},{"id":"56570772d41ae3bd7dc097b4","name":"ledger","org_id":"56704038abd2c4b94e67df0f"},{"id":"55c2d01ef38184841b4adf79","name":"card-vault","org_id":"56704038abd2c4b94e67df0f"},{"id":"556459dedcf69ad809175138","name":"notebooks","org_id":"563bd6f6d39575a88a842086"},{"id":"55e84c80577a8522d7b179c9","name":"warehouse","org_id":"563bd6f6d39575a88a842086"}]');
INSERT INTO inventory VALUES(1,'orgs/558242d22fb71e55d7146cba/apiKeys','read',200,NULL,NULL,'[]');
INSERT INTO inventory VALUES(1,'orgs/563bd6f6d39575a88a842086/apiKeys','read',200,NULL,NULL,'[]');
INSERT INTO inventory VALUES(1,'orgs/56704038abd2c4b94e67df0f/apiKeys','read',200,NULL,NULL,'[]');
CREATE UNIQUE INDEX readings_once ON readings (run, user_id, iif(user_id = '', username, ''));
CREATE INDEX readings_of_run ON readings (run);
COMMIT;
