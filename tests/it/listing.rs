//! Lists of users and organizations: all their pages, and a list that is not known to its end is never a clean result.

use serde_json::{Value, json};

use crate::stub::{AfterOthers, Asked, Digest, Reply, Silent, Stub, env, id, list};
use crate::support::{CliOutput, TestEnv};

const ORG: &str = "5980000000000000000000aa";

/// A deployment in which nobody has keys; discovery is answered by a closure.
fn of_nobodys_keys(discovery: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Stub {
    Stub::start(Digest::On, move |asked| {
        if asked.path.ends_with("/keys") { Reply::ok(&list(&[])) } else { discovery(asked) }
    })
}

fn user(number: usize) -> Value {
    json!({"id": id(number), "username": format!("u{number}@example.com")})
}

fn users_of(env: &TestEnv) -> Vec<String> {
    let mut ids: Vec<_> =
        env.rows().iter().map(|row| row["user_id"].clone()).filter(|id| !id.is_empty()).collect();
    ids.sort();
    ids
}

/// Audits the organization; holds that this leaves the run incomplete, says so everywhere, and kept these users.
fn assert_gap(stub: &Stub, kept: &[usize]) -> CliOutput {
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--org", ORG]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(users_of(&env), kept.iter().map(|number| id(*number)).collect::<Vec<_>>());
    let page = env.markdown();
    assert!(page.contains("INCOMPLETE") && page.contains(ORG), "{page}");
    assert!(env.text("reports/keys.csv").contains(ORG), "the CSV says what is missing, too");
    ran
}

#[test]
fn all_pages_of_an_organization_are_read_by_number() {
    let elsewhere = Silent::start();
    let next = format!("{}/api/public/v1.0/orgs/{ORG}/users?pageNum=2", elsewhere.origin());
    let everybody: Vec<_> = (1..=1203).map(user).collect();
    let stub = of_nobodys_keys(move |asked| {
        let pages: Vec<_> = everybody.chunks(250).collect();
        let rel = if asked.page() < pages.len() { "next" } else { "previous" };
        Reply::ok(
            &json!({"results": pages[asked.page() - 1], "totalCount": 1203, "links": [{"rel": rel, "href": next}]}),
        )
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--org", ORG]);
    assert_eq!((ran.code, users_of(&env).len()), (0, 1203), "{ran:?}");
    assert!(elsewhere.saw_nobody());
    assert_eq!(stub.asked().len(), 1203 + 5);
}

/// A deployment of thousands of small organizations would take a round trip for each.
#[test]
fn several_organizations_are_listed_at_a_time() {
    let (first, second) = (id(100), id(200));
    let (others, organizations) = (AfterOthers::default(), [first.clone(), second.clone()]);
    let stub = of_nobodys_keys(move |asked| {
        others.given(&asked.path);
        if asked.path == "/orgs" {
            return Reply::ok(&list(&organizations.each_ref().map(|id| json!({"id": id, "name": id}))));
        }
        let paths = organizations.each_ref().map(|id| format!("/orgs/{id}/users"));
        if !others.wait_for(&paths) {
            return Reply::error(400, "INVALID_QUERY_PARAMETER");
        }
        Reply::ok(&list(&[user(if asked.path == paths[0] { 1 } else { 2 })]))
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--all-orgs"]);
    assert_eq!((ran.code, users_of(&env)), (0, vec![id(1), id(2)]), "{ran:?}");
}

/// Pages that are requested ahead must not keep the only place in flight from the users who make room for them.
#[test]
fn larger_pages_than_requested_are_read_with_one_request_in_flight() {
    let everybody: Vec<_> = (1..=4200).map(user).collect();
    let stub = of_nobodys_keys(move |asked| {
        let page = everybody.chunks(1400).nth(asked.page() - 1).unwrap_or_default();
        Reply::ok(&json!({"results": page, "totalCount": 4200, "links": []}))
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--org", ORG, "--concurrency", "1"]);
    assert_eq!((ran.code, users_of(&env).len()), (0, 4200), "{ran:?}");
}

#[test]
fn a_list_of_users_that_does_not_add_up_is_incomplete() {
    for total in [3, 1] {
        let stub = of_nobodys_keys(move |asked| {
            let rows = if asked.page() == 1 { vec![user(1), user(2)] } else { Vec::new() };
            Reply::ok(&json!({"results": rows, "totalCount": total, "links": []}))
        });
        assert_gap(&stub, &[1, 2]);
    }
}

#[test]
fn a_list_that_breaks_off_is_incomplete_and_its_users_are_kept() {
    for (status, code) in [(500, "UNEXPECTED_ERROR"), (429, "RATE_LIMITED"), (401, "USER_CANNOT_ACCESS_ORG")]
    {
        let stub = of_nobodys_keys(move |asked| match asked.page() {
            1 => Reply::ok(
                &json!({"results": [user(1)], "totalCount": 2, "links": [{"rel": "next", "href": "?"}]}),
            ),
            _ => Reply::error(status, code),
        });
        assert_gap(&stub, &[1]);
    }
}

#[test]
fn a_user_without_an_id_in_a_list_is_incomplete() {
    for nobody in [json!({"username": "x@example.com"}), json!({"id": null}), json!(7)] {
        let stub = of_nobodys_keys(move |asked| {
            let rows = if asked.page() == 1 { vec![user(1), nobody.clone()] } else { Vec::new() };
            Reply::ok(&json!({"results": rows, "totalCount": 2, "links": []}))
        });
        assert_gap(&stub, &[1]);
    }
}

#[test]
fn a_list_of_users_without_end_is_incomplete_and_ends_soon() {
    let lists = |asked: &[Asked]| asked.iter().filter(|asked| asked.path.starts_with("/orgs/")).count();
    for total in [json!(null), json!(1_000_000)] {
        let pages = std::sync::atomic::AtomicUsize::new(0);
        let stub = of_nobodys_keys(move |_| {
            // So that the test itself ends.
            if pages.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 300 {
                return Reply::error(500, "ENOUGH");
            }
            Reply::ok(
                &json!({"results": [user(1)], "totalCount": total, "links": [{"rel": "next", "href": "?"}]}),
            )
        });
        assert_gap(&stub, &[1]);
        let pages = lists(&stub.asked());
        assert!(pages <= 101, "{pages} times the same page");
    }
}

#[test]
fn a_forbidden_organization_among_all_is_incomplete() {
    let other = "5980000000000000000000bb";
    let stub = of_nobodys_keys(move |asked| match asked.path.as_str() {
        "/orgs" => Reply::ok(&list(&[json!({"id": other, "name": "b"}), json!({"id": ORG, "name": "a"})])),
        path if path.contains(ORG) => Reply::error(401, "USER_CANNOT_ACCESS_ORG"),
        _ => Reply::ok(&list(&[user(1)])),
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--all-orgs"]);
    assert_eq!((ran.code, users_of(&env)), (3, vec![id(1)]), "{ran:?}");
    let page = env.markdown();
    assert!(
        page.contains("INCOMPLETE") && page.contains(ORG) && page.contains("USER_CANNOT_ACCESS_ORG"),
        "{page}"
    );
    assert!(env.text("reports/keys.csv").contains(ORG));
    assert_eq!(env.run(&["report", "--fail-on", "never"]).code, 3, "the gap stays with the evidence");
}

#[test]
fn a_list_of_organizations_that_does_not_add_up_is_incomplete() {
    let stub = of_nobodys_keys(|asked| match (asked.path.as_str(), asked.page()) {
        ("/orgs", 1) => {
            Reply::ok(&json!({"results": [{"id": ORG, "name": "a"}], "totalCount": 2, "links": []}))
        }
        ("/orgs", _) => Reply::ok(&json!({"results": [], "totalCount": 2, "links": []})),
        _ => Reply::ok(&list(&[user(1)])),
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--all-orgs"]);
    assert_eq!((ran.code, users_of(&env)), (3, vec![id(1)]), "{ran:?}");
    assert!(env.markdown().contains("INCOMPLETE"));
}

#[test]
fn a_single_organization_that_is_forbidden_is_not_clean() {
    let stub = of_nobodys_keys(|_| Reply::error(401, "USER_CANNOT_ACCESS_ORG"));
    let ran = env().audit_at(&stub.url(), &["--org", ORG]);
    assert_eq!(ran.code, 5, "nobody was found to audit: {ran:?}");
    assert!(ran.stderr.contains(ORG) && ran.stderr.contains("USER_CANNOT_ACCESS_ORG"), "{ran:?}");
}

#[test]
fn a_name_with_a_malformed_answer_is_a_row_not_read() {
    let answers = [
        (json!({}), 200, "malformed"),
        (json!({"id": null, "username": "ann@example.com"}), 200, "malformed"),
        (json!({"errorCode": "USER_UNAUTHORIZED", "error": 401, "detail": "No"}), 401, "forbidden"),
        (json!({"errorCode": "UNEXPECTED_ERROR", "error": 500, "detail": "No"}), 500, "error"),
    ];
    for (answer, status, expected) in answers {
        let stub = of_nobodys_keys(move |_| Reply::json(status, &answer));
        let env = env();
        let ran = env.audit_at(&stub.url(), &["--user", &id(1), "--user", "ann@example.com"]);
        assert_eq!(ran.code, 3, "{expected}: {ran:?}");
        let rows = env.rows();
        let row = rows.iter().find(|row| row["username"] == "ann@example.com").unwrap();
        let found = ["read_status", "http_status", "user_id"].map(|column| row[column].as_str());
        assert_eq!(found, [expected, &status.to_string(), ""]);
    }
}

#[test]
fn the_text_of_a_refusal_moves_no_terminal() {
    let hostile = "\u{1b}[31mred\u{7}\r\u{9b}2J\u{202e}";
    let document = json!({"detail": hostile, "error": 401, "errorCode": hostile, "reason": hostile});
    let stub = of_nobodys_keys(move |_| Reply::json(401, &document));
    for verbose in [&[][..], &["-vv"]] {
        let ran = env().audit_at(&stub.url(), &[&["--org", ORG], verbose].concat());
        assert_eq!(ran.code, 5, "{ran:?}");
        let moves = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!ran.stderr.contains(moves) && !ran.stdout.contains(moves), "{ran:?}");
    }
}

/// BerriAI/litellm#15762, raft-tech/TANF-app#2551: the count is right, and pages far apart repeat users.
#[test]
fn a_list_whose_rows_repeat_leaves_users_out_and_is_incomplete() {
    for counted in [true, false] {
        let stub = of_nobodys_keys(move |asked| {
            let page = asked.page();
            let mut rows: Vec<_> = (1..=3).map(|row| user((page - 1) * 3 + row)).collect();
            if page == 4 {
                rows[1] = user(2);
            }
            let rel = if page == 4 { "self" } else { "next" };
            let mut body =
                json!({"results": rows, "totalCount": 12, "links": [{"href": "http://om", "rel": rel}]});
            if !counted {
                body.as_object_mut().unwrap().remove("totalCount");
            }
            Reply::ok(&body)
        });
        let kept: Vec<_> = (1..=12).filter(|number| *number != 11).collect();
        assert_gap(&stub, &kept);
    }
}

#[test]
fn an_organization_without_users_beside_others_is_reported() {
    let stub = of_nobodys_keys(|asked| match asked.path.as_str() {
        "/orgs" => Reply::ok(&list(&[json!({"id": ORG}), json!({"id": id(77)})])),
        path if path.contains(ORG) => Reply::ok(&list(&[user(1)])),
        _ => Reply::ok(&list(&[])),
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--all-orgs", "--quiet"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains(&format!("warning: organization {} returned no users", id(77))), "{ran:?}");
}

#[test]
fn an_id_is_the_same_in_upper_and_lower_case() {
    let other = "5980000000000000000000bb";
    let stub = of_nobodys_keys(move |asked| match asked.path.as_str() {
        "/orgs" => Reply::ok(&list(&[json!({"id": ORG}), json!({"id": other})])),
        path if path.contains(ORG) => Reply::ok(&list(&[json!({"id": "ABCDEF000000000000000001"})])),
        _ => Reply::ok(&list(&[json!({"id": "abcdef000000000000000001"})])),
    });
    let env = env();
    assert_eq!(env.audit_at(&stub.url(), &["--all-orgs"]).code, 0);
    assert_eq!(users_of(&env), ["abcdef000000000000000001"]);
    let twice = of_nobodys_keys(|_| {
        Reply::ok(&list(&[
            json!({"id": "ABCDEF000000000000000001"}),
            json!({"id": "abcdef000000000000000001"}),
        ]))
    });
    let env = crate::stub::env();
    assert_eq!(env.audit_at(&twice.url(), &["--org", ORG]).code, 3, "two rows, one user");
}

#[test]
fn a_user_by_name_must_have_the_name_asked_for() {
    for answer in [json!({"id": id(1)}), json!({"id": id(1), "username": "bob@example.com"})] {
        let stub = of_nobodys_keys(move |_| Reply::ok(&answer));
        let env = env();
        let ran = env.audit_at(&stub.url(), &["--user", "ann@example.com"]);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert_eq!(env.rows()[0]["read_status"], "malformed");
    }
}

#[test]
fn a_blank_name_is_no_name() {
    let other = "5980000000000000000000bb";
    let stub = of_nobodys_keys(move |asked| match asked.path.as_str() {
        "/orgs" => Reply::ok(&list(&[json!({"id": ORG, "name": " "}), json!({"id": other, "name": "Data"})])),
        path if path.contains(ORG) => Reply::ok(&list(&[json!({"id": id(1), "username": ""})])),
        _ => Reply::ok(&list(&[json!({"id": id(1), "username": "eve"})])),
    });
    let env = env();
    assert_eq!(env.audit_at(&stub.url(), &["--all-orgs"]).code, 0);
    let row = &env.rows()[0];
    assert_eq!((row["username"].as_str(), row["org_names"].as_str()), ("eve", ";Data"), "{row:?}");
}
