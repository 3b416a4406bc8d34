//! One request done right: within the limits, authenticated, redirected only inside the origin, its body bounded, and sent
//! again while what went wrong may pass.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderMap, LOCATION};
use url::{Position, Url};

use super::Client;
use super::classify::{Classification, Response, classify, is_overload, is_transient};
use super::concurrency::Load;
use super::digest::DigestSession;
use super::error::{BODY_LIMIT, ClientError, RequestError};
use super::rate_limiter::backoff;
use super::saved::version_told;
use super::wire::ErrorDocument;
use crate::model::{Outcome, ReadStatus};

pub(super) const MAX_REDIRECTS: usize = 5;
/// Challenges answered for one request. A second one is due when a nonce ends, more when several servers share a name.
const MAX_CHALLENGES: usize = 4;

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

/// What came of sending a request once.
enum Attempt {
    Document(Document),
    Refused(Outcome),
    /// Nothing that the API sends, and what it means if this is the API nevertheless.
    Unexpected(Outcome),
    Failed(RequestError),
}

impl Client {
    /// GETs `path` (below the base path, segments encoded, with its query), again while that may help.
    ///
    /// # Errors
    /// What makes the whole run pointless: the deployment never answered as the API does.
    pub(super) async fn get(
        &self,
        session: Option<&DigestSession>,
        path: &str,
    ) -> Result<Reply, ClientError> {
        let Some(session) = session.filter(|session| !session.is_given_up()) else {
            return Ok(Reply { result: Err(no_credential(session)), retries: 0 });
        };
        let url = self.url(path);
        let mut retries = 0;
        loop {
            let attempt = self.attempt(session, &url).await;
            if retries == self.retries || !self.may_succeed_later(&attempt) {
                return Ok(Reply { result: self.conclude(session, &url, attempt)?, retries });
            }
            retries += 1;
            // It is not in flight while it waits.
            tokio::time::sleep(backoff(retries)).await;
        }
    }

    /// Sends a request once, as one of those in flight.
    async fn attempt(&self, session: &DigestSession, url: &Url) -> Attempt {
        let permit = self.concurrency.acquire().await;
        let started = Instant::now();
        let attempt = match self.follow(session, url).await {
            Ok(response) => self.interpret(response),
            Err(error) => Attempt::Failed(error),
        };
        if let Some(permit) = permit {
            permit.release(attempt.load(started.elapsed()));
        }
        attempt
    }

