//! A run in which everything happens that a row can show: keys of every verdict and severity, hostile texts, users who can't
//! be read in every way, names that nobody knows, a list that was not read, and waivers of every standing.

use serde_json::{Value, json};

use crate::stub::{self, Digest, Reply, Stub, id, key, list};
use crate::support::TestEnv;

const ORG: &str = "5980000000000000000000aa";
const SECRET_ORG: &str = "5980000000000000000000bb";

/// A name that no format may stumble over.
pub(crate) const NAME: &str = "a\"b\\c\nd,e'f{g}=1\u{202e}é";

/// Texts that are hard on JSON, CSV, SQL and readers that split lines.
const DESCRIPTIONS: [&str; 15] = [
    "=1+1",
    "\t@x",
    "a\"b\\c\nd\r\ne",
    "\0",
    "\u{2028}\u{2029}\u{85}\u{feff}",
    "'; DROP TABLE keys; --",
    "</script><b>",
    "null",
    "1e999",
    "000000000005",
    " \u{200b}=2+2",
    "\u{ff1d}1+1;=3",
    "{\"a\":[1]}",
    "🚀 é \u{202e}",
    "",
];

/// More than a double holds.
pub(crate) const USES: u64 = (1 << 53) + 1;

/// Key 20 is in use now; 21 was used before; 22 never; 23 may be in use; 24 is disabled; of 25 nothing is known; 26 is
/// the audit's own.
fn keys() -> Vec<Value> {
    let with = |number, fields: Value| {
        let mut key = key(number, "k");
        for (name, value) in fields.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    };
    let mut keys: Vec<_> = (1..).zip(DESCRIPTIONS).map(|(number, text)| key(number, text)).collect();
    keys.extend([
        with(20, json!({"lastUsed": "2024-12-24T00:00:00Z", "usedCount": USES})),
        with(21, json!({"lastUsed": "2022-01-01T00:00:00Z", "description": null})),
        with(22, json!({"lastUsed": null, "usedCount": 0})),
        with(23, json!({"lastUsed": null, "enabled": null})),
        with(24, json!({"lastUsed": "2022-01-01T00:00:00Z", "enabled": false})),
        json!({"id": id(25)}),
        with(26, json!({"obfuscatedKey": "********-****-****-555555555555"})),
    ]);
    for key in &mut keys {
        key["userId"] = json!(id(101));
    }
    keys
}

fn answer(path: &str) -> Reply {
    let user = |number: usize| json!({"id": id(number), "username": format!("u{number}@example.com")});
    let of_101 = |path: &str| path == format!("/users/{}/keys", id(101));
    match path {
        path if path.starts_with("/orgs") && path.contains(SECRET_ORG) => {
            Reply::json(403, &json!({"errorCode": "=NO", "error": 403, "detail": "Not \"you\"\\.\n"}))
        }
        path if path.starts_with("/orgs") => Reply::ok(&list(&(101..=110).map(user).collect::<Vec<_>>())),
        path if path.contains("byName") => Reply::error(404, "USERNAME_NOT_FOUND"),
        path if of_101(path) => Reply::ok(&list(&keys())),
        path => match (101..=110).find(|number| path.contains(&id(*number))) {
            Some(102) => Reply::ok(&list(&[])),
            Some(103 | 104) => {
                Reply::json(403, &json!({"errorCode": "NOT_SELF", "error": 403, "detail": "\"\n\\"}))
            }
            Some(105) => Reply::error(404, "USER_NOT_FOUND"),
            Some(106) => {
                let mut key = key(30, "of a list that is not whole");
                key["userId"] = json!(id(106));
                Reply::ok(&json!({"links": [{"rel": "self"}], "results": [key], "totalCount": 2}))
            }
            Some(107) => Reply::text(200, "text/html", "<html>"),
            Some(108) => Reply::error(500, "UNEXPECTED_ERROR"),
            Some(109) => Reply::error(410, "PERSONAL_API_KEYS_DEPRECATED"),
            _ => Reply::error(429, "RATE_LIMITED"),
        },
    }
}

/// One of each standing, one of a user, and one that matches nothing.
fn waivers() -> String {
    let entry = |target: &str, expires: &str, more: &str| {
        format!(
            "[[waiver]]\n{target}\nreason = \"be\\\"cause\\n\"\nowner = \"ann\"\nexpires = {expires}\n{more}\n"
        )
    };
    [
        entry(&format!("key = \"{}\"", id(20)), "2025-06-30", "ticket = \"T-1\""),
        entry(&format!("key = \"{}\"", id(21)), "2025-01-10", ""),
        entry(&format!("key = \"{}\"", id(22)), "2024-12-31", ""),
        entry(&format!("key = \"{}\"", id(99)), "2025-06-30", ""),
        entry("user = \"u104@example.com\"", "2025-06-30", ""),
        entry("user = \"nobody-here@example.com\"", "2025-06-30", ""),
    ]
    .concat()
}

/// A desk after that run, with these formats in `reports`. The CSV is raw.
pub(crate) fn everything(formats: &str) -> TestEnv {
    let stub = Stub::start(Digest::On, |asked| answer(&asked.path));
    let env = stub::env();
    env.put("waivers.toml", waivers());
    let ran = env.audit_at(
        &stub.url(),
        &[
            "--org",
            ORG,
            "--org",
            SECRET_ORG,
            "--user",
            "no\"body@example.com",
            "--name",
            NAME,
            "--waivers",
            "waivers.toml",
            "--format",
            formats,
            "--csv-raw",
        ],
    );
    assert_eq!(ran.code, 4, "{ran:?}");
    env
}

/// The same run rendered again into another folder.
pub(crate) fn again(env: &TestEnv, out: &str, arguments: &[&str]) -> i32 {
    let store = ["report", "--store", "reports/keysunset.db", "--waivers", "waivers.toml", "--out", out];
    let ran = env.run(&[&store[..], arguments].concat());
    assert!(matches!(ran.code, 0 | 1 | 3 | 4), "{ran:?}");
    ran.code
}

/// The plan of that run, and a search that finds three of its keys, in `reports`. What is written from now on has both.
pub(crate) fn plan_and_locate(env: &TestEnv) {
    let secret = |number: usize| format!("b5e7b0c4-3a1d-4e0e-8f55-{number:012x}");
    env.put("src/deploy.sh", format!("curl -u a:{}\n# {}\n", secret(20), secret(3)));
    env.put("src/=cmd.txt", format!("{}\n", secret(20)));
    let store = ["--store", "reports/keysunset.db", "--out", "reports"];
    assert_eq!(env.run(&[&["locate", "src"], &store[..]].concat()).code, 4);
    let ran = env.run(&[&["plan", "--waivers", "waivers.toml"], &store[..]].concat());
    assert!(matches!(ran.code, 0 | 3), "{ran:?}");
}

/// As if the run had been cut short before its end.
pub(crate) fn cut_short(env: &TestEnv) {
    let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    assert_eq!(store.execute("UPDATE runs SET finished_at = NULL", []).unwrap(), 1);
}
