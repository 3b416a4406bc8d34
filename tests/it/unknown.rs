//! Nothing is called clean that is not known: cases in which a run once looked complete and was not.
#![cfg(unix)]

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use keysunset_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::stub::{self, Digest, Reply, Stub, env, id, list};
use crate::support::{CliOutput, TestEnv, list_of_ids, ops_manager, sandbox};

const ORG: &str = "5980000000000000000000aa";
const OTHER: &str = "5980000000000000000000bb";

fn user(number: usize) -> Value {
    json!({"id": id(number), "username": format!("u{number}@example.com")})
}

/// Nobody has keys; the closure gives the lists.
fn lists(answer: impl Fn(&str, usize) -> Value + Send + Sync + 'static) -> Stub {
    Stub::start(Digest::On, move |asked| {
        if asked.path.ends_with("/keys") {
            Reply::ok(&list(&[]))
        } else {
            Reply::ok(&answer(&asked.path, asked.page()))
        }
    })
}

fn wait_for(sandbox: &Sandbox, exchanges: u64) {
    let start = Instant::now();
    while sandbox.counts().exchanges < exchanges {
        assert!(start.elapsed() < Duration::from_secs(60), "it never came so far");
        std::thread::yield_now();
    }
}

fn interrupt(child: Child) -> CliOutput {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    CliOutput::of(child)
}

#[test]
fn a_list_rewritten_while_it_is_read_is_read_as_it_was() {
    let sandbox = ops_manager(300);
    let env = TestEnv::at(&sandbox);
    env.put("users.txt", list_of_ids(&sandbox));
    let url = &sandbox.announcement().url;
    let child = env.spawn(&["audit", "--url", url, "--users", "users.txt", "--rate", "200"]);
    wait_for(&sandbox, 20);
    env.put("users.txt", "5af9a1d29cc0cdb6ac0bf3f8\n");
    let ran = CliOutput::of(child);
    assert!(ran.stdout.contains("300 requested = 300 read"), "{ran:?}");
}

#[test]
fn another_list_of_the_same_name_is_not_resumed() {
    let sandbox = ops_manager(300);
    let env = TestEnv::at(&sandbox);
    env.put("users.txt", list_of_ids(&sandbox));
    let arguments = ["audit", "--url", &sandbox.announcement().url, "--users", "users.txt", "--resume"];
    let child = env.spawn(&[&arguments[..], &["--rate", "200"]].concat());
    wait_for(&sandbox, 20);
    assert_eq!(interrupt(child).code, 130);
    for other in ["", "5af9a1d29cc0cdb6ac0bf3f8\n"] {
        env.put("users.txt", other);
        let ran = env.run(&arguments);
        assert_eq!(ran.code, 5, "{ran:?}");
    }
    env.put("users.txt", list_of_ids(&sandbox));
    assert_eq!(env.run(&arguments).code, 1, "the same bytes are the same list");
}

#[test]
fn a_run_cut_short_before_a_whole_one_is_history() {
    let sandbox = ops_manager(300);
    let env = TestEnv::at(&sandbox);
    let arguments = ["audit", "--url", &sandbox.announcement().url, "--all-orgs"];
    let child = env.spawn(&[&arguments[..], &["--rate", "200"]].concat());
    wait_for(&sandbox, 20);
    assert_eq!(interrupt(child).code, 130);
    assert_eq!(env.run(&arguments).code, 1);
    assert_eq!(env.run(&[&arguments[..], &["--resume"]].concat()).code, 1);
    let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    let count = |query| store.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM runs"), 3, "a new run");
    assert_eq!(count("SELECT count(*) FROM runs WHERE finished_at IS NULL"), 1, "and the first is as it was");
}

#[test]
fn repeats_in_a_list_do_not_make_up_for_missing_users() {
    let stub = lists(
        |_, _| json!({"results": [user(1), user(2), user(1)], "totalCount": 3, "links": [{"rel": "self"}]}),
    );
    assert_eq!(env().audit_at(&stub.url(), &["--org", ORG]).code, 3);
}

#[test]
fn a_list_that_changes_while_it_is_read_is_incomplete() {
    let stub = lists(|_, page| {
        let (from, rel) = if page == 1 { (1, "next") } else { (501, "self") };
        let rows: Vec<_> = (from..from + 501 - page).map(user).collect();
        json!({"results": rows, "totalCount": 1001 - page, "links": [{"rel": rel}]})
    });
    assert_eq!(env().audit_at(&stub.url(), &["--org", ORG]).code, 3);
}

