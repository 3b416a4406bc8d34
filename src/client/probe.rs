//! What `keysunset doctor` asks before an audit does: the steps of one request one by one, who the credentials are, and
//! how fast the deployment answers. Only GET, by the audit's own client, within its rate limit, redirected only at home.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::{ACCEPT, DATE};
use reqwest::tls::TlsInfo;
use serde::Deserialize;
use url::{Host, Url};

use super::answer::{self, Classification, Received};
use super::auth::Session;
use super::certificate::Certificate;
use super::challenge;
use super::failure::{ClientError, RequestError};
use super::http::{Answer, Client, REDIRECTS, whole_body};
use super::pages::{UserListEvent, segment};
use super::wire::{self, Page};
use crate::model::{Outcome, Product, ReadStatus, User};

/// A list that every credential may ask for, one row of it.
const CHEAP: &str = "orgs?pageNum=1&itemsPerPage=1";
/// For a look at a certificate that no audit would accept.
const LOOK: Duration = Duration::from_secs(10);

/// What the first request without credentials brought.
pub struct Contact {
    /// Of the connection.
    pub http: String,
    /// Of the answer.
    pub status: u16,
    /// From the first packet to the last byte.
    pub took: Duration,
    /// The server's own clock, to the second.
    pub date: Option<DateTime<Utc>>,
    /// The server's, where there is one that can be read.
    pub certificate: Option<Certificate>,
    /// Which authentication it wants.
    pub asks: Asks,
}

/// Which authentication a server wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Asks {
    /// The API's own.
    Digest {
        /// Whose users.
        realm: String,
        /// Such as `MD5`.
        algorithm: String,
        /// `None` for RFC 2069.
        qop: Option<String>,
    },
    /// Another one, which can't be answered.
    Otherwise(String),
    /// None: it answered at once.
    Nothing,
    /// It refused before it asked.
    Refused(Outcome),
    /// It is not the API.
    UnexpectedResponse(String),
}

/// Why nothing answered.
pub struct Unreached {
    /// The innermost cause.
    pub why: String,
    /// What the server shows where it is its certificate that is not accepted.
    pub certificate: Option<Certificate>,
}

/// An account and what it may do.
pub struct Account {
    /// Who.
    pub user: User,
    /// Names of roles, each once, sorted.
    pub roles: Vec<String>,
}

#[derive(Deserialize)]
struct Roles {
    #[serde(default)]
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct Role {
    #[serde(rename = "roleName")]
    name: Option<String>,
}

impl Client {
    /// The whole base path.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Which product it takes the deployment for.
    #[must_use]
    pub fn product(&self) -> Product {
        self.product
    }

    /// Host and port of the proxy on the way there, if there is one.
    #[must_use]
    pub fn proxy(&self) -> Option<String> {
        let proxy = Matcher::from_system().intercept(&self.base.as_str().parse().ok()?)?;
        // The rest of a proxy's address may hold a password.
        let port = proxy.uri().port().map_or_else(String::new, |port| format!(":{port}"));
        Some(format!("{}{port}", proxy.uri().host()?))
    }

    /// The addresses of the host.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn addresses(&self) -> Result<Vec<IpAddr>, String> {
        let port = self.base.port_or_known_default().unwrap_or_default();
        let name = match self.base.host() {
            None => return Err("the URL has no host".to_owned()),
            Some(Host::Ipv4(address)) => return Ok(vec![address.into()]),
            Some(Host::Ipv6(address)) => return Ok(vec![address.into()]),
            Some(Host::Domain(name)) => name,
        };
        let found = tokio::net::lookup_host((name, port)).await.map_err(|why| why.to_string())?;
        let mut addresses: Vec<_> = found.map(|address| address.ip()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() { Err("it has no address".to_owned()) } else { Ok(addresses) }
    }

    /// Asks once without credentials, and tells all that shows.
    ///
    /// # Errors
    /// Why nothing answered.
    pub async fn contact(&self) -> Result<Contact, Unreached> {
        let mut url = self.below_base(CHEAP);
        for _ in 0..REDIRECTS {
            let (contact, received) = self.first_answer(&url).await?;
            match self.redirected(&url, &received) {
                Ok(None) => return Ok(Contact { asks: self.asked_by(&received), ..contact }),
                Ok(Some(next)) => url = next,
                Err(failure) => {
                    return Ok(Contact { asks: Asks::UnexpectedResponse(told(failure)), ..contact });
                }
            }
        }
        Err(Unreached { why: "it redirects without end".to_owned(), certificate: None })
    }

    /// Asks without credentials. What the answer asks for is left open.
    async fn first_answer(&self, url: &Url) -> Result<(Contact, Received), Unreached> {
        self.rate_limiter.wait_for_slot().await;
        let sent = Instant::now();
        let request = self.http.get(url.clone()).header(ACCEPT, "application/json");
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                // Only a handshake can fail for the certificate.
                let certificate = if error.is_connect() { self.certificate_shown().await } else { None };
                return Err(Unreached { why: told(RequestError::from(&error)), certificate });
            }
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let http = format!("{:?}", response.version());
        let tls = response
            .extensions()
            .get::<TlsInfo>()
            .map(|info| info.peer_certificate().and_then(Certificate::of_der));
        let date = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        let unreached = |failure| Unreached { why: told(failure), certificate: None };
        let body = whole_body(response).await.map_err(unreached)?;
        let took = sent.elapsed();
        self.note(&headers);
        let contact = Contact {
            http,
            status,
            took,
            date: date.map(DateTime::from),
            certificate: tls.flatten(),
            asks: Asks::Nothing,
        };
        Ok((contact, Received { status, headers, body, authenticated: false, took }))
    }

