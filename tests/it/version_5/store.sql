PRAGMA application_id = 0x6b73756e;
PRAGMA user_version = 5;
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
INSERT INTO runs VALUES(1,'fixture','http://127.0.0.1:34449/api/public/v1.0','ops-manager','4.4.12','bbounbtz',1750000000,1750000000,1,'0.1.0','{"sources":["all organizations"],"lists":[],"cutoff":"2021-03-01T00:00:00Z","active_within":90,"concurrency":16,"rate":null,"timeout":30,"retries":4,"certificates_not_verified":false,"in_the_clear":false}',NULL,1);
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
INSERT INTO readings VALUES(1,1,'56122290634210ec4a0c56b1','kofi.kim0@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(2,1,'5670ea359093398177a98578','ivan.varga1@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(3,1,'54cd2ce8705df83cd5bcef98','nia.zhou2@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(4,1,'5614b7aeafd24b1654dc824d','pavel.nowak3@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(5,1,'565804c082da73a60a7c97f8','tariq.o''neil4@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
INSERT INTO readings VALUES(6,1,'54e26ac330615b024aec613a','ann.costa5@example.com','read',200,NULL,NULL,1,1750000000,NULL,NULL);
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
INSERT INTO keys VALUES(1,'5a6b1c25b90135856e15e368','8cb9dfca6b77','ansible playbooks',1,1516968997,1740592407,4033,0);
INSERT INTO keys VALUES(1,'5bb8acd742528cf8cb0187fc','2f615464ff70','Production Application',1,1538829527,1747320216,8,0);
INSERT INTO keys VALUES(3,'59675f7346882afaffc2442c','37cb4c77ec57','Grafana data source',1,1499946867,NULL,0,0);
INSERT INTO keys VALUES(3,'5d3aece487ee7483cd6c2c20','da72c1128050','terraform',1,1564142820,NULL,0,0);
INSERT INTO keys VALUES(4,'5803841511ee13a093545622','affb776940c0','nightly export',1,1476625429,1639531973,78,0);
INSERT INTO keys VALUES(5,'5a3c44b3a00c2ec7a9db4016','85842dc00130','nightly export',1,1513899187,1575193441,10,0);
INSERT INTO keys VALUES(5,'5c8adb4d07c0608767ab3dbc','e2dcb9256d37','Production Application',1,1552603981,1670467025,8696,0);
INSERT INTO keys VALUES(6,'57e88c8d944fb14940671a23','5b0ce416c1a0','monitoring',1,1474858125,1614556799,9397,0);
INSERT INTO keys VALUES(6,'5a8e354a9043e01821c9b209','b8656f7c2da7','Production Application',1,1519269194,NULL,0,0);
INSERT INTO keys VALUES(6,'5be257c572b95ca7343e78ab','15bdfae199ae','k8s operator (old)',1,1541560261,1687244775,100,0);
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
INSERT INTO manifests VALUES(1,1,'f12fd18bf1934ef9dd314d22dcc446fb253eee633ecc383a7cb46b1dfaaa56c1',replace('{\n  "format": "keysunset-manifest",\n  "version": 2,\n  "tool": {\n    "name": "keysunset",\n    "version": "0.1.0",\n    "binary_sha256": "8433fae4046756aff429da1fb7c24f5860020e46e5463975839587e1563a6772",\n    "binary_not_read": null\n  },\n  "runs": [\n    {\n      "run": 1,\n      "deployment": "fixture",\n      "address": "http://127.0.0.1:34449/api/public/v1.0",\n      "product": "ops-manager",\n      "service_version": "4.4.12",\n      "credential": "bbounbtz",\n      "lists": [],\n      "organizations": [\n        {\n          "id": "54cf30f3851e6a522395b5a4",\n          "name": "Example Platform",\n          "is_deleted": false,\n          "list_status": "read",\n          "users": 6\n        },\n        {\n          "id": "54d3e5d8720ad6378fb5e594",\n          "name": "Example Research",\n          "is_deleted": false,\n          "list_status": "read",\n          "users": 1\n        },\n        {\n          "id": "55a1599b35d5e7adffd4a501",\n          "name": "Example Payments",\n          "is_deleted": false,\n          "list_status": "read",\n          "users": 2\n        }\n      ],\n      "started_at": "2025-06-15T15:06:40Z",\n      "finished_at": "2025-06-15T15:06:40Z",\n      "complete": true,\n      "clock_skew_seconds": null,\n      "tool_version": "0.1.0",\n      "settings": {\n        "sources": [\n          "all organizations"\n        ],\n        "lists": [],\n        "cutoff": "2021-03-01T00:00:00Z",\n        "active_within": 90,\n        "concurrency": 16,\n        "rate": null,\n        "timeout": 30,\n        "retries": 4,\n        "certificates_not_verified": false,\n        "in_the_clear": false\n      },\n      "settings_sha256": "873af1693db76f19592780ba8c866c05b62d0d88cfa889f1359fbb7d2ec3d898",\n      "totals": {\n        "organizations": 3,\n        "gaps": 0,\n        "users": 6,\n        "read": 6,\n        "not_read": 0,\n        "keys": 11\n      },\n      "readings_sha256": "a9ab60204f2cb64524ceb4dafe227482a52a8b11285259e97279677bb90faac5",\n      "canonical_bytes": 7804,\n      "judged_by": {\n        "cutoff": "2021-03-01T00:00:00Z",\n        "active_within_days": 90,\n        "compared_with": null\n      },\n      "previous": null\n    }\n  ],\n  "gate": {\n    "fail_on": "any",\n    "strict_waivers": false,\n    "exit_zero": false,\n    "waivers": null,\n    "baseline": null\n  },\n  "output": {\n    "formats": [\n      "csv"\n    ],\n    "csv_raw": false,\n    "templates": null\n  },\n  "files": [\n    {\n      "name": "keys.csv",\n      "bytes": 5256,\n      "sha256": "7154ac264fd2d4338d97884453aeeeb1b4a660450408959e6859fcee76eec058"\n    },\n    {\n      "name": "organizations.csv",\n      "bytes": 346,\n      "sha256": "fe836f73481593163a632c1de8eac45ef2d67c59f2def0161469d43ab432911d"\n    }\n  ]\n}\n','\n',char(10)));
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
INSERT INTO organizations VALUES(1,'54cf30f3851e6a522395b5a4','Example Platform',0,'read',200,NULL,NULL);
INSERT INTO organizations VALUES(1,'54d3e5d8720ad6378fb5e594','Example Research',0,'read',200,NULL,NULL);
INSERT INTO organizations VALUES(1,'55a1599b35d5e7adffd4a501','Example Payments',0,'read',200,NULL,NULL);
CREATE TABLE memberships (
    reading  INTEGER NOT NULL REFERENCES readings ON DELETE CASCADE,
    scope    TEXT NOT NULL,
    id       TEXT NOT NULL,
    roles    TEXT,
    team_ids TEXT,
    PRIMARY KEY (reading, scope, id)
) STRICT, WITHOUT ROWID;
INSERT INTO memberships VALUES(1,'organization','54cf30f3851e6a522395b5a4','[{"org_id":null,"project_id":null,"name":"GLOBAL_OWNER"},{"org_id":"54cf30f3851e6a522395b5a4","project_id":null,"name":"ORG_OWNER"},{"org_id":"54d3e5d8720ad6378fb5e594","project_id":null,"name":"ORG_OWNER"},{"org_id":"55a1599b35d5e7adffd4a501","project_id":null,"name":"ORG_OWNER"}]','[]');
INSERT INTO memberships VALUES(1,'organization','54d3e5d8720ad6378fb5e594','[{"org_id":null,"project_id":null,"name":"GLOBAL_OWNER"},{"org_id":"54cf30f3851e6a522395b5a4","project_id":null,"name":"ORG_OWNER"},{"org_id":"54d3e5d8720ad6378fb5e594","project_id":null,"name":"ORG_OWNER"},{"org_id":"55a1599b35d5e7adffd4a501","project_id":null,"name":"ORG_OWNER"}]','[]');
INSERT INTO memberships VALUES(1,'organization','55a1599b35d5e7adffd4a501','[{"org_id":null,"project_id":null,"name":"GLOBAL_OWNER"},{"org_id":"54cf30f3851e6a522395b5a4","project_id":null,"name":"ORG_OWNER"},{"org_id":"54d3e5d8720ad6378fb5e594","project_id":null,"name":"ORG_OWNER"},{"org_id":"55a1599b35d5e7adffd4a501","project_id":null,"name":"ORG_OWNER"}]','[]');
INSERT INTO memberships VALUES(2,'organization','54cf30f3851e6a522395b5a4','[{"org_id":null,"project_id":"564311ffd0b53e71c099fcea","name":"GROUP_AUTOMATION_ADMIN"},{"org_id":"54cf30f3851e6a522395b5a4","project_id":null,"name":"ORG_MEMBER"}]','[]');
INSERT INTO memberships VALUES(3,'organization','54cf30f3851e6a522395b5a4','[{"org_id":null,"project_id":"54b16fe6d215bf349a1c2402","name":"GROUP_MONITORING_ADMIN"},{"org_id":"54cf30f3851e6a522395b5a4","project_id":null,"name":"ORG_MEMBER"}]','["5562d3f914d253128c334c8e"]');
INSERT INTO memberships VALUES(4,'organization','54cf30f3851e6a522395b5a4','[{"org_id":null,"project_id":"5616188523786ef908f5e5ba","name":"GROUP_READ_ONLY"},{"org_id":null,"project_id":"567cb2708a433858e5b707ee","name":"GROUP_AUTOMATION_ADMIN"},{"org_id":"54cf30f3851e6a522395b5a4","project_id":null,"name":"ORG_MEMBER"},{"org_id":"55a1599b35d5e7adffd4a501","project_id":null,"name":"ORG_MEMBER"}]','[]');
INSERT INTO memberships VALUES(4,'organization','55a1599b35d5e7adffd4a501','[{"org_id":null,"project_id":"5616188523786ef908f5e5ba","name":"GROUP_READ_ONLY"},{"org_id":null,"project_id":"567cb2708a433858e5b707ee","name":"GROUP_AUTOMATION_ADMIN"},{"org_id":"54cf30f3851e6a522395b5a4","project_id":null,"name":"ORG_MEMBER"},{"org_id":"55a1599b35d5e7adffd4a501","project_id":null,"name":"ORG_MEMBER"}]','[]');
INSERT INTO memberships VALUES(5,'organization','54cf30f3851e6a522395b5a4','[{"org_id":null,"project_id":"564311ffd0b53e71c099fcea","name":"GROUP_DATA_ACCESS_READ_WRITE"},{"org_id":"54cf30f3851e6a522395b5a4","project_id":null,"name":"ORG_MEMBER"}]','[]');
INSERT INTO memberships VALUES(6,'organization','54cf30f3851e6a522395b5a4','[{"org_id":"54cf30f3851e6a522395b5a4","project_id":null,"name":"ORG_READ_ONLY"}]','["5562d3f914d253128c334c8e"]');
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
INSERT INTO inventory VALUES(1,'groups','read',200,NULL,NULL,'[{"id":"564311ffd0b53e71c099fcea","name":"production","org_id":"54cf30f3851e6a522395b5a4"},{"id":"54b16fe6d215bf349a1c2402","name":"staging","org_id":"54cf30f3851e6a522395b5a4"},{"id":"567cb2708a433858e5b707ee","name":"analytics","org_id":"54cf30f3851e6a522395b5a4"},{"id":"5616188523786ef908f5e5ba","name":"ledger","org_id":"55a1599b35d5e7adffd4a501"},{"id":"5682e11067ffb17d5cc95824","name":"card-vault","org_id":"55a1599b35d5e7adffd4a501"},{"id":"5607dd982ce4ef8d6d3371ba","name":"notebooks","org_id":"54d3e5d8720ad6378fb5e594"},{"id":"5565e6b7ffa3b00ade8cd713","name":"warehouse","org_id":"54d3e5d8720ad6378fb5e594"}]');
INSERT INTO inventory VALUES(1,'groups/54b16fe6d215bf349a1c2402/teams','read',200,NULL,NULL,'[]');
INSERT INTO inventory VALUES(1,'groups/564311ffd0b53e71c099fcea/teams','read',200,NULL,NULL,'[{"roles":["GROUP_DATA_ACCESS_READ_ONLY","GROUP_READ_ONLY"],"team_id":"5562d3f914d253128c334c8e"}]');
INSERT INTO inventory VALUES(1,'groups/567cb2708a433858e5b707ee/teams','read',200,NULL,NULL,'[]');
INSERT INTO inventory VALUES(1,'orgs/54cf30f3851e6a522395b5a4/apiKeys','read',200,NULL,NULL,'[]');
INSERT INTO inventory VALUES(1,'orgs/54cf30f3851e6a522395b5a4/teams','read',200,NULL,NULL,'[{"id":"5562d3f914d253128c334c8e","name":"on-call"}]');
INSERT INTO inventory VALUES(1,'orgs/54d3e5d8720ad6378fb5e594/apiKeys','read',200,NULL,NULL,'[]');
INSERT INTO inventory VALUES(1,'orgs/55a1599b35d5e7adffd4a501/apiKeys','read',200,NULL,NULL,'[]');
CREATE TABLE programmatic_keys (
    run    INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    suffix TEXT NOT NULL,
    PRIMARY KEY (run, suffix)
) STRICT, WITHOUT ROWID;
INSERT INTO programmatic_keys VALUES(1,'0ac55f61da7e');
INSERT INTO programmatic_keys VALUES(1,'1efaf730409f');
INSERT INTO programmatic_keys VALUES(1,'3cb9e54c37c7');
INSERT INTO programmatic_keys VALUES(1,'405c18183122');
INSERT INTO programmatic_keys VALUES(1,'6b624448d148');
INSERT INTO programmatic_keys VALUES(1,'a0661d196049');
CREATE TABLE searches (
    id          INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    searched_at INTEGER NOT NULL,
    is_complete INTEGER NOT NULL,
    roots       TEXT NOT NULL
) STRICT;
INSERT INTO searches VALUES(1,1,1750000000,1,'["s"]');
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
INSERT INTO places VALUES(1,'5b0ce416c1a0','key','worktree','s','run.sh','',1,5,'plain',NULL,NULL,NULL,NULL,NULL);
CREATE UNIQUE INDEX readings_once ON readings (run, user_id, iif(user_id = '', username, ''));
CREATE INDEX readings_of_run ON readings (run);
CREATE INDEX places_of_search ON places (search, suffix);
COMMIT;
