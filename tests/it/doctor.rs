//! `keysunset doctor`: every step says what it found, what to do, and whether an audit would fail there.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Once;
use std::time::Duration;

use chrono::Utc;
use keysunset_sandbox::{Challenge, Options, Product, Sandbox};
use serde_json::{Value, json};

use crate::stub::{Digest, Reply, Stub, USER, env, id, list};
use crate::support::{CliOutput, NOW, TestEnv, at, list_of_ids, ops_manager, rfc3339, sandbox};

/// All that can be looked at, in order.
const CHECKS: [&str; 12] = [
    "settings",
    "name",
    "connection",
    "certificate",
    "challenge",
    "credentials",
    "identity",
    "reach",
    "version",
    "clock",
    "latency",
    "forecast",
];

/// `doctor --json`: how it ended, and the lines by check.
struct Seen {
    ran: CliOutput,
    lines: BTreeMap<String, Value>,
}

impl Seen {
    fn status(&self, check: &str) -> &str {
        self.lines.get(check).map_or("not tried", |line| line["status"].as_str().unwrap())
    }

    /// What was found by a check, advice included.
    fn found(&self, check: &str) -> String {
        let line = self.lines.get(check).unwrap_or_else(|| panic!("no {check}: {:?}", self.ran));
        format!("{} → {}", line["found"].as_str().unwrap(), line["advice"].as_str().unwrap_or_default())
    }
}

/// Runs it, and holds that the document is of its schema.
fn seen(env: &TestEnv, url: &str, arguments: &[&str]) -> Seen {
    let ran = env.run(&[&["doctor", "--json", "--retries", "0", "--url", url], arguments].concat());
    let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|why| panic!("{why}: {ran:?}"));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&document), ["lines", "ok", "schema"]);
    assert_eq!(document["schema"], "keysunset-doctor/1");
    let lines = document["lines"].as_array().unwrap();
    let order = |line: &Value| CHECKS.iter().position(|check| line["check"] == *check).unwrap();
    assert!(lines.is_sorted_by_key(order), "{lines:?}");
    for line in lines {
        assert_eq!(keys(line), ["advice", "check", "found", "status"]);
        assert!(!line["found"].as_str().unwrap().is_empty());
        let well = line["status"] == "ok";
        assert!(well || ["warning", "failed"].contains(&line["status"].as_str().unwrap()));
        assert_eq!(line["advice"].is_null(), well, "what is not well has advice: {line}");
    }
    let failed = lines.iter().any(|line| line["status"] == "failed");
    assert_eq!(document["ok"], !failed);
    assert_eq!(ran.code, if failed { 5 } else { 0 }, "{ran:?}");
    let by_check = lines.iter().map(|line| (line["check"].as_str().unwrap().to_owned(), line.clone()));
    let lines: BTreeMap<_, _> = by_check.collect();
    Seen { ran, lines }
}

fn seen_at(sandbox: &Sandbox, arguments: &[&str]) -> Seen {
    seen(&TestEnv::at(sandbox), &sandbox.announcement().url, arguments)
}

/// Some user who is a global owner, or is none; and who has a personal key.
fn user_with_a_key(sandbox: &Sandbox, is_owner: bool) -> (String, String) {
    let owner = |public: &str, private: &str| {
        let env = TestEnv::of((public.to_owned(), private.to_owned()));
        seen(&env, &sandbox.announcement().url, &[]).found("identity").contains("GLOBAL_OWNER")
    };
    let credentials = (0..40).filter_map(|user| sandbox.personal_credential_for(user));
    credentials.into_iter().find(|(public, private)| owner(public, private) == is_owner).unwrap()
}

#[test]
fn a_global_owners_key_on_a_fine_deployment_has_nothing_failed() {
    let sandbox = ops_manager(20);
    let seen = seen_at(&sandbox, &["--all-orgs"]);
    for check in CHECKS {
        // The fixed clock of the tests is not that of the server's header.
        let expected = if check == "clock" { "warning" } else { "ok" };
        assert_eq!(seen.status(check), expected, "{:?}", seen.ran);
    }
    assert!(seen.found("settings").contains(&sandbox.announcement().public_key));
    assert!(seen.found("challenge").contains("\"MMS Public API\", MD5, qop auth"), "{:?}", seen.ran);
    assert!(seen.found("identity").contains("programmatic"));
    assert!(seen.found("reach").contains("reads keys of other users"));
    assert!(seen.found("version").contains("Ops Manager 4.4.12"));
    // Users of several organizations count once.
    assert!(seen.found("forecast").contains("for 20 users at most"), "{:?}", seen.ran);
    assert!(seen.found("clock").contains("SOURCE_DATE_EPOCH"));
}

