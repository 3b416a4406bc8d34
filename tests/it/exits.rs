//! The exit codes, each by every cause that is named, and what stood in `--out` untouched by errors.

use keysunset_sandbox::Options;
use serde_json::{Value, json};

use crate::stub::{Digest, Reply, Silent, Stub, USER, env, key, list};
use crate::support::{CliOutput, TestEnv, list_of_ids, ops_manager, sandbox};

/// Puts markers where the reports go, runs, and holds that the run ends with this code, says `error:` and what is
/// expected of the message, and has touched no marker and left no half a report.
pub(crate) fn fails(env: &TestEnv, code: i32, arguments: &[&str], expected: &[&str]) -> CliOutput {
    env.put("reports/keys.csv", "what was there\n");
    env.put("reports/migration-report.md", "before\n");
    let ran = env.run(arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
    assert!(ran.stderr.starts_with("error: "), "{arguments:?}: {ran:?}");
    for text in expected {
        assert!(ran.stderr.contains(text), "{text:?} is missing for {arguments:?}: {ran:?}");
    }
    assert_untouched(env, arguments);
    ran
}

fn assert_untouched(env: &TestEnv, arguments: &[&str]) {
    assert_eq!(env.text("reports/keys.csv"), "what was there\n", "{arguments:?}");
    assert_eq!(env.text("reports/migration-report.md"), "before\n", "{arguments:?}");
    for path in env.files().keys() {
        let half = path.extension().is_some_and(|kind| ["part", "tmp"].iter().any(|it| kind == *it));
        assert!(!half, "{arguments:?} left {}", path.display());
    }
}

fn audit_fails(env: &TestEnv, url: &str, arguments: &[&str], expected: &[&str]) -> CliOutput {
    fails(env, 5, &[&["audit", "--url", url, "--retries", "0"], arguments].concat(), expected)
}

/// An address where nobody listens.
fn closed() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A key with these fields in place of the usual ones; null takes one away.
fn changed(fields: &Value) -> Value {
    let mut key = key(1, "ci");
    for (name, value) in fields.as_object().unwrap() {
        if value.is_null() {
            key.as_object_mut().unwrap().remove(name);
        } else {
            key[name] = value.clone();
        }
    }
    key
}

#[test]
fn a_complete_run_ends_with_0_or_1_by_what_fail_on_says() {
    let now = json!({"lastUsed": "2024-12-31T00:00:00Z"});
    let after = json!({"lastUsed": "2021-03-01T00:00:00Z"});
    let off_after = json!({"lastUsed": "2024-12-31T00:00:00Z", "enabled": false});
    let before = json!({"lastUsed": "2021-02-28T23:59:59Z"});
    let off_before = json!({"lastUsed": "2021-02-28T23:59:59Z", "enabled": false});
    let never = json!({"lastUsed": null, "usedCount": 0});
    // What is not known is never counted as unused, nor as disabled.
    let unknown = json!({"lastUsed": null, "usedCount": 9});
    let silent = json!({"lastUsed": null, "usedCount": null, "enabled": null});
    for (fields, any, enabled, used, high, critical) in [
        (now, 1, 1, 1, 1, 1),
        (after, 1, 1, 1, 1, 0),
        (off_after, 1, 0, 1, 0, 0),
        (before, 1, 1, 0, 0, 0),
        (off_before, 1, 0, 0, 0, 0),
        (never, 1, 1, 0, 0, 0),
        (unknown, 1, 1, 1, 1, 0),
        (silent, 1, 1, 1, 1, 0),
    ] {
        let stub = Stub::of_keys(vec![changed(&fields)]);
        let gates = [
            ("any", any),
            ("enabled", enabled),
            ("used", used),
            ("high", high),
            ("critical", critical),
            ("never", 0),
        ];
        for (gate, code) in gates {
            let ran = env().audit_at(&stub.url(), &["--user", USER, "--fail-on", gate]);
            assert_eq!(ran.code, code, "--fail-on {gate}, {fields}: {ran:?}");
        }
        assert_eq!(env().audit_at(&stub.url(), &["--user", USER]).code, 1, "any is the default");
    }
    let nothing = Stub::of_keys(Vec::new());
    assert_eq!(env().audit_at(&nothing.url(), &["--user", USER]).code, 0);
}

#[test]
fn an_incomplete_run_ends_with_3_or_4_unless_exit_zero() {
    let sandbox = ops_manager(30);
    let env = TestEnv::at(&sandbox);
    let clean = sandbox.ground_truth().find(|user| user.keys.is_empty()).unwrap().id;
    let found = sandbox.ground_truth().next().unwrap().id;
    let nobody = ["--user", "nobody@example.com"];
    for (arguments, code) in [
        (vec!["--user", &clean], 0),
        (vec!["--user", &found], 1),
        ([&nobody[..], &["--user", &clean]].concat(), 3),
        (nobody.to_vec(), 3),
        ([&nobody[..], &["--user", &found]].concat(), 4),
        ([&nobody[..], &["--user", &found, "--fail-on", "never"]].concat(), 3),
    ] {
        assert_eq!(env.audit(&sandbox, &arguments).code, code, "{arguments:?}");
        assert_eq!(
            env.run(&["report"]).code,
            if arguments.contains(&"never") { 4 } else { code },
            "{arguments:?}"
        );
        assert_eq!(env.run(&["report", "--exit-zero"]).code, 0, "{arguments:?}");
        assert_eq!(
            env.audit(&sandbox, &[&arguments[..], &["--exit-zero"]].concat()).code,
            0,
            "{arguments:?}"
        );
    }
}

#[test]
fn exit_zero_forgives_no_error() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    env.put("empty.txt", "");
    audit_fails(&env, &sandbox.announcement().url, &["--users", "empty.txt", "--exit-zero"], &[]);
    audit_fails(&env, &closed(), &["--all-orgs", "--exit-zero"], &[]);
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    let url = sandbox.announcement().url.as_str();
    for flag in [
        ["--cutoff", "yesterday"],
        ["--cutoff", "2021-02-30"],
        ["--cutoff", ""],
        ["--rate", "0"],
        ["--rate", "1e99"],
        ["--rate", "NaN"],
        ["--concurrency", "0"],
        ["--concurrency", "many"],
        ["--timeout", "0"],
        ["--active-within", "a week"],
        ["--product", "mongod"],
        ["--format", "pdf"],
        ["--format", "csv,pdf"],
        ["--fail-on", "sometimes"],
        ["--private-key", "never-a-flag"],
    ] {
        fails(&env, 2, &[&["audit", "--url", url, "--all-orgs"], &flag[..]].concat(), &[flag[0]]);
    }
    for arguments in [
        &["audit", "--all-orgs"][..],
        &["audit", "--url", url],
        &["audit", "--url", "om.example", "--all-orgs"],
        &["audit", "--url", "om.example:8080", "--all-orgs"],
        &["audit", "--url", "ftp://om.example", "--all-orgs"],
        &["audit", "--url", "http://", "--all-orgs"],
        &["audit", "--url", "", "--all-orgs"],
        &["audti"],
        &["report", "--run", "last"],
        &["demo", "--users", "some"],
    ] {
        fails(&env, 2, arguments, &[]);
    }
    assert_eq!(sandbox.counts().exchanges, 0, "nothing was asked for");
}

