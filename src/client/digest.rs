//! The digest session of one credential: which challenge to answer, with which nonce and count, and which request renews it.
//!
//! diqwest's own session would send three requests where two do, and drops `algorithm` (see the design); so only its trait
//! is used, and the exchange itself is run by [`super::request`] with what [`DigestSession`] hands out. The rules kept here:
//! a nonce serves until its uses or its age run out, and then **one** request renews it while the others wait; a request
//! that was challenged answers that challenge alone, before it shares the nonce, so that a server with one-time nonces costs
//! two exchanges and never three.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use digest_auth::{AuthContext, AuthorizationHeader, HttpMethod, Qop, WwwAuthenticateHeader};
use diqwest::DigestAuthCredentials;
use diqwest::session::CachedContextGuard;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;
use tokio::sync::MutexGuard;

use super::challenge;
use super::credential_store::Credential;
use super::error::RequestError;

/// Jetty forgets a nonce after so many uses. Renewing at that count costs one exchange; running into it costs one for
/// every request in flight.
const NONCE_USES: u32 = 1024;
/// Jetty forgets a nonce after 60 s; a little earlier, for the way there.
const NONCE_AGE: Duration = Duration::from_secs(55);
/// A nonce refused at its second use while no older than this was for one use only.
const ONE_USE_AGE: Duration = Duration::from_secs(10);
/// After so many refusals in a row a credential is no longer tried.
const MAX_REFUSALS: u32 = 3;

/// One nonce of the server.
pub(super) struct Nonce {
    challenge: WwwAuthenticateHeader,
    /// The highest count used so far.
    last_count: AtomicU32,
    /// Requests that were accepted with it.
    accepted: AtomicU32,
    received: Instant,
}

impl Nonce {
    /// The nonce of a challenge, its first use taken.
    fn first_use(challenge: WwwAuthenticateHeader) -> Self {
        Self {
            challenge,
            last_count: AtomicU32::new(1),
            accepted: AtomicU32::new(0),
            received: Instant::now(),
        }
    }

    /// The count of the next use; `None` once it is used up or too old.
    fn next_count(&self) -> Option<u32> {
        if self.received.elapsed() >= NONCE_AGE {
            return None;
        }
        let next = |count| (count < NONCE_USES).then_some(count + 1);
        let before = self.last_count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        before.ok().map(|before| before + 1)
    }

    /// A server that takes a nonce once refuses its second use at once.
    fn was_for_one_use(&self) -> bool {
        self.accepted.load(Ordering::Relaxed) == 1 && self.received.elapsed() < ONE_USE_AGE
    }
}

