use std::collections::HashSet;

use reqwest::header::WWW_AUTHENTICATE;

use super::super::nonces::NONCE_USES;
use super::*;

fn headers(lines: &[&str]) -> HeaderMap {
    lines.iter().map(|line| (WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap())).collect()
}

fn session() -> DigestSession {
    DigestSession::new(Credential { public: "Mufasa".to_owned(), private: "Circle of Life".into() })
}

const LIVE: &str =
    r#"Digest realm="MMS Public API", domain="", nonce="a+/b", algorithm=MD5, qop="auth", stale=false"#;

fn is_unauthenticated(attempt: &DigestAttempt<'_>) -> bool {
    matches!(attempt, DigestAttempt::Unauthenticated { .. })
}

async fn begin(session: &DigestSession) -> DigestAttempt<'_> {
    session.begin().await.unwrap_or_else(|refused| panic!("{:?}", refused.outcome()))
}

fn accept(session: &DigestSession, attempt: DigestAttempt<'_>) {
    session.accepted(attempt);
}

/// Has a request challenged, and gives the attempt that answers the challenge.
fn challenge<'a>(session: &'a DigestSession, attempt: DigestAttempt<'a>, header: &str) -> DigestAttempt<'a> {
    match session.challenged(attempt, &headers(&[header])) {
        Ok(Challenged::Again(attempt)) => attempt,
        Ok(Challenged::Refused(_)) => panic!("refused"),
        Err(error) => panic!("{:?}", error.outcome()),
    }
}

#[tokio::test]
async fn a_nonce_is_renewed_once_while_the_others_continue() {
    let session = session();
    accept(&session, challenge(&session, begin(&session).await, LIVE));
    let (mut expected, mut renewing) = (2, None);
    while expected <= NONCE_USES {
        let attempt = begin(&session).await;
        if is_unauthenticated(&attempt) {
            assert!(renewing.replace(attempt).is_none(), "by one request alone");
            continue;
        }
        assert!(matches!(&attempt, DigestAttempt::Authenticated { count, .. } if *count == expected));
        let header = session.authorization(&attempt, "/x").unwrap();
        assert!(header.to_str().unwrap().contains(&format!("nc={expected:08x}")));
        accept(&session, attempt);
        expected += 1;
    }
    let waiting = session.begin();
    tokio::pin!(waiting);
    assert!(futures::poll!(&mut waiting).is_pending(), "the others wait where there is none");
    let renewing = renewing.expect("before it is used up");
    accept(&session, challenge(&session, renewing, &LIVE.replace("a+/b", "c+/d")));
    assert!(
        matches!(waiting.await, Ok(DigestAttempt::Authenticated { count: 2, .. })),
        "and then use the new nonce"
    );
    assert!(!is_unauthenticated(&begin(&session).await), "which is not renewed yet");
}

#[tokio::test]
async fn a_stale_nonce_costs_one_more_exchange_and_no_other_request_waits() {
    let session = session();
    accept(&session, challenge(&session, begin(&session).await, LIVE));
    let second = begin(&session).await;
    assert!(!is_unauthenticated(&second));
    let stale = LIVE.replace("stale=false", "stale=true");
    let own = challenge(&session, second, &stale);
    assert!(
        matches!(own, DigestAttempt::Authenticated { count: 1, .. }),
        "the challenge of the refusal is answered, and by no other request before"
    );
    assert!(matches!(begin(&session).await, DigestAttempt::Authenticated { count: 3, .. }));
    accept(&session, own);
}

#[tokio::test]
async fn a_refused_answer_to_a_fresh_challenge_is_a_certain_refusal() {
    let session = session();
    let answer = challenge(&session, begin(&session).await, LIVE);
    let refused = session.challenged(answer, &headers(&[LIVE]));
    assert!(matches!(refused, Ok(Challenged::Refused(Refusal { is_certain: true, .. }))));
    drop(refused);
    accept(&session, challenge(&session, begin(&session).await, LIVE));
    let refused = session.challenged(begin(&session).await, &headers(&[LIVE]));
    assert!(
        matches!(refused, Ok(Challenged::Refused(Refusal { is_certain: false, .. }))),
        "a nonce may have ended without a word"
    );
}

