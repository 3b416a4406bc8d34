//! One request done right: paced, authenticated, redirected only at home, bounded, and its answer told for what it is.

use std::error::Error as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, LOCATION};
use url::{Position, Url};

use super::auth::{Credential, Next, Session};
use super::pace::Pace;
use super::product;
use super::wire::ErrorDocument;
use crate::model::{Outcome, Product, ReadStatus, Suffix};

/// A page of 500 keys is some 150 KB; whoever sends more than this sends no page.
const BODY_LIMIT: usize = 16 << 20;
const REDIRECTS: usize = 5;
/// Challenges answered for one request. A second one is due when a nonce ends, more when several servers share a name.
const CHALLENGES: usize = 4;

/// Where to connect, as whom, and how hard.
pub struct Connection {
    /// A host's root or a whole base path.
    pub url: Url,
    /// Which product answers there.
    pub product: Product,
    /// Whom the digest is made for.
    pub credential: Credential,
    /// A ceiling in requests a second.
    pub rate: Option<f64>,
    /// For one request, from its start to its last byte.
    pub timeout: Duration,
    /// Certificates (PEM) of a private authority, trusted besides the system's.
    pub ca_cert: Option<Vec<u8>>,
}

/// What makes the whole run pointless.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Nobody answers.
    #[error(
        "no connection to {origin}: {why}\nhelp: check --url, the network and any proxy (HTTPS_PROXY, NO_PROXY)"
    )]
    NoConnection {
        /// Scheme, host and port.
        origin: String,
        /// The causes, outermost first.
        why: String,
    },
    /// The digest layer refuses the answer to its own challenge.
    #[error(
        "the deployment refused the credentials (401 from {origin})\n\
         tried: {public}\n\
         help: check both parts of the key; a programmatic key also needs this machine's address on its access list"
    )]
    RefusedCredentials {
        /// Scheme, host and port.
        origin: String,
        /// The public part.
        public: String,
    },
    /// An authentication other than the API's.
    #[error(
        "can't authenticate with {origin}: {why}\nhelp: keysunset answers HTTP Digest; is this the API itself, not a proxy?"
    )]
    Challenge {
        /// Scheme, host and port.
        origin: String,
        /// What was asked for.
        why: String,
    },
    /// Something else listens there.
    #[error(
        "what answers at {url} is not the API: {why}\nhelp: --url takes the host's root or the whole base path, such as https://om.example:8080/api/public/v1.0"
    )]
    NotTheApi {
        /// What was asked for.
        url: String,
        /// What came instead.
        why: String,
    },
    /// The certificate file or the TLS set-up.
    #[error("can't set up the connection: {0}\nhelp: --ca-cert takes a file of PEM certificates")]
    Setup(String),
}

/// What came of one GET.
pub(super) enum Answer {
    /// A document, by its looks JSON.
    Document { status: u16, body: Vec<u8> },
    /// No document, and what that means.
    Refusal(Outcome),
}

/// One response, read to its end.
struct Received {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    /// Whether the digest layer accepted an answer on the way here.
    authenticated: bool,
}

/// Why no response could be had.
enum Failure {
    /// Connection, timeout, or a body past the limit.
    Broken(String),
    Refused,
    Unanswerable(String),
}

/// The client of one deployment with one credential.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    product: Product,
    session: Session,
    pace: Pace,
    own_suffix: Option<Suffix>,
    service_version: OnceLock<String>,
    /// Whether the deployment has answered as the API does. Before that a failure is the run's, afterwards a user's.
    proven: AtomicBool,
}