/// One request, as far as authentication goes. While it holds `renewal`, those without a nonce wait for the one it gets.
pub(super) enum DigestAttempt<'a> {
    /// It answers a challenge.
    Authenticated { nonce: Arc<Nonce>, count: u32, renewal: Option<MutexGuard<'a, ()>> },
    /// It carries no credentials, and is sent to be challenged.
    Unauthenticated { renewal: Option<MutexGuard<'a, ()>> },
}

/// The digest session of one credential with one deployment.
pub(super) struct DigestSession {
    credential: Credential,
    nonce: Mutex<Option<Arc<Nonce>>>,
    renewal: tokio::sync::Mutex<()>,
    /// Refusals of the credential since it was last accepted.
    refusals: AtomicU32,
    /// Whether no nonce can be shared: the server takes each once, or does not authenticate at all.
    challenge_each: AtomicBool,
}

impl DigestSession {
    pub(super) fn new(credential: Credential) -> Self {
        Self {
            credential,
            nonce: Mutex::new(None),
            renewal: tokio::sync::Mutex::new(()),
            refusals: AtomicU32::new(0),
            challenge_each: AtomicBool::new(false),
        }
    }

    pub(super) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Whether it was refused so often that trying on would only lock an account.
    pub(super) fn is_given_up(&self) -> bool {
        self.refusals.load(Ordering::Relaxed) >= MAX_REFUSALS
    }

    /// Begins a request: at once while the nonce lasts; else the first one renews it and the others wait.
    pub(super) async fn begin(&self) -> DigestAttempt<'_> {
        if self.challenge_each.load(Ordering::Relaxed) {
            return DigestAttempt::Unauthenticated { renewal: None };
        }
        if let Some(attempt) = self.with_shared_nonce() {
            return attempt;
        }
        let renewal = self.renewal.lock().await;
        if self.challenge_each.load(Ordering::Relaxed) {
            return DigestAttempt::Unauthenticated { renewal: None };
        }
        // The request that held the lock before may have renewed the nonce.
        self.with_shared_nonce().unwrap_or(DigestAttempt::Unauthenticated { renewal: Some(renewal) })
    }

    fn with_shared_nonce(&self) -> Option<DigestAttempt<'_>> {
        let nonce = self.nonce().clone()?;
        nonce.next_count().map(|count| DigestAttempt::Authenticated { nonce, count, renewal: None })
    }

    fn nonce(&self) -> std::sync::MutexGuard<'_, Option<Arc<Nonce>>> {
        self.nonce.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The digest layer let the request through.
    pub(super) fn accepted(&self, attempt: DigestAttempt<'_>) {
        match attempt {
            DigestAttempt::Authenticated { nonce, .. } => {
                nonce.accepted.fetch_add(1, Ordering::Relaxed);
                self.refusals.store(0, Ordering::Relaxed);
                if !self.challenge_each.load(Ordering::Relaxed) {
                    let mut shared = self.nonce();
                    if shared.as_ref().is_none_or(|known| known.received < nonce.received) {
                        *shared = Some(nonce);
                    }
                }
            }
            // It was not challenged: holding the others up would only make them wait in a row.
            DigestAttempt::Unauthenticated { .. } => self.challenge_each.store(true, Ordering::Relaxed),
        }
    }

    /// The digest layer answered the request with a 401 whose `headers` carry the next challenge: how to send it again.
    ///
    /// # Errors
    /// The credential is wrong, or the server asks for an authentication that this client can't do.
    pub(super) fn challenged<'a>(
        &'a self,
        attempt: DigestAttempt<'a>,
        headers: &HeaderMap,
    ) -> Result<DigestAttempt<'a>, RequestError> {
        let challenge = challenge::pick(headers).map_err(RequestError::UnsupportedChallenge)?;
        let renewal = match attempt {
            DigestAttempt::Unauthenticated { renewal } => renewal,
            // The answer to this request's own fresh challenge: only the credential can be wrong.
            DigestAttempt::Authenticated { count: 1, .. } if !challenge.stale => {
                self.refusals.fetch_add(1, Ordering::Relaxed);
                return Err(RequestError::CredentialRefused);
            }
            DigestAttempt::Authenticated { nonce, renewal, .. } => {
                self.forget(&nonce);
                renewal.or_else(|| self.renewal.try_lock().ok())
            }
        };
        let nonce = Arc::new(Nonce::first_use(challenge));
        Ok(DigestAttempt::Authenticated { nonce, count: 1, renewal })
    }

    fn forget(&self, nonce: &Arc<Nonce>) {
        if nonce.was_for_one_use() {
            self.challenge_each.store(true, Ordering::Relaxed);
        }
        let mut shared = self.nonce();
        if shared.as_ref().is_some_and(|known| Arc::ptr_eq(known, nonce)) {
            *shared = None;
        }
    }

    /// The `Authorization` header for a GET of `path` (path and query, as sent); `None` where it carries no credentials.
    pub(super) fn authorization(&self, attempt: &DigestAttempt<'_>, path: &str) -> Option<HeaderValue> {
        let DigestAttempt::Authenticated { nonce, count, .. } = attempt else { return None };
        let answer = NonceUse { credential: &self.credential, nonce, count: *count };
        let header =
            answer.calculate_authorization("", path, HttpMethod::GET, None, &HeaderMap::new()).ok()?;
        let mut value = HeaderValue::from_str(&header.to_header_string()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// One use of a nonce, in the form in which diqwest wants it.
struct NonceUse<'a> {
    credential: &'a Credential,
    nonce: &'a Nonce,
    count: u32,
}

impl DigestAuthCredentials for NonceUse<'_> {
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

    fn session() -> DigestSession {
        DigestSession::new(Credential { public: "Mufasa".to_owned(), private: "Circle of Life".into() })
    }

    const LIVE: &str =
        r#"Digest realm="MMS Public API", domain="", nonce="a+/b", algorithm=MD5, qop="auth", stale=false"#;

    fn is_unauthenticated(attempt: &DigestAttempt<'_>) -> bool {
        matches!(attempt, DigestAttempt::Unauthenticated { .. })
    }

    /// Has a request challenged, and gives the attempt that answers the challenge.
    fn challenge<'a>(
        session: &'a DigestSession,
        attempt: DigestAttempt<'a>,
        header: &str,
    ) -> DigestAttempt<'a> {
        let answered = session.challenged(attempt, &headers(&[header]));
        answered.unwrap_or_else(|refused| panic!("{:?}", refused.outcome()))
    }

    #[tokio::test]
    async fn a_nonce_is_used_1024_times_and_then_renewed_once() {
        let session = session();
        let first = challenge(&session, session.begin().await, LIVE);
        session.accepted(first);
        for expected in 2..=NONCE_USES {
            let attempt = session.begin().await;
            assert!(matches!(&attempt, DigestAttempt::Authenticated { count, .. } if *count == expected));
            let header = session.authorization(&attempt, "/x").unwrap();
            assert!(header.to_str().unwrap().contains(&format!("nc={expected:08x}")));
            session.accepted(attempt);
        }
        let renewing = session.begin().await;
        assert!(is_unauthenticated(&renewing));
        let waiting = session.begin();
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending(), "the others wait");
        session.accepted(challenge(&session, renewing, &LIVE.replace("a+/b", "c+/d")));
        assert!(
            matches!(waiting.await, DigestAttempt::Authenticated { count: 2, .. }),
            "and then use the new nonce"
        );
    }

    #[tokio::test]
    async fn a_server_with_one_time_nonces_challenges_each_request() {
        let session = session();
        session.accepted(challenge(&session, session.begin().await, LIVE));
        let second = session.begin().await;
        assert!(!is_unauthenticated(&second));
        let stale = LIVE.replace("stale=false", "stale=true");
        let own = challenge(&session, second, &stale);
        assert!(
            matches!(own, DigestAttempt::Authenticated { count: 1, .. }),
            "the challenge of the refusal is answered"
        );
        session.accepted(own);
        let (third, fourth) = (session.begin().await, session.begin().await);
        assert!(is_unauthenticated(&third) && is_unauthenticated(&fourth), "and none waits for another");
    }

    #[tokio::test]
    async fn a_refused_answer_to_a_fresh_challenge_refuses_the_credential() {
        let session = session();
        let answer = challenge(&session, session.begin().await, LIVE);
        let stale = LIVE.replace("stale=false", "stale=true");
        let answer = challenge(&session, answer, &stale);
        let refused = session.challenged(answer, &headers(&[LIVE]));
        assert!(matches!(refused, Err(RequestError::CredentialRefused)));
    }

    #[tokio::test]
    async fn without_a_challenge_no_request_waits_for_another() {
        let session = session();
        session.accepted(session.begin().await);
        let (one, two) = (session.begin().await, session.begin().await);
        assert!(is_unauthenticated(&one) && is_unauthenticated(&two));
    }
}
