PRAGMA application_id = 0x6b73756e;
PRAGMA user_version = 2;
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
, clock_skew INTEGER) STRICT;
INSERT INTO runs VALUES(1,'prod','http://127.0.0.1:44119/api/public/v1.0','ops-manager','4.4.12','bbounbtz',1750000000,1750000000,1,'0.1.0','{"sources":["organization 54cf30f3851e6a522395b5a5","all organizations"],"lists":[],"cutoff":"2021-03-01T00:00:00Z","active_within":90,"concurrency":16,"rate":null,"timeout":30,"retries":4,"certificates_not_verified":false,"in_the_clear":false}',NULL);
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
, organization TEXT, list TEXT, line INTEGER) STRICT;
INSERT INTO readings VALUES(1,1,'56122290634210ec4a0c56b1','kofi.kim0@example.com','read',200,NULL,NULL,1,1750000000,'54cf30f3851e6a522395b5a4',NULL,NULL);
INSERT INTO readings VALUES(2,1,'5670ea359093398177a98578','ivan.varga1@example.com','read',200,NULL,NULL,1,1750000000,'54cf30f3851e6a522395b5a4',NULL,NULL);
INSERT INTO readings VALUES(3,1,'54cd2ce8705df83cd5bcef98','nia.zhou2@example.com','read',200,NULL,NULL,1,1750000000,'54cf30f3851e6a522395b5a4',NULL,NULL);
INSERT INTO readings VALUES(4,1,'5614b7aeafd24b1654dc824d','pavel.nowak3@example.com','read',200,NULL,NULL,1,1750000000,'54cf30f3851e6a522395b5a4',NULL,NULL);
INSERT INTO readings VALUES(5,1,'565804c082da73a60a7c97f8','tariq.o''neil4@example.com','read',200,NULL,NULL,1,1750000000,'54cf30f3851e6a522395b5a4',NULL,NULL);
INSERT INTO readings VALUES(6,1,'54e26ac330615b024aec613a','ann.costa5@example.com','read',200,NULL,NULL,1,1750000000,'54cf30f3851e6a522395b5a4',NULL,NULL);
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
INSERT INTO keys VALUES(1,'56a1ae8b01b3ce8b64ed8d0e','ea126b2fd77e','k8s operator (old)',1,1453436555,1527623489,2,0);
INSERT INTO keys VALUES(1,'5a6b1c25b90135856e15e368','8cb9dfca6b77','ansible playbooks',1,1516968997,1785989119,4033,0);
INSERT INTO keys VALUES(1,'5bb8acd742528cf8cb0187fc','2f615464ff70','Production Application',1,1538829527,1793285016,8,0);
INSERT INTO keys VALUES(3,'59675f7346882afaffc2442c','37cb4c77ec57','Grafana data source',1,1499946867,NULL,0,0);
INSERT INTO keys VALUES(3,'5d3aece487ee7483cd6c2c20','da72c1128050','terraform',1,1564142820,NULL,0,0);
INSERT INTO keys VALUES(4,'5803841511ee13a093545622','affb776940c0','nightly export',1,1476625429,1648527770,78,0);
INSERT INTO keys VALUES(5,'5a3c44b3a00c2ec7a9db4016','85842dc00130','nightly export',1,1513899187,1575193441,10,0);
INSERT INTO keys VALUES(5,'5c8adb4d07c0608767ab3dbc','e2dcb9256d37','Production Application',1,1552603981,1690605305,8696,0);
INSERT INTO keys VALUES(6,'57e88c8d944fb14940671a23','5b0ce416c1a0','monitoring',1,1474858125,1614556799,9397,0);
INSERT INTO keys VALUES(6,'5a8e354a9043e01821c9b209','b8656f7c2da7','Production Application',1,1519269194,NULL,0,0);
INSERT INTO keys VALUES(6,'5be257c572b95ca7343e78ab','15bdfae199ae','k8s operator (old)',1,1541560261,1713426226,100,0);
CREATE TABLE gaps (
    run         INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    source      TEXT NOT NULL,
    status      TEXT NOT NULL,
    http_status INTEGER,
    error_code  TEXT,
    detail      TEXT,
    PRIMARY KEY (run, source)
) STRICT, WITHOUT ROWID;
INSERT INTO gaps VALUES(1,'organization 54cf30f3851e6a522395b5a5','not-found',404,'ORG_NOT_FOUND','No organization with ID 54cf30f3851e6a522395b5a5 exists.');
CREATE TABLE manifests (
    id       INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (run, sha256)
) STRICT;
INSERT INTO manifests VALUES(1,1,'811472b9aaedaefd6d9e88632002aaf0a0497aeafccea9f6527ea65cb931fce8',replace('{\n  "format": "keysunset-manifest",\n  "version": 1,\n  "tool": {\n    "name": "keysunset",\n    "version": "0.1.0",\n    "binary_sha256": "d4134168a41cfcdb5a11eb1bf326d976628703ffdc6eb81142790d076f2347c9",\n    "binary_not_read": null\n  },\n  "runs": [\n    {\n      "run": 1,\n      "deployment": "prod",\n      "address": "http://127.0.0.1:44119/api/public/v1.0",\n      "product": "ops-manager",\n      "service_version": "4.4.12",\n      "credential": "bbounbtz",\n      "lists": [],\n      "started_at": "2025-06-15T15:06:40Z",\n      "finished_at": "2025-06-15T15:06:40Z",\n      "complete": false,\n      "clock_skew_seconds": null,\n      "tool_version": "0.1.0",\n      "settings": {\n        "sources": [\n          "organization 54cf30f3851e6a522395b5a5",\n          "all organizations"\n        ],\n        "lists": [],\n        "cutoff": "2021-03-01T00:00:00Z",\n        "active_within": 90,\n        "concurrency": 16,\n        "rate": null,\n        "timeout": 30,\n        "retries": 4,\n        "certificates_not_verified": false,\n        "in_the_clear": false\n      },\n      "settings_sha256": "a290c99cc11b3ed90c5aa6e020506d6af4f8a2b29a3f44b05c27423e910cd45e",\n      "totals": {\n        "gaps": 1,\n        "users": 6,\n        "read": 6,\n        "not_read": 0,\n        "keys": 11\n      },\n      "readings_sha256": "461d4fac8b4d0a73a1caf15647bafe9efca2494c9678230805815d422e48adb0",\n      "canonical_bytes": 4800,\n      "judged_by": {\n        "cutoff": "2021-03-01T00:00:00Z",\n        "active_within_days": 90,\n        "compared_with": null\n      },\n      "previous": null\n    }\n  ],\n  "gate": {\n    "fail_on": "any",\n    "strict_waivers": false,\n    "exit_zero": false,\n    "waivers": null,\n    "baseline": null\n  },\n  "output": {\n    "formats": [\n      "csv"\n    ],\n    "csv_raw": false,\n    "templates": null\n  },\n  "files": [\n    {\n      "name": "keys.csv",\n      "bytes": 4634,\n      "sha256": "09fdc43a57482de6f618a6dffa5e00b94e222f3a63f9c08e92af85d749dc9d1a"\n    }\n  ]\n}\n','\n',char(10)));
CREATE UNIQUE INDEX readings_once ON readings (run, user_id, iif(user_id = '', username, ''));
CREATE INDEX readings_of_run ON readings (run);
COMMIT;
