//! One request done right: within the limits, authenticated, redirected only inside the origin, its body bounded, and sent
//! again while what went wrong may pass.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, DATE, HeaderMap, LOCATION};
use url::{Position, Url};

use super::Client;
use super::charset;
use super::classify::{
    Classification, Redirected, Response, VERSION_HEADER, classify, is_overload, is_transient,
};
use super::concurrency::{Load, PathKind};
use super::digest::{Challenged, DigestAttempt, DigestSession, Refusal};
use super::error::{BODY_LIMIT, RequestError};
use super::learned_rate::Answer;
use super::outage::{Passage, Unavailability};
use super::probe::ONE_ORGANIZATION;
use super::product;
use super::rate_limiter::pause_asked;
use super::wire::ErrorDocument;
use crate::console::warn;
use crate::exit::Error;
use crate::model::{Outcome, ReadStatus, rfc3339};
use crate::policy::is_plausible_skew;

pub(super) const MAX_REDIRECTS: usize = 5;
/// Space for a body is reserved before it comes, up to this, in bytes: a page of users has a tenth.
const EXPECTED_LIMIT: u64 = 1 << 20;
/// Challenges answered for one request. A second one is due when a nonce ends; behind several nodes it takes as many as
/// chance wants, and a server that never takes any is given up some time.
const MAX_CHALLENGES: usize = 64;
/// Refusals of one request that are not counted as its own, where the rate of all is known to be limited.
const MAX_TOO_FAST: u32 = 10;

/// A document, by its looks JSON.
pub(super) struct Document {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// What came of one GET.
pub(super) struct Reply {
    /// A document, or why there is none.
    pub(super) result: Result<Document, Outcome>,
    /// How often it was sent again.
    pub(super) retries: u32,
}

/// What the digest layer made of a request.
enum Authentication<'a> {
    /// It let it through, or asked for nothing.
    Accepted(Response),
    Refused(Refusal<'a>),
}

/// What came of sending a request once: a document, the API's refusal, or no answer of the API.
pub(super) type Attempt = Result<Result<Document, Outcome>, RequestError>;

impl Client {
    /// GETs `path` (below the base path, segments encoded, with its query), again while that may help.
    ///
    /// # Errors
    /// What makes the whole run pointless: the deployment never answered as the API does.
    pub(super) async fn get(&self, session: Option<&DigestSession>, path: &str) -> Result<Reply, Error> {
        let Some(session) = session.filter(|session| !session.is_refused()) else {
            return Ok(Reply { result: Err(no_credential(session)), retries: 0 });
        };
        let (url, kind) = (self.url(path), PathKind::from_path(path));
        let (mut retries, mut too_fast) = (0, 0);
        loop {
            let (passage, attempt) = self.attempt(session, &url, kind, retries == 0).await;
            if self.is_lost_to_outage(session, &url, passage, &attempt).await? {
                continue;
            }
            let is_too_fast = matches!(unavailability(&attempt), Some(Unavailability::RateLimited(_)))
                && self.rate_limiter.knows_limit();
            if is_too_fast && too_fast < MAX_TOO_FAST {
                too_fast += 1;
                let _waiting = self.waiting.enter();
                self.rate_limiter.back_off(retries + 1).await;
                continue;
            }
            if retries == self.retries || !self.may_succeed_later(&attempt) {
                return Ok(Reply { result: self.conclude(session, &url, attempt).await?, retries });
            }
            retries += 1;
            // It is not in flight while it waits.
            let _waiting = self.waiting.enter();
            self.rate_limiter.back_off(retries).await;
        }
    }

