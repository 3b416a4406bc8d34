//! What can go wrong with a request: what ends the run, and what is one request's own.

use std::error::Error as _;
use std::fmt::Display;
use std::io;

use rustls::AlertDescription;
use url::Url;

use super::route::{Route, proxy_login_help};
use super::trust::TrustProblem;
use super::unexpected_page::{PageReason, UnexpectedPage};
use super::wire::bounded;
use crate::console::duration;
use crate::exit::{Error, reason};
use crate::model::{Outcome, ReadStatus};

/// A page of 500 keys is some 150 KB; what is longer than this is no page.
pub(crate) const BODY_LIMIT: usize = 16 << 20;

/// The certificates or other TLS settings can't be used.
pub(super) fn setup(why: impl Display) -> Error {
    Error::input(format!("can't set up the connection: {why}"))
        .help("--ca-cert needs a file with PEM certificates")
}

/// The client's own certificate can't be used.
pub(super) fn client_certificate(why: impl Display) -> Error {
    Error::input(format!("invalid client certificate: {why}"))
        .help("--client-cert needs one PEM file with the certificate and its private key, without a password")
}

/// Why there is no answer of the API.
pub(super) enum RequestError {
    /// There is no connection.
    NoConnection(String),
    /// There is none, since the proxy on the way wants a user and a password.
    ProxyLogin,
    /// There is none, since the server's certificate is not accepted.
    Untrusted(TrustProblem),
    /// It took too long: to connect, or on a connection to answer.
    Timeout { is_connected: bool },
    /// What came broke off, or is no HTTP.
    Broken(String),
    /// Longer than any page.
    TooLong,
    /// To another host, or without end.
    Redirect(u16, String),
    /// The digest layer refuses the credential.
    CredentialRefused,
    /// It refuses the credential for this path alone.
    PathRefused,
    /// The digest layer asks for an authentication that this client can't do.
    UnsupportedChallenge(String),
    /// Nothing that the API sends, and what it means if this is the API nevertheless.
    UnexpectedResponse(Outcome, UnexpectedPage),
    /// A document for a request that carried no credentials.
    Unauthenticated,
}

impl RequestError {
    /// What it means for the user or list that was asked for.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::NoConnection(why) => {
                Outcome::unread(ReadStatus::Error, None, format!("can't connect: {why}"))
            }
            Self::ProxyLogin => {
                Outcome::unread(ReadStatus::Error, None, "can't connect: the proxy requires a login")
            }
            Self::Untrusted(problem) => {
                let why = format!("can't connect: {}", problem.describe());
                Outcome::unread(ReadStatus::Error, None, why)
            }
            Self::Timeout { .. } => Outcome::unread(ReadStatus::Error, None, "timed out"),
            Self::Broken(why) => Outcome::unread(ReadStatus::Error, None, why),
            Self::TooLong => {
                let why = format!("the response is larger than {} MiB", BODY_LIMIT >> 20);
                Outcome::unread(ReadStatus::Malformed, None, why)
            }
            Self::Redirect(status, why) => Outcome::unread(ReadStatus::Error, Some(status), bounded(why)),
            Self::CredentialRefused => {
                let why = "the credentials were refused";
                Outcome::unread(ReadStatus::Forbidden, Some(401), why)
            }
            Self::PathRefused => {
                let why = "the credentials were refused for this request, but work for others";
                Outcome::unread(ReadStatus::Forbidden, Some(401), why)
            }
            Self::UnsupportedChallenge(why) => Outcome::unread(ReadStatus::Error, Some(401), bounded(why)),
            Self::UnexpectedResponse(outcome, _) => outcome,
            Self::Unauthenticated => {
                let why = "the service responded without authentication (no Digest challenge)";
                Outcome::unread(ReadStatus::Error, Some(200), why)
            }
        }
    }

    /// What ends the run, of a deployment that never answered as the API does: what came of `route`, asked for with the
    /// credential whose public part is `public`.
    pub(super) fn into_run_error(self, route: &Route<'_>, public: &str) -> Error {
        let url = route.url;
        let origin = url.origin().ascii_serialization();
        let help = self.connection_help(url);
        let unreachable = |what: String| Error::input(what).help(help).see_doctor();
        let no_connection =
            |why: &str| unreachable(format!("no connection to {origin}{}: {why}", route.by_proxy()));
        match self {
            Self::NoConnection(why) => no_connection(&why),
            Self::Timeout { is_connected: false } => no_connection("timed out"),
            Self::Untrusted(problem) => no_connection(problem.describe()),
            Self::ProxyLogin => unreachable(route.proxy_login()),
            Self::Timeout { is_connected: true } => {
                let within = duration(route.timeout);
                unreachable(format!("{origin}{} did not answer within {within}", route.by_proxy()))
            }
            Self::Broken(why) => unreachable(format!("no answer from {origin}{}: {why}", route.by_proxy())),
            Self::CredentialRefused => Error::input(format!("the deployment refused the credentials (401 from {origin})"))
                .details([format!("tried: {public}")])
                .help(
                    "check both parts of the key, and add this machine's IP address to the access list of the key",
                )
                .see_doctor(),
            Self::UnsupportedChallenge(why) => Error::input(format!("can't authenticate with {origin}: {why}"))
                .help("keysunset supports HTTP Digest only; check that --url is the API and not a proxy"),
            Self::Unauthenticated => Error::input(format!(
                "no authentication at {url}: the server responded without a Digest challenge"
            ))
            .help("check --url, and any cache or proxy before the API: the API requires HTTP Digest"),
            Self::TooLong | Self::Redirect(..) | Self::PathRefused | Self::UnexpectedResponse(..) => {
                let (what, help) = self.describe_instead_of_api(route);
                Error::input(what).help(help)
            }
        }
    }

    /// What to do where nothing answered at `url`.
    pub(super) fn connection_help(&self, url: &Url) -> &'static str {
        match self {
            Self::Timeout { is_connected: true } => {
                "raise --timeout, or try again later; if it never answers, check --url and any proxy"
            }
            Self::Untrusted(problem) => problem.advice(),
            Self::ProxyLogin => proxy_login_help(url),
            Self::NoConnection(why) | Self::Broken(why) if why.contains(CLIENT_CERTIFICATE) => {
                CLIENT_CERTIFICATE_HELP
            }
            _ if url.scheme() == "https" => "check --url, the network and any proxy (HTTPS_PROXY, NO_PROXY)",
            _ => "check --url (https, not http?), the network and any proxy (HTTP_PROXY, NO_PROXY)",
        }
    }

    /// What answered instead of the API, which never answered, and what to do about it.
    pub(super) fn describe_instead_of_api(self, route: &Route<'_>) -> (String, &'static str) {
        let url = route.url;
        let (title, reason) = match &self {
            Self::UnexpectedResponse(_, page) => (page.title.clone(), page.reason),
            _ => (None, None),
        };
        let outcome = self.outcome();
        let why = outcome.detail.unwrap_or_default();
        let why = title.map_or_else(|| why.clone(), |title| format!("{why}: \"{title}\""));
        let origin = url.origin().ascii_serialization();
        match outcome.http_status {
            // A balancer says so while the deployment restarts.
            Some(502..=504) => (
                format!("the deployment at {origin} is not available: {why}"),
                "it may be restarting or in maintenance: try again later; if that lasts, check --url and any proxy or \
                 load balancer",
            ),
            Some(407) => (format!("{}: {why}", route.proxy_login()), proxy_login_help(url)),
            _ => (
                format!("the server at {url} is not the API: {why}"),
                reason.map_or(WRONG_BASE_HELP, PageReason::help),
            ),
        }
    }

    /// What happened, in a sentence.
    pub(super) fn describe(self) -> String {
        self.outcome().detail.unwrap_or_default()
    }
}

