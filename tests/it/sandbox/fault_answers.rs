//! `--fault`: what each kind does on the wire.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use keysunset_sandbox::Sandbox;
use serde_json::Value;

use super::{Client, Reply, announced, start};

/// A sandbox with one fault, and a client of it.
fn broken(spec: &str) -> (Sandbox, Client) {
    let sandbox = start(|options| {
        options.faults = vec![spec.parse().unwrap_or_else(|why| panic!("{why}"))];
        options.users = 40;
    });
    let client = announced(&sandbox);
    (sandbox, client)
}

/// The list of keys of the first user who has some.
fn some_keys(sandbox: &Sandbox) -> String {
    let user = sandbox.ground_truth().find(|user| !user.keys.is_empty()).unwrap();
    format!("/users/{}/keys", user.id)
}

/// The list of keys of the first user who has none.
fn no_keys(sandbox: &Sandbox) -> String {
    let user = sandbox.ground_truth().find(|user| user.keys.is_empty()).unwrap();
    format!("/users/{}/keys", user.id)
}

async fn answer(kind: &str) -> Reply {
    let (sandbox, client) = broken(&format!("{kind}@1:keys"));
    client.get(&some_keys(&sandbox)).await
}

#[tokio::test]
async fn a_status_comes_with_its_detail() {
    for (kind, status, code) in [
        ("400", 400, "RATE_LIMITED_IP"),
        ("401", 401, "USER_UNAUTHORIZED"),
        ("403=GROUP_RATE_LIMITED", 403, "GROUP_RATE_LIMITED"),
        ("404", 404, "USER_NOT_FOUND"),
        ("408", 408, "REQUEST_TIMEOUT"),
        ("410", 410, "PERSONAL_API_KEYS_DEPRECATED"),
        ("429", 429, "RATE_LIMITED"),
        ("500", 500, "UNEXPECTED_ERROR"),
        ("504=7", 504, "UNEXPECTED_ERROR"),
    ] {
        let reply = answer(kind).await;
        assert_eq!(reply.refusal(), (status, code.to_owned()), "{kind}");
        assert_eq!(reply.json()["error"], status);
        assert!(reply.challenges().is_empty());
    }
    assert_eq!(answer("503=empty").await.text, "");
    let page = answer("502=html").await;
    assert_eq!((page.status.as_u16(), &page.text[..5]), (502, "<!DOC"));
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
}

#[tokio::test]
async fn a_rate_limit_gives_its_retry_time_in_each_way() {
    assert!(!answer("429").await.headers.contains_key("retry-after"));
    assert_eq!(answer("429=3").await.headers["retry-after"], "3");
    let remaining = answer("429=remaining").await.headers;
    assert_eq!(
        (&remaining["ratelimit-limit"], &remaining["ratelimit-remaining"]),
        (&"100".parse().unwrap(), &"0".parse().unwrap())
    );
    let date = answer("503=date").await.headers["retry-after"].to_str().unwrap().to_owned();
    let ahead = httpdate::parse_http_date(&date).unwrap().duration_since(SystemTime::now()).unwrap();
    assert!(ahead <= Duration::from_secs(2), "{date}");
}

