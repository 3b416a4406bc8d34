//! The manifest and the canonical form, held against software that is not ours: coreutils' sha256sum, Python's json and sqlite3,
//! the JSON Schema, and the tools with which the docs sign.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use keysunset_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::{CliOutput, TestEnv, list_of_ids, ops_manager};

const DOCS: &str = include_str!("../../docs/evidence.md");

/// The manifest of a folder of the desk.
pub(crate) fn manifest(env: &TestEnv, out: &str) -> Value {
    serde_json::from_slice(&env.bytes(&format!("{out}/manifest.json"))).unwrap()
}

/// What a program of the machine prints; it has to end with 0.
fn output_of(program: &str, arguments: &[&str], folder: &Path, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| panic!("{program}: {why}"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}: {stderr}", output.status);
    output.stdout
}

/// As coreutils have it.
pub(crate) fn sha256sum(bytes: &[u8]) -> String {
    let printed = String::from_utf8(output_of("sha256sum", &[], Path::new("."), bytes)).unwrap();
    printed.split(' ').next().unwrap().to_owned()
}

fn python() -> String {
    std::env::var("KEYSUNSET_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Whether this can be tested here; a line says where not.
pub(crate) fn has(program: &str, arguments: &[&str]) -> bool {
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let is_there = ran.is_ok_and(|output| output.status.success());
    if !is_there {
        let what = format!("{program} {}", arguments.join(" "));
        assert!(std::env::var_os("KEYSUNSET_CI").is_none(), "`{what}` has to work for this");
        // Not `eprintln`, which a passing test keeps to itself.
        let mut stderr = std::io::stderr();
        writeln!(stderr, "skipped: `{what}` does not work here").unwrap();
    }
    is_there
}

fn exported(env: &TestEnv, arguments: &[&str]) -> String {
    let ran = env.run(&[&["export"], arguments].concat());
    assert_eq!((ran.code, &*ran.stderr), (0, ""), "{ran:?}");
    ran.stdout
}

/// Everybody by a list, with a waiver, at a rate that is no whole number.
fn audited(sandbox: &Sandbox, env: &TestEnv) -> CliOutput {
    env.put("list.txt", list_of_ids(sandbox));
    env.put(
        "waivers.toml",
        "[[waiver]]\nkey = \"5980cfdf0b6d97029d82f86e\"\nreason = \"r\"\nowner = \"o\"\nexpires = 2025-06-01\n",
    );
    let ran = env.audit(
        sandbox,
        &[
            "--users",
            "list.txt",
            "--rate",
            "98765.4321",
            "--waivers",
            "waivers.toml",
            "--name",
            "ops",
            "--fail-on",
            "used",
        ],
    );
    assert_eq!(ran.code, 1, "{ran:?}");
    ran
}

#[test]
fn the_manifest_names_the_run_and_the_hash_of_every_file() {
    let sandbox = ops_manager(30);
    let env = TestEnv::at(&sandbox);
    let ran = audited(&sandbox, &env);
    let written: Vec<_> = ran.stdout.lines().filter(|line| line.contains("reports/")).collect();
    assert_eq!(written[4].trim(), "reports/manifest.json", "{ran:?}");
    let manifest = manifest(&env, "reports");
    assert_eq!((&manifest["format"], &manifest["version"]), (&json!("keysunset-manifest"), &json!(2)));

    let files = manifest["files"].as_array().unwrap();
    let names: Vec<_> = files.iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["keys.csv", "migration-report.md", "organizations.csv", "report.html"]);
    for (name, file) in names.iter().zip(files) {
        let bytes = env.bytes(&format!("reports/{name}"));
        assert_eq!(
            (&file["bytes"], &file["sha256"]),
            (&json!(bytes.len()), &json!(sha256sum(&bytes))),
            "{name}"
        );
    }
    let binary = std::fs::read(env!("CARGO_BIN_EXE_keysunset")).unwrap();
    assert_eq!(manifest["tool"]["binary_sha256"], json!(sha256sum(&binary)));
    assert_eq!(manifest["tool"]["version"], json!(env!("CARGO_PKG_VERSION")));
    assert_eq!(manifest["gate"]["fail_on"], "used");
    let waivers = json!({"path": "waivers.toml", "sha256": sha256sum(&env.bytes("waivers.toml"))});
    assert_eq!(manifest["gate"]["waivers"], waivers);

    let run = &manifest["runs"][0];
    let list = env.bytes("list.txt");
    assert_eq!(
        (&run["lists"][0]["users"], &run["lists"][0]["sha256"]),
        (&json!(30), &json!(sha256sum(&list)))
    );
    let announced = sandbox.announcement();
    for (field, expected) in [
        ("run", json!(1)),
        ("deployment", json!("ops")),
        ("product", json!("ops-manager")),
        ("service_version", json!("4.4.12")),
        ("credential", json!(announced.public_key)),
        ("complete", json!(true)),
        // The clock is fixed, so nobody looked.
        ("clock_skew_seconds", Value::Null),
        ("started_at", json!("2025-01-01T00:00:00Z")),
        ("finished_at", json!("2025-01-01T00:00:00Z")),
        ("previous", Value::Null),
        (
            "judged_by",
            json!({"cutoff": "2021-03-01T00:00:00Z", "active_within_days": 90, "compared_with": null}),
        ),
    ] {
        assert_eq!(run[field], expected, "{field}");
    }
    assert_eq!(run["settings"]["rate"], json!(98765.4321));
    assert_eq!(run["settings"]["sources"], json!(["users from list.txt"]));
    let keys: usize = sandbox.ground_truth().map(|user| user.keys.len()).sum();
    assert_eq!(
        run["totals"],
        json!({"organizations": 0, "gaps": 0, "users": 30, "read": 30, "not_read": 0, "keys": keys})
    );
}

#[test]
fn an_export_has_the_manifests_hash_in_any_store() {
    let sandbox = ops_manager(30);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    let first = exported(&env, &[]);
    let run = manifest(&env, "reports")["runs"][0].clone();
    assert_eq!(run["readings_sha256"], json!(sha256sum(first.as_bytes())));
    assert_eq!(run["canonical_bytes"], json!(first.len()));
    // The same evidence under another number, and elsewhere.
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    assert_eq!((exported(&env, &[]), exported(&env, &["1"])), (first.clone(), first.clone()));
    assert_eq!(env.audit(&sandbox, &["--all-orgs", "--store", "other.db"]).code, 1);
    assert_eq!(exported(&env, &["--store", "other.db"]), first);
    for (arguments, expected) in
        [(&["export", "9"][..], "no run 9"), (&["export", "--out", "none"], "no run database")]
    {
        let ran = env.run(arguments);
        assert_eq!((ran.code, &*ran.stdout), (5, ""), "{ran:?}");
        assert!(ran.stderr.contains(expected), "{ran:?}");
    }
}

/// Makes the canonical form from the store, with nothing of ours: what the docs say is enough to do it.
const REMADE: &str = r#"
import json, sqlite3, sys
from datetime import datetime, timezone
store = sqlite3.connect(sys.argv[1]); store.row_factory = sqlite3.Row
def time(seconds):
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
def put(line):
    sys.stdout.buffer.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
run = store.execute("SELECT * FROM runs ORDER BY id DESC LIMIT 1").fetchone()
head = {"keysunset": "run", "version": 2}
for field in ["deployment", "address", "product", "service_version", "credential", "clock_skew"]:
    head[field] = run[field]
head |= {"started_at": time(run["started_at"]), "finished_at": time(run["finished_at"]), "tool_version": run["tool_version"]}
head["has_organizations"] = bool(run["has_organizations"])
settings = json.loads(run["settings"])
head["settings"] = {field: settings[field] for field in ["sources", "lists", "cutoff", "active_within", "concurrency", "rate",
    "timeout", "retries", "certificates_not_verified", "in_the_clear"]}
put(head)
outcome = ["status", "http_status", "error_code", "detail"]
flag = lambda value: None if value is None else bool(value)
organizations = store.execute("SELECT * FROM organizations WHERE run = ?", [run["id"]]).fetchall()
for row in sorted(organizations, key=lambda row: row["org_id"].encode()):
    line = {"keysunset": "organization", "id": row["org_id"], "name": row["name"], "is_deleted": flag(row["is_deleted"])}
    put(line | {field: row[field] for field in outcome})
gaps = store.execute("SELECT * FROM gaps WHERE run = ?", [run["id"]]).fetchall()
for gap in sorted(gaps, key=lambda gap: gap["source"].encode()):
    put({"keysunset": "gap"} | {field: gap[field] for field in ["source", "org_id", *outcome]})
readings = store.execute("SELECT * FROM readings WHERE run = ?", [run["id"]]).fetchall()
read = found = 0
for reading in sorted(readings, key=lambda row: ((row["username"] or "").encode(), row["user_id"].encode())):
    line = {"keysunset": "reading", "user_id": reading["user_id"], "username": reading["username"]}
    lists = store.execute("SELECT * FROM memberships WHERE reading = ?", [reading["id"]]).fetchall()
    listed = lambda text: None if text is None else json.loads(text)
    line["memberships"] = [{
        "scope": row["scope"], "id": row["id"], "roles": listed(row["roles"]), "team_ids": listed(row["team_ids"]),
    } for row in sorted(lists, key=lambda row: (row["scope"].encode(), row["id"].encode()))]
    for field in ["list", "line", *outcome, "attempts"]:
        line[field] = reading[field]
    keys = store.execute("SELECT * FROM keys WHERE reading = ?", [reading["id"]]).fetchall()
    line |= {"read_at": time(reading["read_at"]), "keys": [{
        "id": key["key_id"], "suffix": key["suffix"], "description": key["description"], "enabled": flag(key["enabled"]),
        "created_at": time(key["created_at"]), "last_used": time(key["last_used"]), "used_count": key["used_count"],
        "auditing": flag(key["auditing"]),
    } for key in sorted(keys, key=lambda key: (key["created_at"] is not None, key["created_at"], key["key_id"].encode()))]}
    put(line)
    read += reading["status"] in ("read", "removed")
    found += len(keys)
put({"keysunset": "end", "organizations": len(organizations), "gaps": len(gaps), "users": len(readings), "read": read, "not_read": len(readings) - read, "keys": found})
"#;

#[test]
fn another_program_can_make_the_export_from_the_store() {
    if !has(&python(), &["-c", "import json, sqlite3"]) {
        return;
    }
    let sandbox = ops_manager(40);
    let env = TestEnv::at(&sandbox);
    audited(&sandbox, &env);
    let again =
        |env: &TestEnv| output_of(&python(), &["-c", REMADE, "reports/keysunset.db"], &env.path(""), b"");
    assert_eq!(String::from_utf8(again(&env)).unwrap(), exported(&env, &[]));
    // With users who could not be read, names of nobody, and a list that is missing.
    let arguments = ["--all-orgs", "--user", "nobody@example.com", "--org", "000000000000000000000000"];
    assert_eq!(env.audit(&sandbox, &arguments).code, 4);
    let text = exported(&env, &[]);
    assert_eq!(String::from_utf8(again(&env)).unwrap(), text);
    assert!(text.contains("{\"keysunset\":\"gap\",") && text.contains("nobody@example.com"), "{text}");
    let run = manifest(&env, "reports")["runs"][0].clone();
    assert_eq!(
        (&run["readings_sha256"], &run["complete"]),
        (&json!(sha256sum(text.as_bytes())), &json!(false))
    );
    // And hostile texts.
    let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    store
        .execute("UPDATE keys SET description = ?", ["\"\\\u{0}\u{1f}\u{7f}\u{2028}\r\n\té😀</script>"])
        .unwrap();
    store.execute("UPDATE readings SET username = username || ?", ["\u{202e}\"\u{8}"]).unwrap();
    drop(store);
    assert_eq!(String::from_utf8(again(&env)).unwrap(), exported(&env, &[]));
}

#[test]
fn the_settings_hash_is_that_of_their_canonical_json() {
    if !has(&python(), &["-c", "import json"]) {
        return;
    }
    let sandbox = ops_manager(30);
    let env = TestEnv::at(&sandbox);
    audited(&sandbox, &env);
    let script = "import json, sys; settings = json.load(open(sys.argv[1]))['runs'][0]['settings']; \
        sys.stdout.write(json.dumps(settings, ensure_ascii=False, separators=(',', ':')))";
    let settings = output_of(&python(), &["-c", script, "reports/manifest.json"], &env.path(""), b"");
    assert_eq!(manifest(&env, "reports")["runs"][0]["settings_sha256"], json!(sha256sum(&settings)));
}

#[test]
fn the_manifest_is_valid_against_its_schema() {
    if !has(&python(), &["-c", "import jsonschema"]) {
        return;
    }
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/manifest.schema.json");
    let script = "import json, sys, jsonschema\n\
        schema = json.load(open(sys.argv[1]))\n\
        jsonschema.Draft202012Validator.check_schema(schema)\n\
        check = jsonschema.Draft202012Validator(schema)\n\
        for path in sys.argv[2:]: check.validate(json.load(open(path)))\n\
        document = json.load(open(sys.argv[2]))\n\
        for part in [document, document['runs'][0], document['tool'], document['gate'], document['files'][0]]:\n\
        \x20   for field in list(part):\n\
        \x20       kept = part.pop(field)\n\
        \x20       assert not check.is_valid(document), field\n\
        \x20       part[field] = kept\n\
        \x20   part['more'] = 1\n\
        \x20   assert not check.is_valid(document), 'one field more'\n\
        \x20   del part['more']\n\
        assert check.is_valid(document)";
    let sandbox = ops_manager(10);
    let env = TestEnv::at(&sandbox);
    audited(&sandbox, &env);
    let second = [
        "--all-orgs",
        "--org",
        "000000000000000000000000",
        "--out",
        "second",
        "--store",
        "reports/keysunset.db",
    ];
    assert_eq!(env.audit(&sandbox, &second).code, 4);
    let store = ["--store", "reports/keysunset.db"];
    let formats =
        [&["report", "--out", "third", "--format", "github", "--csv-raw", "--exit-zero"][..], &store]
            .concat();
    assert_eq!(env.run(&formats).code, 0);
    let manifests = ["reports", "second", "third"].map(|out| format!("{out}/manifest.json"));
    let arguments: Vec<_> =
        ["-c", script, schema].into_iter().chain(manifests.iter().map(String::as_str)).collect();
    output_of(&python(), &arguments, &env.path(""), b"");
}

#[test]
fn a_format_without_a_file_has_a_manifest_too() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs", "--format", "github"]).code, 1);
    assert_eq!(manifest(&env, "reports")["files"], json!([]));
    assert_eq!(env.run(&["verify"]).code, 0);
}