#[tokio::test]
async fn while_a_refusal_is_judged_no_request_begins() {
    let session = session();
    let waiting = session.begin();
    let answer = challenge(&session, begin(&session).await, LIVE);
    tokio::pin!(waiting);
    assert!(futures::poll!(&mut waiting).is_pending(), "there is no nonce yet");
    let Ok(Challenged::Refused(refusal)) = session.challenged(answer, &headers(&[LIVE])) else {
        panic!("a refusal")
    };
    let (trial, _) = session.begin_trial(refusal).await;
    assert!(futures::poll!(&mut waiting).is_pending());
    session.refuse();
    drop(trial);
    assert!(matches!(waiting.await, Err(RequestError::CredentialRefused)));
}

#[tokio::test]
async fn without_a_challenge_no_request_waits_for_another() {
    let session = session();
    accept(&session, begin(&session).await);
    let (one, two) = (begin(&session).await, begin(&session).await);
    assert!(is_unauthenticated(&one) && is_unauthenticated(&two));
}

/// Which node a request of a user meets.
type Order = Box<dyn FnMut(usize) -> usize>;

/// Nodes that do not know each other's nonces, and the order in which requests meet them.
struct Nodes {
    nonces: Vec<HashSet<String>>,
    issued: usize,
    next: Order,
}

impl Nodes {
    fn new(count: usize, next: impl FnMut(usize) -> usize + 'static) -> Self {
        Self { nonces: vec![HashSet::new(); count], issued: 0, next: Box::new(next) }
    }

    /// One request, from its start to its answer: how many exchanges it took.
    async fn serve(&mut self, session: &DigestSession, user: usize) -> usize {
        let mut attempt = begin(session).await;
        for exchange in 1.. {
            let node = (self.next)(user);
            let stale = match &attempt {
                DigestAttempt::Authenticated { nonce, .. } => {
                    let known = self.nonces[node].contains(&nonce.challenge.nonce);
                    if known {
                        accept(session, attempt);
                        return exchange;
                    }
                    true
                }
                DigestAttempt::Unauthenticated { .. } => false,
            };
            self.issued += 1;
            let nonce = format!("{:x}", self.issued);
            self.nonces[node].insert(nonce.clone());
            let header = LIVE.replace("a+/b", &nonce).replace("stale=false", &format!("stale={stale}"));
            attempt = challenge(session, attempt, &header);
        }
        unreachable!()
    }
}

/// Ops Manager documents that any server may handle any request.
#[tokio::test]
async fn several_nodes_cost_at_most_their_number_and_one_exchange_a_request() {
    for count in 2..=4 {
        let turn = || {
            let mut last = 0;
            move |_| {
                last += 1;
                last % count
            }
        };
        let orders: [(&str, Order); 4] = [
            ("by chance", Box::new(move |_| fastrand::usize(..count))),
            ("in turn", Box::new(turn())),
            ("by connection, now and then another", Box::new(move |user| user / 20 % count)),
            ("always the same", Box::new(|_| 1)),
        ];
        for (name, next) in orders {
            let session = session();
            let mut nodes = Nodes::new(count, next);
            let (mut sum, mut most) = (0, 0);
            for user in 0..2000 {
                let exchanges = nodes.serve(&session, user).await;
                (sum, most) = (sum + exchanges, most.max(exchanges));
            }
            println!("{count} nodes {name}: {sum} exchanges for 2000 requests, at most {most}");
            assert!(sum <= 2000 * (count + 1), "{count} nodes, {name}: {sum} exchanges");
            assert!(most <= 64, "{count} nodes, {name}: {most} exchanges for one request");
        }
    }
}