#[test]
fn without_totals_and_links_the_end_of_a_list_is_not_known() {
    let stub = lists(|_, page| {
        let rows: Vec<_> = (1..=7).map(user).collect();
        json!({"results": rows.chunks(2).nth(page - 1).unwrap_or_default()})
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--org", ORG]);
    // Seven users, and a row for the list.
    assert_eq!((ran.code, env.rows().len()), (3, 8), "{ran:?}");
}

#[test]
fn an_empty_source_among_others_is_not_a_clean_result() {
    let stub = lists(|path, _| if path.contains(OTHER) { list(&[]) } else { list(&[user(1)]) });
    let at = env();
    assert_eq!(at.audit_at(&stub.url(), &["--org", ORG, "--org", OTHER]).code, 3);
    assert!(at.text("reports/keys.csv").contains(OTHER));
    at.put("one.txt", id(1));
    at.put("none.txt", "# nobody\n");
    assert_eq!(at.audit_at(&stub.url(), &["--users", "one.txt", "--users", "none.txt"]).code, 5);
}

#[test]
fn a_list_that_is_gone_is_not_keys_that_are_gone() {
    let stub = Stub::start(Digest::On, |asked| {
        let answer = match asked.path.as_str() {
            path if path.ends_with("/keys") => Reply::ok(&list(&[])),
            path if path.contains(OTHER) || path.contains("byName") => {
                Reply::error(404, "RESOURCE_NOT_FOUND")
            }
            _ => Reply::ok(&list(&[user(1)])),
        };
        answer.header("X-MongoDB-Service-Version", "gitHash=0; versionString=5.0.3")
    });
    for source in [["--org", OTHER], ["--user", "nobody@example.com"]] {
        let ran = env().audit_at(&stub.url(), &[&["--org", ORG], &source[..]].concat());
        assert_eq!(ran.code, 3, "{source:?}: {ran:?}");
    }
}

#[test]
fn another_users_account_is_not_the_one_asked_for() {
    let stub = lists(|_, _| user(999));
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--user", "ann@example.com"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let row = &env.rows()[0];
    assert_eq!((&row["username"][..], &row["read_status"][..]), ("ann@example.com", "malformed"));
}

/// mongodb-js/mongodb-mcp-server#1458, akshaykarle/go-mongodbatlas#21: a page without a count was taken for the whole list.
#[test]
fn one_page_of_a_list_given_as_the_list_is_refused() {
    for page in [
        json!({"results": [user(1)], "links": [{"rel": "next", "href": "x"}]}),
        json!({"results": [user(1)], "links": [{"rel": "self", "href": "x"}, {"rel": "previous", "href": "x"}]}),
        json!({"results": [user(1)], "links": [{"rel": "self", "href": "http://om/orgs/a/users?pageNum=2&itemsPerPage=1"}]}),
        json!({"results": [user(1)], "links": [], "totalCount": 2}),
    ] {
        let env = env();
        env.put("page.json", page.to_string());
        let ran = env.audit_at("http://127.0.0.1:1", &["--users", "page.json"]);
        assert_eq!(ran.code, 5, "{page}: {ran:?}");
        assert!(ran.stderr.contains("incomplete list"), "{page}: {ran:?}");
    }
}

#[test]
fn a_report_of_a_run_under_way_adds_up_and_is_incomplete() {
    let sandbox = ops_manager(3000);
    let env = TestEnv::at(&sandbox);
    let mut child = env.spawn(&["audit", "--url", &sandbox.announcement().url, "--all-orgs"]);
    wait_for(&sandbox, 300);
    while child.try_wait().unwrap().is_none() {
        let ran = env.run(&["report", "--store", "reports/keysunset.db", "--out", "meanwhile"]);
        assert!(matches!(ran.code, 1 | 3 | 4), "{ran:?}");
    }
    assert_eq!(CliOutput::of(child).code, 1);
}

#[test]
fn a_slow_pace_does_not_let_nonces_grow_old_on_the_way() {
    let sandbox =
        sandbox(Options { users: 10, nonce_life: Duration::from_millis(300), ..Options::default() });
    let env = TestEnv::at(&sandbox);
    let url = &sandbox.announcement().url;
    let ran = env.run(&["audit", "--url", url, "--all-orgs", "--rate", "6"]);
    assert!(ran.stdout.contains("10 requested = 10 read"), "{ran:?}");
}

#[test]
fn the_loopback_needs_no_certificates_and_no_proxy() {
    let env = stub::env()
        .with("SSL_CERT_FILE", "/nonexistent")
        .with("SSL_CERT_DIR", "/nonexistent")
        .with("http_proxy", "http://127.0.0.1:9");
    let ran = env.run(&["demo", "--users", "5"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_broken_url_with_a_password_is_not_repeated() {
    for url in ["https://u:s3cretpw@", "u:s3cretpw@host", "https://u:s3cretpw@host:port"] {
        for ran in [
            env().run(&["audit", "--all-orgs", "--url", url]),
            env().with("KEYSUNSET_URL", url).run(&["audit", "--all-orgs"]),
        ] {
            assert!(ran.code == 2 && !ran.stderr.contains("s3cretpw"), "{ran:?}");
        }
    }
}
