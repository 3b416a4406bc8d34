//! One request done right: rate-limited, authenticated, redirected only at home, bounded, and asked again while what went wrong
//! may pass.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderMap, LOCATION};
use url::{Host, Position, Url};
use zeroize::Zeroizing;

use super::answer::{self, Classification, Received};
use super::auth::{NextStep, Session};
use super::concurrency::{ConcurrencyLimit, Load};
use super::failure::{BODY_LIMIT, ClientError, RequestError, cause};
use super::keyring::{CredentialStore, Credentials};
use super::product;
use super::rate_limiter::{RateLimiter, backoff};
use super::saved::version_told;
use super::tls;
use super::wire::ErrorDocument;
use crate::model::{Outcome, Product, ReadStatus};

pub(super) const REDIRECTS: usize = 5;
/// Challenges answered for one request. A second one is due when a nonce ends, more when several servers share a name.
const CHALLENGES: usize = 4;

/// Where to connect, as whom, and how hard.
pub struct Connection {
    /// A host's root or a whole base path.
    pub url: Url,
    /// Which product answers there.
    pub product: Product,
    /// Whom the digest is made for.
    pub credentials: Credentials,
    /// A ceiling in requests in flight.
    pub concurrency: NonZeroUsize,
    /// A ceiling in requests a second.
    pub rate: Option<f64>,
    /// For one request, from its start to its last byte.
    pub timeout: Duration,
    /// How often a request that failed is sent again.
    pub retries: u32,
    /// Certificates (PEM) of a private authority, trusted besides the system's.
    pub ca_cert: Option<Vec<u8>>,
    /// The client's own certificate and its private key (PEM), for a gateway that asks for them.
    pub client_cert: Option<Zeroizing<Vec<u8>>>,
    /// Whether to take whatever certificate is shown.
    pub insecure_skip_verify: bool,
}

/// What came of one GET.
pub(super) enum Answer {
    /// A document, by its looks JSON.
    Document { status: u16, body: Vec<u8> },
    /// No document, and what that means.
    Refusal(Outcome),
}

/// What an attempt came to.
enum Tried {
    Answer(Answer),
    /// Nothing that the API sends, and what it means if this is the API nevertheless.
    UnexpectedResponse(Outcome),
    Failed(RequestError),
}

/// The client of one deployment.
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) base: Url,
    pub(super) product: Product,
    keyring: CredentialStore,
    concurrency: ConcurrencyLimit,
    pub(super) rate_limiter: RateLimiter,
    retries: u32,
    service_version: OnceLock<String>,
    clock_skew: OnceLock<i64>,
    /// Whether the deployment has answered as the API does. Before that a failure is the run's, afterwards a user's.
    proven: AtomicBool,
}

impl Client {
    /// Sets up, without a request.
    ///
    /// # Errors
    /// A certificate file that holds none.
    pub fn new(connection: Connection) -> Result<Self, ClientError> {
        let setup = |error: reqwest::Error| ClientError::Setup(cause(&error));
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("keysunset/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .tls_info(true)
            // A retry of reqwest's own would be one that nobody counts.
            .retry(reqwest::retry::never())
            .timeout(connection.timeout);
        let extra = connection.ca_cert.as_deref().map(tls::certificates).transpose();
        let extra = extra.map_err(ClientError::Setup)?.unwrap_or_default();
        let identity = connection.client_cert.as_deref();
        if connection.url.scheme() == "http" {
            // Nothing to verify, and a machine without certificates can do without them.
            http = http.tls_certs_only([]);
        } else if connection.insecure_skip_verify {
            http = http.tls_danger_accept_invalid_certs(true);
            if let Some(pem) = identity {
                http = http.identity(reqwest::Identity::from_pem(pem).map_err(setup)?);
            }
        } else if !extra.is_empty() || identity.is_some() {
            let identity = identity.map(|pem| tls::Identity::from_pem(pem)).transpose();
            let identity = identity.map_err(ClientError::ClientCertificate)?;
            http = http.tls_backend_preconfigured(tls::config(extra, identity)?);
        }
        if is_loopback(&connection.url) {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build().map_err(setup)?,
            base: product::base(&connection.url, connection.product),
            product: connection.product,
            keyring: CredentialStore::new(connection.credentials),
            concurrency: ConcurrencyLimit::new(connection.concurrency),
            rate_limiter: RateLimiter::new(connection.rate),
            retries: connection.retries,
            service_version: OnceLock::new(),
            clock_skew: OnceLock::new(),
            proven: AtomicBool::new(false),
        })
    }

    /// The version the deployment tells in its header, such as `4.4.12`; `None` before the first answer or where it is
    /// silent.
    pub fn service_version(&self) -> Option<&str> {
        self.service_version.get().map(String::as_str)
    }

