//! The digest session of one credential: which challenge to answer, with which nonce and count, and which request renews it.
//!
//! diqwest's own session would send three requests where two do, and drops `algorithm` (see the design); so only its trait is
//! used ([`super::authorization`]), and the exchange itself is run by [`super::request`] with what [`DigestSession`] hands
//! out. The rules kept here: while there are nonces that serve, a request takes one; before they are used up, **one** request
//! gets a new one while the others continue, and where there is none they wait for it; a request that was challenged answers
//! that challenge alone, before it shares the nonce, so that a server with one-time nonces costs two exchanges and never
//! three. A stale answer is no failure: behind several nodes it is half of all answers. A refused digest is no verdict about
//! the credential before a trial, in which all new requests of it wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use digest_auth::WwwAuthenticateHeader;
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::sync::{MutexGuard, RwLock, RwLockWriteGuard};
use url::Url;

use super::authorization::NonceUse;
use super::challenge;
use super::cookies::CookieJar;
use super::credential_store::Credential;
use super::error::RequestError;
use super::nonces::{Nonce, NoncePool, Pick};

/// One request, as far as authentication goes. While it holds `renewal`, those without a nonce wait for the one it gets.
pub(super) enum DigestAttempt<'a> {
    /// It answers a challenge.
    Authenticated {
        nonce: Arc<Nonce>,
        count: u32,
        /// Where the nonce comes from.
        source: NonceSource,
        /// How many nonces the pool had seen when this request last looked.
        seen: u64,
        renewal: Option<MutexGuard<'a, ()>>,
    },
    /// It carries no credentials, and is sent to be challenged.
    Unauthenticated { seen: u64, renewal: Option<MutexGuard<'a, ()>> },
}

/// Where the nonce of an attempt comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NonceSource {
    /// It was the first pick, whether or not of several.
    FirstPick { had_choice: bool },
    /// It came with the challenge that is answered.
    Challenge,
    /// It is another one of the pool, tried because the others were stale.
    Pool,
}

/// What to do after a 401 of the digest layer.
pub(super) enum Challenged<'a> {
    /// Send it once more.
    Again(DigestAttempt<'a>),
    /// The digest was refused.
    Refused(Refusal<'a>),
}

/// A digest that was refused without being stale.
pub(super) struct Refusal<'a> {
    /// What came with the refusal.
    challenge: WwwAuthenticateHeader,
    /// Whether it answered a challenge of its own, so that no lost or repeated nonce can be the reason.
    pub(super) is_certain: bool,
    renewal: Option<MutexGuard<'a, ()>>,
}

impl Refusal<'_> {
    /// The challenge to answer if it is tried once more.
    pub(super) fn into_challenge(self) -> WwwAuthenticateHeader {
        self.challenge
    }
}

/// The digest session of one credential with one deployment.
pub(super) struct DigestSession {
    credential: Credential,
    pool: Mutex<NoncePool>,
    cookies: Mutex<CookieJar>,
    renewal: tokio::sync::Mutex<()>,
    /// Written by the one request that finds out whether the credential still works; new requests wait meanwhile.
    trial: RwLock<()>,
    /// Whether the credential was refused for good. Trying on would only lock an account.
    refused: AtomicBool,
    /// What was last asked for and answered with a document: an error may come with any status, and lasts.
    worked: Mutex<Option<Url>>,
    /// Whether no nonce can be shared: the server takes each once, or does not authenticate at all.
    challenge_each: AtomicBool,
}

impl DigestSession {
    pub(super) fn new(credential: Credential) -> Self {
        Self {
            credential,
            pool: Mutex::default(),
            cookies: Mutex::default(),
            renewal: tokio::sync::Mutex::new(()),
            trial: RwLock::new(()),
            refused: AtomicBool::new(false),
            worked: Mutex::new(None),
            challenge_each: AtomicBool::new(false),
        }
    }

    pub(super) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Whether it was refused for good.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// It does not work any more, not even where it worked before.
    pub(super) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// What was last asked for and answered with a document.
    pub(super) fn worked(&self) -> Option<Url> {
        lock(&self.worked).clone()
    }

