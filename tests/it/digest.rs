//! HTTP Digest against the sandbox: how many exchanges it costs, every kind of challenge, and whose key did the audit.

use keysunset_sandbox::{Challenge, Counts, NonceRule, Options, Product, Sandbox};

use crate::stub::{self, Digest, NONCE, Reply, Stub, USER, list};
use crate::support::{Row, TestEnv, at, count, list_of_ids, of_user, ops_manager, sandbox};

/// Audits everybody by id, so that each user is one request of the API; holds that all were read.
fn read_by_id(sandbox: &Sandbox, more: &[&str]) -> (Counts, Vec<Row>) {
    let env = TestEnv::at(sandbox);
    env.put("list.txt", list_of_ids(sandbox));
    let ran = env.audit(sandbox, &[&["--users", "list.txt"], more].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    let rows = env.rows();
    assert_eq!(count(&rows, "read_status", "read"), rows.len());
    let expected: usize = sandbox.ground_truth().map(|user| user.keys.len().max(1)).sum();
    assert_eq!(rows.len(), expected);
    (sandbox.counts(), rows)
}

#[test]
fn exchanges_exceed_users_by_at_most_two_percent() {
    let sandbox = ops_manager(2000);
    let (counts, _) = read_by_id(&sandbox, &["--concurrency", "32"]);
    assert!(counts.exchanges * 100 <= 2000 * 102, "{counts:?}");
    assert_eq!(counts.refused, counts.stale, "no nonce count came twice: {counts:?}");
}

#[test]
fn a_used_up_nonce_is_renewed_once() {
    // 300 answers want 6 nonces of 50 uses each.
    let short = || sandbox(Options { users: 300, nonce_uses: 50, ..Options::default() });
    let (counts, _) = read_by_id(&short(), &["--concurrency", "1"]);
    assert_eq!((counts.exchanges, counts.stale, counts.refused), (306, 5, 5), "{counts:?}");
    // Whoever is in flight when a nonce ends is refused once, and waits for the one that renews it.
    let (counts, _) = read_by_id(&short(), &["--concurrency", "32"]);
    assert_eq!(counts.refused, counts.stale, "{counts:?}");
    assert!(counts.refused <= 6 * 32, "{counts:?}");
}

#[test]
fn one_time_nonces_cost_exactly_two_exchanges_a_request() {
    for at_once in ["1", "16"] {
        let sandbox = sandbox(Options { users: 60, nonce: NonceRule::Once, ..Options::default() });
        let (counts, _) = read_by_id(&sandbox, &["--concurrency", at_once]);
        assert_eq!(counts.exchanges, 2 * 60, "--concurrency {at_once}: {counts:?}");
        assert_eq!(counts.challenged + counts.refused, 60, "--concurrency {at_once}: {counts:?}");
        assert_eq!(counts.refused, counts.stale, "--concurrency {at_once}: {counts:?}");
    }
}

#[test]
fn every_challenge_that_can_be_answered_is_answered_right() {
    for challenge in [
        Challenge::Jetty,
        Challenge::Reference,
        Challenge::Sha256,
        Challenge::NoQop,
        Challenge::Several,
        Challenge::OneHeader,
    ] {
        for nonce in [NonceRule::Shared, NonceRule::Once] {
            let sandbox = sandbox(Options { users: 40, challenge, nonce, ..Options::default() });
            let (counts, _) = read_by_id(&sandbox, &[]);
            assert_eq!(counts.refused, counts.stale, "{challenge:?} {nonce:?}: {counts:?}");
            if nonce == NonceRule::Once {
                assert_eq!(counts.exchanges, 80, "{challenge:?} {nonce:?}: {counts:?}");
            }
        }
    }
}

/// psf/requests#2408, devfans/digest-fetch#6, postmanlabs/postman-app-support#9075, maoertel/diqwest#10. The stub takes an
/// answer only if its `qop` and `nc` are not quoted.
#[test]
fn a_challenge_is_answered_however_it_is_spelt() {
    let (realm, nonce) = (r#"realm="MMS Public API""#, format!(r#"nonce="{NONCE}""#));
    for challenges in [
        vec![format!(r#"Digest {realm}, {nonce}, algorithm="MD5", qop="auth", stale="false""#)],
        vec![format!("Digest qop=auth, nonce={NONCE}, algorithm=MD5, {realm}")],
        vec![format!(r#"Digest {realm},{nonce},qop="auth-int,auth",algorithm=MD5"#)],
        vec![format!(r#"Basic realm="a, b", Digest {realm}, {nonce}, qop="auth""#)],
        vec![format!(r#"DIGEST REALM="MMS Public API", NONCE="{NONCE}", QOP="AUTH", ALGORITHM=md5"#)],
        vec![format!("Digest\t{realm},\t{nonce},\tqop=\"auth\"")],
        vec![
            format!(r#"Digest {realm}, {nonce}, algorithm=FOO-512, qop="auth""#),
            format!(r#"Digest {realm}, {nonce}, algorithm=MD5, qop="auth""#),
        ],
    ] {
        let sent = challenges.clone();
        let stub = Stub::start(Digest::Off, move |asked| {
            if asked.authorized {
                return Reply::ok(&list(&[]));
            }
            let refusal = Reply::text(401, "text/html", "<html>");
            sent.iter().fold(refusal, |reply, challenge| reply.header("WWW-Authenticate", challenge))
        });
        let ran = stub::env().audit_at(&stub.url(), &["--user", USER]);
        assert_eq!(ran.code, 0, "{challenges:?}: {ran:?}");
    }
}

#[test]
fn a_nonce_may_end_in_the_middle_of_every_challenge() {
    for challenge in [Challenge::Reference, Challenge::Sha256, Challenge::NoQop, Challenge::OneHeader] {
        let sandbox = sandbox(Options { users: 40, challenge, nonce_uses: 7, ..Options::default() });
        let (counts, _) = read_by_id(&sandbox, &["--concurrency", "4"]);
        assert_eq!(counts.refused, counts.stale, "{challenge:?}: {counts:?}");
    }
}

#[test]
fn a_credential_reads_only_its_own_user_on_the_cloud_products() {
    for product in [Product::Atlas, Product::CloudManager] {
        // Before the end of personal keys on either.
        let clock = Some(at(1_612_137_600));
        let sandbox = sandbox(Options { product, users: 30, clock, ..Options::default() });
        let truth: Vec<_> = sandbox.ground_truth().collect();
        let clean = truth.iter().position(|user| user.keys.is_empty()).unwrap();
        for (me, code) in [(0, 4), (clean, 3)] {
            let env = TestEnv::of(sandbox.credential_for(me as u64));
            env.put("list.txt", list_of_ids(&sandbox));
            let ran = env.audit(&sandbox, &["--users", "list.txt", "--product", product.name()]);
            assert_eq!(ran.code, code, "{product:?}: {ran:?}");
            let rows = env.rows();
            for (index, user) in truth.iter().enumerate() {
                let of_user = of_user(&rows, &user.id);
                if index == me {
                    assert_eq!(of_user.len(), user.keys.len().max(1));
                    assert!(of_user.iter().all(|row| row["read_status"] == "read"));
                } else {
                    assert_eq!(of_user.len(), 1);
                    let [status, http, code] = ["read_status", "http_status", "error_code"]
                        .map(|column| of_user[0][column].as_str());
                    assert_eq!((status, http, code), ("forbidden", "401", "NOT_SELF"), "{product:?}");
                }
            }
            assert_eq!(crate::page::number(&env.markdown(), "not read"), Some(29));
            assert!(env.markdown().contains("INCOMPLETE"));
        }
    }
}

#[test]
fn a_refusal_of_one_user_is_no_challenge_to_answer_again() {
    let clock = Some(at(1_612_137_600));
    let sandbox = sandbox(Options { product: Product::Atlas, users: 50, clock, ..Options::default() });
    let env = TestEnv::at(&sandbox);
    env.put("list.txt", list_of_ids(&sandbox));
    assert_eq!(env.audit(&sandbox, &["--users", "list.txt"]).code, 4);
    let counts = sandbox.counts();
    assert_eq!((counts.exchanges, counts.refused), (51, 0), "{counts:?}");
}

#[test]
fn without_personal_keys_all_users_are_removed_and_complete() {
    for (product, version, http, code) in [
        (Product::OpsManager, "5.0.0", "404", "RESOURCE_NOT_FOUND"),
        (Product::OpsManager, "6.0.12", "404", "RESOURCE_NOT_FOUND"),
        (Product::Atlas, "20250101", "410", "PERSONAL_API_KEYS_DEPRECATED"),
        (Product::CloudManager, "20250101", "410", "PERSONAL_API_KEYS_DEPRECATED"),
    ] {
        let service_version = version.to_owned();
        let sandbox = sandbox(Options { product, service_version, users: 20, ..Options::default() });
        let env = TestEnv::at(&sandbox);
        let ran = env.audit(&sandbox, &["--org", &sandbox.announcement().org_id]);
        assert_eq!(ran.code, 0, "{product:?}: {ran:?}");
        let rows = env.rows();
        assert_eq!(rows.len(), 20);
        for row in &rows {
            let found =
                ["read_status", "http_status", "error_code", "key_id"].map(|column| row[column].as_str());
            assert_eq!(found, ["removed", http, code, ""], "{product:?}");
        }
        assert!(!env.markdown().contains("INCOMPLETE"));
        assert!(ran.words().contains("keys none: the deployment has removed personal API keys"), "{ran:?}");
    }
}

#[test]
fn the_personal_key_that_does_the_audit_is_marked_and_no_other() {
    let sandbox = ops_manager(30);
    let owner = sandbox.expected_user(0).unwrap();
    let (username, secret) = sandbox.personal_credential_for(0).unwrap();
    let env = TestEnv::of((username, secret.clone()));
    let ran = env.audit(&sandbox, &["--all-orgs"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let rows = env.rows();
    let marked: Vec<_> = rows.iter().filter(|row| row["auditing_key"] == "true").collect();
    assert_eq!(marked.len(), 1);
    assert_eq!(
        (marked[0]["user_id"].as_str(), marked[0]["key_suffix"].as_str()),
        (&*owner.id, &secret[24..])
    );
    // This audit itself moved its use, to now.
    assert_eq!(
        (marked[0]["days_since_last_use"].as_str(), marked[0]["verdict"].as_str()),
        ("0", "used-after-cutoff")
    );
    let others = rows.iter().filter(|row| !row["key_id"].is_empty() && row["auditing_key"] == "false");
    assert_eq!(others.count() + 1, sandbox.ground_truth().map(|user| user.keys.len()).sum::<usize>());
}
