//! How the reading of one user may end: the read statuses, redirects among them.

use serde_json::json;

use crate::stub::{Asked, Digest, Reply, Silent, Stub, USER, env, id, key, list};
use crate::support::{Row, rfc3339};

const ORG: &str = "5980000000000000000000aa";

/// A deployment whose one organization has one user, and what it answers to the question for that user's keys.
fn of_one_user(keys: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Stub {
    Stub::start(Digest::On, move |asked| {
        if asked.path.starts_with("/orgs/") {
            let user = json!({"id": USER, "username": "ann@example.com", "agentApiKey": "never-to-be-read"});
            return Reply::ok(&list(&[user]));
        }
        keys(asked)
    })
}

/// Audits the organization; holds that it has one user, and returns the code and the user's rows.
fn audited(stub: &Stub, more: &[&str]) -> (i32, Vec<Row>) {
    let env = env();
    let ran = env.audit_at(&stub.url(), &[&["--org", ORG], more].concat());
    assert!(ran.code < 5, "{ran:?}");
    let rows = env.rows();
    assert!(rows.iter().all(|row| row["user_id"] == USER && row["username"] == "ann@example.com"));
    let page = crate::page::parse(&env.markdown());
    let complete = [0, 1].contains(&ran.code);
    assert_eq!(page.prose.contains("INCOMPLETE"), !complete, "{ran:?}");
    let is_shown = page.rows.iter().any(|cells| cells.contains(&"ann@example.com".to_owned()));
    assert!(complete || is_shown, "who was not read stands in the report");
    (ran.code, rows)
}

/// Holds how one answer is read.
fn assert_status(reply: impl Fn() -> Reply + Send + Sync + 'static, status: &str, http: &str, code: &str) {
    let stub = of_one_user(move |_| reply());
    let (exit, rows) = audited(&stub, &[]);
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    let found = ["read_status", "http_status", "error_code"].map(|column| row[column].as_str());
    assert_eq!(found, [status, http, code], "{row:?}");
    assert_eq!(exit, if ["read", "removed"].contains(&status) { 0 } else { 3 }, "{row:?}");
    assert!(!row["reason"].is_empty());
    assert_eq!(
        (row["attempts"].as_str(), row["read_at"].clone()),
        ("1", rfc3339(crate::support::at(crate::support::NOW)))
    );
    for column in ["key_id", "description", "verdict", "severity", "action"] {
        assert_eq!(row[column], "", "{column}");
    }
}

#[test]
fn nobody_asked_and_nothing_there_is_read() {
    assert_status(|| Reply::ok(&list(&[])), "read", "200", "");
}

#[test]
fn a_refusal_of_this_user_is_forbidden() {
    assert_status(|| Reply::error(401, "NOT_SELF"), "forbidden", "401", "NOT_SELF");
    assert_status(|| Reply::error(401, "USER_UNAUTHORIZED"), "forbidden", "401", "USER_UNAUTHORIZED");
    assert_status(|| Reply::error(403, "ACCESS_FORBIDDEN"), "forbidden", "403", "ACCESS_FORBIDDEN");
    let code = "IP_ADDRESS_NOT_ON_WHITELIST";
    assert_status(move || Reply::error(403, code), "forbidden", "403", code);
}

#[test]
fn an_unknown_user_is_not_found() {
    assert_status(|| Reply::error(404, "USER_NOT_FOUND"), "not-found", "404", "USER_NOT_FOUND");
    assert_status(|| Reply::error(404, "INVALID_USER_ID"), "not-found", "404", "INVALID_USER_ID");
}

#[test]
fn an_unknown_path_means_removed_from_version_5_on_alone() {
    let answering = |version: &'static str| {
        move || {
            let header = format!("gitHash=abc; versionString={version}");
            Reply::error(404, "RESOURCE_NOT_FOUND").header("X-MongoDB-Service-Version", &header)
        }
    };
    for version in ["5.0.0", "5.0.21.100", "10.0.1"] {
        assert_status(answering(version), "removed", "404", "RESOURCE_NOT_FOUND");
    }
    assert_status(answering("4.4.12"), "not-found", "404", "RESOURCE_NOT_FOUND");
    assert_status(|| Reply::error(404, "RESOURCE_NOT_FOUND"), "not-found", "404", "RESOURCE_NOT_FOUND");
}

#[test]
fn only_the_services_own_word_says_removed() {
    let code = "PERSONAL_API_KEYS_DEPRECATED";
    assert_status(move || Reply::error(410, code), "removed", "410", code);
    let stub = of_one_user(|_| Reply::text(410, "text/html", "<html>Gone</html>"));
    let (exit, rows) = audited(&stub, &[]);
    assert_eq!(exit, 3, "{rows:?}");
    assert_ne!(rows[0]["read_status"], "removed");
}