#[test]
fn a_person_gets_aligned_lines_and_a_verdict() {
    let sandbox = ops_manager(20);
    let env = TestEnv::at(&sandbox).with("SOURCE_DATE_EPOCH", "");
    let url = &sandbox.announcement().url;
    let ran = env.run(&["doctor", "--url", url]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let lines: Vec<_> = ran.stdout.lines().filter(|line| !line.starts_with("   ")).collect();
    for (line, check) in lines.iter().zip(CHECKS) {
        assert!(line.starts_with(&format!("  ok       {check:<13}")), "{ran:?}");
    }
    assert_eq!(lines[CHECKS.len()..], ["", "  all checks passed"], "{ran:?}");
    let quiet = env.run(&["doctor", "--url", url, "--quiet"]);
    assert_eq!((quiet.code, quiet.stdout.as_str()), (0, ""));
}

#[test]
fn a_user_is_shown_with_roles_and_limits() {
    let sandbox = ops_manager(40);
    let (name, private) = user_with_a_key(&sandbox, false);
    let seen = seen(&TestEnv::of((name.clone(), private)), &sandbox.announcement().url, &[]);
    assert!(seen.found("identity").contains(&name), "{:?}", seen.ran);
    assert_eq!(seen.status("reach"), "warning", "{:?}", seen.ran);
    assert!(seen.found("reach").contains("NOT_SELF") && seen.found("reach").contains("GLOBAL_OWNER"));
}

#[test]
fn on_the_cloud_products_users_read_only_their_own_keys() {
    for product in [Product::Atlas, Product::CloudManager] {
        let before = Some(at(1_609_459_200));
        let sandbox = sandbox(Options { product, users: 10, clock: before, ..Options::default() });
        let announced = sandbox.announcement();
        let seen = seen_at(&sandbox, &["--org", &announced.org_id, "--product", announced.product]);
        assert_eq!(seen.status("reach"), "warning", "{:?}", seen.ran);
        assert!(seen.found("reach").contains("--credentials"), "{:?}", seen.ran);
        assert!(seen.found("forecast").contains("for 10 users"), "{:?}", seen.ran);
    }
}

#[test]
fn where_personal_keys_are_gone_there_is_nothing_to_audit() {
    for options in [
        Options { service_version: "5.0.3".to_owned(), ..Options::default() },
        Options { product: Product::Atlas, service_version: "20250101".to_owned(), ..Options::default() },
        Options { product: Product::CloudManager, ..Options::default() },
    ] {
        let sandbox = sandbox(options);
        let seen = seen_at(&sandbox, &[]);
        assert_eq!(seen.status("version"), "warning", "{:?}", seen.ran);
        assert!(seen.found("version").contains("nothing to audit"), "{:?}", seen.ran);
        assert!(seen.found("forecast").contains("per 1,000 users"), "{:?}", seen.ran);
    }
}

#[test]
fn an_old_ops_manager_is_examined_with_a_personal_key() {
    let sandbox = sandbox(Options { service_version: "4.0.12".to_owned(), users: 10, ..Options::default() });
    let seen = seen_at(&sandbox, &["--all-orgs"]);
    assert_eq!((seen.ran.code, seen.status("identity")), (0, "ok"), "{:?}", seen.ran);
    assert!(seen.found("identity").contains("the user "), "{:?}", seen.ran);
}

#[test]
fn a_wrong_password_fails_at_the_credentials() {
    let sandbox = ops_manager(5);
    let public = sandbox.announcement().public_key.clone();
    let seen = seen(&TestEnv::of((public, "wrong".to_owned())), &sandbox.announcement().url, &[]);
    assert_eq!((seen.status("challenge"), seen.status("credentials")), ("ok", "failed"));
    assert!(seen.found("credentials").contains("access list"), "{:?}", seen.ran);
    assert_eq!(seen.status("identity"), "not tried");
}

#[test]
fn a_closed_port_fails_at_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let seen = seen(&env(), &url, &["--all-orgs"]);
    assert_eq!((seen.status("name"), seen.status("connection")), ("ok", "failed"));
    assert!(seen.found("connection").contains("--url"), "{:?}", seen.ran);
    let ran = env().run(&["doctor", "--url", &url]);
    assert!(ran.words().contains("1 check failed; not run: challenge, credentials"), "{ran:?}");
}

