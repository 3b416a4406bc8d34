//! The course of a request: connection, digest, faults, route, answer.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, SET_COOKIE,
    STRICT_TRANSPORT_SECURITY, VARY, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use futures::StreamExt;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::answer::{Answer, links};
use super::call::Call;
use super::digest::{Challenge, DigestError, DigestRequest, NOT_AUTHORIZED, authenticate};
use super::error::ApiError;
use super::input::Query;
use super::nodes::{Choice, Nodes};
use super::nonces::Nonces;
use super::route::{Api, route, route_v2};
use super::{oauth, unauthenticated};
use crate::faults::{ActiveFault, AuthFault, FaultTarget, Faults, Peer, Stage};
use crate::product::GIT_HASH;
use crate::state::{Caller, Deployment};
use crate::{Error, Options};

/// Which build and version answers.
pub(super) const VERSION_HEADER: HeaderName = HeaderName::from_static("x-mongodb-service-version");

/// The largest body that is taken, in bytes.
const LARGEST_BODY: usize = 1 << 20;

/// How much of a larger one is read and dropped, so that its sender lives to see the answer.
const DRAINED: usize = 1 << 26;

/// What came in and went out since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests that were answered, but for those of these counts.
    pub exchanges: u64,
    /// 401 of the digest layer to a request that attempted no answer.
    pub challenged: u64,
    /// 401 of the digest layer to an answer, stale ones among them.
    pub refused: u64,
    /// Those of the refused that said `stale=true`.
    pub stale: u64,
    /// TCP connections that were accepted.
    pub connections: u64,
    /// Requests that met a fault.
    pub faulty: u64,
}

/// All that answering needs.
pub(crate) struct Server {
    pub(crate) deployment: Deployment,
    pub(crate) faults: Faults,
    challenge: Challenge,
    nodes: Nodes,
    counts: Mutex<Counts>,
    /// The `Host` of a request that has none.
    address: SocketAddr,
    pub(super) version: HeaderValue,
}

/// One handler for everything, because the service has answers of its own for what does not exist.
pub(crate) fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(exchange).with_state(server)
}

async fn exchange(
    State(server): State<Arc<Server>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request<Body>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    if !server.faults.is_empty() {
        peer.reset_delivery();
    }
    if let Some(response) = unauthenticated::respond_to(&server, &head) {
        return response;
    }
    server.count(|counts| counts.exchanges += 1);
    let body = read(body).await;
    if let Some(response) = oauth::respond_to(&server, &head, body.as_deref()) {
        return response;
    }
    let Choice { node, cookie } = server.nodes.choose(&head.headers, peer.address);
    let (mut response, fault) = server.reply(&head, body.as_deref(), peer.address, node);
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    if let Some(fault) = fault {
        server.count(|counts| counts.faulty += 1);
        response = fault.deliver(response, &peer).await;
    }
    // The page prints `Connection: keep-alive`, which would be a lie to a client that closes.
    if !head.headers.get(CONNECTION).is_some_and(|wish| wish.as_bytes().eq_ignore_ascii_case(b"close")) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    tracing::debug!(method = %head.method, target = %head.uri, status = response.status().as_u16(), "answered");
    response
}

impl Server {
    /// # Errors
    /// A service version that no header may hold.
    pub(crate) fn new(options: Options, deployment: Deployment, address: SocketAddr) -> Result<Self, Error> {
        let version = format!("gitHash={GIT_HASH}; versionString={}", options.service_version);
        let nonces = (0..options.nodes.get())
            .map(|_| Nonces::new(options.nonce_life, options.nonce_uses, options.nonce));
        Ok(Self {
            deployment,
            faults: Faults::new(options.seed, options.faults),
            challenge: options.challenge,
            nodes: Nodes::new(nonces, options.balancer, options.seed),
            counts: Mutex::default(),
            address,
            version: HeaderValue::try_from(version).map_err(|_| Error::Version(options.service_version))?,
        })
    }