/// A key in the same answer would be lost.
#[test]
fn a_removal_next_to_keys_or_another_status_is_malformed() {
    let code = "PERSONAL_API_KEYS_DEPRECATED";
    let page = |code: &str, error: u16| json!({"results": [key(1, "ci")], "totalCount": 1, "error": error, "errorCode": code});
    for (status, body) in [
        (200, page(code, 410)),
        (410, page(code, 410)),
        (410, json!({"error": 500, "errorCode": code})),
        (200, json!({"status": 410, "results": [key(1, "ci")], "errorCode": code})),
        (200, page("RESOURCE_NOT_FOUND", 404)),
    ] {
        let version = ("X-MongoDB-Service-Version", "gitHash=a; versionString=5.0.0");
        let stub = of_one_user(move |_| Reply::json(status, &body).header(version.0, version.1));
        let (exit, rows) = audited(&stub, &[]);
        assert_eq!((exit, rows[0]["read_status"].as_str()), (3, "malformed"), "{rows:?}");
        assert_eq!(rows[0]["http_status"], status.to_string(), "{rows:?}");
    }
}

#[test]
fn a_rate_limit_is_recognized_whatever_its_status() {
    assert_status(|| Reply::error(429, "RATE_LIMITED"), "rate-limited", "429", "RATE_LIMITED");
    let code = "RATE_LIMITED_TOKEN_BUCKET";
    assert_status(move || Reply::error(429, code), "rate-limited", "429", code);
    assert_status(|| Reply::error(400, "RATE_LIMITED_IP"), "rate-limited", "400", "RATE_LIMITED_IP");
    assert_status(|| Reply::error(403, "ORG_RATE_LIMITED_X"), "rate-limited", "403", "ORG_RATE_LIMITED_X");
    assert_status(|| Reply::text(429, "text/plain", ""), "rate-limited", "429", "");
}

#[test]
fn a_server_side_failure_is_an_error() {
    assert_status(|| Reply::error(500, "UNEXPECTED_ERROR"), "error", "500", "UNEXPECTED_ERROR");
    assert_status(|| Reply::text(503, "text/html", "<html>Service Unavailable</html>"), "error", "503", "");
    assert_status(|| Reply::text(502, "text/plain", ""), "error", "502", "");
}

#[test]
fn a_connection_that_breaks_or_hangs_is_an_error_of_the_user() {
    for reply in [Reply::cut, Reply::never] {
        let stub = of_one_user(move |_| reply());
        let (exit, rows) = audited(&stub, &["--timeout", "1"]);
        assert_eq!((exit, rows[0]["read_status"].as_str()), (3, "error"), "{rows:?}");
        assert!(!rows[0]["reason"].is_empty());
    }
}

#[test]
fn an_undocumented_answer_is_malformed() {
    for body in
        ["<html>Sign in</html>", "", "null", "[]", "{}", "{\"results\":{}}", "{\"results\":[", "\u{0}"]
    {
        assert_status(move || Reply::text(200, "application/json", body), "malformed", "200", "");
    }
    let deep = "[".repeat(100_000);
    assert_status(
        move || Reply::text(200, "application/json", &format!("{{\"results\":{deep}")),
        "malformed",
        "200",
        "",
    );
}

#[test]
fn no_http_status_is_recorded_that_was_not_sent() {
    for (body, code) in [
        (json!({"results": [], "totalCount": 0, "errorCode": "X"}), "X"),
        (json!({"status": "403", "results": [], "totalCount": 0}), ""),
        (json!({"status": {}, "content": []}), ""),
    ] {
        assert_status(move || Reply::ok(&body), "malformed", "200", code);
    }
    let envelope = json!({"status": 404, "content": {"error": 404, "errorCode": "USER_NOT_FOUND"}});
    assert_status(move || Reply::ok(&envelope), "not-found", "404", "USER_NOT_FOUND");
    let code = "RATE_LIMITED_IP";
    assert_status(move || Reply::ok(&json!({"errorCode": code})), "rate-limited", "200", code);
}

#[test]
fn no_encoding_is_asked_for_and_one_that_comes_is_named() {
    let stub = of_one_user(|_| {
        Reply::bytes("application/json", vec![0x1f, 0x8b, 8]).header("Content-Encoding", "gzip")
    });
    let (exit, rows) = audited(&stub, &[]);
    assert_eq!((exit, rows[0]["read_status"].as_str()), (3, "malformed"), "{rows:?}");
    assert!(rows[0]["reason"].contains("encoding \"gzip\", which was not requested"), "{rows:?}");
    let asked = stub.asked();
    assert!(
        asked.iter().all(|asked| asked.head.to_ascii_lowercase().contains("accept-encoding: identity")),
        "{asked:?}"
    );
}

