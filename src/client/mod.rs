//! The client of one deployment's API: GET requests alone, authenticated by HTTP Digest, within the limits of rate and
//! concurrency, answered in the types of [`crate::model`].

mod authorization;
mod certificate;
mod challenge;
pub(crate) mod charset;
mod classify;
mod concurrency;
mod cookies;
mod counted_limit;
mod credential_store;
mod digest;
mod distinct;
mod error;
mod fan_out;
mod fields;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod learned_rate;
mod list;
mod nonces;
mod outage;
mod probe;
pub(crate) mod product;
mod rate_limiter;
mod request;
mod resources;
mod route;
mod saved;
mod tls;
mod trust;
mod unexpected_page;
mod wire;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HOST, HeaderMap, HeaderValue};
use rustls::ClientConfig;
use url::{Host, Position, Url};
use zeroize::Zeroizing;

pub(crate) use certificate::Certificate;
pub(crate) use credential_store::{Credential, Credentials};
pub(crate) use error::{WRONG_BASE_HELP, is_access_list, is_wrong_base};
pub(crate) use list::{PAGE, UserKeys};
pub(crate) use probe::{FirstResponse, ServerAuth, Unreachable};
pub(crate) use resources::{UserPage, UserSample, UsersOf};
pub(crate) use saved::{SavedPage, parse_saved};
pub(crate) use trust::TrustProblem;
pub(crate) use wire::{is_relation, page_number};

use self::concurrency::ConcurrencyLimit;
use self::credential_store::CredentialStore;
use self::error::innermost_cause;
use self::fan_out::WaitingRequests;
use self::outage::Outage;
use self::rate_limiter::RateLimiter;
use crate::exit::Error;
use crate::model::{Product, User};

/// Where to connect, with which credentials, and within which limits.
pub(crate) struct Connection {
    /// A host's root or a whole base path.
    pub url: Url,
    /// Which product answers there.
    pub product: Product,
    /// Those that the digests are made with.
    pub credentials: Credentials,
    /// A ceiling in requests in flight.
    pub concurrency: NonZeroUsize,
    /// A ceiling in requests a second.
    pub rate: Option<f64>,
    /// For one request, from its start to its last byte.
    pub timeout: Duration,
    /// How often a request that failed is sent again.
    pub retries: u32,
    /// How long a deployment that answered before may be down; zero where no request waits for it.
    pub patience: Duration,
    /// Certificates (PEM) of a private authority, trusted besides the system's.
    pub ca_cert: Option<Vec<u8>>,
    /// The client's own certificate and its private key (PEM), for a gateway that asks for them.
    pub client_cert: Option<Zeroizing<Vec<u8>>>,
    /// Whether any certificate is accepted.
    pub insecure_skip_verify: bool,
}

/// The client of one deployment.
pub(crate) struct Client {
    http: reqwest::Client,
    /// The same without any reuse of connections, for when one gave an answer that was not for what was asked, and for a look
    /// at the certificate.
    single_use_http: reqwest::Client,
    trusts_connections: AtomicBool,
    base: Url,
    product: Product,
    credentials: CredentialStore,
    concurrency: ConcurrencyLimit,
    rate_limiter: RateLimiter,
    timeout: Duration,
    retries: u32,
    outage: Outage,
    waiting: WaitingRequests,
    /// By the first answer that has one.
    service_version: OnceLock<String>,
    /// Of all answers to authenticated requests.
    answering_versions: Mutex<BTreeSet<String>>,
    /// By the first answer that has a date; `None` for one that can't be the deployment's clock.
    clock_skew: OnceLock<Option<i64>>,
    /// Whether any request was sent.
    has_requested: AtomicBool,
    /// Whether the deployment has answered as the API does. Before that a failure is the run's, afterwards a user's.
    has_answered: AtomicBool,
    /// Whether it ever asked for a digest, and accepted one.
    has_authenticated: AtomicBool,
}

impl Client {
    /// Sets up, without a request.
    ///
    /// # Errors
    /// A certificate file without a certificate, or other TLS settings that can't be used.
    pub(crate) fn new(connection: Connection) -> Result<Self, Error> {
        let tls = verifying_tls(&connection)?;
        Ok(Self {
            http: http_client(&connection, tls.clone(), false)?,
            single_use_http: http_client(&connection, tls, true)?,
            trusts_connections: AtomicBool::new(true),
            base: product::base(&connection.url, connection.product),
            product: connection.product,
            credentials: CredentialStore::new(connection.credentials),
            concurrency: ConcurrencyLimit::new(connection.concurrency),
            rate_limiter: RateLimiter::new(connection.rate),
            timeout: connection.timeout,
            retries: connection.retries,
            outage: Outage::new(connection.patience),
            waiting: WaitingRequests::default(),
            service_version: OnceLock::new(),
            answering_versions: Mutex::default(),
            clock_skew: OnceLock::new(),
            has_requested: AtomicBool::new(false),
            has_answered: AtomicBool::new(false),
            has_authenticated: AtomicBool::new(false),
        })
    }

