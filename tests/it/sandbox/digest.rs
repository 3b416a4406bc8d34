//! HTTP Digest.

use std::time::Duration;

use keysunset_sandbox::{Challenge, NonceRule, Options};

use super::{announced, start};

const REFUSAL: &str =
    r#"{"reason":"Unauthorized","error":401,"detail":"You are not authorized for this resource."}"#;

#[tokio::test]
async fn the_challenge_is_the_one_captured_from_the_service() {
    let sandbox = start(|_| {});
    let reply = announced(&sandbox).send("GET", "/api/public/v1.0/orgs", &[], None).await;
    let nonce = reply.nonce();
    let expected = format!(
        r#"Digest realm="MMS Public API", domain="", nonce="{nonce}", algorithm=MD5, qop="auth", stale=false"#
    );
    assert_eq!(reply.status, 401);
    assert_eq!(reply.challenges(), [expected]);
    assert_eq!(reply.headers["content-type"], "application/json;charset=ISO-8859-1");
    assert_eq!(reply.text, REFUSAL);
    assert_eq!(nonce.len(), 32);
    assert!(nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte)), "{nonce}");
}

#[tokio::test]
async fn a_right_response_is_accepted() {
    let sandbox = start(|_| {});
    assert_eq!(announced(&sandbox).attempt(|_| {}).await.status, 200);
}

#[tokio::test]
async fn a_response_need_not_name_the_algorithm() {
    let sandbox = start(|_| {});
    assert_eq!(announced(&sandbox).attempt(|answer| answer.algorithm = None).await.status, 200);
}

#[tokio::test]
async fn a_nonce_takes_many_counts_in_any_order() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    let nonce = client.attempt(|answer| answer.password.clear()).await.nonce();
    for count in [3, 1, 1024, 2] {
        let reply = client
            .attempt(|answer| (answer.nonce, answer.nc) = (nonce.clone(), format!("{count:08x}")))
            .await;
        assert_eq!(reply.status, 200, "{count}");
    }
}

#[tokio::test]
async fn a_replayed_nonce_count_is_refused_and_not_stale() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    let nonce = client.attempt(|answer| answer.password.clear()).await.nonce();
    assert_eq!(client.attempt(|answer| answer.nonce.clone_from(&nonce)).await.status, 200);
    assert_eq!(client.attempt(|answer| answer.nonce.clone_from(&nonce)).await.stale(), Some(false));
}

#[tokio::test]
async fn a_nonce_count_of_zero_is_refused_and_not_stale() {
    let sandbox = start(|_| {});
    let reply = announced(&sandbox).attempt(|answer| answer.nc = "00000000".to_owned()).await;
    assert_eq!(reply.stale(), Some(false));
}

#[tokio::test]
async fn a_nonce_is_stale_after_its_uses() {
    let sandbox = start(|options| options.nonce_uses = 2);
    let client = announced(&sandbox);
    let nonce = client.attempt(|answer| answer.password.clear()).await.nonce();
    let mut seen = Vec::new();
    for count in 1..=3 {
        let reply = client
            .attempt(|answer| (answer.nonce, answer.nc) = (nonce.clone(), format!("{count:08x}")))
            .await;
        seen.push(reply.stale());
    }
    assert_eq!(seen, [None, None, Some(true)]);
}

#[tokio::test]
async fn a_nonce_has_1024_uses_by_default() {
    assert_eq!(
        (Options::default().nonce_uses, Options::default().nonce_life),
        (1024, Duration::from_secs(60))
    );
    let sandbox = start(|_| {});
    let reply = announced(&sandbox).attempt(|answer| answer.nc = "00000401".to_owned()).await;
    assert_eq!(reply.stale(), Some(true));
}

#[tokio::test]
async fn a_nonce_that_is_too_old_is_stale() {
    let sandbox = start(|options| options.nonce_life = Duration::ZERO);
    assert_eq!(announced(&sandbox).attempt(|_| {}).await.stale(), Some(true));
}