#[test]
fn an_unknown_host_fails_at_the_name_unless_behind_a_proxy() {
    let seen_by = |env: &TestEnv| seen(env, "http://no-such-host.invalid", &[]);
    let alone = seen_by(&env());
    assert_eq!((alone.status("name"), alone.status("connection")), ("failed", "not tried"));
    let proxy = Stub::start(Digest::Off, |_| Reply::text(502, "text/html", "<html>"));
    let address = proxy.url().replace("/api/public/v1.0", "").replace("http://", "http://user:pa55word@");
    let behind = seen_by(&env().with("HTTP_PROXY", &address));
    assert_eq!((behind.status("name"), behind.status("challenge")), ("ok", "failed"), "{:?}", behind.ran);
    assert!(behind.found("name").contains("proxy 127.0.0.1:"), "{:?}", behind.ran);
    assert!(!behind.ran.stdout.contains("pa55word"));
}

#[test]
fn a_server_that_is_not_the_api_is_named() {
    let page = Stub::start(Digest::Off, |_| Reply::text(200, "text/html", "<html>"));
    let seen_there = seen(&env(), &page.url(), &[]);
    assert_eq!(seen_there.status("challenge"), "failed");
    assert!(seen_there.found("challenge").contains("an HTML page"), "{:?}", seen_there.ran);
    let elsewhere = Stub::start(Digest::Off, |_| Reply::redirect(302, "http://127.0.0.2/login"));
    let seen_there = seen(&env(), &elsewhere.url(), &[]);
    assert!(seen_there.found("challenge").contains("another host"), "{:?}", seen_there.ran);
    let basic = sandbox(Options { challenge: Challenge::BasicOnly, ..Options::default() });
    let seen_there = seen_at(&basic, &[]);
    assert_eq!(seen_there.status("challenge"), "failed");
    assert!(seen_there.found("challenge").contains("the service requires Basic"), "{:?}", seen_there.ran);
}

/// The digest layer is before all paths: that the credentials are accepted says nothing about the path.
#[test]
fn a_url_that_is_not_the_base_path_fails_whichever_users_are_chosen() {
    for version in ["4.4.12", "5.0.3"] {
        let options = Options { users: 5, service_version: version.to_owned(), ..Options::default() };
        let sandbox = sandbox(options);
        let (announced, env) = (sandbox.announcement(), TestEnv::at(&sandbox));
        let root = announced.url.strip_suffix("/api/public/v1.0").unwrap();
        env.put("ids.txt", list_of_ids(&sandbox));
        for path in
            ["/api/public", "/v2", "//api/public/v1.0", "/api/public/v1.0/orgs", "/api/public/v1.0/users"]
        {
            for users in [&["--users", "ids.txt"][..], &["--org", &announced.org_id], &["--all-orgs"], &[]] {
                let seen = seen(&env, &format!("{root}{path}"), users);
                assert_eq!(seen.status("credentials"), "failed", "{path} {users:?}: {:?}", seen.ran);
                let found = seen.found("credentials");
                assert!(found.contains("404") && found.contains("set --url to the root"), "{:?}", seen.ran);
                assert_eq!(seen.status("identity"), "not tried", "{:?}", seen.ran);
            }
            let ran = env.audit_at(&format!("{root}{path}"), &["--all-orgs"]);
            assert!(ran.code == 5 && ran.stderr.contains("set --url to the root"), "{path}: {ran:?}");
        }
    }
}

/// A gateway may let through the keys of users alone.
#[test]
fn a_404_of_a_gateway_for_organizations_is_a_warning() {
    let stub = Stub::start(Digest::On, |asked| match asked.path.as_str() {
        "/orgs" => Reply::text(404, "text/html", "<html>"),
        path if path.ends_with("/keys") => Reply::ok(&list(&[])),
        _ => Reply::error(404, "USERNAME_NOT_FOUND"),
    });
    let seen = seen(&env(), &stub.url(), &["--user", USER]);
    assert_eq!((seen.status("credentials"), seen.ran.code), ("warning", 0), "{:?}", seen.ran);
}

/// An API of one organization with one user, whose answers carry this header.
fn tiny(name: &'static str, value: String) -> Stub {
    Stub::start(Digest::On, move |asked| {
        let reply = match asked.path.as_str() {
            "/orgs" => Reply::ok(&list(&[json!({"id": "5980a1d29cc0cdb6ac0bf3f8"})])),
            path if path.ends_with("/keys") => Reply::ok(&list(&[])),
            path if path.ends_with("/users") => Reply::ok(&list(&[json!({"id": USER, "username": "ann"})])),
            _ => Reply::error(404, "USERNAME_NOT_FOUND"),
        };
        reply.header(name, &value)
    })
}

