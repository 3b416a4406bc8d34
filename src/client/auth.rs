//! The digest session of one credential: which challenge to answer, with which nonce and count, and who may renew it.
//!
//! diqwest's own session would ask three times where two do, and drops `algorithm` (see the design); so only its trait
//! is used, and the exchange itself is run by [`super::client`] with what [`Session`] hands out. The rules kept here:
//! a nonce serves until its uses or its age run out, and then **one** request renews it while the others wait; a refused
//! request answers the challenge that its refusal carried, alone, before it shares it, so that a server with one-time
//! nonces costs two exchanges and never three.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use digest_auth::{AuthContext, AuthorizationHeader, HttpMethod, Qop, WwwAuthenticateHeader};
use diqwest::DigestAuthCredentials;
use diqwest::session::CachedContextGuard;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::MutexGuard;

use super::challenge;
use crate::model::Suffix;

/// Jetty forgets a nonce after so many uses. Renewing at that count costs one exchange; running into it costs one for
/// every request in flight.
const USES: u32 = 1024;
/// Jetty forgets a nonce after 60 s; a little earlier, for the way there.
const AGE: Duration = Duration::from_secs(55);
/// A nonce refused at its second use while so young was for one use only.
const YOUNG: Duration = Duration::from_secs(10);
/// So many refusals in a row, and a credential is no longer tried.
const REFUSALS: u32 = 3;

/// A digest user and password: a programmatic key's two parts, or a username and a personal key.
pub struct Credential {
    /// The part that may be told.
    pub public: String,
    /// The part that may not.
    pub private: SecretString,
}

impl Credential {
    /// The last 12 digits of the secret, which is how a personal key is recognized in a list.
    pub(super) fn suffix(&self) -> Option<Suffix> {
        Suffix::from_key(self.private.expose_secret())
    }
}

/// One nonce of the server.
pub(super) struct Nonce {
    challenge: WwwAuthenticateHeader,
    /// The counts handed out so far; the next is one more.
    counts: AtomicU32,
    accepted: AtomicU32,
    born: Instant,
}

impl Nonce {
    fn next_count(&self) -> Option<u32> {
        if self.born.elapsed() >= AGE {
            return None;
        }
        let next = |count| (count < USES).then_some(count + 1);
        self.counts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok().map(|before| before + 1)
    }

    /// A server that takes a nonce once refuses its second use at once.
    fn was_for_one_use(&self) -> bool {
        self.accepted.load(Ordering::Relaxed) == 1 && self.born.elapsed() < YOUNG
    }
}