#[tokio::test]
async fn an_unknown_nonce_is_stale_even_with_a_wrong_password() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    let unknown = "dUp6aFp5d0hmV2l0SG91dE1lYW5pbmc+".to_owned();
    assert_eq!(client.attempt(|answer| answer.nonce.clone_from(&unknown)).await.stale(), Some(true));
    let reply = client.attempt(|answer| (answer.nonce, answer.password) = (unknown, String::new())).await;
    assert_eq!(reply.stale(), Some(true));
}

#[tokio::test]
async fn every_401_has_a_nonce_that_works() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    let reply = client.attempt(|answer| answer.nonce = "x".to_owned()).await;
    assert_eq!(client.attempt(|answer| answer.nonce = reply.nonce()).await.status, 200);
}

#[tokio::test]
async fn any_other_wrong_field_is_refused_and_not_stale() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    let mut seen = vec![
        client.attempt(|answer| answer.realm = "mms public api").await,
        client.attempt(|answer| answer.uri.push('/')).await,
        client.attempt(|answer| answer.uri.push_str("?pageNum=1")).await,
        client.attempt(|answer| answer.uri.insert_str(0, "http://127.0.0.1")).await,
        client.attempt(|answer| answer.user = "nobody".to_owned()).await,
        client.attempt(|answer| answer.user.clear()).await,
        client.attempt(|answer| answer.password.push('0')).await,
        client.attempt(|answer| answer.method = "POST").await,
        client.attempt(|answer| answer.qop = None).await,
        client.attempt(|answer| answer.qop = Some("auth-int")).await,
        client.attempt(|answer| answer.nc = "1".to_owned()).await,
        client.attempt(|answer| answer.nc = "0000000g".to_owned()).await,
        client.attempt(|answer| answer.algorithm = Some("SHA-256")).await,
    ];
    let nonce = client.attempt(|answer| answer.password.clear()).await.nonce();
    let right = client.answer("GET", "/orgs", nonce).header();
    for header in [
        String::new(),
        "Digest".to_owned(),
        "Digest garbage".to_owned(),
        right.replace("Digest", "Basic"),
        format!("{right}, realm=\"MMS Public API\""),
        format!("{right},"),
        "Digest ".to_owned() + &"=,\"\\".repeat(500),
    ] {
        seen.push(client.send("GET", "/api/public/v1.0/orgs", &[header], None).await);
    }
    seen.push(client.send("GET", "/api/public/v1.0/orgs", &[right.clone(), right], None).await);
    for (at, reply) in seen.iter().enumerate() {
        assert_eq!(
            (reply.status.as_u16(), reply.stale(), reply.text.as_str()),
            (401, Some(false), REFUSAL),
            "{at}"
        );
    }
}

#[tokio::test]
async fn with_nonce_once_a_second_response_is_stale() {
    let sandbox = start(|options| options.nonce = NonceRule::Once);
    let client = announced(&sandbox);
    let nonce = client.send("GET", "/api/public/v1.0/orgs", &[], None).await.nonce();
    assert_eq!(client.attempt(|answer| answer.nonce.clone_from(&nonce)).await.status, 200);
    let second = client.attempt(|answer| (answer.nonce, answer.nc) = (nonce, "00000002".to_owned())).await;
    assert_eq!(second.stale(), Some(true));
    assert_eq!(client.attempt(|answer| answer.nonce = second.nonce()).await.status, 200);
}

#[tokio::test]
async fn the_reference_challenge_accepts_responses_with_and_without_qop() {
    let sandbox = start(|options| options.challenge = Challenge::Reference);
    let client = announced(&sandbox);
    let reply = client.send("GET", "/api/public/v1.0/orgs", &[], None).await;
    let expected = format!(
        r#"Digest realm="MMS Public API", domain="", nonce="{}", algorithm=MD5, op="auth", stale=false"#,
        reply.nonce()
    );
    assert_eq!(reply.challenges(), [expected]);
    assert_eq!(client.attempt(|answer| answer.qop = None).await.status, 200);
    assert_eq!(client.attempt(|_| {}).await.status, 200);
}

#[tokio::test]
async fn without_qop_only_a_response_of_rfc_2069_is_accepted() {
    let sandbox = start(|options| options.challenge = Challenge::NoQop);
    let client = announced(&sandbox);
    let reply = client.attempt(|_| {}).await;
    assert!(!reply.challenges()[0].contains("qop"), "{:?}", reply.challenges());
    assert_eq!(reply.stale(), Some(false));
    assert_eq!(client.attempt(|answer| answer.qop = None).await.status, 200);
}