    pub(crate) fn counts(&self) -> Counts {
        *lock(&self.counts)
    }

    pub(crate) fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut lock(&self.counts));
    }

    pub(crate) fn base_path(&self) -> &'static str {
        self.deployment.rules.product.base_path()
    }

    /// The answer, and its fault. One fault at most: one before the digest leaves nothing to those after it.
    fn reply(
        &self,
        head: &Parts,
        body: Option<&[u8]>,
        peer: SocketAddr,
        node: usize,
    ) -> (Response<Body>, Option<ActiveFault<'_>>) {
        let has_credentials = head.headers.contains_key(AUTHORIZATION);
        let request = if self.faults.is_empty() {
            None
        } else {
            FaultTarget::new(head.method.as_str(), target(head), self.base_path(), has_credentials)
        };
        let activate = |stage| request.as_ref().and_then(|request| self.faults.activate(request, stage));
        let replacement =
            |fault: ActiveFault| self.reject(fault, node).or_else(|| fault.replacement(target(head)));

        let mut fault = activate(Stage::BeforeDigest);
        if let Some(response) = fault.and_then(replacement) {
            return (response, fault);
        }
        let caller = match self.authenticate(head, node) {
            Err(error) => return (self.challenge(self.challenge, error, node), fault),
            Ok(caller) => caller,
        };
        if fault.is_none() {
            fault = activate(Stage::AfterDigest);
            if let Some(response) = fault.and_then(replacement) {
                return (response, fault);
            }
        }
        (self.serve(head, body, caller, peer, fault), fault)
    }

    /// The answer of a digest layer that rejects what is right.
    fn reject(&self, fault: ActiveFault, node: usize) -> Option<Response<Body>> {
        Some(match fault.auth_fault()? {
            AuthFault::Basic => self.challenge(Challenge::BasicOnly, DigestError::Missing, node),
            AuthFault::Stale => self.challenge(self.challenge, DigestError::Stale, node),
            AuthFault::Refused => self.challenge(self.challenge, DigestError::Wrong, node),
        })
    }

    /// The digest layer, which comes before everything else.
    fn authenticate(&self, head: &Parts, node: usize) -> Result<Caller, DigestError> {
        // The API v1.0 knows no access tokens.
        if let Some((Api::V2, ..)) = Api::of(self.deployment.rules.product, head.uri.path())
            && let Some(token) = oauth::token(head)
        {
            return self.deployment.caller_with_token(token).ok_or(DigestError::Wrong);
        }
        let headers = head.headers.get_all(AUTHORIZATION).iter();
        let request = DigestRequest {
            method: head.method.as_str(),
            target: target(head),
            authorization: headers.map(|header| std::str::from_utf8(header.as_bytes()).ok()).collect(),
        };
        let credentials = |user: &str| self.deployment.credentials(user);
        authenticate(&request, self.challenge, &mut self.nodes.nonces(node), Instant::now(), credentials)
    }

    fn challenge(&self, challenge: Challenge, error: DigestError, node: usize) -> Response<Body> {
        let stale = error == DigestError::Stale;
        self.count(|counts| match error {
            DigestError::Missing => counts.challenged += 1,
            DigestError::Wrong => counts.refused += 1,
            DigestError::Stale => (counts.refused, counts.stale) = (counts.refused + 1, counts.stale + 1),
        });
        let nonce = self.nodes.nonces(node).issue(Instant::now());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=ISO-8859-1"));
        for challenge in challenge.headers(&nonce, stale) {
            if let Ok(value) = HeaderValue::try_from(challenge) {
                headers.append(WWW_AUTHENTICATE, value);
            }
        }
        respond(StatusCode::UNAUTHORIZED, Some(NOT_AUTHORIZED.to_owned()), headers)
    }

    /// Everything behind the digest layer.
    fn serve(
        &self,
        head: &Parts,
        body: Option<&[u8]>,
        caller: Caller,
        peer: SocketAddr,
        fault: Option<ActiveFault>,
    ) -> Response<Body> {
        let query = Query::parse(head.uri.query().unwrap_or_default(), &self.deployment.rules);
        let (pretty, envelope) =
            query.as_ref().map_or((false, false), |query| (query.pretty, query.envelope));
        let body = body.ok_or_else(ApiError::malformed_json);
        let answer = query.and_then(|query| self.answer(head, query, body?, caller, peer, fault));
        let (status, document) = match answer {
            Ok(answer) => (answer.status(), answer.into_document(envelope)),
            Err(error) => (error.status, Some(error.document())),
        };
        let text =
            document.map(|document| if pretty { format!("{document:#}") } else { document.to_string() });
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type(head)));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=300"));
        headers.insert(VERSION_HEADER, self.version.clone());
        respond(status, text, headers)
    }

    fn media_type(&self, head: &Parts) -> &'static str {
        let api = Api::of(self.deployment.rules.product, head.uri.path()).map(|(api, ..)| api);
        api.unwrap_or(Api::V1).media_type()
    }

    fn answer(
        &self,
        head: &Parts,
        query: Query,
        body: &[u8],
        caller: Caller,
        peer: SocketAddr,
        fault: Option<ActiveFault>,
    ) -> Result<Answer, ApiError> {
        let address = peer.ip().to_canonical();
        self.deployment.record_use(&caller, address).map_err(|refusal| {
            ApiError::address_refused(refusal, self.deployment.rules.list_name(), &address.to_string())
        })?;

        let unknown = || ApiError::resource_not_found(head.uri.path());
        let product = self.deployment.rules.product;
        let (api, base, path) = Api::of(product, head.uri.path()).ok_or_else(unknown)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<Cow<str>> = match path.strip_prefix('/') {
            Some(rest) => rest.split('/').map(decode).collect::<Option<_>>().ok_or_else(unknown)?,
            None if path.is_empty() => Vec::new(),
            None => return Err(unknown()),
        };
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).map(Cow::Borrowed);
        let host = host.unwrap_or_else(|| self.address.to_string().into());
        let page = query.page;
        let mut call = Call {
            deployment: &self.deployment,
            caller,
            method: &head.method,
            base_url: format!("http://{host}{base}"),
            path,
            query,
            body,
            address,
        };
        call.query.page = fault.map_or(page, |fault| fault.page_to_read(page));
        let segments: Vec<_> = segments.iter().map(AsRef::as_ref).collect();
        let mut answer = match api {
            Api::V1 => route(&call, &segments)?,
            Api::V2 => {
                Api::accept(&segments, head)?;
                route_v2(&call, &segments)?
            }
        };
        call.query.page = page;
        match (fault, &mut answer) {
            (Some(fault), Answer::Document(_, document)) => fault.alter_document(document),
            (Some(fault), Answer::List(list)) => {
                if fault.alter_list(path, page, &mut list.rows, &mut list.total) {
                    list.links = links(&call.href(path), &call.query, u64::MAX);
                }
            }
            (None, _) | (Some(_), Answer::NoContent) => {}
        }
        Ok(answer)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn target(head: &Parts) -> &str {
    head.uri.path_and_query().map_or("", |target| target.as_str())
}

/// A body as a whole; `None` for one that is too large.
async fn read(body: Body) -> Option<Vec<u8>> {
    let mut chunks = body.into_data_stream();
    let (mut taken, mut size) = (Vec::new(), 0);
    while let Some(Ok(chunk)) = chunks.next().await {
        size += chunk.len();
        if size <= LARGEST_BODY {
            taken.extend_from_slice(&chunk);
        } else if size > DRAINED {
            break;
        }
    }
    (size <= LARGEST_BODY).then_some(taken)
}

fn decode(segment: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(segment).decode_utf8().ok()
}

pub(super) fn respond(status: StatusCode, body: Option<String>, headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    response
}