#[test]
fn an_empty_list_of_users_ends_with_5_whatever_its_format() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    for list in [
        "",
        "\n \n",
        "# nobody\n\n",
        "user_id\n",
        "user_id,username\r\n",
        "[]",
        r#"{"results":[],"totalCount":0}"#,
    ] {
        env.put("list", list);
        audit_fails(&env, &sandbox.announcement().url, &["--users", "list"], &["list"]);
    }
    audit_fails(&env, &sandbox.announcement().url, &["--users", "-"], &["standard input"]);
}

#[test]
fn an_organization_without_users_ends_with_5() {
    let stub = Stub::start(Digest::On, |_| Reply::ok(&list(&[])));
    let organization = ["--org", "5980000000000000000000aa"];
    audit_fails(&env(), &stub.url(), &organization, &["5980000000000000000000aa"]);
    audit_fails(&env(), &stub.url(), &["--all-orgs"], &[]);
    assert!(!stub.asked().is_empty());
}

#[test]
fn no_credential_or_half_of_one_ends_with_5_and_names_what_is_missing() {
    let sandbox = ops_manager(5);
    let url = &sandbox.announcement().url;
    let names = ["KEYSUNSET_PUBLIC_KEY", "KEYSUNSET_PRIVATE_KEY"];
    audit_fails(&TestEnv::empty(), url, &["--all-orgs"], &names);
    for (there, missing) in [(names[0], names[1]), (names[1], names[0])] {
        audit_fails(&TestEnv::empty().with(there, "s3cr3t-half"), url, &["--all-orgs"], &[missing]);
        audit_fails(
            &TestEnv::empty().with(there, "s3cr3t-half").with(missing, ""),
            url,
            &["--all-orgs"],
            &[missing],
        );
    }
    assert_eq!(sandbox.counts().exchanges, 0);
}