#[tokio::test]
async fn responses_without_counts_use_a_nonce_up_too() {
    let sandbox = start(|options| (options.challenge, options.nonce_uses) = (Challenge::NoQop, 2));
    let client = announced(&sandbox);
    let nonce = client.send("GET", "/api/public/v1.0/orgs", &[], None).await.nonce();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(client.attempt(|answer| (answer.nonce, answer.qop) = (nonce.clone(), None)).await.stale());
    }
    assert_eq!(seen, [None, None, Some(true)]);
}

#[tokio::test]
async fn sha_256_is_accepted_where_it_is_offered() {
    let sandbox = start(|options| options.challenge = Challenge::Sha256);
    let client = announced(&sandbox);
    assert_eq!(client.attempt(|_| {}).await.stale(), Some(false));
    assert_eq!(client.attempt(|answer| answer.algorithm = None).await.stale(), Some(false));
    assert_eq!(client.attempt(|answer| answer.algorithm = Some("SHA-256")).await.status, 200);
}

#[tokio::test]
async fn each_of_several_digest_challenges_can_be_answered() {
    let sandbox = start(|options| options.challenge = Challenge::Several);
    let client = announced(&sandbox);
    let reply = client.attempt(|answer| answer.password.clear()).await;
    let challenges = reply.challenges();
    assert_eq!(challenges.len(), 3);
    assert_eq!(challenges[0], r#"Basic realm="MMS Public API""#);
    assert!(challenges[1].contains("algorithm=SHA-256") && challenges[2].contains("algorithm=MD5"));
    assert_eq!(client.attempt(|answer| answer.algorithm = Some("SHA-256")).await.status, 200);
    assert_eq!(client.attempt(|_| {}).await.status, 200);
}

#[tokio::test]
async fn two_schemes_may_share_one_header() {
    let sandbox = start(|options| options.challenge = Challenge::OneHeader);
    let client = announced(&sandbox);
    let reply = client.attempt(|answer| answer.password.clear()).await;
    assert_eq!(reply.challenges().len(), 1);
    assert!(
        reply.challenges()[0].starts_with(r#"Basic realm="MMS Public API", Digest realm="MMS Public API", "#)
    );
    assert_eq!(client.attempt(|_| {}).await.status, 200);
}

#[tokio::test]
async fn a_basic_challenge_accepts_no_response() {
    let sandbox = start(|options| options.challenge = Challenge::BasicOnly);
    let client = announced(&sandbox);
    let nonce = "x".to_owned();
    for header in [client.answer("GET", "/orgs", nonce).header(), "Basic dXNlcjpwYXNzd29yZA==".to_owned()] {
        let reply = client.send("GET", "/api/public/v1.0/orgs", &[header], None).await;
        assert_eq!(reply.status, 401);
        assert_eq!(reply.challenges(), [r#"Basic realm="MMS Public API""#]);
    }
}

#[tokio::test]
async fn the_digest_comes_before_everything_else() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/api/public/v1.0/nothing"),
        ("GET", "/api/atlas/v1.0/orgs"),
        ("PUT", "/api/public/v1.0/orgs"),
        ("POST", "/api/public/v1.0/orgs/x/apiKeys"),
        ("GET", "/api/public/v1.0/orgs?pageNum=x"),
    ] {
        let reply = client.send(method, target, &[], None).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (401, REFUSAL), "{method} {target}");
    }
}

#[tokio::test]
async fn counts_need_no_credentials() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    client.attempt(|_| {}).await;
    client.attempt(|answer| answer.password.clear()).await;
    client.attempt(|answer| answer.nonce = "x".to_owned()).await;
    let counts = sandbox.counts();
    assert_eq!((counts.exchanges, counts.challenged, counts.refused, counts.stale), (6, 3, 2, 1));
    assert_eq!(counts.connections, 1);
    let served = client.send("GET", "/sandbox/counts", &[], None).await;
    assert_eq!(served.json(), serde_json::json!(sandbox.counts()));
}
