//! The way of a request: connection, digest, key, route, answer.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    STRICT_TRANSPORT_SECURITY, VARY, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use futures::StreamExt;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::{Call, Caller, Method};
use super::counts::Counters;
use super::digest::{self, Challenge, Denial, judge};
use super::faults::{Asked, AuthFault, Faults, Hit, Peer};
use super::nonces::Nonces;
use super::query::Query;
use super::refusal::{NOT_AUTHORIZED, Refusal};
use super::route::route;
use super::service::Service;

/// What the version header calls the build.
pub(super) const GIT_HASH: &str = "5a9d5b0c6e7f8a1b2c3d4e5f60718293a4b5c6d7";

/// The largest body that is taken, in bytes.
const LARGEST_BODY: usize = 1 << 20;

/// How much of a larger one is read and forgotten, so that its sender lives to see the answer.
const DRAINED: usize = 1 << 26;

/// Where the counts stand, outside of the service and without authentication.
const COUNTS: &str = "/sandbox/counts";

/// All that answering needs.
pub(super) struct Server {
    pub(super) service: Service,
    pub(super) challenge: Challenge,
    pub(super) nonces: Mutex<Nonces>,
    pub(super) counters: Counters,
    pub(super) faults: Faults,
    /// The `Host` of a request that has none.
    pub(super) address: SocketAddr,
    pub(super) version: HeaderValue,
}

/// One handler for everything, because the service has answers of its own for whatever does not exist.
pub(super) fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(exchange).with_state(server)
}

async fn exchange(
    State(server): State<Arc<Server>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request<Body>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    if !server.faults.are_none() {
        peer.spare();
    }
    if head.uri.path() == COUNTS {
        return respond(StatusCode::OK, Some(json!(server.counters.read()).to_string()), HeaderMap::new());
    }
    server.counters.exchanges.fetch_add(1, Ordering::Relaxed);
    let body = read(body).await;
    let (mut response, hit) = server.reply(&head, body.as_deref(), peer.address);
    if let Some(hit) = hit {
        server.counters.faulty.fetch_add(1, Ordering::Relaxed);
        response = hit.carry(response, &peer).await;
    }
    // The page prints `Connection: keep-alive`, which would be a lie to a client that closes.
    if !head.headers.get(CONNECTION).is_some_and(|wish| wish.as_bytes().eq_ignore_ascii_case(b"close")) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    tracing::debug!(method = %head.method, target = %head.uri, status = response.status().as_u16(), "answered");
    response
}

impl Server {
    /// The answer, and the fault that hits it. One fault at most: what strikes in front leaves nothing to those behind.
    fn reply(
        &self,
        head: &Parts,
        body: Option<&[u8]>,
        peer: SocketAddr,
    ) -> (Response<Body>, Option<Hit<'_>>) {
        let answers = head.headers.contains_key(AUTHORIZATION);
        let asked = if self.faults.are_none() {
            None
        } else {
            Asked::new(head.method.as_str(), target(head), self.base_path(), answers)
        };
        let strike = |front| asked.as_ref().and_then(|asked| self.faults.strike(asked, front));
        let instead =
            |hit: Option<Hit>| hit.and_then(|hit| self.denied(hit).or_else(|| hit.instead(target(head))));

        let mut hit = strike(true);
        if let Some(response) = instead(hit) {
            return (response, hit);
        }
        let caller = match self.authenticate(head) {
            Err(denial) => return (self.challenge(denial), hit),
            Ok(caller) => caller,
        };
        if hit.is_none() {
            hit = strike(false);
            if let Some(response) = instead(hit) {
                return (response, hit);
            }
        }
        (self.serve(head, body, caller, peer, hit), hit)
    }

    fn base_path(&self) -> &'static str {
        self.service.served.product.base_path()
    }

    fn denied(&self, hit: Hit) -> Option<Response<Body>> {
        Some(match hit.denied()? {
            AuthFault::Basic => self.refuse(Challenge::BasicOnly, Denial::Unanswered),
            AuthFault::Stale => self.challenge(Denial::Stale),
            AuthFault::Refused => self.challenge(Denial::Wrong),
        })
    }

    /// The digest layer, which stands before everything else.
    fn authenticate(&self, head: &Parts) -> Result<Caller, Denial> {
        let headers = head.headers.get_all(AUTHORIZATION).iter();
        let request = digest::Request {
            method: head.method.as_str(),
            target: target(head),
            authorization: headers.map(|header| std::str::from_utf8(header.as_bytes()).ok()).collect(),
        };
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        judge(&request, self.challenge, &mut nonces, Instant::now(), |user| self.service.login(user))
    }

    fn challenge(&self, denial: Denial) -> Response<Body> {
        self.refuse(self.challenge, denial)
    }

    fn refuse(&self, challenge: Challenge, denial: Denial) -> Response<Body> {
        let (counter, stale) = match denial {
            Denial::Unanswered => (&self.counters.challenged, false),
            Denial::Wrong => (&self.counters.refused, false),
            Denial::Stale => (&self.counters.refused, true),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.counters.stale.fetch_add(u64::from(stale), Ordering::Relaxed);
        let nonce = self.nonces.lock().unwrap_or_else(PoisonError::into_inner).issue(Instant::now());
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
        hit: Option<Hit>,
    ) -> Response<Body> {
        let query = Query::parse(head.uri.query().unwrap_or_default(), &self.service.served);
        let (pretty, envelope) =
            query.as_ref().map_or((false, false), |query| (query.pretty, query.envelope));
        let body = body.ok_or(Refusal::MalformedJson);
        let answer = query.and_then(|query| self.answer(head, query, body?, caller, peer, hit));
        let (status, document) = match answer {
            Ok(answer) => (answer.status(), answer.document(envelope)),
            Err(refusal) => (refusal.status(), Some(refusal.document())),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=300"));
        headers.insert(HeaderName::from_static("x-mongodb-service-version"), self.version.clone());
        respond(status, document.map(|document| text(&document, pretty)), headers)
    }

    fn answer(
        &self,
        head: &Parts,
        query: Query,
        body: &[u8],
        caller: Caller,
        peer: SocketAddr,
        hit: Option<Hit>,
    ) -> Result<Answer, Refusal> {
        let address = peer.ip().to_canonical();
        self.service.note_use(&caller, address)?;

        let unknown = || Refusal::ResourceNotFound(head.uri.path().to_owned());
        let base = self.base_path();
        let path = head.uri.path().strip_prefix(base).ok_or_else(unknown)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<Cow<str>> = match path.strip_prefix('/') {
            Some(rest) => rest.split('/').map(decode).collect::<Option<_>>().ok_or_else(unknown)?,
            None if path.is_empty() => Vec::new(),
            None => return Err(unknown()),
        };
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).map(Cow::Borrowed);
        let host = host.unwrap_or_else(|| self.address.to_string().into());
        let page = query.page;
        let query = query.on(hit.map_or(page, |hit| hit.page(page)));
        let call = Call {
            service: &self.service,
            caller,
            method: Method::of(head.method.as_str()),
            method_name: head.method.as_str(),
            base: format!("http://{host}{base}"),
            path,
            query,
            body,
            address,
        };
        let answer = route(&call, &segments.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
        Ok(match hit {
            Some(hit) => hit.bend(answer, &call, page),
            None => answer,
        })
    }
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

fn text(document: &Value, pretty: bool) -> String {
    if pretty { format!("{document:#}") } else { document.to_string() }
}

fn respond(status: StatusCode, body: Option<String>, headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    response
}