/// The leave to send one request.
pub(super) enum DigestAttempt<'a> {
    /// With this answer.
    Answer { nonce: Arc<Nonce>, count: u32, renewal: Option<MutexGuard<'a, ()>> },
    /// Without one, to be given a challenge. While `renewal` is held the others wait.
    Ask { renewal: Option<MutexGuard<'a, ()>> },
}

/// What to do after a 401 of the digest layer.
pub(super) enum NextStep<'a> {
    /// Send again.
    Again(DigestAttempt<'a>),
    /// The credentials are wrong.
    Refused,
    /// The server asks for something that this client can't answer.
    Unanswerable(String),
}

/// The digest session of one credential with one deployment.
pub(super) struct Session {
    credential: Credential,
    current: Mutex<Option<Arc<Nonce>>>,
    renewal: tokio::sync::Mutex<()>,
    /// Refusals of the credential since it was last accepted.
    refusals: AtomicU32,
    /// Whether every request has to ask anew: one-time nonces, or no authentication at all.
    each_asks: AtomicBool,
}

impl Session {
    pub(super) fn new(credential: Credential) -> Self {
        Self {
            credential,
            current: Mutex::new(None),
            renewal: tokio::sync::Mutex::new(()),
            refusals: AtomicU32::new(0),
            each_asks: AtomicBool::new(false),
        }
    }

    pub(super) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Whether it was refused so often that trying on would only lock an account.
    pub(super) fn is_given_up(&self) -> bool {
        self.refusals.load(Ordering::Relaxed) >= REFUSALS
    }

    /// Leave to send a request: at once while the nonce lasts; else the first to come renews it and the others wait.
    pub(super) async fn enter(&self) -> DigestAttempt<'_> {
        if self.each_asks.load(Ordering::Relaxed) {
            return DigestAttempt::Ask { renewal: None };
        }
        if let Some(pass) = self.shared_pass() {
            return pass;
        }
        let renewal = self.renewal.lock().await;
        if self.each_asks.load(Ordering::Relaxed) {
            return DigestAttempt::Ask { renewal: None };
        }
        // Whoever held the lock before may have renewed the nonce.
        self.shared_pass().unwrap_or(DigestAttempt::Ask { renewal: Some(renewal) })
    }

    fn shared_pass(&self) -> Option<DigestAttempt<'_>> {
        let nonce = self.current().clone()?;
        nonce.next_count().map(|count| DigestAttempt::Answer { nonce, count, renewal: None })
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Arc<Nonce>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The digest layer let the request through.
    pub(super) fn passed(&self, pass: DigestAttempt<'_>) {
        match pass {
            DigestAttempt::Answer { nonce, .. } => {
                nonce.accepted.fetch_add(1, Ordering::Relaxed);
                self.refusals.store(0, Ordering::Relaxed);
                if !self.each_asks.load(Ordering::Relaxed) {
                    let mut current = self.current();
                    if current.as_ref().is_none_or(|known| known.born < nonce.born) {
                        *current = Some(nonce);
                    }
                }
            }
            // Nobody asked for an answer: holding requests up would only make them wait in a row.
            DigestAttempt::Ask { .. } => self.each_asks.store(true, Ordering::Relaxed),
        }
    }

    /// The digest layer refused the request with `headers`, which carry the next challenge.
    pub(super) fn refused<'a>(&'a self, pass: DigestAttempt<'a>, headers: &HeaderMap) -> NextStep<'a> {
        let challenge = match challenge::pick(headers) {
            Ok(challenge) => challenge,
            Err(why) => return NextStep::Unanswerable(why),
        };
        let renewal = match pass {
            DigestAttempt::Ask { renewal } => renewal,
            // The answer to this request's own fresh challenge: only the credentials can be wrong.
            DigestAttempt::Answer { count: 1, .. } if !challenge.stale => {
                self.refusals.fetch_add(1, Ordering::Relaxed);
                return NextStep::Refused;
            }
            DigestAttempt::Answer { nonce, renewal, .. } => {
                self.forget(&nonce);
                renewal.or_else(|| self.renewal.try_lock().ok())
            }
        };
        let nonce = Arc::new(Nonce {
            challenge,
            counts: AtomicU32::new(1),
            accepted: AtomicU32::new(0),
            born: Instant::now(),
        });
        NextStep::Again(DigestAttempt::Answer { nonce, count: 1, renewal })
    }

    fn forget(&self, nonce: &Arc<Nonce>) {
        if nonce.was_for_one_use() {
            self.each_asks.store(true, Ordering::Relaxed);
        }
        let mut current = self.current();
        if current.as_ref().is_some_and(|known| Arc::ptr_eq(known, nonce)) {
            *current = None;
        }
    }

    /// The `Authorization` header for a GET of `path` (path and query, as sent); `None` for a pass that asks.
    pub(super) fn authorization(&self, pass: &DigestAttempt<'_>, path: &str) -> Option<HeaderValue> {
        let DigestAttempt::Answer { nonce, count, .. } = pass else { return None };
        let answer = Answer { credential: &self.credential, nonce, count: *count };
        let header =
            answer.calculate_authorization("", path, HttpMethod::GET, None, &HeaderMap::new()).ok()?;
        let mut value = HeaderValue::from_str(&header.to_header_string()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// One answer to one nonce, in the form in which diqwest asks for it.
struct Answer<'a> {
    credential: &'a Credential,
    nonce: &'a Nonce,
    count: u32,
}

impl DigestAuthCredentials for Answer<'_> {
    fn username(&self) -> &str {
        &self.credential.public
    }

    fn password(&self) -> &str {
        self.credential.private.expose_secret()
    }

    /// Never: the session above keeps the nonces.
    fn cached_context<'h>(
        &self,
        _host: &'h str,
    ) -> diqwest::error::Result<Option<CachedContextGuard<'_, 'h>>> {
        Ok(None)
    }

    fn store_context(&self, _host: &str, _challenge: &str) -> diqwest::error::Result<()> {
        Ok(())
    }

    fn clear_context(&self, _host: &str) -> diqwest::error::Result<()> {
        Ok(())
    }

    fn calculate_authorization(
        &self,
        _host: &str,
        path: &str,
        method: HttpMethod,
        body: Option<&[u8]>,
        _headers: &HeaderMap,
    ) -> diqwest::error::Result<AuthorizationHeader> {
        let mut challenge = WwwAuthenticateHeader { nc: self.count - 1, ..self.nonce.challenge.clone() };
        let only_auth_int = challenge.qop.as_deref() == Some(&[Qop::AUTH_INT]);
        let body = body.or(only_auth_int.then_some(&[]));
        let context = AuthContext::new_with_method(self.username(), self.password(), path, body, method);
        Ok(challenge.respond(&context)?)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::WWW_AUTHENTICATE;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap())).collect()
    }

    fn session() -> Session {
        Session::new(Credential { public: "Mufasa".to_owned(), private: "Circle of Life".into() })
    }

    const LIVE: &str =
        r#"Digest realm="MMS Public API", domain="", nonce="a+/b", algorithm=MD5, qop="auth", stale=false"#;

    fn asks(pass: &DigestAttempt<'_>) -> bool {
        matches!(pass, DigestAttempt::Ask { .. })
    }

    fn again(next: NextStep<'_>) -> DigestAttempt<'_> {
        match next {
            NextStep::Again(pass) => pass,
            NextStep::Refused => panic!("refused"),
            NextStep::Unanswerable(why) => panic!("{why}"),
        }
    }

    #[tokio::test]
    async fn a_nonce_is_used_1024_times_with_rising_counts_and_then_renewed_once() {
        let session = session();
        let first = again(session.refused(session.enter().await, &headers(&[LIVE])));
        session.passed(first);
        for expected in 2..=USES {
            let pass = session.enter().await;
            assert!(matches!(&pass, DigestAttempt::Answer { count, .. } if *count == expected));
            let header = session.authorization(&pass, "/x").unwrap();
            assert!(header.to_str().unwrap().contains(&format!("nc={expected:08x}")));
            session.passed(pass);
        }
        let renewing = session.enter().await;
        assert!(asks(&renewing));
        let waiting = session.enter();
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending(), "the others wait");
        session.passed(again(session.refused(renewing, &headers(&[&LIVE.replace("a+/b", "c+/d")]))));
        assert!(
            matches!(waiting.await, DigestAttempt::Answer { count: 2, .. }),
            "and then use the new nonce"
        );
    }

    #[tokio::test]
    async fn a_server_with_one_time_nonces_is_asked_anew_for_each_request() {
        let session = session();
        session.passed(again(session.refused(session.enter().await, &headers(&[LIVE]))));
        let second = session.enter().await;
        assert!(!asks(&second));
        let stale = LIVE.replace("stale=false", "stale=true");
        let own = again(session.refused(second, &headers(&[&stale])));
        assert!(
            matches!(own, DigestAttempt::Answer { count: 1, .. }),
            "the refusal's own challenge is answered"
        );
        session.passed(own);
        let (third, fourth) = (session.enter().await, session.enter().await);
        assert!(asks(&third) && asks(&fourth), "and nobody waits for anybody");
    }

    #[tokio::test]
    async fn only_a_refusal_of_a_fresh_challenges_answer_refuses_the_credentials() {
        let session = session();
        let answer = again(session.refused(session.enter().await, &headers(&[LIVE])));
        let stale = LIVE.replace("stale=false", "stale=true");
        let answer = again(session.refused(answer, &headers(&[&stale])));
        assert!(matches!(session.refused(answer, &headers(&[LIVE])), NextStep::Refused));
    }

    #[tokio::test]
    async fn a_server_that_does_not_ask_is_not_waited_for() {
        let session = session();
        session.passed(session.enter().await);
        let (one, two) = (session.enter().await, session.enter().await);
        assert!(asks(&one) && asks(&two));
    }
}
