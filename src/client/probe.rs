//! What `keysunset doctor` asks before an audit does: the steps of one request one by one, who the credentials are, and
//! how fast the deployment answers. Only GET, by the audit's own client, within its rate limit, redirected only inside the
//! origin.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::tls::TlsInfo;
use url::{Host, Url};

use super::certificate::Certificate;
use super::challenge;
use super::classify::{Classification, Response, classify};
use super::digest::DigestSession;
use super::error::RequestError;
use super::list::PAGE;
use super::request::{MAX_REDIRECTS, date, read_body};
use super::resources::segment;
use super::route::Route;
use super::trust::TrustProblem;
use super::wire;
use super::{Client, is_loopback};
use crate::console::duration;
use crate::exit::{Error, reason};
use crate::model::{Outcome, ReadStatus, User};

/// A list that every credential may ask for, one row of it.
pub(super) const ONE_ORGANIZATION: &str = "orgs?pageNum=1&itemsPerPage=1";
/// For a look at a certificate that no audit would accept.
const CERTIFICATE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the first request, without credentials, brought.
pub(crate) struct FirstResponse {
    /// The HTTP version of the connection.
    pub http: String,
    /// Of the response.
    pub status: u16,
    /// From the first packet to the last byte.
    pub latency: Duration,
    /// The server's own clock, to the second.
    pub date: Option<DateTime<Utc>>,
    /// The server's, where there is one that can be read.
    pub certificate: Option<Certificate>,
    /// Which authentication it asks for.
    pub auth: ServerAuth,
}

/// Which authentication a server asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ServerAuth {
    /// The API's own.
    Digest {
        /// Which set of users.
        realm: String,
        /// Such as `MD5`.
        algorithm: String,
        /// `None` for RFC 2069.
        qop: Option<String>,
    },
    /// Another one, which this client can't do.
    Unsupported(String),
    /// None: it answered at once.
    None,
    /// It refused before it asked.
    Refused(Outcome),
    /// What answered instead of the API.
    UnexpectedResponse {
        /// What happened.
        found: String,
        /// What to do about it.
        advice: &'static str,
    },
}

impl ServerAuth {
    fn unexpected(error: RequestError, route: &Route<'_>) -> Self {
        let (found, advice) = error.describe_instead_of_api(route);
        Self::UnexpectedResponse { found, advice }
    }
}

/// Why nothing answered.
pub(crate) struct Unreachable {
    /// The innermost cause.
    pub why: String,
    /// What to do about it.
    pub advice: &'static str,
    /// What is wrong with the server's certificate where it is that which is not accepted, and what it shows, if it can be
    /// read.
    pub untrusted: Option<(TrustProblem, Certificate)>,
}

impl Client {
    /// Host and port of the proxy on the way there, if there is one.
    pub(crate) fn proxy(&self) -> Option<String> {
        if is_loopback(&self.base) {
            return None;
        }
        let proxy = Matcher::from_system().intercept(&self.base.as_str().parse().ok()?)?;
        // The rest of a proxy's address may hold a password.
        let port = proxy.uri().port().map_or_else(String::new, |port| format!(":{port}"));
        Some(format!("{}{port}", proxy.uri().host()?))
    }