    /// In seconds, how far the deployment's clock is ahead of this machine's, by its first answer that has a date.
    pub fn clock_skew(&self) -> Option<i64> {
        self.clock_skew.get().copied()
    }

    /// Who reads whom.
    pub(super) fn keyring(&self) -> &CredentialStore {
        &self.keyring
    }

    /// GETs `path` (below the base path, segments encoded, with its query), again while that may help. Also tells how
    /// often it was asked again.
    pub(super) async fn get(
        &self,
        session: Option<&Session>,
        path: &str,
    ) -> Result<(Answer, u32), ClientError> {
        let Some(session) = session.filter(|session| !session.is_given_up()) else {
            return Ok((Answer::Refusal(nobody_asks(session)), 0));
        };
        let url = self.below_base(path);
        let mut retries = 0;
        loop {
            let permit = self.concurrency.acquire().await;
            let started = Instant::now();
            let tried = match self.follow(session, &url).await {
                Ok(received) => self.told(received),
                Err(failure) => Tried::Failed(failure),
            };
            if let Some(permit) = permit {
                permit.release(tried.load(started.elapsed()));
            }
            if retries == self.retries || !self.may_pass(&tried) {
                return Ok((self.settled(session, &url, tried)?, retries));
            }
            retries += 1;
            tokio::time::sleep(backoff(retries)).await;
        }
    }