#[test]
fn the_same_report_has_the_same_manifest() {
    let demo = || {
        let env = TestEnv::empty();
        assert_eq!(env.run(&["demo", "--users", "20", "--out", "reports"]).code, 0);
        env
    };
    let (one, other) = (demo(), demo());
    let first = one.bytes("reports/manifest.json");
    assert_eq!(other.bytes("reports/manifest.json"), first);
    // Of run 1, reported on before, after and again: later runs do not move what it names as the one before.
    assert_eq!(one.run(&["report"]).code, 1);
    assert_eq!(one.bytes("reports/manifest.json"), first);
    assert_eq!(one.run(&["demo", "--users", "20", "--out", "reports"]).code, 0);
    let second = one.bytes("reports/manifest.json");
    assert_eq!(one.run(&["report", "--run", "1"]).code, 1);
    assert_eq!(one.bytes("reports/manifest.json"), first);
    assert_eq!(one.run(&["report", "--cutoff", "2019-02-03"]).code, 1);
    let judged = manifest(&one, "reports")["runs"][0]["judged_by"]["cutoff"].clone();
    assert_eq!(judged, "2019-02-03T00:00:00Z");
    assert_eq!(one.run(&["report", "--run", "2"]).code, 1);
    assert_eq!(one.bytes("reports/manifest.json"), second);
    let link = json!({"run": 1, "sha256": sha256sum(&first)});
    assert_eq!(manifest(&one, "reports")["runs"][0]["previous"], link);
    assert_eq!(one.run(&["verify"]).code, 0);
}