#[test]
fn refused_credentials_end_with_5_after_two_tries() {
    let sandbox = ops_manager(20);
    let (public, private) = sandbox.credential_for(0);
    let wrong = "00000000-0000-0000-0000-000000000000".to_owned();
    for (credential, tried) in
        [((public.clone(), wrong), public), (("zzzzzzzz".to_owned(), private), "zzzzzzzz".to_owned())]
    {
        let before = sandbox.counts();
        let env = TestEnv::of(credential);
        env.put("list.txt", list_of_ids(&sandbox));
        let expected = [tried.as_str(), "401", "help:"];
        audit_fails(&env, &sandbox.announcement().url, &["--users", "list.txt"], &expected);
        let after = sandbox.counts();
        // The second asks another path, since a proxy may refuse the first one alone.
        let refused = after.refused - before.refused;
        assert!((1..=2).contains(&refused), "{refused}: a locked account is worse than an error");
        assert!(after.exchanges - before.exchanges <= 4);
    }
}

#[test]
fn a_failed_run_takes_nothing_from_the_runs_before_it() {
    let sandbox = ops_manager(30);
    let env = TestEnv::at(&sandbox);
    let url = sandbox.announcement().url.clone();
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    let before = env.bytes("reports/keys.csv");
    env.put("empty.txt", "");
    audit_fails(&env, &url, &["--users", "empty.txt"], &[]);
    let stranger = env.with("KEYSUNSET_PRIVATE_KEY", "wrong");
    audit_fails(&stranger, &url, &["--all-orgs"], &[]);
    sandbox.stop();
    audit_fails(&stranger, &url, &["--all-orgs"], &[]);
    for report in [&["report", "--run", "1"][..], &["report"]] {
        assert_eq!(stranger.run(report).code, 1, "{report:?}");
        assert_eq!(stranger.bytes("reports/keys.csv"), before, "{report:?}");
    }
}

#[test]
fn an_unreachable_deployment_ends_with_5() {
    let url = closed();
    audit_fails(&env(), &url, &["--all-orgs"], &[&url, "help:"]);
    audit_fails(&env(), &url, &["--user", USER], &[&url]);
    let secure = url.replace("http:", "https:");
    audit_fails(&env(), &secure, &["--user", USER], &[&secure]);
}

#[test]
fn the_wrong_scheme_is_named() {
    let sandbox = ops_manager(5);
    let secure = sandbox.announcement().url.replace("http:", "https:");
    audit_fails(&env(), &secure, &["--all-orgs"], &["the response is not TLS", "may need http://"]);
    audit_fails(&env(), &closed(), &["--all-orgs"], &["https, not http?"]);
}

/// The first failure that most new users see: the list is not to blame, but the key or the URL.
#[test]
fn a_refused_list_of_organizations_gets_the_help_of_its_reason() {
    for (status, code, expected) in [
        (
            403,
            "IP_ADDRESS_NOT_ON_WHITELIST",
            "help: add this machine's IP address to the access list of the key",
        ),
        (
            403,
            "IP_ADDRESS_NOT_ON_ACCESS_LIST",
            "help: add this machine's IP address to the access list of the key",
        ),
        (403, "ORG_REQUIRES_WHITELIST", "help: add this machine's IP address to the access list of the key"),
        (404, "RESOURCE_NOT_FOUND", "help: set --url to the root of the host"),
        (403, "ACCESS_FORBIDDEN", "help: check the list, the IDs and the roles of the key"),
    ] {
        let stub = Stub::start(Digest::On, move |_| Reply::error(status, code));
        audit_fails(&env(), &stub.url(), &["--all-orgs"], &[code, expected]);
    }
}