    /// Sends a request once, as one of those in flight.
    async fn attempt(
        &self,
        session: &DigestSession,
        url: &Url,
        kind: PathKind,
        is_first_attempt: bool,
    ) -> (Passage<'_>, Attempt) {
        let permit = self.concurrency.acquire().await;
        let passage = self.admission().await;
        self.has_requested.store(true, Ordering::Relaxed);
        let response = self.follow(session, url).await;
        let answered = response
            .as_ref()
            .ok()
            .map(|response| (response.latency, pause_asked(&response.headers, SystemTime::now())))
            .map(|(latency, pause)| (latency, pause.is_some_and(|pause| !pause.is_zero())));
        let redirected_to = response.as_ref().ok().and_then(|response| response.redirected_to.as_ref());
        let redirected_to = redirected_to.map(|redirected| redirected.url.clone());
        let attempt = response.and_then(|response| self.interpret(response));
        if let Ok(Ok(_)) = &attempt {
            // Where the redirect led: the first URL may redirect a refused credential, too.
            session.record_success(redirected_to.as_ref().unwrap_or(url));
        }
        let latency = answered.map_or(Duration::ZERO, |(latency, _)| latency);
        let load = load(&attempt, kind, latency);
        // What fails again may be one user's failure for ever.
        let load = if is_first_attempt || load != Load::Overloaded { load } else { Load::Unknown };
        if let Some(permit) = permit {
            permit.release(load);
        }
        if let Some((_, asks_for_pause)) = answered {
            let is_refused = refusal(&attempt).is_some_and(is_overload);
            match (asks_for_pause, is_refused) {
                (false, _) => self.rate_limiter.record(&Answer { latency, is_first_attempt, is_refused }),
                (true, true) => self.rate_limiter.record_refusal_with_pause(),
                (true, false) => {}
            }
        }
        (passage, attempt)
    }

    /// Returns when a request may be sent: in its turn, and not while the deployment is down or refuses all.
    async fn admission(&self) -> Passage<'_> {
        loop {
            self.outage.wait_for_end().await;
            self.rate_limiter.wait_while_paused().await;
            // The slot before the nonce, which must not grow old while it waits for a low rate.
            self.rate_limiter.wait_for_slot().await;
            // Those that waited together would be sent together.
            if !self.rate_limiter.pause_left().is_zero() {
                continue;
            }
            if let Some(passage) = self.outage.pass() {
                return passage;
            }
        }
    }

    /// Sends at once, and follows redirects inside the origin, each with a digest and a slot of its own.
    pub(super) async fn follow(&self, session: &DigestSession, url: &Url) -> Result<Response, RequestError> {
        let mut target = Cow::Borrowed(url);
        for _ in 0..=MAX_REDIRECTS {
            let mut response = self.exchange(session, &target).await?;
            if let Cow::Owned(target) = &target {
                let answered = resource_of(target);
                let is_other = answered != resource_of(url);
                let other_resource = is_other.then(|| format!("{}?pageNum={}", answered.0, answered.1));
                response.redirected_to = Some(Redirected { url: target.clone(), other_resource });
            }
            self.rate_limiter.pause_as_asked(&response.headers, SystemTime::now());
            self.record_version_and_clock(&response.headers);
            match self.redirect_target(&target, &response)? {
                None => return Ok(response),
                Some(next) => target = Cow::Owned(next),
            }
            self.rate_limiter.wait_for_slot().await;
        }
        Err(RequestError::Redirect(302, "too many redirects".to_owned()))
    }

    /// Sends, and answers the challenges of the digest layer.
    async fn exchange(&self, session: &DigestSession, url: &Url) -> Result<Response, RequestError> {
        let attempt = session.begin().await?;
        // In a piece of the heap of its own: futures are moved several times, and large pieces take longer to get.
        match Box::pin(self.authenticate(session, url, attempt)).await? {
            Authentication::Accepted(response) => Ok(response),
            Authentication::Refused(refusal) => Box::pin(self.judge(session, url, refusal)).await,
        }
    }