    fn asked_by(&self, received: &Received) -> Asks {
        match (received.status, answer::meaning(received, self.product, self.service_version())) {
            (_, Classification::Document) => Asks::Nothing,
            (401, Classification::UnexpectedResponse(_)) => match challenge::pick(&received.headers) {
                Ok(challenge) => Asks::Digest {
                    realm: challenge.realm,
                    algorithm: challenge.algorithm.to_string(),
                    qop: challenge.qop.and_then(|qop| qop.first().map(ToString::to_string)),
                },
                Err(why) => Asks::Otherwise(why),
            },
            (_, Classification::Refused(outcome)) => Asks::Refused(outcome),
            (_, Classification::UnexpectedResponse(outcome)) => {
                Asks::UnexpectedResponse(outcome.detail.unwrap_or_default())
            }
        }
    }

    /// The certificate of a server that is not trusted. Nothing of ours goes there but a request for `/`.
    async fn certificate_shown(&self) -> Option<Certificate> {
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let builder = builder.tls_info(true).tls_danger_accept_invalid_certs(true).timeout(LOOK);
        let root = self.base.join("/").ok().filter(|root| root.scheme() == "https")?;
        let response = builder.build().ok()?.get(root).send().await.ok()?;
        response.extensions().get::<TlsInfo>()?.peer_certificate().and_then(Certificate::of_der)
    }

    /// Asks with credentials: complete if that was let through, otherwise why not.
    ///
    /// # Errors
    /// What makes an audit pointless.
    pub async fn accepted(&self) -> Result<Outcome, ClientError> {
        Ok(match self.get(self.asker(), CHEAP).await?.0 {
            Answer::Document { status, .. } => Outcome::read(status),
            Answer::Refusal(outcome) => outcome,
        })
    }

    /// Whom the credentials' public part names, if it is a user's name.
    ///
    /// # Errors
    /// What makes an audit pointless.
    pub async fn account(&self) -> Result<Result<Account, Outcome>, ClientError> {
        let name = self.asker().map(|session| session.credential().public.clone()).unwrap_or_default();
        let Some(segment) = segment(&name) else {
            let why = "no user has such a name";
            return Ok(Err(Outcome::unread(ReadStatus::NotFound, None, why)));
        };
        let body = match self.get(self.asker(), &format!("users/byName/{segment}")).await?.0 {
            Answer::Document { body, .. } => body,
            Answer::Refusal(outcome) => return Ok(Err(outcome)),
        };
        let both = wire::single::<wire::Account>(&body)
            .and_then(|account| Ok((User::from(account), wire::single::<Roles>(&body)?)));
        Ok(match both {
            Err(why) => Err(Outcome::unread(ReadStatus::Malformed, None, why.to_string())),
            Ok((user, Roles { roles })) => {
                let mut roles: Vec<_> = roles.into_iter().filter_map(|role| role.name).collect();
                roles.sort_unstable();
                roles.dedup();
                Ok(Account { user, roles })
            }
        })
    }

    /// The first users of an organization, and why they are no more.
    ///
    /// # Errors
    /// What makes an audit pointless.
    pub async fn some_users(&self, organization: &str) -> Result<(Vec<User>, Outcome), ClientError> {
        let mut pages = std::pin::pin!(self.organization_users(organization));
        match pages.next().await.transpose()? {
            Some(UserListEvent::Users(users, _)) => Ok((users, Outcome::read(200))),
            Some(UserListEvent::End(outcome)) => Ok((Vec::new(), outcome)),
            None => Ok((Vec::new(), Outcome::read(200))),
        }
    }

    /// How many users an organization has, by the service's own count.
    ///
    /// # Errors
    /// What makes an audit pointless.
    pub async fn organization_size(&self, id: &str) -> Result<Option<u64>, ClientError> {
        self.size("orgs", id, "").await
    }

    /// How many users a project has, those of its teams and its organization included.
    ///
    /// # Errors
    /// What makes an audit pointless.
    pub async fn project_size(&self, id: &str) -> Result<Option<u64>, ClientError> {
        self.size("groups", id, "flattenTeams=true&includeOrgUsers=true&").await
    }

    async fn size(&self, kind: &str, id: &str, query: &str) -> Result<Option<u64>, ClientError> {
        let Some(id) = segment(id) else { return Ok(None) };
        let path = format!("{kind}/{id}/users?{query}pageNum=1&itemsPerPage=1&includeCount=true");
        Ok(match self.get(self.asker(), &path).await?.0 {
            Answer::Document { body, .. } => {
                Page::<serde::de::IgnoredAny>::read(&body).ok().and_then(|page| page.total)
            }
            Answer::Refusal(_) => None,
        })
    }

    /// How long so many requests took, one after the other, without the waits of the rate limiter: for the keys of
    /// `user`, or for a short list.
    ///
    /// # Errors
    /// Why one did not come back.
    pub async fn latencies(&self, user: Option<&User>, times: usize) -> Result<Vec<Duration>, String> {
        let path =
            user.and_then(|user| segment(&user.id)).map(|id| format!("users/{id}/keys?itemsPerPage=500"));
        let url = self.below_base(path.as_deref().unwrap_or(CHEAP));
        let session = match user {
            Some(user) => self.keyring().of(user),
            None => self.asker(),
        };
        let session = session.ok_or("there is no credential to ask with")?;
        let mut taken = Vec::with_capacity(times);
        for _ in 0..times {
            taken.push(self.follow(session, &url).await.map_err(told)?.took);
        }
        Ok(taken)
    }

    fn asker(&self) -> Option<&Session> {
        self.keyring().any()
    }
}

fn told(failure: RequestError) -> String {
    failure.outcome().detail.unwrap_or_default()
}