    /// Begins a request: at once while there is a nonce, and as the one that gets the next nonce where those will soon be
    /// used up; where there is none the first one gets one and the others wait. None begins while it is being found out
    /// whether the credential still works.
    ///
    /// # Errors
    /// It does not.
    pub(super) async fn begin(&self) -> Result<DigestAttempt<'_>, RequestError> {
        loop {
            drop(self.trial.read().await);
            if self.is_refused() {
                return Err(RequestError::CredentialRefused);
            }
            if let Some(attempt) = self.with_own_nonce() {
                return Ok(attempt);
            }
            if let Some(attempt) = self.renewing_ahead().or_else(|| self.with_shared_nonce()) {
                return Ok(attempt);
            }
            let renewal = self.renewal.lock().await;
            // The request that held the lock before may have got a nonce, or have been refused.
            let is_open = self.trial.try_read().is_ok() && !self.is_refused();
            if is_open && lock(&self.pool).is_empty() && !self.wants_own_nonce() {
                let seen = lock(&self.pool).added();
                return Ok(DigestAttempt::Unauthenticated { seen, renewal: Some(renewal) });
            }
        }
    }

    /// Whether each request needs a nonce of its own.
    fn wants_own_nonce(&self) -> bool {
        self.challenge_each.load(Ordering::Relaxed) || lock(&self.pool).is_one_time()
    }

    fn with_own_nonce(&self) -> Option<DigestAttempt<'_>> {
        if !self.wants_own_nonce() {
            return None;
        }
        let mut pool = lock(&self.pool);
        let seen = pool.added();
        Some(match pool.take_unused().and_then(|nonce| nonce.next_count().map(|count| (nonce, count))) {
            Some((nonce, count)) => {
                DigestAttempt::Authenticated { nonce, count, source: NonceSource::Pool, seen, renewal: None }
            }
            None => DigestAttempt::Unauthenticated { seen, renewal: None },
        })
    }

    fn renewing_ahead(&self) -> Option<DigestAttempt<'_>> {
        let pool = lock(&self.pool);
        if pool.is_empty() || !pool.is_running_out() {
            return None;
        }
        let renewal = self.renewal.try_lock().ok()?;
        Some(DigestAttempt::Unauthenticated { seen: pool.added(), renewal: Some(renewal) })
    }

    fn with_shared_nonce(&self) -> Option<DigestAttempt<'_>> {
        let mut pool = lock(&self.pool);
        let Pick { nonce, count, had_choice } = pool.first()?;
        let source = NonceSource::FirstPick { had_choice };
        Some(DigestAttempt::Authenticated { nonce, count, source, seen: pool.added(), renewal: None })
    }

    /// A request for `url` was answered with a document.
    pub(super) fn record_success(&self, url: &Url) {
        *lock(&self.worked) = Some(url.clone());
    }

    /// The digest layer let the request through.
    pub(super) fn accepted(&self, attempt: DigestAttempt<'_>) {
        match attempt {
            DigestAttempt::Authenticated { nonce, source, seen, .. } => {
                let mut pool = lock(&self.pool);
                let is_first_pick = matches!(source, NonceSource::FirstPick { .. });
                pool.accepted(&nonce, is_first_pick, source == NonceSource::Challenge);
                if pool.is_one_time() {
                    pool.remove(&nonce);
                } else if !self.challenge_each.load(Ordering::Relaxed) {
                    pool.add(&nonce, seen);
                }
            }
            // It was not challenged: holding the others up would only make them wait in a row.
            DigestAttempt::Unauthenticated { .. } => self.challenge_each.store(true, Ordering::Relaxed),
        }
    }

    /// The digest layer answered the request with a 401 whose `headers` carry the next challenge: how to send it again, or
    /// that its digest was refused.
    ///
    /// # Errors
    /// The server asks for an authentication that this client can't do.
    pub(super) fn challenged<'a>(
        &'a self,
        attempt: DigestAttempt<'a>,
        headers: &HeaderMap,
    ) -> Result<Challenged<'a>, RequestError> {
        let challenge = challenge::pick(headers).map_err(RequestError::UnsupportedChallenge)?;
        let (nonce, count, source, mut seen, renewal) = match attempt {
            DigestAttempt::Unauthenticated { seen, renewal } => {
                return Ok(Challenged::Again(first_use(challenge, seen, renewal)));
            }
            DigestAttempt::Authenticated { nonce, count, source, seen, renewal } => {
                (nonce, count, source, seen, renewal)
            }
        };
        let mut pool = lock(&self.pool);
        if !challenge.stale {
            if nonce.was_accepted_once() {
                self.challenge_each.store(true, Ordering::Relaxed);
            }
            pool.remove(&nonce);
            return Ok(Challenged::Refused(Refusal { challenge, is_certain: count == 1, renewal }));
        }
        if pool.is_one_time() && !nonce.was_accepted_once() {
            let received = Nonce::first_use(challenge);
            let (nonce, is_own) = pool.next_unused(&nonce, received, source == NonceSource::Challenge);
            let count = if is_own { Some(1) } else { nonce.next_count() };
            let source = if is_own { NonceSource::Challenge } else { NonceSource::Pool };
            return Ok(Challenged::Again(match count {
                Some(count) => DigestAttempt::Authenticated { nonce, count, source, seen, renewal },
                None => DigestAttempt::Unauthenticated { seen, renewal },
            }));
        }
        // It may be that of another node, which knows it.
        if source == NonceSource::Challenge {
            pool.add(&nonce, seen);
            seen = pool.added();
        }
        pool.stale(&nonce, source == NonceSource::FirstPick { had_choice: true });
        let renewal = renewal.or_else(|| pool.is_empty().then(|| self.renewal.try_lock().ok()).flatten());
        let is_first_pick = matches!(source, NonceSource::FirstPick { .. });
        if is_first_pick && !pool.has_proven_besides(&nonce) {
            return Ok(Challenged::Again(first_use(challenge, seen, renewal)));
        }
        let received = Nonce::first_use(challenge);
        pool.add(&received, seen);
        seen = pool.added();
        let (nonce, count, source) = if let Some(Pick { nonce, count, .. }) = pool.any() {
            (nonce, count, NonceSource::Pool)
        } else {
            (received, 1, NonceSource::Challenge)
        };
        let again = DigestAttempt::Authenticated { nonce, count, source, seen, renewal };
        Ok(Challenged::Again(again))
    }

    /// Holds all new requests of this credential, to find out alone whether it was refused for good.
    pub(super) async fn begin_trial(
        &self,
        refusal: Refusal<'_>,
    ) -> (RwLockWriteGuard<'_, ()>, WwwAuthenticateHeader) {
        let trial = self.trial.write().await;
        // Only now may the others wake who waited for its nonce: they see the trial.
        drop(refusal.renewal);
        (trial, refusal.challenge)
    }

    /// An attempt of the request that holds the trial: it answers the challenge of a refusal.
    pub(super) fn retrial(&self, challenge: WwwAuthenticateHeader) -> DigestAttempt<'_> {
        first_use(challenge, lock(&self.pool).added(), None)
    }

    /// The `Cookie` header of a request for `url`, where the deployment has set cookies.
    pub(super) fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        lock(&self.cookies).header(url, SystemTime::now())
    }

    /// Takes the cookies that an answer of `url` sets.
    pub(super) fn take_cookies(&self, url: &Url, headers: &HeaderMap) {
        lock(&self.cookies).take(url, headers, SystemTime::now());
    }

    /// The `Authorization` header for a GET of `path` (path and query, as sent); `None` where it carries no credentials.
    pub(super) fn authorization(&self, attempt: &DigestAttempt<'_>, path: &str) -> Option<HeaderValue> {
        let DigestAttempt::Authenticated { nonce, count, .. } = attempt else { return None };
        let answer = NonceUse { credential: &self.credential, nonce, count: *count };
        let mut value = answer.header(path)?;
        value.set_sensitive(true);
        Some(value)
    }
}

fn first_use(
    challenge: WwwAuthenticateHeader,
    seen: u64,
    renewal: Option<MutexGuard<'_, ()>>,
) -> DigestAttempt<'_> {
    let (nonce, source) = (Nonce::first_use(challenge), NonceSource::Challenge);
    DigestAttempt::Authenticated { nonce, count: 1, source, seen, renewal }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