    /// Sends, and follows redirects inside the origin, each with a digest of its own.
    pub(super) async fn follow(&self, session: &DigestSession, url: &Url) -> Result<Response, RequestError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange(session, &url).await?;
            self.rate_limiter.pause_as_asked(&response.headers, SystemTime::now());
            self.record_version_and_clock(&response.headers);
            match self.redirect_target(&url, &response)? {
                None => return Ok(response),
                Some(next) => url = next,
            }
        }
        Err(RequestError::Redirect(302, "it redirects without end".to_owned()))
    }

    /// Sends, and answers the challenges of the digest layer.
    async fn exchange(&self, session: &DigestSession, url: &Url) -> Result<Response, RequestError> {
        let path = &url[Position::BeforePath..Position::AfterQuery];
        // The slot before the nonce, which must not grow old while it waits for a low rate.
        self.rate_limiter.wait_for_slot().await;
        let mut attempt = session.begin().await;
        let mut latency = Duration::ZERO;
        for challenges in 0..MAX_CHALLENGES {
            if challenges > 0 {
                self.rate_limiter.take_slot();
            }
            self.rate_limiter.wait_while_paused().await;
            let mut request = self.http.get(url.clone()).header(ACCEPT, "application/json");
            let authorization = session.authorization(&attempt, path);
            let authenticated = authorization.is_some();
            if let Some(authorization) = authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            let sent = Instant::now();
            let mut response = request.send().await.map_err(|error| RequestError::from(&error))?;
            let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
            let body = read_body(response).await?;
            latency += sent.elapsed();
            tracing::debug!(%url, status, bytes = body.len(), authenticated, "answered");
            let response = Response { status, headers, body, authenticated, latency };
            if status != 401 {
                session.accepted(attempt);
                return Ok(response);
            }
            if ErrorDocument::read(&response.body).error_code.is_some() {
                // A refusal of what was asked for, by the API itself: the digest layer has let it through.
                if authenticated {
                    session.accepted(attempt);
                }
                return Ok(response);
            }
            attempt = session.challenged(attempt, &response.headers)?;
        }
        Err(RequestError::UnsupportedChallenge(format!(
            "{MAX_CHALLENGES} challenges in a row were stale before they were answered"
        )))
    }

    /// What any answer says of the deployment: its version and its clock.
    pub(super) fn record_version_and_clock(&self, headers: &HeaderMap) {
        if let Some(date) = date(headers) {
            self.clock_skew.get_or_init(|| date.signed_duration_since(Utc::now()).num_seconds());
        }
        let version = headers.get("x-mongodb-service-version").and_then(|value| value.to_str().ok());
        if let Some(version) = version.and_then(version_told) {
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
                let host = to.origin().ascii_serialization();
                refuse(format!("it redirects to another host, {host}, which is not followed"))
            }
            Err(_) => refuse("it redirects to what is no address".to_owned()),
        }
    }

    fn interpret(&self, response: Response) -> Attempt {
        let attempt = match classify(&response, self.product, self.service_version()) {
            Classification::Document => {
                Attempt::Document(Document { status: response.status, body: response.body })
            }
            Classification::Refused(outcome) => Attempt::Refused(outcome),
            Classification::UnexpectedResponse(outcome) => return Attempt::Unexpected(outcome),
        };
        self.has_answered.store(true, Ordering::Relaxed);
        attempt
    }

    /// Whether to send it again. Where the deployment never answered, a wrong address is likelier than bad luck.
    fn may_succeed_later(&self, attempt: &Attempt) -> bool {
        match attempt {
            Attempt::Refused(outcome) | Attempt::Unexpected(outcome) => is_transient(outcome),
            Attempt::Failed(RequestError::NoConnection(_) | RequestError::Timeout(_)) => self.has_answered(),
            Attempt::Failed(RequestError::Broken(_)) => true,
            Attempt::Document(_)
            | Attempt::Failed(
                RequestError::TooLong
                | RequestError::Redirect(..)
                | RequestError::CredentialRefused
                | RequestError::UnsupportedChallenge(_),
            ) => false,
        }
    }

    /// What the last attempt means: the run's failure if the deployment never answered, this one request's otherwise.
    fn conclude(
        &self,
        session: &DigestSession,
        url: &Url,
        attempt: Attempt,
    ) -> Result<Result<Document, Outcome>, ClientError> {
        let has_answered = self.has_answered();
        match attempt {
            Attempt::Document(document) => Ok(Ok(document)),
            Attempt::Refused(outcome) => Ok(Err(outcome)),
            Attempt::Unexpected(outcome) if has_answered => Ok(Err(outcome)),
            Attempt::Unexpected(outcome) => {
                Err(ClientError::NotTheApi { url: url.to_string(), why: outcome.detail.unwrap_or_default() })
            }
            Attempt::Failed(RequestError::CredentialRefused) if !self.credentials.is_single() => {
                Ok(Err(RequestError::CredentialRefused.outcome()))
            }
            Attempt::Failed(error) if has_answered => Ok(Err(error.outcome())),
            Attempt::Failed(error) => Err(self.client_error(session, url, error)),
        }
    }

    fn client_error(&self, session: &DigestSession, url: &Url, error: RequestError) -> ClientError {
        let origin = self.base.origin().ascii_serialization();
        match error {
            RequestError::NoConnection(why) | RequestError::Timeout(why) | RequestError::Broken(why) => {
                ClientError::NoConnection { origin, why }
            }
            RequestError::TooLong | RequestError::Redirect(..) => {
                ClientError::NotTheApi { url: url.to_string(), why: error.describe() }
            }
            RequestError::CredentialRefused => {
                ClientError::RefusedCredentials { origin, public: session.credential().public.clone() }
            }
            RequestError::UnsupportedChallenge(why) => ClientError::Challenge { origin, why },
        }
    }
}

impl Attempt {
    /// What it says about the deployment's load.
    fn load(&self, latency: Duration) -> Load {
        match self {
            Self::Document(_) => Load::Normal(latency),
            Self::Refused(outcome) | Self::Unexpected(outcome) if is_overload(outcome) => Load::Overloaded,
            Self::Failed(RequestError::Timeout(_)) => Load::Overloaded,
            Self::Refused(_) | Self::Unexpected(_) | Self::Failed(_) => Load::Unknown,
        }
    }
}

/// Why no request is sent at all.
fn no_credential(session: Option<&DigestSession>) -> Outcome {
    let (status, why) = match session {
        None => (None, "there is no credential to ask with"),
        Some(_) => (Some(401), "the credential was refused several times in a row, and is no longer tried"),
    };
    Outcome::unread(ReadStatus::Forbidden, status, why)
}

/// The server's clock, to the second.
pub(super) fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(date.into())
}

/// Reads no further than the limit, whatever the headers promise.
pub(super) async fn read_body(mut response: reqwest::Response) -> Result<Vec<u8>, RequestError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| RequestError::from(&error))? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(RequestError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