#[test]
fn an_undocumented_answer_never_counts_as_read() {
    for (status, kind, body) in [
        (403, "text/html", "<html>Forbidden by the proxy</html>"),
        (404, "text/html", "<html>Not Found</html>"),
        (400, "application/json", r#"{"errorCode":"INVALID_QUERY_PARAMETER"}"#),
        (418, "text/plain", "teapot"),
        (304, "text/plain", ""),
    ] {
        let stub = of_one_user(move |_| Reply::text(status, kind, body));
        let (exit, rows) = audited(&stub, &[]);
        assert_eq!((exit, rows.len()), (3, 1), "{status}: {rows:?}");
        assert_eq!(rows[0]["http_status"], status.to_string());
    }
}

/// `curityio/nginx_phantom_token_module#57`, hawtio/hawtio#2499: the proxy drops the challenge with the body.
#[test]
fn an_error_page_of_a_proxy_costs_its_user_alone() {
    let pages = [401, 403, 404, 502];
    let stub = Stub::start(Digest::On, move |asked| {
        let number = (1..=5).find(|number| asked.path.contains(&id(*number))).unwrap();
        if number == 1 {
            return Reply::ok(&list(&[]));
        }
        Reply::text(pages[number - 2], "text/html", "<html>Something went wrong</html>")
    });
    let env = env();
    env.put("users.txt", (1..=5).map(id).collect::<Vec<_>>().join("\n"));
    let ran = env.audit_at(&stub.url(), &["--users", "users.txt"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let rows = env.rows();
    let found: Vec<_> =
        rows.iter().map(|row| (row["http_status"].as_str(), row["read_status"].as_str())).collect();
    let expected =
        [("200", "read"), ("401", "error"), ("403", "error"), ("404", "not-found"), ("502", "error")];
    assert_eq!(found, expected);
}

#[test]
fn a_redirect_inside_the_origin_has_a_digest_for_its_path() {
    for status in [301, 302, 307, 308] {
        let stub = of_one_user(move |asked| {
            if asked.path.ends_with("/keys") {
                return Reply::redirect(
                    status,
                    &format!("{}/?moved=1", asked.target.split('?').next().unwrap()),
                );
            }
            Reply::ok(&list(&[key(1, "ci")]))
        });
        let (exit, rows) = audited(&stub, &[]);
        assert_eq!((exit, rows.len(), rows[0]["read_status"].as_str()), (1, 1, "read"), "{status}");
        let asked = stub.asked();
        assert!(asked.iter().all(|asked| asked.authorized));
        assert!(asked.iter().any(|asked| asked.query == "moved=1"), "{status}");
    }
}

#[test]
fn a_redirect_to_another_origin_is_refused_and_not_followed() {
    let elsewhere = Silent::start();
    for status in [301, 302, 303, 307, 308] {
        let to = format!("{}/api/public/v1.0/users/{USER}/keys", elsewhere.origin());
        let stub = of_one_user(move |_| Reply::redirect(status, &to));
        let (exit, rows) = audited(&stub, &[]);
        assert_eq!((exit, rows[0]["read_status"].as_str()), (3, "error"), "{status}: {rows:?}");
        assert!(rows[0]["reason"].contains(&elsewhere.origin()), "{rows:?}");
    }
    let (host, port) =
        elsewhere.origin().rsplit_once(':').map(|(_, port)| ("localhost", port.to_owned())).unwrap();
    for to in
        [format!("//{host}:{port}/x"), format!("https://127.0.0.1:{port}/x"), "file:///etc/passwd".to_owned()]
    {
        let stub = of_one_user(move |_| Reply::redirect(302, &to));
        assert_eq!(audited(&stub, &[]).0, 3);
    }
    assert!(elsewhere.saw_nobody());
}

#[test]
fn a_redirect_to_https_of_the_same_host_names_the_url_to_use() {
    let stub = of_one_user(|asked| Reply::redirect(301, &format!("https://127.0.0.1:8443{}", asked.target)));
    let (exit, rows) = audited(&stub, &[]);
    assert_eq!((exit, rows[0]["read_status"].as_str()), (3, "error"), "{rows:?}");
    let why = "redirect to https://127.0.0.1:8443, the same host with another scheme or port";
    assert!(rows[0]["reason"].contains(why), "{rows:?}");
}

#[test]
fn a_redirect_without_end_is_an_error() {
    let stub = of_one_user(|asked| Reply::redirect(302, &format!("{}x", asked.target)));
    let (exit, rows) = audited(&stub, &[]);
    assert_eq!((exit, rows[0]["read_status"].as_str()), (3, "error"), "{rows:?}");
    assert!(stub.asked().len() < 50);
}

#[test]
fn one_users_failure_costs_no_other_user() {
    let stub = Stub::start(Digest::On, |asked| match asked.path.as_str() {
        path if path.starts_with("/orgs/") => {
            let users: Vec<_> = (0..20).map(|number| json!({"id": crate::stub::id(number)})).collect();
            Reply::ok(&list(&users))
        }
        path if path.contains("0000f") => Reply::error(500, "UNEXPECTED_ERROR"),
        path if path.contains("00007") => Reply::cut(),
        _ => Reply::ok(&list(&[])),
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--org", ORG]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(crate::support::count(&env.rows(), "read_status", "read"), 18);
    assert_eq!(crate::support::count(&env.rows(), "read_status", "error"), 2);
}