#[test]
fn a_server_that_is_not_the_api_ends_with_5() {
    for (status, kind, body) in [
        (200, "text/html", "<!DOCTYPE html><html><title>Sign in</title></html>"),
        (200, "application/json", "<html>still a page</html>"),
        (404, "text/html", "<html><h1>Not Found</h1></html>"),
        (200, "text/plain", ""),
    ] {
        let stub = Stub::start(Digest::Off, move |_| Reply::text(status, kind, body));
        for whom in [&["--user", USER][..], &["--all-orgs"], &["--user", "ann@example.com"]] {
            let ran = audit_fails(&env(), &stub.url(), whom, &["help:"]);
            assert!(ran.stderr.contains("not the API"), "{status} {body}: {ran:?}");
        }
    }
}

/// A balancer answers for a deployment that restarts, and a proxy for itself.
#[test]
fn a_page_of_a_balancer_or_proxy_is_named_with_what_helps() {
    for (status, what, help) in [
        (502, "is not available", "try again later"),
        (503, "is not available", "restarting or in maintenance"),
        (504, "is not available", "try again later"),
        (407, "a proxy before", "HTTP_PROXY"),
    ] {
        let stub = Stub::start(Digest::Off, move |_| Reply::text(status, "text/html", "<html>"));
        for whom in [&["--user", USER][..], &["--all-orgs"]] {
            let ran = audit_fails(&env(), &stub.url(), whom, &[what, help]);
            assert!(!ran.stderr.contains("not the API"), "{status}: {ran:?}");
        }
        let ran = env().run(&["doctor", "--url", &stub.url()]);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.words().contains(what) && ran.words().contains(help), "{status}: {ran:?}");
    }
}

/// The pages of nginx, Apache and Go for what is wrong with the connection itself.
#[test]
fn a_page_that_names_what_is_wrong_is_quoted_with_what_helps() {
    let nginx = |why: &str| {
        format!(
            "<html>\r\n<head><title>400 {why}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n"
        )
    };
    let apache = "<html><head>\n<title>400 Bad Request</title>\n</head><body>\n<p>Your browser sent a request that this \
        server could not understand.<br />\nReason: You're speaking plain HTTP to an SSL-enabled server port.<br />";
    let (https, certificate) =
        ("help: the port is one for TLS: use https in --url", "help: give a client certificate");
    let digest = "0123456789abcdef".repeat(4);
    for (kind, body, quoted, help) in [
        (
            "text/html",
            nginx("The plain HTTP request was sent to HTTPS port"),
            "\"400 The plain HTTP request was sent to HTTPS port\"",
            https,
        ),
        (
            "text/html",
            nginx("No required SSL certificate was sent"),
            "\"400 No required SSL certificate was sent\"",
            certificate,
        ),
        ("text/html", nginx("The SSL certificate error"), "\"400 The SSL certificate error\"", certificate),
        ("text/html", apache.to_owned(), "\"400 Bad Request\"", https),
        (
            "text/plain; charset=utf-8",
            "Client sent an HTTP request to an HTTPS server.\n".to_owned(),
            "\"Client sent an HTTP request to an HTTPS server.\"",
            https,
        ),
        (
            "text/html",
            format!("<title>{digest} Sign in</title>"),
            "\"******** Sign in\"",
            "help: set --url to the root",
        ),
    ] {
        let stub = Stub::start(Digest::Off, move |_| Reply::text(400, kind, &body));
        let ran = audit_fails(&env(), &stub.url(), &["--all-orgs"], &[quoted, help]);
        assert!(!ran.stderr.contains(&digest), "{ran:?}");
        let ran = env().run(&["doctor", "--url", &stub.url()]);
        let help = help.trim_start_matches("help: ");
        assert!(ran.words().contains(quoted) && ran.words().contains(help), "{ran:?}");
    }
    let packed =
        || Reply::bytes("application/json", b"\x1f\x8b\x08\0\0".to_vec()).header("Content-Encoding", "gzip");
    let stub = Stub::start(Digest::On, move |_| packed());
    let expected = ["the encoding \"gzip\"", "help: keysunset asks for responses that are not compressed"];
    audit_fails(&env(), &stub.url(), &["--all-orgs"], &expected);
}

