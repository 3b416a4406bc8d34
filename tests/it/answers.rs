//! An answer counts only if it is the documented one, for what was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::stub::{Asked, Digest, PRIVATE, Reply, Stub, env, id, key, list};
use crate::support::{Row, TestEnv};

const VERSION: &str = "X-MongoDB-Service-Version";

/// The user whose keys are asked for.
fn asked_for(asked: &Asked) -> &str {
    asked.path.split('/').nth(2).unwrap()
}

/// A list of keys whose link says whose they are.
fn linked(user: &str, rows: &[Value]) -> Value {
    let href = format!("http://om.example:8080/api/public/v1.0/users/{user}/keys?pageNum=1&itemsPerPage=500");
    json!({"links": [{"rel": "self", "href": href}], "results": rows, "totalCount": rows.len()})
}

/// Audits so many users; the exit code, their rows and how many requests it took.
fn audited(users: usize, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (i32, Vec<Row>, usize) {
    let (stub, env) = (Stub::start(Digest::On, answer), env());
    let list = (1..=users).map(id).collect::<Vec<_>>().join("\n");
    env.put("users.txt", &list);
    let ran = env.audit_at(&stub.url(), &["--users", "users.txt"]);
    assert!(ran.code < 5, "{ran:?}");
    (ran.code, env.rows(), stub.asked().len())
}

/// Holds that no answer with this body makes its user read.
fn assert_not_read(status: u16, body: &str) {
    let reply = body.to_owned();
    let (code, rows, _) = audited(1, move |_| Reply::text(status, "application/json", &reply));
    assert!([3, 4].contains(&code), "{status} {body}: {rows:?}");
    assert!(rows.iter().all(|row| row["read_status"] != "read"), "{status} {body}: {rows:?}");
}

/// TerriaJS/terriajs-server#353, nginx/nginx#824, nginx/nginx.org#328: a shared cache serves an answer that was made for another request.
#[test]
fn an_answer_for_another_user_is_malformed_and_asked_once_again() {
    let (code, rows, requests) = audited(2, |_| Reply::ok(&linked(&id(1).to_uppercase(), &[])));
    assert_eq!(code, 3);
    let statuses: Vec<_> =
        rows.iter().map(|row| (row["read_status"].as_str(), row["attempts"].as_str())).collect();
    assert_eq!(statuses, [("read", "1"), ("malformed", "2")], "{rows:?}");
    assert!(rows[1]["reason"].contains(&id(1)), "{rows:?}");
    assert_eq!(requests, 3);
}

#[test]
fn a_user_whose_second_answer_is_the_right_one_is_read() {
    let answers = AtomicUsize::new(0);
    let (code, rows, _) = audited(1, move |asked| {
        let user =
            if answers.fetch_add(1, Ordering::Relaxed) == 0 { id(9) } else { asked_for(asked).to_owned() };
        Reply::ok(&linked(&user, &[]))
    });
    assert_eq!((code, rows[0]["read_status"].as_str(), rows[0]["attempts"].as_str()), (0, "read", "2"));
}

#[test]
fn a_redirect_to_another_list_or_page_is_no_read() {
    for target in [format!("/api/public/v1.0/users/{}/keys", id(2)), "?pageNum=2&itemsPerPage=500".to_owned()]
    {
        let (code, rows, _) = audited(1, move |asked| {
            if asked_for(asked) == id(1) && asked.page() == 1 {
                return Reply::redirect(302, &target);
            }
            Reply::ok(&list(&[]))
        });
        assert_eq!((code, rows[0]["read_status"].as_str()), (3, "malformed"), "{rows:?}");
    }
}

#[test]
fn a_list_of_organizations_answers_for_no_other_list() {
    let (stub, env) = (
        Stub::start(Digest::On, |asked| {
            if asked.path.ends_with("/users") {
                return Reply::ok(&list(&[json!({"id": id(1)}), json!({"id": "a/../b"})]));
            }
            let projects = "http://om.example:8080/api/public/v1.0/groups";
            Reply::ok(
                &json!({"links": [{"rel": "self", "href": projects}], "results": [{"id": id(2)}], "totalCount": 1}),
            )
        }),
        env(),
    );
    let ran = env.audit_at(&stub.url(), &["--all-orgs", "--org", &id(3)]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let (rows, paths) = (env.rows(), stub.asked().into_iter().map(|asked| asked.path).collect::<Vec<_>>());
    assert!(rows.iter().any(|row| row["reason"].contains("another list")), "{rows:?}");
    assert!(rows.iter().any(|row| row["reason"].contains("invalid ID")), "{rows:?}");
    assert!(!paths.iter().any(|path| path.contains("..") || path.contains(&id(2))), "{paths:?}");
}

#[test]
fn a_deployment_that_never_asks_for_a_digest_ends_the_audit() {
    let (stub, env) = (Stub::start(Digest::Off, |_| Reply::ok(&list(&[]))), env());
    let users = (1..=100).map(id).collect::<Vec<_>>().join("\n");
    env.put("users.txt", &users);
    let ran = env.audit_at(&stub.url(), &["--users", "users.txt"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("no authentication at"), "{ran:?}");
    assert!(stub.asked().len() < 100);
}

/// kubernetes/kops#1982, openbao/openbao#3676: two versions behind one name answer by turns.
#[test]
fn a_run_of_both_sides_of_version_5_is_of_a_half_upgraded_deployment() {
    for keys in [Vec::new(), vec![key(1, "ci")]] {
        let (stub, env) = (
            Stub::start(Digest::On, move |asked| match asked_for(asked) == id(1) {
                true => Reply::ok(&list(&[])).header(VERSION, "gitHash=a; versionString=4.4.12"),
                false if asked_for(asked) == id(3) => {
                    let rows: Vec<_> = keys
                        .iter()
                        .cloned()
                        .map(|mut key| {
                            key["userId"] = json!(id(3));
                            key
                        })
                        .collect();
                    Reply::ok(&list(&rows)).header(VERSION, "gitHash=a; versionString=4.4.12")
                }
                false => {
                    Reply::error(404, "RESOURCE_NOT_FOUND").header(VERSION, "gitHash=b; versionString=5.0.2")
                }
            }),
            env(),
        );
        env.put("users.txt", format!("{}\n{}\n{}\n", id(1), id(2), id(3)));
        let ran = env.audit_at(&stub.url(), &["--users", "users.txt"]);
        assert!([3, 4].contains(&ran.code), "{ran:?}");
        assert!(ran.stdout.contains("half-upgraded deployment"), "{ran:?}");
        assert!(!ran.stdout.contains("the deployment has removed personal API keys"), "{ran:?}");
        let page = env.markdown();
        assert!(
            !page.contains("could be read.")
                && page.contains("half-upgraded deployment")
                && page.contains("4.4.12")
                && page.contains("5.0.2")
        );
    }
}

/// The first half of the run is of one process, and the second of the next one.
#[test]
fn a_half_upgraded_deployment_is_found_across_a_resume() {
    for is_removed in [true, false] {
        let (is_new, env) = (Arc::new(AtomicBool::new(false)), env());
        let upgraded = Arc::clone(&is_new);
        let stub = Stub::start(Digest::On, move |asked| {
            let is_new = upgraded.load(Ordering::Relaxed);
            let reply = match asked_for(asked) == id(2) {
                true if !is_new => Reply::text(500, "text/plain", "x"),
                true if is_removed => Reply::error(404, "RESOURCE_NOT_FOUND"),
                _ => Reply::ok(&list(&[])),
            };
            let version = if is_new { "5.0.2" } else { "4.4.12" };
            reply.header(VERSION, &format!("gitHash=a; versionString={version}"))
        });
        env.put("users.txt", format!("{}\n{}\n", id(1), id(2)));
        assert_eq!(env.audit_at(&stub.url(), &["--users", "users.txt"]).code, 3);
        is_new.store(true, Ordering::Relaxed);
        let ran = env.audit_at(&stub.url(), &["--users", "users.txt", "--resume"]);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.stdout.contains("half-upgraded deployment"), "{ran:?}");
        assert!(env.markdown().contains("4.4.12 and 5.0.2"), "{}", env.markdown());
    }
}

#[test]
fn a_half_upgraded_deployment_is_found_in_saved_answers() {
    let env = env();
    let read = linked(&id(1), &[]);
    env.put(
        &format!("answers/{}.http", id(1)),
        format!("HTTP/1.1 200 OK\n{VERSION}: versionString=4.4.12\n\n{read}"),
    );
    let gone = r#"{"error":404,"errorCode":"RESOURCE_NOT_FOUND"}"#;
    env.put(
        &format!("answers/{}.http", id(2)),
        format!("HTTP/1.1 404 No\n{VERSION}: versionString=5.0.2\n\n{gone}"),
    );
    let ran = env.run(&["import", "answers", "--product", "ops-manager"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(env.markdown().contains("half-upgraded deployment"));
    assert!(env.markdown().contains("4.4.12 and 5.0.2"), "{}", env.markdown());
}

#[test]
fn removal_is_judged_by_the_version_of_that_very_answer() {
    let answers = AtomicUsize::new(0);
    let (code, rows, _) = audited(5, move |_| {
        let version = if answers.fetch_add(1, Ordering::Relaxed) == 0 { "5.0.0" } else { "4.4.12" };
        Reply::error(404, "RESOURCE_NOT_FOUND")
            .header(VERSION, &format!("gitHash=a; versionString={version}"))
    });
    assert_eq!(code, 3);
    assert_eq!(rows.iter().filter(|row| row["read_status"] == "removed").count(), 1, "{rows:?}");
}

#[test]
fn a_realm_is_hashed_and_sent_back_as_its_bytes() {
    for realm in [b"API de donn\xe9es".as_slice(), "Büro 東京".as_bytes(), b"\xff\xfe"] {
        let (stub, env) = (Stub::start(Digest::Realm(realm), |_| Reply::ok(&list(&[]))), env());
        let ran = env.audit_at(&stub.url(), &["--user", &id(1)]);
        assert_eq!(ran.code, 0, "{realm:?}: {ran:?}");
    }
}

#[test]
fn a_username_is_hashed_and_sent_as_its_bytes() {
    for name in ["änn@example.com", "東京"] {
        let (stub, env) = (
            Stub::start(Digest::Name(name), |_| Reply::ok(&list(&[]))),
            TestEnv::of((name.to_owned(), PRIVATE.to_owned())),
        );
        let ran = env.audit_at(&stub.url(), &["--user", &id(1), "--format", "csv,markdown,json"]);
        assert_eq!(ran.code, 0, "{name}: {ran:?}");
    }
}

/// guzzle/guzzle#310, graphql-java-kickstart/graphql-java-servlet#10: JSON in ISO-8859-1, as its Content-Type says.
#[test]
fn a_body_is_decoded_by_its_charset() {
    let row = key(1, "B?ro").to_string().replace(crate::stub::USER, &id(1));
    let body = format!(r#"{{"links":[{{"rel":"self"}}],"results":[{row}],"totalCount":1}}"#);
    let bytes: Vec<_> = body.bytes().map(|byte| if byte == b'?' { 0xfc } else { byte }).collect();
    let (code, rows, _) =
        audited(1, move |_| Reply::bytes("application/json;charset=ISO-8859-1", bytes.clone()));
    assert_eq!((code, rows[0]["description"].as_str()), (1, "Büro"), "{rows:?}");
}

#[test]
fn a_row_that_cannot_be_decoded_costs_no_other() {
    let row = |number, description: &str| {
        key(number, "?").to_string().replace(crate::stub::USER, &id(1)).replace('?', description)
    };
    let body = |bad: &str| {
        let rows = [row(1, "ci"), row(2, bad), row(3, "batch")].join(",");
        format!(r#"{{"links":[{{"rel":"self"}}],"results":[{rows}],"totalCount":3}}"#)
    };
    let latin_1 = body("~").bytes().map(|byte| if byte == b'~' { 0xfc } else { byte }).collect();
    for body in [body(r"\ud800").into_bytes(), latin_1, body(r#"x","id":"b"#).into_bytes()] {
        let (code, rows, _) = audited(1, move |_| Reply::bytes("application/json", body.clone()));
        let keys = rows.iter().filter(|row| !row["key_id"].is_empty()).count();
        assert_eq!((code, keys), (4, 2), "{rows:?}");
        assert!(rows.iter().all(|row| row["read_status"] == "malformed"), "{rows:?}");
    }
}

#[test]
fn an_undocumented_list_does_not_count_as_read() {
    let page = r#"{"links":[{"rel":"self"}],"results":[],"totalCount":0}"#;
    for status in [201, 202, 203, 206, 226, 299] {
        assert_not_read(status, page);
    }
    for body in [
        r#"{"results":[]}"#,
        r#"{"results":[],"links":[]}"#,
        r#"{"results":[],"totalCount":0,"error":500}"#,
        r#"{"results":[],"totalCount":0,"errorCode":"X"}"#,
        r#"{"results":[],"totalCount":0,"error\u0043ode":"X"}"#,
        r#"{"status":200,"content":[],"totalCount":0,"error":500}"#,
        r#"{"status":200,"content":{"results":[],"totalCount":0,"error":500}}"#,
        r#"{"status":206,"results":[],"totalCount":0}"#,
        r#"{"results":[],"results":[],"totalCount":0}"#,
        r#"{"results":[],"totalCount":0,"totalCount":0}"#,
        r#"{"results":[],"totalCount":0,"x":{"y":1,"y":2}}"#,
        r#"{"status":200,"content":{"results":[],"totalCount":0,"results":[{"id":"a"}]}}"#,
        r#"{"results":[],"content":[{"id":"a"}],"totalCount":0}"#,
        r#"{"status":200,"content":{"results":[],"totalCount":0},"totalCount":1}"#,
    ] {
        assert_not_read(200, body);
    }
}

#[test]
fn a_page_of_rubbish_is_malformed_and_ends_the_list() {
    let rubbish = vec!["1"; 200_000].join(",");
    let body = format!(
        r#"{{"links":[{{"rel":"self"}},{{"rel":"next"}}],"results":[{rubbish}],"totalCount":300000}}"#
    );
    let (code, rows, requests) = audited(1, move |_| Reply::text(200, "application/json", &body));
    assert_eq!((code, rows[0]["read_status"].as_str(), requests), (3, "malformed", 1), "{rows:?}");
}

#[test]
fn a_long_text_is_cut_with_a_mark_and_printed() {
    let long = "x".repeat(100_000);
    let mark = "… [cut: 100000 bytes]";
    let stub = Stub::start(Digest::On, move |asked| match asked_for(asked) {
        _ if asked.path.starts_with("/orgs/") => {
            let user = json!({"id": id(1), "username": long});
            Reply::ok(&json!({"links": [{"rel": "self"}], "results": [user], "totalCount": 1}))
        }
        user if user == id(1) => {
            let row = key(1, &long).to_string().replace(crate::stub::USER, &id(1));
            let body = format!(r#"{{"links":[{{"rel":"self"}}],"results":[{row}],"totalCount":1}}"#);
            Reply::text(200, "application/json", &body)
        }
        user if user == id(2) => Reply::json(500, &json!({"errorCode": "X", "error": 500, "detail": long})),
        user if user == id(3) => Reply::ok(&json!({"results": long})),
        user if user == id(4) => Reply::ok(
            &json!({"results": [], "totalCount": 0, "links": [{"rel": "self", "href": format!("/v1.0/{long}")}]}),
        ),
        user if user == id(5) => Reply::ok(&json!({"results": [{"id": long}], "totalCount": 1})),
        _ => Reply::ok(&json!({"results": [{"id": 1, "userId": long}], "totalCount": 1})),
    });
    let env = env();
    let users = (2..=6).map(id).collect::<Vec<_>>().join("\n");
    env.put("users.txt", &users);
    let ran = env.audit_at(&stub.url(), &["--users", "users.txt", "--org", "5980a1d29cc0cdb6ac0b0001"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(ran.stderr.matches("was cut").count(), 1, "{}", ran.stderr);
    let rows = env.rows();
    assert_eq!(rows.len(), 6);
    for row in &rows {
        assert!(row.values().all(|value| value.len() < 4200), "{:.300}", format!("{row:?}"));
    }
    let of = |user| rows.iter().find(|row| row["user_id"] == id(user)).unwrap();
    assert!(of(1)["description"].ends_with(mark) && of(1)["username"].ends_with(mark));
    assert!(of(2)["reason"].ends_with(mark));
    assert!([3, 4].into_iter().all(|user| of(user)["reason"].contains("… [cut: ")));
}