impl Client {
    /// Sets up, without a request.
    ///
    /// # Errors
    /// A certificate file that holds none.
    pub fn new(connection: Connection) -> Result<Self, Unusable> {
        let setup = |error: reqwest::Error| Unusable::Setup(causes(&error));
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("keysunset/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(connection.timeout);
        if let Some(pem) = &connection.ca_cert {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(setup)?;
            if certificates.is_empty() {
                return Err(Unusable::Setup("no certificate in the file".to_owned()));
            }
            http = certificates.into_iter().fold(http, reqwest::ClientBuilder::add_root_certificate);
        }
        Ok(Self {
            http: http.build().map_err(setup)?,
            base: product::base(&connection.url, connection.product),
            product: connection.product,
            own_suffix: connection.credential.suffix(),
            session: Session::new(connection.credential),
            pace: Pace::new(connection.rate),
            service_version: OnceLock::new(),
            proven: AtomicBool::new(false),
        })
    }

    /// The version the deployment tells in its header, such as `4.4.12`; `None` before the first answer or where it is silent.
    pub fn service_version(&self) -> Option<&str> {
        self.service_version.get().map(String::as_str)
    }

    /// The suffix of the credential in use.
    pub(super) fn own_suffix(&self) -> Option<&Suffix> {
        self.own_suffix.as_ref()
    }

    fn below_base(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path()));
        url.set_query(query);
        url
    }

    fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// GETs `path` (below the base path, segments encoded, with its query).
    pub(super) async fn get(&self, path: &str) -> Result<Answer, Unusable> {
        let mut url = self.below_base(path);
        for _ in 0..=REDIRECTS {
            let received = match self.exchange(&url).await {
                Ok(received) => received,
                Err(failure) => return self.failed(failure),
            };
            self.note_version(&received.headers);
            match self.redirected(&url, &received) {
                None => return self.told(&url, received),
                Some(Ok(next)) => url = next,
                Some(Err(why)) => return self.strange(&url, Some(received.status), &why),
            }
        }
        self.strange(&url, None, "it redirects without end")
    }

    /// Sends, and answers what the digest layer asks.
    async fn exchange(&self, url: &Url) -> Result<Received, Failure> {
        let path = &url[Position::BeforePath..Position::AfterQuery];
        let mut pass = self.session.enter().await;
        for _ in 0..CHALLENGES {
            self.pace.turn().await;
            let mut request = self.http.get(url.clone()).header(ACCEPT, "application/json");
            let authorization = self.session.authorization(&pass, path);
            let authenticated = authorization.is_some();
            if let Some(authorization) = authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            let response = request.send().await.map_err(|error| broken(&error))?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = whole_body(response).await?;
            tracing::debug!(%url, status, bytes = body.len(), authenticated, "answered");
            if status != 401 {
                self.session.passed(pass);
                return Ok(Received { status, headers, body, authenticated });
            }
            if ErrorDocument::read(&body).error_code.is_some() {
                // A refusal of what was asked for, by the API itself: the digest layer has let it through.
                if authenticated {
                    self.session.passed(pass);
                }
                return Ok(Received { status, headers, body, authenticated });
            }
            pass = match self.session.refused(pass, &headers) {
                Next::Again(pass) => pass,
                Next::Refused => return Err(Failure::Refused),
                Next::Unanswerable(why) => return Err(Failure::Unanswerable(why)),
            };
        }
        Err(Failure::Unanswerable(format!(
            "{CHALLENGES} challenges in a row were stale before they were answered"
        )))
    }

    fn note_version(&self, headers: &HeaderMap) {
        let told = headers.get("x-mongodb-service-version").and_then(|value| value.to_str().ok());
        if let Some((_, version)) = told.and_then(|value| value.split_once("versionString=")) {
            let version = version.split(';').next().unwrap_or_default().trim();
            self.service_version.get_or_init(|| version.to_owned());
        }
    }

    /// Where a redirect leads, if it is one; another origin never sees a request of ours.
    fn redirected(&self, from: &Url, received: &Received) -> Option<Result<Url, String>> {
        if !matches!(received.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let location = received.headers.get(LOCATION).and_then(|value| value.to_str().ok())?;
        Some(match from.join(location) {
            Ok(to) if to.origin() == self.base.origin() => Ok(to),
            Ok(to) => Err(format!(
                "it redirects to another host, {}, which is not followed",
                to.origin().ascii_serialization()
            )),
            Err(_) => Err("it redirects to what is no address".to_owned()),
        })
    }

    fn failed(&self, failure: Failure) -> Result<Answer, Unusable> {
        let origin = self.origin();
        let proven = self.proven.load(Ordering::Relaxed);
        match failure {
            Failure::Broken(why) if proven => {
                Ok(Answer::Refusal(Outcome::unread(ReadStatus::Error, None, why)))
            }
            Failure::Broken(why) => Err(Unusable::NoConnection { origin, why }),
            Failure::Refused if proven => {
                let why = "the credentials, accepted before, were refused";
                Ok(Answer::Refusal(Outcome::unread(ReadStatus::Forbidden, Some(401), why)))
            }
            Failure::Refused => {
                Err(Unusable::RefusedCredentials { origin, public: self.session.credential().public.clone() })
            }
            Failure::Unanswerable(why) if proven => {
                Ok(Answer::Refusal(Outcome::unread(ReadStatus::Error, Some(401), why)))
            }
            Failure::Unanswerable(why) => Err(Unusable::Challenge { origin, why }),
        }
    }

    /// An answer that the API does not give: the run's failure if nothing else ever came, one request's otherwise.
    fn strange(&self, url: &Url, status: Option<u16>, why: &str) -> Result<Answer, Unusable> {
        if self.proven.load(Ordering::Relaxed) {
            return Ok(Answer::Refusal(Outcome::unread(ReadStatus::Error, status, why)));
        }
        Err(Unusable::NotTheApi { url: url.to_string(), why: why.to_owned() })
    }

    fn told(&self, url: &Url, received: Received) -> Result<Answer, Unusable> {
        let Received { status, headers, body, authenticated } = received;
        let json = body.trim_ascii_start().first() == Some(&b'{');
        if (200..300).contains(&status) && !json {
            let what = looks(&headers, &body);
            if self.proven.load(Ordering::Relaxed) {
                let why = format!("{what} instead of JSON");
                return Ok(Answer::Refusal(Outcome::unread(ReadStatus::Malformed, Some(status), why)));
            }
            return self.strange(url, Some(status), &format!("it sends {what} instead of JSON"));
        }
        let document = if status < 300 && !has_envelope(&body) {
            ErrorDocument::default()
        } else {
            ErrorDocument::read(&body)
        };
        if status < 300 && document.status.is_none_or(|inner| inner < 300) {
            self.proven.store(true, Ordering::Relaxed);
            return Ok(Answer::Document { status, body });
        }
        if authenticated || document.error_code.is_some() || status == 429 {
            self.proven.store(true, Ordering::Relaxed);
        } else if !self.proven.load(Ordering::Relaxed) {
            let what = looks(&headers, &body);
            return self.strange(
                url,
                Some(status),
                &format!("it answers {status} with {what} and no error code"),
            );
        }
        let status = document.status.filter(|_| status < 300).unwrap_or(status);
        Ok(Answer::Refusal(self.refusal(status, document)))
    }

    /// What an answer that is no document means for whom it was asked for.
    fn refusal(&self, status: u16, document: ErrorDocument) -> Outcome {
        let code = document.error_code.as_deref().unwrap_or_default();
        let read_status =
            if status == 429 || code.starts_with("RATE_LIMITED") || code.contains("_RATE_LIMITED") {
                ReadStatus::RateLimited
            } else if is_removal(status, code, self.product, self.service_version()) {
                ReadStatus::Removed
            } else {
                match (status, code) {
                    (403, "") => ReadStatus::Error,
                    (401 | 403, _) => ReadStatus::Forbidden,
                    (404, _) => ReadStatus::NotFound,
                    _ => ReadStatus::Error,
                }
            };
        let detail = document.detail.unwrap_or_else(|| format!("the service answered {status} and no more"));
        Outcome {
            status: read_status,
            http_status: Some(status),
            error_code: document.error_code,
            detail: Some(detail),
        }
    }
}