/// The environment of a program whose requests to `http` and `https` go through this proxy.
fn behind(proxy: &str) -> TestEnv {
    let address = proxy.replace("http://", "http://user:pa55word@");
    env().with("HTTP_PROXY", &address).with("HTTPS_PROXY", &address)
}

/// Both ask the proxy, for the resource or for a connection.
const BEHIND_A_PROXY: [(&str, &str); 2] =
    [("http://om.invalid:8080", "HTTP_PROXY"), ("https://om.invalid:8443", "HTTPS_PROXY")];

#[test]
fn a_proxy_that_wants_a_login_is_named_with_what_helps() {
    let stub = Stub::start(Digest::Off, |_| Reply::text(407, "text/html", "<html>"));
    let name = stub.address().to_string();
    for (url, variable) in BEHIND_A_PROXY {
        let (what, help) =
            (format!("the proxy {name} before {url} requires a login"), format!("{variable}=http"));
        let env = behind(&format!("http://{name}"));
        let ran = env.audit_at(url, &["--all-orgs"]);
        assert!(ran.code == 5 && ran.stderr.contains(&what) && ran.stderr.contains(&help), "{ran:?}");
        assert!(!ran.stderr.contains("pa55word"), "{ran:?}");
        let ran = env.run(&["doctor", "--url", url]);
        let said = ran.words().contains("requires a login") && ran.words().contains(&help);
        assert!(ran.code == 5 && said && !ran.stdout.contains("pa55word"), "{ran:?}");
    }
}

#[test]
fn a_proxy_that_cant_be_reached_or_does_not_connect_is_named() {
    let stub = Stub::start(Digest::Off, |_| Reply::text(502, "text/html", "<html>"));
    let silent = Silent::start();
    for (url, _) in BEHIND_A_PROXY {
        let refusing = format!("http://{}", stub.address());
        for proxy in [closed(), silent.origin(), refusing.clone()] {
            if proxy == refusing && url.starts_with("http:") {
                // Its page may be the deployment's.
                continue;
            }
            let env = behind(&proxy);
            let name = proxy.replace("http://", "the proxy ");
            let ran = env.audit_at(url, &["--all-orgs", "--timeout", "1"]);
            assert!(ran.code == 5 && ran.stderr.contains(url) && ran.stderr.contains(&name), "{ran:?}");
            assert!(!ran.stderr.contains("pa55word"), "{ran:?}");
            let ran = env.run(&["doctor", "--url", url, "--timeout", "1"]);
            let said = ran.words().contains(&name.replace("the proxy", "(proxy"));
            assert!(ran.code == 5 && said && !ran.stdout.contains("pa55word"), "{ran:?}");
        }
    }
}

#[test]
fn a_first_list_that_the_deployment_fails_to_answer_is_to_be_tried_later() {
    let stub = Stub::start(Digest::On, |_| Reply::text(503, "text/html", "<html>"));
    audit_fails(
        &env(),
        &stub.url(),
        &["--all-orgs"],
        &["503", "help: the deployment or a proxy failed to answer"],
    );
}