    /// The way to `url`.
    pub(super) fn route<'a>(&self, url: &'a Url) -> Route<'a> {
        Route { url, proxy: self.proxy(), timeout: self.timeout }
    }

    /// The addresses of the host.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) async fn addresses(&self) -> Result<Vec<IpAddr>, String> {
        let port = self.base.port_or_known_default().unwrap_or_default();
        let name = match self.base.host() {
            None => return Err("the URL has no host".to_owned()),
            Some(Host::Ipv4(address)) => return Ok(vec![address.into()]),
            Some(Host::Ipv6(address)) => return Ok(vec![address.into()]),
            Some(Host::Domain(name)) => name,
        };
        let found = tokio::net::lookup_host((name, port)).await.map_err(|why| reason(&why))?;
        let mut addresses: Vec<_> = found.map(|address| address.ip()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() { Err("the host has no address".to_owned()) } else { Ok(addresses) }
    }

    /// Sends one request without credentials.
    ///
    /// # Errors
    /// Why nothing answered.
    pub(crate) async fn first_response(&self) -> Result<FirstResponse, Unreachable> {
        let mut url = self.url(ONE_ORGANIZATION);
        for _ in 0..MAX_REDIRECTS {
            let (first, response) = self.send_unauthenticated(&url).await?;
            let auth = match self.redirect_target(&url, &response) {
                Ok(None) => self.server_auth(&url, &response),
                Ok(Some(next)) => {
                    url = next;
                    continue;
                }
                Err(error) => ServerAuth::unexpected(error, &self.route(&url)),
            };
            return Ok(FirstResponse { auth, ..first });
        }
        let error = RequestError::Redirect(302, "too many redirects".to_owned());
        Err(self.unreachable(error).await)
    }

    /// Sends one request without credentials, whatever that is answered with. The authentication is left open.
    async fn send_unauthenticated(&self, url: &Url) -> Result<(FirstResponse, Response), Unreachable> {
        self.rate_limiter.wait_for_slot().await;
        let sent = Instant::now();
        let mut response = match self.single_use_http.get(url.clone()).send().await {
            Ok(response) => response,
            Err(error) => return Err(self.unreachable(RequestError::from(&error)).await),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let http = format!("{:?}", response.version());
        let certificate = peer_certificate(&response);
        // Now: the body may take its time.
        self.record_version_and_clock(&headers);
        let body = read_body(&mut response, &headers).await;
        let body = match body {
            Ok(body) => body,
            Err(error) => return Err(self.unreachable(error).await),
        };
        let latency = sent.elapsed();
        let date = date(&headers);
        let first = FirstResponse { http, status, latency, date, certificate, auth: ServerAuth::None };
        Ok((first, Response { status, headers, body, authenticated: false, redirected_to: None, latency }))
    }

    async fn unreachable(&self, error: RequestError) -> Unreachable {
        let advice = error.connection_help(&self.base);
        let untrusted = match error {
            RequestError::Untrusted(problem) => self.certificate_shown().await.map(|shown| (problem, shown)),
            _ => None,
        };
        let why = match error {
            RequestError::Timeout { is_connected: true } => {
                format!("no answer within {}", duration(self.timeout))
            }
            error => error.describe(),
        };
        let why = match self.proxy() {
            Some(proxy) => format!("{why} (proxy {proxy})"),
            None => why,
        };
        Unreachable { why, advice, untrusted }
    }

    fn server_auth(&self, url: &Url, response: &Response) -> ServerAuth {
        match (response.status, classify(response, self.product)) {
            (_, Classification::Document | Classification::Unauthenticated) => ServerAuth::None,
            (401, Classification::UnexpectedResponse(..)) => match challenge::pick(&response.headers) {
                Ok(challenge) => ServerAuth::Digest {
                    realm: challenge.realm,
                    algorithm: challenge.algorithm.to_string(),
                    qop: challenge.qop.and_then(|qop| qop.first().map(ToString::to_string)),
                },
                Err(why) => ServerAuth::Unsupported(why),
            },
            (_, Classification::Refused(outcome)) => ServerAuth::Refused(outcome),
            (_, Classification::UnexpectedResponse(outcome, page)) => {
                ServerAuth::unexpected(RequestError::UnexpectedResponse(outcome, page), &self.route(url))
            }
        }
    }

    /// The certificate of a server that is not trusted. Nothing of ours goes there but a request for `/`.
    async fn certificate_shown(&self) -> Option<Certificate> {
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let builder =
            builder.tls_info(true).tls_danger_accept_invalid_certs(true).timeout(CERTIFICATE_TIMEOUT);
        let root = self.base.join("/").ok().filter(|root| root.scheme() == "https")?;
        peer_certificate(&builder.build().ok()?.get(root).send().await.ok()?)
    }

    /// Sends one request with credentials: complete if it was let through, otherwise why not.
    ///
    /// # Errors
    /// What makes an audit pointless.
    pub(crate) async fn try_credentials(&self) -> Result<Outcome, Error> {
        let reply = self.get(self.credentials.any(), ONE_ORGANIZATION).await?;
        Ok(reply.result.map_or_else(|refusal| refusal, |document| Outcome::read(document.status)))
    }

    /// The user that the credential's public part names, if it is a user's name.
    ///
    /// # Errors
    /// What makes an audit pointless.
    pub(crate) async fn credential_owner(&self) -> Result<Result<User, Outcome>, Error> {
        let session = self.credentials.any();
        let Some(Ok(name)) = session.map(|session| segment(&session.credential().public)) else {
            let why = "no user has this name";
            return Ok(Err(Outcome::unread(ReadStatus::NotFound, None, why)));
        };
        let reply = self.get(session, &format!("users/byName/{name}")).await?;
        Ok(reply.result.and_then(|document| {
            wire::single::<wire::Account>(&document.body)
                .map(wire::Account::into_account)
                .map_err(|why| Outcome::unread(ReadStatus::Malformed, None, why))
        }))
    }

    /// How long so many requests took, one after the other, without the waits of the rate limiter: for the keys of
    /// `user`, or for a short list.
    ///
    /// # Errors
    /// Why one did not come back.
    pub(crate) async fn latencies(&self, user: Option<&User>, times: usize) -> Result<Vec<Duration>, String> {
        let id = user.and_then(|user| segment(user.id_or_empty()).ok());
        let url = self.url(&id.map_or_else(
            || ONE_ORGANIZATION.to_owned(),
            |id| format!("users/{id}/keys?itemsPerPage={PAGE}"),
        ));
        let session = match user {
            Some(user) => self.credentials.for_user(user),
            None => self.credentials.any(),
        };
        let session: &DigestSession = session.ok_or("no credentials for this request")?;
        let mut latencies = Vec::with_capacity(times);
        for _ in 0..times {
            self.rate_limiter.wait_for_slot().await;
            latencies.push(self.follow(session, &url).await.map_err(RequestError::describe)?.latency);
        }
        Ok(latencies)
    }
}

fn peer_certificate(response: &reqwest::Response) -> Option<Certificate> {
    Certificate::from_der(response.extensions().get::<TlsInfo>()?.peer_certificate()?)
}