    /// The whole base path.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Which product it takes the deployment for.
    pub(crate) fn product(&self) -> Product {
        self.product
    }

    /// The version in the header of the deployment's answers, such as `4.4.12`; several, sorted, with `, ` between them,
    /// where authenticated requests were answered by several. `None` before the first answer or where they have none.
    pub(crate) fn service_version(&self) -> Option<String> {
        product::joined_versions(&self.versions()).or_else(|| self.service_version.get().cloned())
    }

    fn versions(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.answering_versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In seconds, how far the deployment's clock is ahead of this machine's, by its first answer that has a date. `None`
    /// before, and where that can't be a clock.
    pub(crate) fn clock_skew(&self) -> Option<i64> {
        self.clock_skew.get().copied().flatten()
    }

    /// Whether any request was sent.
    pub(crate) fn has_requested(&self) -> bool {
        self.has_requested.load(Ordering::Relaxed)
    }

    /// Whether the deployment has answered as the API does, and accepted a credential.
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }

    /// Whether there is a credential for what is not a user's own.
    pub(crate) fn has_default_credential(&self) -> bool {
        self.credentials.default().is_some()
    }

    /// Whether a user has a credential that is not the default.
    pub(crate) fn has_own_credential(&self, user: &User) -> bool {
        self.credentials.has_own(user)
    }

    /// Whether any user has a credential that is not the default.
    pub(crate) fn has_own_credentials(&self) -> bool {
        self.credentials.has_any_own()
    }

    /// How long all requests are held yet, as the deployment asks.
    pub(crate) fn pause_left(&self) -> Duration {
        self.rate_limiter.pause_left()
    }

    /// Prints the limit of the request rate that was found, if there is one.
    pub(crate) fn print_rate_limit(&self) {
        self.rate_limiter.print_limit();
    }

    /// The connections to use.
    fn http(&self) -> &reqwest::Client {
        if self.trusts_connections.load(Ordering::Relaxed) { &self.http } else { &self.single_use_http }
    }

    /// From now on each request has a connection of its own: one that was reused gave an answer that was not for what was
    /// asked.
    fn distrust_connections(&self) {
        self.trusts_connections.store(false, Ordering::Relaxed);
    }

    /// The address of `path` (below the base path, segments encoded, with its query).
    fn url(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.base.clone();
        url.set_path(&[self.base.path(), "/", path].concat());
        url.set_query(query);
        url
    }
}

/// Which certificates are trusted, and which one is shown; `None` where servers are not verified. The system's take milliseconds
/// to read.
fn verifying_tls(connection: &Connection) -> Result<Option<ClientConfig>, Error> {
    let extra = connection.ca_cert.as_deref().map(tls::certificates).transpose();
    let extra = extra.map_err(error::setup)?.unwrap_or_default();
    if connection.url.scheme() == "http" || connection.insecure_skip_verify {
        return Ok(None);
    }
    let identity = connection.client_cert.as_deref().map(|pem| tls::Identity::from_pem(pem)).transpose();
    tls::config(extra, identity.map_err(error::client_certificate)?).map(Some)
}

/// With `is_single_use` each request has a connection of its own, and its response the certificate of the server.
/// `tls` is as of [`verifying_tls`].
fn http_client(
    connection: &Connection,
    tls: Option<ClientConfig>,
    is_single_use: bool,
) -> Result<reqwest::Client, Error> {
    let setup = |why: reqwest::Error| error::setup(innermost_cause(&why));
    let mut http = reqwest::Client::builder()
        .user_agent(concat!("keysunset/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers(&connection.url))
        .redirect(reqwest::redirect::Policy::none())
        // A copy of the certificate for each response.
        .tls_info(is_single_use && connection.url.scheme() == "https")
        // A retry of reqwest's own would not be counted.
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(if is_single_use { 0 } else { usize::MAX })
        .timeout(connection.timeout)
        // Earlier than that of the whole request, so that it is known which of the two took too long.
        .connect_timeout(connection.timeout.mul_f64(0.9));
    if let Some(tls) = tls {
        http = http.tls_backend_preconfigured(tls);
    } else if connection.url.scheme() == "http" {
        // Nothing to verify, and a machine without certificates can do without them.
        http = http.tls_certs_only([]);
    } else {
        http = http.tls_danger_accept_invalid_certs(true);
        if let Some(pem) = connection.client_cert.as_deref() {
            http = http.identity(reqwest::Identity::from_pem(pem).map_err(setup)?);
        }
    }
    if is_loopback(&connection.url) {
        http = http.no_proxy();
    }
    http.build().map_err(setup)
}

/// Of each request, besides those that belong to it. Without a word on encodings, a server may choose any. `Host` would be made for each; all are for one origin.
fn headers(url: &Url) -> HeaderMap {
    let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]).ok();
    let host = host.map(|host| (HOST, host));
    let fixed = [(ACCEPT, "application/json"), (ACCEPT_ENCODING, "identity")];
    fixed.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().chain(host).collect()
}

/// Whether a URL is of this machine, to which no proxy is on the way.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}