    pub(super) fn below_base(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path()));
        url.set_query(query);
        url
    }

    fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// Whether the deployment has answered as the API does, and accepted a credential.
    pub fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// Asks, and follows redirects inside the origin, each with a digest of its own.
    pub(super) async fn follow(&self, session: &Session, url: &Url) -> Result<Received, RequestError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            let received = self.exchange(session, &url).await?;
            self.rate_limiter.pause_as_asked(&received.headers, SystemTime::now());
            self.note(&received.headers);
            match self.redirected(&url, &received)? {
                None => return Ok(received),
                Some(next) => url = next,
            }
        }
        Err(RequestError::Redirect(302, "it redirects without end".to_owned()))
    }

    /// Sends, and answers what the digest layer asks.
    async fn exchange(&self, session: &Session, url: &Url) -> Result<Received, RequestError> {
        let path = &url[Position::BeforePath..Position::AfterQuery];
        // The slot before the nonce, which must not grow old while it waits for a low rate.
        self.rate_limiter.wait_for_slot().await;
        let mut pass = session.enter().await;
        let mut took = Duration::ZERO;
        for challenges in 0..CHALLENGES {
            if challenges > 0 {
                self.rate_limiter.take_slot();
            }
            self.rate_limiter.wait_while_paused().await;
            let mut request = self.http.get(url.clone()).header(ACCEPT, "application/json");
            let authorization = session.authorization(&pass, path);
            let authenticated = authorization.is_some();
            if let Some(authorization) = authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            let sent = Instant::now();
            let mut response = request.send().await.map_err(|error| RequestError::from(&error))?;
            let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
            let body = whole_body(response).await?;
            took += sent.elapsed();
            tracing::debug!(%url, status, bytes = body.len(), authenticated, "answered");
            let received = Received { status, headers, body, authenticated, took };
            if status != 401 {
                session.passed(pass);
                return Ok(received);
            }
            if ErrorDocument::read(&received.body).error_code.is_some() {
                // A refusal of what was asked for, by the API itself: the digest layer has let it through.
                if authenticated {
                    session.passed(pass);
                }
                return Ok(received);
            }
            pass = match session.refused(pass, &received.headers) {
                NextStep::Again(pass) => pass,
                NextStep::Refused => return Err(RequestError::Refused),
                NextStep::Unanswerable(why) => return Err(RequestError::Unanswerable(why)),
            };
        }
        Err(RequestError::Unanswerable(format!(
            "{CHALLENGES} challenges in a row were stale before they were answered"
        )))
    }

    /// What any answer tells of the deployment: its version and its clock.
    pub(super) fn note(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        if let Some(date) = date {
            self.clock_skew
                .get_or_init(|| DateTime::<Utc>::from(date).signed_duration_since(Utc::now()).num_seconds());
        }
        let told = headers.get("x-mongodb-service-version").and_then(|value| value.to_str().ok());
        if let Some(version) = told.and_then(version_told) {
            self.service_version.get_or_init(|| version.to_owned());
        }
    }

    /// Where a redirect leads, if it is one; another origin never sees a request of ours.
    pub(super) fn redirected(&self, from: &Url, received: &Received) -> Result<Option<Url>, RequestError> {
        if !matches!(received.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let Some(location) = received.headers.get(LOCATION).and_then(|value| value.to_str().ok()) else {
            return Ok(None);
        };
        let refused = |why| Err(RequestError::Redirect(received.status, why));
        match from.join(location) {
            Ok(to) if to.origin() == self.base.origin() => Ok(Some(to)),
            Ok(to) => {
                let host = to.origin().ascii_serialization();
                refused(format!("it redirects to another host, {host}, which is not followed"))
            }
            Err(_) => refused("it redirects to what is no address".to_owned()),
        }
    }

    fn told(&self, received: Received) -> Tried {
        match answer::meaning(&received, self.product, self.service_version()) {
            Classification::Document => {
                self.proven.store(true, Ordering::Relaxed);
                Tried::Answer(Answer::Document { status: received.status, body: received.body })
            }
            Classification::Refused(outcome) => {
                self.proven.store(true, Ordering::Relaxed);
                Tried::Answer(Answer::Refusal(outcome))
            }
            Classification::UnexpectedResponse(outcome) => Tried::UnexpectedResponse(outcome),
        }
    }

    /// Whether to ask again. Where nobody was ever reached, a wrong address is likelier than bad luck.
    fn may_pass(&self, tried: &Tried) -> bool {
        match tried {
            Tried::Answer(Answer::Refusal(outcome)) | Tried::UnexpectedResponse(outcome) => {
                answer::may_pass(outcome)
            }
            Tried::Failed(RequestError::NoConnection(_) | RequestError::Timeout(_)) => self.is_proven(),
            Tried::Failed(RequestError::Broken(_)) => true,
            Tried::Answer(Answer::Document { .. })
            | Tried::Failed(
                RequestError::TooLong
                | RequestError::Redirect(..)
                | RequestError::Refused
                | RequestError::Unanswerable(_),
            ) => false,
        }
    }

    /// What it comes to in the end: the run's failure if the deployment never answered, this one request's otherwise.
    fn settled(&self, session: &Session, url: &Url, tried: Tried) -> Result<Answer, ClientError> {
        let proven = self.is_proven();
        let outcome = match tried {
            Tried::Answer(answer) => return Ok(answer),
            Tried::UnexpectedResponse(outcome) => outcome,
            Tried::Failed(RequestError::Refused) if !self.keyring.is_one() => {
                return Ok(Answer::Refusal(RequestError::Refused.outcome()));
            }
            Tried::Failed(failure) if proven => failure.outcome(),
            Tried::Failed(failure) => return Err(self.unusable(session, url, failure)),
        };
        if proven {
            return Ok(Answer::Refusal(outcome));
        }
        Err(ClientError::NotTheApi { url: url.to_string(), why: outcome.detail.unwrap_or_default() })
    }

    fn unusable(&self, session: &Session, url: &Url, failure: RequestError) -> ClientError {
        let origin = self.origin();
        match failure {
            RequestError::NoConnection(why) | RequestError::Timeout(why) | RequestError::Broken(why) => {
                ClientError::NoConnection { origin, why }
            }
            RequestError::TooLong | RequestError::Redirect(..) => ClientError::NotTheApi {
                url: url.to_string(),
                why: failure.outcome().detail.unwrap_or_default(),
            },
            RequestError::Refused => {
                ClientError::RefusedCredentials { origin, public: session.credential().public.clone() }
            }
            RequestError::Unanswerable(why) => ClientError::Challenge { origin, why },
        }
    }
}

impl Tried {
    /// What it says about the deployment's load.
    fn load(&self, latency: Duration) -> Load {
        match self {
            Self::Answer(Answer::Document { .. }) => Load::Normal(latency),
            Self::Answer(Answer::Refusal(outcome)) | Self::UnexpectedResponse(outcome)
                if answer::is_overload(outcome) =>
            {
                Load::Overloaded
            }
            Self::Failed(RequestError::Timeout(_)) => Load::Overloaded,
            Self::Answer(Answer::Refusal(_)) | Self::UnexpectedResponse(_) | Self::Failed(_) => Load::Unknown,
        }
    }
}

/// Whether it stays on this machine, where no proxy has a part in it.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Why nobody is asked at all.
fn nobody_asks(session: Option<&Session>) -> Outcome {
    let (status, why) = match session {
        None => (None, "there is no credential to ask with"),
        Some(_) => (Some(401), "the credential was refused several times in a row, and is no longer tried"),
    };
    Outcome::unread(ReadStatus::Forbidden, status, why)
}

/// Reads no further than the limit, whatever the headers promise.
pub(super) async fn whole_body(mut response: reqwest::Response) -> Result<Vec<u8>, RequestError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| RequestError::from(&error))? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(RequestError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