/// A connection is there, and so is a login: only the answer takes longer than --timeout.
#[test]
fn a_deployment_that_is_too_slow_is_not_called_unreachable() {
    let fault = "latency=3000@100%:orgs".parse().unwrap();
    let slow = sandbox(Options { users: 5, faults: vec![fault], ..Options::default() });
    let expected = ["did not answer within 1s", "help: raise --timeout"];
    let asked = ["--all-orgs", "--timeout", "1"];
    let ran = audit_fails(&TestEnv::at(&slow), &slow.announcement().url, &asked, &expected);
    assert!(!ran.stderr.contains("no connection"), "{ran:?}");
    let doctor = |env: &TestEnv, url: &str| env.run(&["doctor", "--url", url, "--timeout", "1"]);
    let ran = doctor(&TestEnv::at(&slow), &slow.announcement().url);
    assert!(
        ran.code == 5 && ran.words().contains(expected[0]) && ran.words().contains("raise --timeout"),
        "{ran:?}"
    );
    // It accepts the connection, and nothing else.
    let silent = Silent::start();
    let ran = audit_fails(&env(), &silent.origin(), &asked, &expected);
    assert!(!ran.stderr.contains("no connection"), "{ran:?}");
    let ran = doctor(&env(), &silent.origin());
    assert!(
        ran.words().contains("no answer within 1s") && ran.words().contains("raise --timeout"),
        "{ran:?}"
    );
}

#[test]
fn an_answer_that_breaks_off_is_not_called_no_connection() {
    let stub = Stub::start(Digest::On, |_| Reply::cut());
    let ran = audit_fails(&env(), &stub.url(), &["--all-orgs"], &["no answer from", "interrupted"]);
    assert!(!ran.stderr.contains("no connection"), "{ran:?}");
}

#[test]
fn a_sign_in_page_on_another_host_ends_with_5_and_sees_nothing() {
    let elsewhere = Silent::start();
    let to = format!("{}/login", elsewhere.origin());
    let stub = Stub::start(Digest::Off, move |_| Reply::redirect(302, &to));
    audit_fails(&env(), &stub.url(), &["--all-orgs"], &[&elsewhere.origin()]);
    assert!(elsewhere.saw_nobody());
}

#[test]
fn basic_alone_ends_with_5_and_says_what_was_asked_for() {
    let sandbox =
        sandbox(Options { challenge: keysunset_sandbox::Challenge::BasicOnly, ..Options::default() });
    audit_fails(&TestEnv::at(&sandbox), &sandbox.announcement().url, &["--all-orgs"], &["Basic", "Digest"]);
    assert_eq!(sandbox.counts().refused, 0, "no credential was sent");
}

#[test]
fn an_unwritable_output_ends_with_6() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    env.put("file", "in the way");
    for out in ["file", "file/below"] {
        fails(
            &env,
            6,
            &["audit", "--url", &sandbox.announcement().url, "--all-orgs", "--out", out],
            &["file"],
        );
        assert_eq!(env.text("file"), "in the way");
    }
    env.put("taken/keys.csv/file", "a folder in the way");
    let arguments = ["--all-orgs", "--out", "taken", "--store", "evidence.db"];
    let ran = env.audit(&sandbox, &arguments);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("keys.csv"), "{ran:?}");
    let ran = env.run(&["report", "--out", "file", "--store", "evidence.db"]);
    assert_eq!(ran.code, 6, "{ran:?}");
}

#[test]
fn a_report_that_cannot_be_put_leaves_all_of_them_as_they_were() {
    let sandbox = crate::support::ops_manager(5);
    let env = crate::support::TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    let before = env.bytes("reports/keys.csv");
    std::fs::create_dir(env.path("reports/junit.xml")).unwrap();
    let other = ["report", "--cutoff", "2024-01-01", "--format", "csv,junit"];
    assert_eq!(env.run(&other).code, 6);
    assert!(env.bytes("reports/keys.csv") == before, "a folder in the way of another");
    let env = env.with("GITHUB_STEP_SUMMARY", "nowhere/summary.md");
    let ran = env.run(&["report", "--cutoff", "2024-01-01", "--format", "csv,github"]);
    assert_eq!((ran.code, ran.stderr.contains("nowhere/summary.md")), (6, true), "{ran:?}");
    assert!(env.bytes("reports/keys.csv") == before, "a summary that can't be added to");
    let asked = sandbox.counts().exchanges;
    assert_eq!(env.audit(&sandbox, &["--all-orgs", "--format", "github"]).code, 6);
    assert_eq!(sandbox.counts().exchanges, asked, "and known before the first request");
}