#[tokio::test]
async fn a_body_that_is_no_document_comes_with_status_200() {
    let html = answer("html").await;
    assert_eq!(
        (html.status.as_u16(), &html.headers["content-type"]),
        (200, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert!(html.text.starts_with("<!DOCTYPE html>"));
    let empty = answer("empty").await;
    assert_eq!((empty.status.as_u16(), empty.text.as_str()), (200, ""));
    let garbage = answer("garbage").await;
    assert_eq!(garbage.headers["content-type"], "application/json");
    // Bytes that are not UTF-8 were replaced.
    assert!(garbage.text.contains('\u{fffd}') && !garbage.text.contains('{'));
}

#[tokio::test]
async fn a_truncated_body_has_a_content_length_that_fits() {
    let (sandbox, client) = broken("truncated@1:keys");
    let mut lengths = BTreeSet::new();
    for user in sandbox.ground_truth() {
        let reply = client.get(&format!("/users/{}/keys", user.id)).await;
        assert_eq!(reply.headers["content-length"], reply.text.len().to_string().as_str());
        assert!(serde_json::from_str::<Value>(&reply.text).is_err(), "{}", reply.text);
        assert!(r#"{"links":[{"href":"http://"#.starts_with(reply.text.get(..20).unwrap_or(&reply.text)));
        lengths.insert(reply.text.len());
    }
    assert!(lengths.len() > 20, "{lengths:?}");
}

#[tokio::test]
async fn arrays_are_nested_as_deep_as_the_argument() {
    assert_eq!(answer("deep=3").await.json()["results"].to_string(), "[[[[]]]]");
    let deep = answer("deep").await.text;
    assert_eq!((deep.matches('[').count(), deep.matches(']').count()), (100_002, 100_002));
}

#[tokio::test]
async fn a_wrong_content_type_leaves_the_document_as_it_is() {
    for (kind, name) in
        [("content-type", "text/html"), ("content-type=text/plain; charset=x", "text/plain; charset=x")]
    {
        let reply = answer(kind).await;
        assert_eq!(reply.headers["content-type"], name);
        assert!(!reply.json()["results"].as_array().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_wrong_total_is_never_right_by_chance() {
    for (kind, off) in [("total", 1), ("total=+5", 5), ("total=-1", -1)] {
        let document = answer(kind).await.json();
        let rows = i64::try_from(document["results"].as_array().unwrap().len()).unwrap();
        assert_eq!(document["totalCount"], rows + off, "{kind}");
    }
    for kind in ["total=0", "total=-3"] {
        let (sandbox, client) = broken(&format!("{kind}@1:keys"));
        assert_eq!(client.read(&no_keys(&sandbox)).await["totalCount"], 1);
    }
}

fn ids(document: &Value) -> Vec<String> {
    let rows = document["results"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

fn rels(document: &Value) -> Vec<&str> {
    document["links"].as_array().unwrap().iter().map(|link| link["rel"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_that_repeats_has_its_first_page_on_every_page() {
    let (sandbox, client) = broken("repeats@1:keys");
    let path = some_keys(&sandbox);
    let first = client.read(&path).await;
    let ninth = client.read(&format!("{path}?pageNum=9&itemsPerPage=500")).await;
    assert_eq!(first["results"], ninth["results"]);
    assert_eq!((rels(&first), rels(&ninth)), (vec!["self", "next"], vec!["self", "previous", "next"]));
    assert!(ninth["links"][2]["href"].as_str().unwrap().ends_with("pageNum=10&itemsPerPage=500"));
}

#[tokio::test]
async fn a_list_that_never_ends_has_new_rows_on_every_page() {
    let (sandbox, client) = broken("never-ends=30@1");
    for path in
        [some_keys(&sandbox), no_keys(&sandbox), format!("/orgs/{}/users", sandbox.announcement().org_id)]
    {
        let mut seen = BTreeSet::new();
        for page in 1..=20 {
            let document = client.read(&format!("{path}?pageNum={page}")).await;
            assert!(rels(&document).contains(&"next"));
            assert_eq!(document["totalCount"], (page + 1) * 30);
            seen.extend(ids(&document));
        }
        assert_eq!(seen.len(), 600);
        assert!(seen.iter().all(|id| id.len() == 24 && id.bytes().all(|digit| digit.is_ascii_hexdigit())));
    }
}

#[tokio::test]
async fn ids_that_are_paths_are_in_lists_and_in_users() {
    let (sandbox, client) = broken("path-ids@1");
    let org = &sandbox.announcement().org_id;
    let seen: BTreeSet<String> = ids(&client.read(&format!("/orgs/{org}/users")).await).into_iter().collect();
    assert_eq!(seen.len(), 40);
    for part in ["../../", "/etc/passwd", "%2e%2e", "..\\", "http://", "\r\n"] {
        assert!(seen.iter().any(|id| id.contains(part)), "{part}");
    }
    let name = sandbox.expected_user(0).unwrap().username;
    let user = client.read(&format!("/users/byName/{}", name.replace('@', "%40"))).await;
    assert!(user["id"].as_str().unwrap().len() > 24, "{user}");
}

#[tokio::test]
async fn another_users_keys_are_listed_even_for_a_user_without_keys() {
    let (sandbox, client) = broken("another-user@1");
    for path in [some_keys(&sandbox), no_keys(&sandbox)] {
        let document = client.read(&path).await;
        let rows = document["results"].as_array().unwrap();
        assert!(!rows.is_empty());
        assert_eq!(document["totalCount"], rows.len());
        assert!(rows.iter().all(|row| !path.contains(row["userId"].as_str().unwrap())));
    }
}

#[tokio::test]
async fn a_redirect_in_the_same_origin_leads_to_the_answer() {
    for (kind, status) in [("redirect", 307), ("redirect=301", 301)] {
        let (sandbox, client) = broken(&format!("{kind}@1"));
        let path = format!("{}?itemsPerPage=500", some_keys(&sandbox));
        let reply = client.get(&path).await;
        assert_eq!(reply.status, status);
        let to = reply.headers["location"].to_str().unwrap().to_owned();
        let nonce = client.send("GET", &to, &[], None).await.nonce();
        let old = client.answer("GET", &path, nonce.clone());
        assert_eq!(client.send("GET", &to, &[old.header()], None).await.stale(), Some(false));
        let new = client.read(to.strip_prefix(&client.base).unwrap()).await;
        assert!(!new["results"].as_array().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_redirect_may_lead_to_itself_or_to_another_origin() {
    let (sandbox, client) = broken("redirect-loop@1");
    let path = some_keys(&sandbox);
    assert_eq!(client.get(&path).await.headers["location"], format!("{}{path}", client.base));
    let (_sandbox, client) = broken("redirect-away=http://127.0.0.1:81/path@1");
    assert_eq!(
        client.get(&path).await.headers["location"],
        format!("http://127.0.0.1:81{}{path}", client.base)
    );
}

#[tokio::test]
async fn auth_faults_ask_for_basic_or_reject_every_response() {
    let (_sandbox, client) = broken("basic@1");
    for reply in [
        client.send("GET", "/api/public/v1.0/orgs", &[], None).await,
        client.send("GET", "/x", &["Basic eDp5".to_owned()], None).await,
    ] {
        assert_eq!(
            (reply.status.as_u16(), reply.challenges()),
            (401, vec![r#"Basic realm="MMS Public API""#])
        );
    }
    for (kind, stale) in [("stale", true), ("refused", false)] {
        let (_sandbox, client) = broken(&format!("{kind}@1"));
        let mut nonces = BTreeSet::new();
        for _ in 0..4 {
            let reply = client.attempt(|_| {}).await;
            assert_eq!((reply.status.as_u16(), reply.stale()), (401, Some(stale)), "{kind}");
            nonces.insert(reply.nonce());
        }
        assert_eq!(nonces.len(), 4);
    }
    let (_sandbox, client) = broken("stalex2@1");
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(client.attempt(|_| {}).await.status.as_u16());
    }
    assert_eq!(seen, [401, 401, 200]);
}

#[tokio::test]
async fn latency_delays_and_changes_nothing() {
    let started = Instant::now();
    assert_eq!(answer("latency=300").await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(300));
}