impl From<&reqwest::Error> for RequestError {
    fn from(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout { is_connected: !error.is_connect() }
        } else if let Some(problem) = trust_problem(error) {
            Self::Untrusted(problem)
        } else if error.is_connect() {
            // The type of this cause is not public.
            match innermost_cause(error) {
                why if why == "tunnel error: proxy authorization required" => Self::ProxyLogin,
                why if why == "tunnel error: unsuccessful" => {
                    Self::NoConnection("the proxy does not connect to it".to_owned())
                }
                why => Self::NoConnection(why),
            }
        } else {
            Self::Broken(format!("the connection was interrupted: {}", innermost_cause(error)))
        }
    }
}

/// Whether a refusal is about the address of this machine, by its `errorCode`.
pub(crate) fn is_access_list(error_code: &str) -> bool {
    error_code.contains("WHITELIST") || error_code.contains("ACCESS_LIST")
}

/// What to do where the API is not at `--url`.
pub(crate) const WRONG_BASE_HELP: &str =
    "set --url to the root of the host or to the base path, such as https://om.example:8080/api/public/v1.0";

/// Whether `--url` is not the base path of the API, by what the list of organizations was answered with: every deployment
/// has one, so that a 404 of the API itself is about the path.
pub(crate) fn is_wrong_base(organizations: &Outcome) -> bool {
    organizations.http_status == Some(404) && organizations.error_code.is_some()
}

/// The innermost cause says what happened; the outer ones only where.
pub(super) fn innermost_cause(error: &reqwest::Error) -> String {
    let text = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().map_or_else(|| cause.to_string(), reason)
    };
    let tls = causes(error).find_map(|cause| cause.downcast_ref().and_then(tls_problem));
    if let Some(problem) = tls {
        return problem.to_owned();
    }
    causes(error).last().map_or_else(|| error.to_string(), text)
}

/// Why TLS ended where there was no client certificate, or one that is not accepted.
const CLIENT_CERTIFICATE: &str = "the server requires a client certificate that it accepts";
/// What to do about that.
pub(super) const CLIENT_CERTIFICATE_HELP: &str =
    "give a client certificate that the server accepts with --client-cert FILE";

/// The frequent errors of TLS, which rustls reports with names of its own types.
fn tls_problem(error: &rustls::Error) -> Option<&'static str> {
    match error {
        rustls::Error::InvalidMessage(_) => {
            Some("the response is not TLS; the server may need http:// or another port")
        }
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA,
        ) => Some(CLIENT_CERTIFICATE),
        rustls::Error::InvalidCertificate(verdict) => Some(TrustProblem::from_verdict(verdict).describe()),
        _ => None,
    }
}

/// Why the server's certificate is not accepted, if that is what went wrong.
fn trust_problem(error: &reqwest::Error) -> Option<TrustProblem> {
    causes(error).filter_map(|cause| cause.downcast_ref()).find_map(|cause| match cause {
        rustls::Error::InvalidCertificate(verdict) => Some(TrustProblem::from_verdict(verdict)),
        _ => None,
    })
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    // An error of input and output passes over the one that it holds.
    std::iter::successors(error.source(), |&cause| {
        let held = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        held.map_or_else(|| cause.source(), |held| Some(held))
    })
}