#[test]
fn the_documented_ways_to_sign_work() {
    if !has("openssl", &["version"]) || !has("sh", &["-c", "command -v ssh-keygen"]) {
        return;
    }
    let env = TestEnv::empty();
    assert_eq!(env.run(&["demo", "--users", "5", "--out", "reports"]).code, 0);
    let shell = |line: &str| {
        let mut command = Command::new("sh");
        command.args(["-euc", line]).current_dir(env.path("")).stdin(Stdio::null()).output().unwrap()
    };
    let works = |line: &str| {
        let output = shell(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    };
    works("ssh-keygen -q -t ed25519 -N '' -f signing_key");
    works(
        "printf 'auditor@example.com namespaces=\"keysunset\" %s\\n' \"$(cat signing_key.pub)\" > allowed_signers",
    );
    // An authority of the test's own, in the place of one that speaks over the network.
    works(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout a.key -out authority.pem -subj /CN=Authority
         openssl req -newkey rsa:2048 -nodes -keyout t.key -out t.csr -subj /CN=Stamps
         printf 'extendedKeyUsage=critical,timeStamping\\n' > ext
         openssl x509 -req -in t.csr -CA authority.pem -CAkey a.key -CAcreateserial -out t.pem -extfile ext
         printf '[tsa]\\ndefault_tsa=t\\n[t]\\nserial=serial\\nsigner_digest=sha256\\ndefault_policy=1.2.3\\ndigests=sha256\\n' > t.cnf
         echo 01 > serial",
    );
    let mut ran = BTreeSet::new();
    let lines = || {
        DOCS.lines().filter(|line| ["ssh-keygen ", "openssl ", "curl "].iter().any(|it| line.starts_with(it)))
    };
    for line in lines() {
        if line.starts_with("curl ") {
            works(
                "openssl ts -reply -config t.cnf -queryfile manifest.tsq -signer t.pem -inkey t.key -out manifest.tsr",
            );
        } else {
            works(line);
        }
        ran.insert(line.split(' ').next().unwrap());
    }
    assert_eq!(ran, BTreeSet::from(["curl", "openssl", "ssh-keygen"]));
    // Of one byte more, neither holds.
    let mut bytes = env.bytes("reports/manifest.json");
    bytes.push(b'\n');
    env.put("reports/manifest.json", bytes);
    let checks: Vec<_> = lines().filter(|line| line.contains("verify")).collect();
    assert_eq!(checks.len(), 2);
    for line in checks {
        assert!(!shell(line).status.success(), "{line}");
    }
}
