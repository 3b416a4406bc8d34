//! The client against Apache's `mod_auth_digest`, a server that nobody here wrote: what the client does must not depend on
//! our own sandbox alone. Apache serves the saved answers of `tests/data/apache`; its access log is the witness.

mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use self::server::{Apache, Exchange, PRIVATE, PUBLIC};
use super::support::{Row, TestEnv, of_user};

/// One nonce for as long as Apache lives.
const LASTING: &str = "AuthDigestNonceLifetime -1";

/// The organization of the saved answers, and its members.
const ORG: &str = "5980cfdf0b6d97029d82f86e";
/// Has the two keys of both reference pages.
const ANN: &str = "5af9a1d29cc0cdb6ac0bf3f8";
/// Has five keys on three pages, of which the links lead to another host.
const BORIS: &str = "5b17c0de9cc0cdb6ac0bf401";
/// Has no keys.
const CHIARA: &str = "5c3e90aa9cc0cdb6ac0bf501";
/// Is not in the organization.
const DANA: &str = "5d5e6f709cc0cdb6ac0bf601";
const NOBODY: &str = "000000000000000000000000";

fn env() -> TestEnv {
    TestEnv::of((PUBLIC.to_owned(), PRIVATE.to_owned()))
}

/// The keys that the saved answers below a base path have: what a reader of the files would write down.
fn saved(base: &str) -> BTreeSet<[String; 8]> {
    let users = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/apache").join(base).join("users");
    let mut keys = BTreeSet::new();
    for user in std::fs::read_dir(users).unwrap() {
        let user = user.unwrap();
        let Ok(pages) = std::fs::read_dir(user.path().join("keys")) else { continue };
        for page in pages {
            let page: Value = serde_json::from_slice(&std::fs::read(page.unwrap().path()).unwrap()).unwrap();
            let id = user.file_name().into_string().unwrap();
            keys.extend(page["results"].as_array().unwrap().iter().map(|key| fields(&id, key)));
        }
    }
    keys
}