    /// Sends until the digest layer lets it through or refuses it.
    async fn authenticate<'a>(
        &self,
        session: &'a DigestSession,
        url: &Url,
        mut attempt: DigestAttempt<'a>,
    ) -> Result<Authentication<'a>, RequestError> {
        let path = &url[Position::BeforePath..Position::AfterQuery];
        let mut latency = Duration::ZERO;
        for challenges in 0..MAX_CHALLENGES {
            if challenges > 0 {
                self.rate_limiter.take_slot();
            }
            self.rate_limiter.wait_while_paused().await;
            let mut request = reqwest::Request::new(Method::GET, url.clone());
            let authorization = session.authorization(&attempt, path);
            let authenticated = authorization.is_some();
            if let Some(authorization) = authorization {
                request.headers_mut().insert(AUTHORIZATION, authorization);
            }
            if let Some(cookies) = session.cookies(url) {
                request.headers_mut().insert(COOKIE, cookies);
            }
            let sent = Instant::now();
            let response = self.http().execute(request).await;
            let mut response = response.map_err(|error| RequestError::from(&error))?;
            let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
            session.take_cookies(url, &headers);
            let body = read_body(&mut response, &headers).await?;
            latency += sent.elapsed();
            tracing::debug!(%url, status, bytes = body.len(), authenticated, "answered");
            let response = Response { status, headers, body, authenticated, redirected_to: None, latency };
            if status != 401 {
                // What a gateway refuses has not come to the digest layer: that it was not challenged says nothing.
                if authenticated || (200..300).contains(&status) {
                    session.accepted(attempt);
                }
                return Ok(Authentication::Accepted(response));
            }
            if ErrorDocument::read(&response.body).error_code.is_some() {
                // A refusal of what was asked for, by the API itself: the digest layer has let it through.
                if authenticated {
                    session.accepted(attempt);
                }
                return Ok(Authentication::Accepted(response));
            }
            attempt = match session.challenged(attempt, &response.headers)? {
                Challenged::Again(attempt) => attempt,
                Challenged::Refused(refusal) => return Ok(Authentication::Refused(refusal)),
            };
        }
        Err(RequestError::UnsupportedChallenge(format!("{MAX_CHALLENGES} stale Digest challenges in a row")))
    }

    /// A digest was refused: by a lost nonce, for this path alone, or because the credential works no more? One request at a
    /// time finds out, and no new one begins meanwhile: each refused digest brings an account nearer to its lock.
    async fn judge(
        &self,
        session: &DigestSession,
        url: &Url,
        refusal: Refusal<'_>,
    ) -> Result<Response, RequestError> {
        let is_certain = refusal.is_certain;
        let (_trial, mut challenge) = session.begin_trial(refusal).await;
        if session.is_refused() {
            return Err(RequestError::CredentialRefused);
        }
        if !is_certain {
            match self.authenticate(session, url, session.retrial(challenge)).await? {
                Authentication::Accepted(response) => return Ok(response),
                Authentication::Refused(refusal) => challenge = refusal.into_challenge(),
            }
        }
        let orgs = self.url(ONE_ORGANIZATION);
        let Some(probe) = session.worked().into_iter().chain([orgs]).find(|probe| probe != url) else {
            return Err(RequestError::CredentialRefused);
        };
        match self.authenticate(session, &probe, session.retrial(challenge)).await {
            Ok(Authentication::Accepted(response)) if response.authenticated => {
                Err(RequestError::PathRefused)
            }
            Ok(Authentication::Refused(_)) => {
                session.refuse();
                Err(RequestError::CredentialRefused)
            }
            // Unknown.
            Ok(Authentication::Accepted(_)) | Err(_) => Err(RequestError::CredentialRefused),
        }
    }

    /// What any answer says of the deployment: its version and its clock.
    pub(super) fn record_version_and_clock(&self, headers: &HeaderMap) {
        if self.clock_skew.get().is_none()
            && let Some(date) = date(headers)
        {
            self.clock_skew.get_or_init(|| {
                let ahead = date.signed_duration_since(Utc::now()).num_seconds();
                if is_plausible_skew(ahead) {
                    return Some(ahead);
                }
                warn(
                    &format!(
                        "the Date of a response, {}, is more than a year off; ages are calculated with the clock of this \
                         machine",
                        rfc3339(date)
                    ),
                    Some("check the clock of this machine, of the deployment and of any proxy"),
                );
                None
            });
        }
        if self.service_version.get().is_none()
            && let Some(version) = headers.get(&VERSION_HEADER).and_then(|value| value.to_str().ok())
            && let Some(version) = product::version_in_header(version)
        {
            self.service_version.get_or_init(|| version.to_owned());
        }
    }

    /// Where a redirect leads, if it is one; another origin never sees a request of ours.
    pub(super) fn redirect_target(
        &self,
        from: &Url,
        response: &Response,
    ) -> Result<Option<Url>, RequestError> {
        if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let Some(location) = response.headers.get(LOCATION).and_then(|value| value.to_str().ok()) else {
            return Ok(None);
        };
        let refuse = |why| Err(RequestError::Redirect(response.status, why));
        match from.join(location) {
            Ok(to) if to.origin() == self.base.origin() => Ok(Some(to)),
            Ok(to) => {
                let origin = to.origin().ascii_serialization();
                refuse(if to.host() == self.base.host() {
                    format!(
                        "redirect to {origin}, the same host with another scheme or port (not followed): use it in --url"
                    )
                } else {
                    format!("redirect to another host, {origin} (not followed)")
                })
            }
            Err(_) => refuse("redirect to an invalid URL".to_owned()),
        }
    }

    pub(super) fn interpret(&self, response: Response) -> Attempt {
        let result = match classify(&response, self.product) {
            Classification::Document => Ok(()),
            Classification::Refused(outcome) => Err(outcome),
            Classification::UnexpectedResponse(outcome, page) => {
                return Err(RequestError::UnexpectedResponse(outcome, page));
            }
            Classification::Unauthenticated => return Err(RequestError::Unauthenticated),
        };
        if response.authenticated {
            self.has_authenticated.store(true, Ordering::Relaxed);
            let mut versions = self.versions();
            if let Some(version) = response.version().filter(|version| !versions.contains(*version)) {
                versions.insert(version.to_owned());
            }
        }
        self.has_answered.store(true, Ordering::Relaxed);
        Ok(result.map(|()| Document { status: response.status, body: response.body }))
    }

    /// Whether to send it again. Where the deployment never answered, a wrong address is likelier than bad luck.
    fn may_succeed_later(&self, attempt: &Attempt) -> bool {
        match attempt {
            Ok(Err(outcome)) | Err(RequestError::UnexpectedResponse(outcome, _)) => is_transient(outcome),
            Err(
                RequestError::NoConnection(_)
                | RequestError::ProxyLogin
                | RequestError::Untrusted(_)
                | RequestError::Timeout { .. },
            ) => self.has_answered(),
            Err(RequestError::Broken(_)) => true,
            Ok(Ok(_))
            | Err(
                RequestError::TooLong
                | RequestError::Redirect(..)
                | RequestError::CredentialRefused
                | RequestError::PathRefused
                | RequestError::UnsupportedChallenge(_)
                | RequestError::Unauthenticated,
            ) => false,
        }
    }

    /// What the last attempt means: the run's failure if the deployment never answered, this one request's otherwise.
    async fn conclude(
        &self,
        session: &DigestSession,
        url: &Url,
        attempt: Attempt,
    ) -> Result<Result<Document, Outcome>, Error> {
        let error = match attempt {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if self.is_of_the_run(&error) && !self.answers_elsewhere(session, &error).await {
            return Err(error.into_run_error(&self.route(url), &session.credential().public));
        }
        Ok(Err(error.outcome()))
    }

    fn is_of_the_run(&self, error: &RequestError) -> bool {
        match error {
            RequestError::Unauthenticated => !self.has_authenticated.load(Ordering::Relaxed),
            RequestError::PathRefused => false,
            RequestError::CredentialRefused => !self.has_answered() && self.credentials.is_single(),
            _ => !self.has_answered(),
        }
    }

    /// Whether the API answers at all, where a failure may be that of one resource: the first user of a list, or of a run
    /// that is resumed, may be the one who can't be read.
    async fn answers_elsewhere(&self, session: &DigestSession, error: &RequestError) -> bool {
        match error {
            RequestError::UnexpectedResponse(..)
            | RequestError::TooLong
            | RequestError::Redirect(..)
            | RequestError::Broken(_)
            | RequestError::Timeout { .. }
            | RequestError::UnsupportedChallenge(_) => {
                let url = self.url(ONE_ORGANIZATION);
                drop(Box::pin(self.attempt(session, &url, PathKind::Organizations, false)).await);
                self.has_answered()
            }
            RequestError::NoConnection(_)
            | RequestError::ProxyLogin
            | RequestError::Untrusted(_)
            | RequestError::CredentialRefused
            | RequestError::PathRefused
            | RequestError::Unauthenticated => false,
        }
    }
}