#[test]
fn a_clock_that_is_off_is_a_warning() {
    for (ahead, expected) in [(0, "ok"), (20, "ok"), (3600, "warning"), (-3600, "warning")] {
        let date = httpdate(NOW + ahead);
        // The clock is that of the first response, which asks for a digest.
        let stub = Stub::start(Digest::Off, move |asked| {
            let reply = if asked.authorized { Reply::ok(&list(&[])) } else { challenge() };
            reply.header("Date", &date)
        });
        let seen = seen(&env(), &stub.url(), &[]);
        assert_eq!(seen.status("clock"), expected, "{:?}", seen.ran);
        if ahead == 3600 {
            assert!(seen.found("clock").contains("1h behind"), "{:?}", seen.ran);
            assert!(seen.found("clock").contains(&rfc3339(at(NOW + ahead))));
        }
    }
}

/// A server that asks for a digest, with a `Date` so many seconds ahead of the real now, whose first list takes `delay`.
fn with_a_clock(ahead: i64, delay: Duration) -> Stub {
    let first = Once::new();
    Stub::start(Digest::Off, move |asked| {
        let date = httpdate(Utc::now().timestamp() + ahead);
        let reply = if asked.authorized {
            first.call_once(|| std::thread::sleep(delay));
            Reply::ok(&list(&[]))
        } else {
            challenge()
        };
        reply.header("Date", &date)
    })
}

fn challenge() -> Reply {
    let challenge = r#"Digest realm="MMS Public API", nonce="bm9uY2Ugb2YgYSBzdHViLCAzMiBs+/==", algorithm=MD5, qop="auth""#;
    Reply::json(401, &json!({"error": 401})).header("WWW-Authenticate", challenge)
}

/// It may run for longer than the tolerance, on a slow deployment.
#[test]
fn the_time_that_the_doctor_takes_is_no_difference_of_clocks() {
    let stub = with_a_clock(-27, Duration::from_secs(5));
    let seen = seen(&env().with("SOURCE_DATE_EPOCH", ""), &stub.url(), &[]);
    assert_eq!(seen.status("clock"), "ok", "{:?}", seen.ran);
}

#[test]
fn the_clock_that_ages_are_calculated_with_is_that_of_the_audit() {
    const DAY: i64 = 86_400;
    for (ahead, whose) in
        [(-5 * DAY, "the deployment"), (5 * DAY, "the deployment"), (-400 * DAY, "this machine")]
    {
        let stub = with_a_clock(ahead, Duration::ZERO);
        let env = env().with("SOURCE_DATE_EPOCH", "");
        let seen = seen(&env, &stub.url(), &[]);
        assert_eq!(seen.status("clock"), "warning", "{:?}", seen.ran);
        let rule = format!("ages are calculated with the clock of {whose}");
        assert!(seen.found("clock").contains(&rule), "{:?}", seen.ran);
        let ran = env.audit_at(&stub.url(), &["--user", USER]);
        assert_eq!(
            (ran.code, ran.words().contains(&rule) || ran.stderr.contains(&rule)),
            (0, true),
            "{ran:?}"
        );
    }
}

fn httpdate(seconds: i64) -> String {
    at(seconds).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[test]
fn a_forecast_counts_lists_and_heeds_the_rate() {
    let sandbox = ops_manager(30);
    let env = TestEnv::at(&sandbox);
    env.put("list.txt", list_of_ids(&sandbox));
    let url = &sandbox.announcement().url;
    let counted = seen(&env, url, &["--users", "list.txt", "--user", USER]);
    assert!(counted.found("forecast").contains("for 31 users"), "{:?}", counted.ran);
    let slow = seen(&env, url, &["--users", "list.txt", "--rate", "100", "--concurrency", "1"]);
    assert!(slow.found("forecast").contains("at most 100 a second"), "{:?}", slow.ran);
    env.put("list.txt", "not a user\n");
    let broken = seen(&env, url, &["--users", "list.txt"]);
    assert_eq!(broken.status("settings"), "failed", "{:?}", broken.ran);
}

#[test]
fn with_one_other_user_alone_reach_is_not_known() {
    let stub = tiny("X-MongoDB-Service-Version", "gitHash=a; versionString=4.4.1".to_owned());
    let seen = seen(&env(), &stub.url(), &["--all-orgs"]);
    assert_eq!(seen.status("reach"), "warning", "{:?}", seen.ran);
    assert_eq!(seen.status("version"), "ok", "{:?}", seen.ran);
}

/// A deployment of organizations 1 and 2, of which this list is answered so.
fn refusing(list_path: &'static str, answer: fn() -> Reply) -> Stub {
    Stub::start(Digest::On, move |asked| match asked.path.as_str() {
        path if path == list_path => answer(),
        "/orgs" => Reply::ok(&list(&[json!({"id": id(1)}), json!({"id": id(2)})])),
        path if path.ends_with("/keys") => Reply::ok(&list(&[])),
        path if path.ends_with("/users") => {
            let organization = path.split('/').nth(2).unwrap();
            let users = [11, 12].map(|number| json!({"id": organization.replace("00", &number.to_string())}));
            Reply::ok(&list(&users))
        }
        _ => Reply::error(404, "USERNAME_NOT_FOUND"),
    })
}

/// The list and its answer, the arguments, and what is reported.
type Case<'a> = (&'static str, fn() -> Reply, &'a [&'a str], &'a [&'a str]);