fn fields(user: &str, key: &Value) -> [String; 8] {
    let text = |name: &str| match &key[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let suffix = text("obfuscatedKey").rsplit('-').next().unwrap().to_owned();
    [
        user.to_owned(),
        text("id"),
        suffix,
        text("description"),
        text("enabled"),
        text("createdAt"),
        text("lastUsed"),
        text("usedCount"),
    ]
}

/// The keys of a report.
fn reported(rows: &[Row]) -> BTreeSet<[String; 8]> {
    let columns = [
        "user_id",
        "key_id",
        "key_suffix",
        "description",
        "enabled",
        "created_at",
        "last_used",
        "used_count",
    ];
    rows.iter()
        .filter(|row| !row["key_id"].is_empty())
        .map(|row| columns.map(|column| row[column].clone()))
        .collect()
}

/// The counts that came with each nonce, in the order of the log.
fn counts(exchanges: &[Exchange]) -> BTreeMap<&str, Vec<u32>> {
    let mut counts: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for exchange in exchanges {
        if let (Some(nonce), Some(count)) = (exchange.parameter("nonce"), exchange.parameter("nc")) {
            assert_eq!(count.len(), 8, "{exchange:?}");
            counts.entry(nonce).or_default().push(u32::from_str_radix(count, 16).unwrap());
        }
    }
    counts
}

/// With several requests in flight the log is not in the order of sending: each count once, from 1 on, without a gap.
fn assert_each_count_once(exchanges: &[Exchange]) {
    for (nonce, mut counts) in counts(exchanges) {
        counts.sort_unstable();
        let rising: Vec<u32> = (1..).take(counts.len()).collect();
        assert_eq!(counts, rising, "{nonce}");
    }
}

fn refusals(exchanges: &[Exchange]) -> usize {
    exchanges.iter().filter(|exchange| exchange.status == 401).count()
}

#[test]
fn every_key_apache_serves_is_in_the_report() {
    let Some(apache) = Apache::start(LASTING) else { return };
    let env = env();
    // An id, two names that a path can't hold as they are, and an organization: the two who come twice are read once.
    env.put("people.txt", format!("{ANN}\nboris+ops@example.com\ndana.o'neil@example.com\n"));
    let ran = env.audit_at(&apache.url(), &["--users", "people.txt", "--org", ORG]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);

    let rows = env.rows();
    assert_eq!(reported(&rows), saved("api/public/v1.0"));
    assert_eq!(rows.len(), saved("api/public/v1.0").len() + 1, "a row a key, and one for her who has none");
    let chiara = of_user(&rows, CHIARA);
    assert_eq!((chiara.len(), chiara[0]["read_status"].as_str()), (1, "read"));
    assert_eq!(of_user(&rows, DANA)[0]["username"], "dana.o'neil@example.com");
    assert!(env.markdown().contains("4.4.12"), "the version in Apache's header");

    let exchanges = apache.exchanges();
    let read: Vec<&str> = exchanges
        .iter()
        .filter(|exchange| exchange.status == 200)
        .map(|exchange| exchange.target.as_str())
        .collect();
    for (id, pages) in [(ANN, 1), (BORIS, 3), (CHIARA, 1), (DANA, 1)] {
        let of_them = read.iter().filter(|target| target.contains(&format!("/users/{id}/keys?"))).count();
        assert_eq!(of_them, pages, "{id}: {read:?}");
    }
    assert_each_count_once(&exchanges);
}

#[test]
fn the_atlas_pages_answer_is_in_the_report_too() {
    let Some(apache) = Apache::start(LASTING) else { return };
    let env = env();
    let url = format!("{}/api/atlas/v1.0/", apache.url());
    let ran = env.audit_at(&url, &["--user", ANN, "--name", "atlas"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(reported(&env.rows()), saved("api/atlas/v1.0"));
}

#[test]
fn a_wrong_password_is_refused_by_apache_and_reported() {
    let Some(apache) = Apache::start(LASTING) else { return };
    let env = TestEnv::of((PUBLIC.to_owned(), PRIVATE.replace('0', "1")));
    let ran = env.audit_at(&apache.url(), &["--user", ANN, "--user", CHIARA]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let expected = [&format!("refused the credentials (401 from {})", apache.url()), PUBLIC];
    assert!(expected.iter().all(|part| ran.stderr.contains(*part)), "{}", ran.stderr);
    assert!(!ran.stderr.contains(&PRIVATE.replace('0', "1")), "{}", ran.stderr);
    assert!(!env.path("reports/keys.csv").exists());
    // A challenge and its answer for each who was on the way when the first refusal came, and no second try.
    let exchanges = apache.exchanges();
    assert!((2..=4).contains(&exchanges.len()) && refusals(&exchanges) == exchanges.len(), "{exchanges:?}");
}

#[test]
fn a_user_apache_does_not_know_is_not_found() {
    let Some(apache) = Apache::start(LASTING) else { return };
    let env = env();
    let ran =
        env.audit_at(&apache.url(), &["--user", CHIARA, "--user", NOBODY, "--user", "nobody@example.com"]);
    assert_eq!(ran.code, 3, "nothing found, and incomplete: {}", ran.stderr);
    let rows = env.rows();
    let unknown: Vec<_> = rows.iter().filter(|row| row["read_status"] == "not-found").collect();
    assert_eq!(unknown.len(), 2, "{rows:?}");
    for row in unknown {
        assert_eq!((row["http_status"].as_str(), row["error_code"].as_str()), ("404", "USER_NOT_FOUND"));
    }
    assert_each_count_once(&apache.exchanges());
}

#[test]
fn an_audit_takes_an_exchange_a_page_and_one_a_nonce() {
    const PEOPLE: usize = 1100;
    let Some(apache) = Apache::start(LASTING) else { return };
    let env = env();
    env.put("people.txt", apache.people(PEOPLE).join("\n"));
    let ran = env.audit_at(&apache.url(), &["--users", "people.txt", "--org", ORG]);
    assert_eq!((ran.code, env.rows().len()), (1, PEOPLE + 8), "{}", ran.stderr);

    let exchanges = apache.exchanges();
    let nonces = counts(&exchanges);
    // The members' two pages, five pages of the three members' keys, and for the plan the projects and the
    // organization's programmatic keys.
    let answers = PEOPLE + 2 + 5 + 2;
    assert_eq!(nonces.values().map(Vec::len).sum::<usize>(), answers);
    assert_eq!(exchanges.len(), answers + nonces.len());
    assert_eq!(refusals(&exchanges), nonces.len(), "only challenges, no answer");
    let uses: Vec<_> = nonces.values().map(Vec::len).collect();
    // Where a nonce ends, a second request may have asked for a new one already.
    assert!((2..=3).contains(&uses.len()), "{uses:?}");
    // Once there is a second one, both may be in use.
    assert!(
        uses.iter().all(|uses| *uses <= 1023),
        "a nonce is renewed before Jetty would refuse it: {uses:?}"
    );
    assert_each_count_once(&exchanges);
}

#[test]
fn an_apache_that_closes_idle_connections_costs_no_user() {
    const PEOPLE: usize = 400;
    let Some(apache) = Apache::start_small(LASTING, 3) else { return };
    let env = env();
    env.put("people.txt", apache.people(PEOPLE).join("\n"));
    // With the retries that a user has.
    let ran = env.run(&["audit", "--url", &apache.url(), "--users", "people.txt"]);
    assert_eq!((ran.code, env.rows().len()), (0, PEOPLE), "{}", ran.stderr);
    let nonces = apache.exchanges();
    let repeated = counts(&nonces).into_values().find(|counts| {
        let once: BTreeSet<_> = counts.iter().collect();
        once.len() < counts.len()
    });
    assert_eq!(repeated, None, "a request that is sent again has a count of its own");
}

#[test]
fn a_nonce_that_expired_at_apache_is_renewed() {
    let Some(apache) = Apache::start("AuthDigestNonceLifetime 1") else { return };
    let env = env();
    env.put("people.txt", apache.people(30).join("\n"));
    // At this rate it takes two seconds, and a nonce lives one.
    let ran = env.audit_at(&apache.url(), &["--users", "people.txt", "--rate", "15", "--concurrency", "1"]);
    assert_eq!((ran.code, env.rows().len()), (0, 30), "{}", ran.stderr);
    let exchanges = apache.exchanges();
    let stale =
        exchanges.iter().filter(|exchange| exchange.status == 401 && exchange.parameter("nonce").is_some());
    assert!(stale.count() >= 1, "{exchanges:?}");
    assert_each_count_once(&exchanges);
}

#[test]
fn apaches_one_time_nonces_cost_two_exchanges_a_request() {
    let Some(apache) = Apache::start("AuthDigestNonceLifetime 0") else { return };
    let env = env();
    env.put("people.txt", apache.people(40).join("\n"));
    // One after the other: of the nonces with one `opaque` Apache takes the newest alone.
    let ran = env.audit_at(&apache.url(), &["--users", "people.txt", "--concurrency", "1"]);
    assert_eq!((ran.code, env.rows().len()), (0, 40), "{}", ran.stderr);
    let exchanges = apache.exchanges();
    assert_eq!((exchanges.len(), refusals(&exchanges)), (80, 40));
}

#[test]
fn counts_that_apache_checks_one_after_the_other_are_in_order() {
    let Some(apache) = Apache::start("AuthDigestQop auth\nAuthDigestNonceLifetime -1\nAuthDigestNcCheck On")
    else {
        return;
    };
    let env = env();
    env.put("people.txt", apache.people(40).join("\n"));
    let ran = env.audit_at(&apache.url(), &["--users", "people.txt", "--concurrency", "1"]);
    assert_eq!((ran.code, env.rows().len()), (0, 40), "{}", ran.stderr);
    let exchanges = apache.exchanges();
    assert_eq!(refusals(&exchanges), 1);
    let counts: Vec<_> = counts(&exchanges).into_values().collect();
    assert_eq!(counts, [(1..=40).collect::<Vec<u32>>()]);
}