/// What a URL asks for: its path, and the page of it.
fn resource_of(url: &Url) -> (String, String) {
    let page = url.query_pairs().find(|(name, _)| name == "pageNum");
    let page = page.map_or_else(|| "1".to_owned(), |(_, number)| number.into_owned());
    (url.path().trim_end_matches('/').to_owned(), page)
}

/// The refusal of an attempt, if it was one.
fn refusal(attempt: &Attempt) -> Option<&Outcome> {
    match attempt {
        Ok(Err(outcome)) | Err(RequestError::UnexpectedResponse(outcome, _)) => Some(outcome),
        Ok(Ok(_)) | Err(_) => None,
    }
}

/// What an attempt says about the deployment's load.
fn load(attempt: &Attempt, kind: PathKind, latency: Duration) -> Load {
    match (attempt, refusal(attempt)) {
        (Err(RequestError::Timeout { .. }), _) => Load::Overloaded,
        (_, Some(outcome)) if is_overload(outcome) => Load::Overloaded,
        (Ok(_), _) if kind == PathKind::Inventory => Load::Unknown,
        (Ok(_), None) => Load::Normal(kind, latency),
        // A user who can't be read is answered like any other.
        (Ok(_), Some(outcome)) if !is_transient(outcome) => Load::Normal(kind, latency),
        (_, _) => Load::Unknown,
    }
}