/// Whether the answer says that there are no personal keys any more, rather than none of this user.
fn is_removal(status: u16, code: &str, product: Product, version: Option<&str>) -> bool {
    code == "PERSONAL_API_KEYS_DEPRECATED" && status == 410
        || code == "RESOURCE_NOT_FOUND"
            && status == 404
            && product::has_removed_personal_keys(product, version)
}

/// Reads no further than the limit, whatever the headers promise.
async fn whole_body(mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(Failure::Broken(format!("the answer is longer than {} MiB", BODY_LIMIT >> 20)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A quick look, since the hot path need not parse twice: only an envelope has a `status`.
fn has_envelope(body: &[u8]) -> bool {
    body.windows(8).take(4096).any(|window| window == b"\"status\"")
}

fn broken(error: &reqwest::Error) -> Failure {
    let what = if error.is_timeout() {
        "timed out: "
    } else if error.is_connect() {
        "can't connect: "
    } else {
        ""
    };
    Failure::Broken(format!("{what}{}", causes(error)))
}

/// The innermost cause says what happened; the outer ones only where.
fn causes(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut text = None;
    while let Some(inner) = cause {
        text = Some(inner.to_string());
        cause = inner.source();
    }
    text.unwrap_or_else(|| error.to_string())
}

/// What a body is, for a person.
fn looks(headers: &HeaderMap, body: &[u8]) -> &'static str {
    let said =
        headers.get(reqwest::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if body.is_empty() {
        "nothing"
    } else if said.starts_with("text/html") || body.trim_ascii_start().first() == Some(&b'<') {
        "an HTML page"
    } else {
        "something"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(product: Product, version: &str) -> Client {
        let client = Client::new(Connection {
            url: "http://127.0.0.1:1".parse().unwrap(),
            product,
            credential: Credential { public: String::new(), private: "".into() },
            rate: None,
            timeout: Duration::from_secs(1),
            ca_cert: None,
        });
        let client = client.unwrap_or_else(|error| panic!("{error}"));
        client.service_version.set(version.to_owned()).unwrap();
        client
    }

    /// The read statuses of the contract, from the statuses and codes of the API.
    #[test]
    fn each_refusal_has_its_read_status() {
        use Product::{Atlas, OpsManager};
        use ReadStatus::{Error, Forbidden, NotFound, RateLimited, Removed};
        for (product, version, status, code, expected) in [
            (OpsManager, "4.4.12", 401, Some("USER_UNAUTHORIZED"), Forbidden),
            (OpsManager, "4.4.12", 403, Some("IP_ADDRESS_NOT_ON_WHITELIST"), Forbidden),
            (OpsManager, "4.4.12", 403, None, Error),
            (OpsManager, "4.4.12", 404, Some("USER_NOT_FOUND"), NotFound),
            (OpsManager, "4.4.12", 404, Some("RESOURCE_NOT_FOUND"), NotFound),
            (OpsManager, "5.0.0", 404, Some("RESOURCE_NOT_FOUND"), Removed),
            (OpsManager, "6.0.3", 404, Some("USER_NOT_FOUND"), NotFound),
            (OpsManager, "6.0.3", 404, None, NotFound),
            (Atlas, "20210803", 410, Some("PERSONAL_API_KEYS_DEPRECATED"), Removed),
            (Atlas, "20210803", 404, Some("RESOURCE_NOT_FOUND"), NotFound),
            (Atlas, "20210803", 410, None, Error),
            (Atlas, "20210803", 429, None, RateLimited),
            (Atlas, "20210803", 400, Some("RATE_LIMITED_IP"), RateLimited),
            (Atlas, "20210803", 403, Some("GROUP_RATE_LIMITED"), RateLimited),
            (OpsManager, "4.4.12", 400, Some("INVALID_QUERY_PARAMETER"), Error),
            (OpsManager, "4.4.12", 502, None, Error),
        ] {
            let document = ErrorDocument { error_code: code.map(str::to_owned), ..ErrorDocument::default() };
            let outcome = client(product, version).refusal(status, document);
            assert_eq!(outcome.status, expected, "{product} {version} {status} {code:?}");
            assert_eq!(outcome.http_status, Some(status));
        }
    }
}