/// The audit would be incomplete, or have no users.
#[test]
fn a_list_that_the_audit_needs_and_that_cant_be_read_fails_reach() {
    let (one, two) = (id(1), id(2));
    let of_two = "/orgs/000000000000000000000002/users";
    let project = "/groups/000000000000000000000001/users";
    let refused = || Reply::error(401, "NOT_ORG_OWNER");
    let cases: [Case<'_>; 8] = [
        (project, || Reply::error(401, "NOT_IN_GROUP"), &["--project", &one], &["project 0", "NOT_IN_GROUP"]),
        (
            project,
            || Reply::error(404, "GROUP_NOT_FOUND"),
            &["--project", &one],
            &["project 0", "check the IDs"],
        ),
        (project, Reply::never, &["--project", &one, "--timeout", "1"], &["timed out", "larger --timeout"]),
        (of_two, refused, &["--all-orgs"], &["organization 0", "NOT_ORG_OWNER"]),
        (of_two, refused, &["--org", &one, "--org", &two], &["000002: 401", "NOT_ORG_OWNER"]),
        (of_two, || Reply::ok(&list(&[])), &["--org", &one, "--org", &two], &["000002: ", "is empty"]),
        (of_two, || Reply::ok(&list(&[json!({"id": 7})])), &["--all-orgs"], &["000002: 200", "row 1"]),
        (
            "/orgs",
            || Reply::ok(&list(&[json!({"id": id(1)}), json!(7)])),
            &["--all-orgs"],
            &["all organizations", "row 2"],
        ),
    ];
    for (path, answer, arguments, expected) in cases {
        let stub = refusing(path, answer);
        let seen = seen(&env(), &stub.url(), arguments);
        assert_eq!((seen.status("reach"), seen.ran.code), ("failed", 5), "{arguments:?}: {:?}", seen.ran);
        for expected in expected {
            assert!(seen.found("reach").contains(expected), "{expected}: {:?}", seen.ran);
        }
        let code = env().audit_at(&stub.url(), arguments).code;
        assert!(code == 3 || code == 5, "{arguments:?}: the audit ends with {code}");
    }
    // What an audit does not read may be refused.
    let stub = refusing(of_two, refused);
    assert_eq!(seen(&env(), &stub.url(), &["--org", &one]).status("reach"), "ok");
    let stub = refusing("/orgs", || Reply::error(401, "USER_CANNOT_ACCESS_ORG"));
    assert_eq!(seen(&env(), &stub.url(), &["--project", &one]).status("reach"), "ok");
}

#[test]
fn foreign_text_is_escaped_and_no_secret_is_shown() {
    let hostile = "4.4.1\u{9b}31m".to_owned();
    let stub = tiny("X-MongoDB-Service-Version", format!("versionString={hostile}"));
    let ran = env().run(&["doctor", "--url", &stub.url(), "-vv"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{ran:?}");
    let secret = crate::stub::PRIVATE;
    assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{ran:?}");
    let targets: Vec<_> = stub.asked().into_iter().map(|asked| asked.path).collect();
    assert!(!targets.is_empty() && targets.iter().all(|path| !path.contains("groups")), "{targets:?}");
}

#[test]
fn missing_settings_are_reported_as_for_an_audit() {
    let ran = env().run(&["doctor"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let ran = TestEnv::empty().run(&["doctor", "--url", "http://127.0.0.1:1"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("no credentials"), "{ran:?}");
}
