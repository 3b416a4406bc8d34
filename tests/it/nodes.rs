//! Several servers behind one name, each with nonces of its own, and a balancer between them and the program.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use keysunset_sandbox::{Balancer, NonceRule, Options};
use serde_json::json;

use crate::stub::{self, Asked, Digest, Reply, Stub, id, list};
use crate::support::{CliOutput, TestEnv, count, sandbox};

/// Ops Manager documents that any server may handle any request (gevorg/http-auth#10, apple/ccs-calendarserver#138).
#[test]
fn behind_several_nodes_all_users_are_read() {
    for nodes in [2, 3].map(|nodes| NonZeroUsize::new(nodes).unwrap()) {
        for balancer in [Balancer::Chance, Balancer::Turn, Balancer::Connection, Balancer::Cookie] {
            let sandbox = sandbox(Options { users: 200, nodes, balancer, ..Options::default() });
            let env = TestEnv::at(&sandbox);
            let ran = env.audit(&sandbox, &["--all-orgs"]);
            assert_eq!(ran.code, 1, "{nodes} nodes, {balancer:?}: {ran:?}");
            let rows = env.rows();
            assert_eq!(count(&rows, "read_status", "read"), rows.len(), "{nodes} nodes, {balancer:?}");
            assert_eq!(count(&rows, "attempts", "1"), rows.len(), "a stale answer is no failure");
            let counts = sandbox.counts();
            // Besides 200 users some 10 lists: of organizations, of their users, and for the plan.
            assert!(
                counts.exchanges <= 215 * (nodes.get() as u64 + 1),
                "{nodes} nodes, {balancer:?}: {counts:?}"
            );
            assert_eq!(counts.refused, counts.stale, "{nodes} nodes, {balancer:?}: {counts:?}");
            if balancer == Balancer::Cookie {
                assert!(counts.stale <= 2, "a cookie leads back to the same node: {counts:?}");
            }
        }
    }
}

/// Nonces for one use, a few, or many, of one node or of several, however a balancer deals requests out.
#[test]
fn every_kind_of_nonce_works_behind_every_balancer() {
    let balancers = [Balancer::Turn, Balancer::Chance, Balancer::Connection, Balancer::Cookie];
    let wrong: Vec<_> = std::thread::scope(|scope| {
        let started = balancers.map(|balancer| scope.spawn(move || wrong_audits(balancer)));
        started.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The audits behind a balancer that did not read all users at once, or took too many exchanges.
fn wrong_audits(balancer: Balancer) -> Vec<String> {
    let mut wrong = Vec::new();
    for (nonce, nonce_uses) in [(NonceRule::Once, 1024), (NonceRule::Shared, 3), (NonceRule::Shared, 1024)] {
        for (nodes, concurrency) in
            [1, 2, 3].into_iter().flat_map(|nodes| ["1", "16", "64"].map(|at_once| (nodes, at_once)))
        {
            // One node is behind no balancer.
            if nodes == 1 && balancer != Balancer::Turn {
                continue;
            }
            let nodes = NonZeroUsize::new(nodes).unwrap();
            let options = Options { users: 120, nonce, nonce_uses, nodes, balancer, ..Options::default() };
            let sandbox = sandbox(options);
            let env = TestEnv::at(&sandbox);
            let ran = env.audit(&sandbox, &["--all-orgs", "--concurrency", concurrency]);
            let rows = if ran.code == 1 { env.rows() } else { Vec::new() };
            let is_read = !rows.is_empty()
                && count(&rows, "read_status", "read") == rows.len()
                && count(&rows, "attempts", "1") == rows.len();
            // Of 120 users and some 15 lists: one exchange gets a nonce, and by chance one of several uses it.
            let (counts, most) = (sandbox.counts(), 135 * (nodes.get() as u64 + 3));
            if !is_read || counts.exchanges > most {
                wrong.push(format!(
                    "{nonce:?} {nonce_uses}, {nodes} nodes, {balancer:?}, {concurrency}: {counts:?}, {}",
                    ran.code
                ));
            }
        }
    }
    wrong
}

#[test]
fn two_nodes_and_one_request_at_a_time_in_strict_turn() {
    let (nodes, balancer) = (NonZeroUsize::new(2).unwrap(), Balancer::Turn);
    let sandbox = sandbox(Options { users: 200, nodes, balancer, ..Options::default() });
    let env = TestEnv::at(&sandbox);
    let ran = env.audit(&sandbox, &["--all-orgs", "--concurrency", "1"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(sandbox.counts().exchanges <= 600, "{:?}", sandbox.counts());
}

/// Audits 300 users of a server whose digest layer refuses what `is_refused` says, even if the digest is right.
fn audited(is_refused: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> (TestEnv, CliOutput, Stub) {
    audited_behind_redirects(false, is_refused)
}

/// The same, where a proxy may redirect each path to that with a slash at its end, whoever asks.
fn audited_behind_redirects(
    redirects: bool,
    is_refused: impl Fn(&Asked) -> bool + Send + Sync + 'static,
) -> (TestEnv, CliOutput, Stub) {
    let stub = Stub::start(Digest::Off, move |asked| {
        if redirects && !asked.path.ends_with('/') {
            return Reply::redirect(308, &asked.target.replacen('?', "/?", 1));
        }
        if asked.authorized && !is_refused(asked) {
            return Reply::ok(&list(&[]));
        }
        let challenge = r#"Digest realm="MMS Public API", domain="", nonce="bm9uY2Ugb2YgYSBzdHViLCAzMiBs+/==", algorithm=MD5, qop="auth", stale=false"#;
        Reply::json(401, &json!({"reason": "Unauthorized", "error": 401}))
            .header("WWW-Authenticate", challenge)
    });
    let env = stub::env();
    env.put("users.txt", (1..=300).map(id).collect::<Vec<_>>().join("\n"));
    let ran = env.run(&["audit", "--url", &stub.url(), "--users", "users.txt"]);
    (env, ran, stub)
}

#[test]
fn a_credential_revoked_in_mid_run_is_not_tried_on() {
    for redirects in [false, true] {
        let answered = AtomicUsize::new(0);
        let is_refused = move |_: &Asked| answered.fetch_add(1, Ordering::Relaxed) >= 100;
        let (env, ran, stub) = audited_behind_redirects(redirects, is_refused);
        assert_eq!(ran.code, 3, "{ran:?}");
        let is_digest = |asked: &&Asked| asked.authorized && (!redirects || asked.path.ends_with('/'));
        let digests = stub.asked().iter().filter(is_digest).count();
        assert!(digests <= 100 + 16 + 3, "{digests} digests, {redirects}");
        let rows = env.rows();
        let statuses = (count(&rows, "read_status", "read"), count(&rows, "read_status", "forbidden"));
        assert_eq!(statuses, (100, 200), "{redirects}");
    }
}

#[test]
fn a_bare_401_for_some_users_condemns_no_other() {
    // The first user is among them: nothing has worked before.
    for first in [1, 20] {
        let refused: Vec<_> = (first..first + 10).map(id).collect();
        let is_refused = move |asked: &Asked| refused.iter().any(|id| asked.path.contains(id));
        let (env, ran, _) = audited(is_refused);
        assert_eq!(ran.code, 3, "{ran:?}");
        let rows = env.rows();
        let statuses = (count(&rows, "read_status", "read"), count(&rows, "read_status", "forbidden"));
        assert_eq!(statuses, (290, 10), "from user {first} on");
    }
}