/// Why no request may pass now, if an attempt looks like that.
pub(super) fn unavailability(attempt: &Attempt) -> Option<Unavailability> {
    match attempt {
        Ok(Err(outcome)) | Err(RequestError::UnexpectedResponse(outcome, _)) => {
            let status = outcome.http_status?;
            let why = format!("HTTP status {status}");
            match status {
                _ if outcome.status == ReadStatus::RateLimited => Some(Unavailability::RateLimited(why)),
                503 => Some(Unavailability::Overloaded(why)),
                502 | 504 => Some(Unavailability::Down(why)),
                _ => None,
            }
        }
        Err(RequestError::NoConnection(why)) => Some(Unavailability::Down(format!("can't connect: {why}"))),
        Err(RequestError::ProxyLogin) => {
            Some(Unavailability::Down("can't connect: the proxy requires a login".to_owned()))
        }
        Err(RequestError::Untrusted(problem)) => {
            Some(Unavailability::Down(format!("can't connect: {}", problem.describe())))
        }
        Err(RequestError::Timeout { .. }) => Some(Unavailability::Down("timed out".to_owned())),
        Err(RequestError::Broken(why)) => Some(Unavailability::Down(why.clone())),
        Ok(Ok(_))
        | Err(
            RequestError::TooLong
            | RequestError::Redirect(..)
            | RequestError::CredentialRefused
            | RequestError::PathRefused
            | RequestError::Unauthenticated
            | RequestError::UnsupportedChallenge(_),
        ) => None,
    }
}

/// Why no request is sent at all.
fn no_credential(session: Option<&DigestSession>) -> Outcome {
    let (status, why) = match session {
        None => (None, "no credentials for this user"),
        Some(_) => (
            Some(401),
            "the credentials were refused, also for a request that worked before, and are no longer used",
        ),
    };
    Outcome::unread(ReadStatus::Forbidden, status, why)
}

/// The server's clock, to the second.
pub(super) fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(date.into())
}

/// Reads no further than the limit, whatever the headers promise, and decodes by the charset that they declare.
pub(super) async fn read_body(
    response: &mut reqwest::Response,
    headers: &HeaderMap,
) -> Result<Vec<u8>, RequestError> {
    let expected = response.content_length().unwrap_or_default().min(EXPECTED_LIMIT);
    let mut body = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
    while let Some(chunk) = response.chunk().await.map_err(|error| RequestError::from(&error))? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(RequestError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Ok(charset::decoded(body, content_type.unwrap_or_default()))
}
