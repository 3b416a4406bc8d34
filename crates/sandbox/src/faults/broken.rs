//! Answers that are not the service's, and what goes wrong on the way of those that are.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use futures::stream;
use serde_json::json;

use super::super::scramble::Dice;
use super::hits::{Hit, LANDED};
use super::kind::{AuthFault, FaultKind, Replacement, StatusDetail, Transport};
use super::line::{Fate, Peer};

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

/// How a page begins, before the first row.
const BEGINNING: &[u8] = br#"{"links":[],"totalCount":1,"results":["#;

/// One of the rows of a page that is too long.
const ROW: &str = r#"{"createdAt":"2018-05-14T14:45:22Z","description":"too much","enabled":true,"id":"ffffffffffffffffffffffff"},"#;

/// How much of a page that is too long is in memory, in bytes: all of it shares this.
const PIECE: usize = 1 << 16;

/// How much `garbage` there is, in bytes.
const GARBAGE: usize = 1024;

/// How far ahead a `Retry-After` is that is a date; it is told in whole seconds, so it may be one less.
const AHEAD: Duration = Duration::from_secs(2);

impl Hit<'_> {
    /// The answer that takes the place of the service's, if one does. `target` is the request's.
    pub(crate) fn instead(&self, target: &str) -> Option<Response<Body>> {
        let ok = |kind, body: Body| Some(answer(200, kind, body));
        let FaultKind::Replacement(instead) = self.kind else { return None };
        match instead {
            Replacement::Status(status, said) => Some(refusal(*status, said)),
            Replacement::Html => ok(HTML, proxy_page("Sign in").into()),
            Replacement::Empty => ok(JSON, Body::empty()),
            Replacement::Garbage => ok(JSON, self.garbage().into()),
            Replacement::Deep(levels) => ok(JSON, deep(*levels).into()),
            Replacement::Gigabytes(count) => {
                let bytes = u64::from(*count) << 30;
                let mut response = answer(200, JSON, long(bytes));
                response.headers_mut().insert(CONTENT_LENGTH, bytes.into());
                Some(response)
            }
            Replacement::Endless => ok(JSON, long(u64::MAX)),
            Replacement::Redirect(status) => {
                let mark = if target.contains('?') { '&' } else { '?' };
                Some(redirect(*status, &format!("{target}{mark}{LANDED}")))
            }
            Replacement::RedirectLoop => Some(redirect(302, target)),
            Replacement::RedirectAway(origin) => Some(redirect(302, &format!("{origin}{target}"))),
        }
    }

    /// How the digest layer denies the request, if it does.
    pub(crate) fn denied(&self) -> Option<AuthFault> {
        match self.kind {
            FaultKind::Auth(denied) => Some(*denied),
            FaultKind::Replacement(_) | FaultKind::WrongData(_) | FaultKind::Transport(_) => None,
        }
    }

    /// What becomes of an answer before and while it is sent.
    pub(crate) async fn carry(&self, mut response: Response<Body>, peer: &Peer) -> Response<Body> {
        let reset = self.chance & 1 == 1;
        let FaultKind::Transport(how) = self.kind else { return response };
        match how {
            Transport::Reset => peer.decide(Fate::EndsAfter { bytes: 0, reset: true }),
            Transport::Close => peer.decide(Fate::EndsAfter { bytes: 0, reset: false }),
            Transport::Cut(Some(byte)) => peer.decide(Fate::EndsAfter { bytes: *byte, reset }),
            Transport::Cut(None) => {
                let share = u32::try_from(self.chance >> 32).unwrap_or_default();
                let body = response.body().size_hint().exact().unwrap_or_default();
                peer.decide(Fate::EndsWithin { share, body, reset });
            }
            Transport::Hang => std::future::pending().await,
            Transport::Latency(time) => tokio::time::sleep(*time).await,
            Transport::SlowDrip(every) => peer.decide(Fate::Drips(*every)),
            Transport::ContentType(name) => {
                if let Ok(name) = HeaderValue::try_from(name) {
                    response.headers_mut().insert(CONTENT_TYPE, name);
                }
            }
            Transport::Truncated => return self.truncated(response).await,
        }
        response
    }

    /// The first part of a body, without its last byte at least.
    async fn truncated(&self, response: Response<Body>) -> Response<Body> {
        let (head, body) = response.into_parts();
        let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let length = u64::try_from(whole.len()).unwrap_or(u64::MAX).saturating_sub(1);
        let kept = u64::try_from((u128::from(self.chance) * u128::from(length)) >> 64).unwrap_or_default();
        Response::from_parts(head, whole.slice(..usize::try_from(kept).unwrap_or_default()).into())
    }

    /// Bytes of which none begins a document or a text.
    fn garbage(&self) -> Vec<u8> {
        let mut dice = Dice::new(self.chance, 0, 0);
        (0..GARBAGE).map(|_| 0x80 | dice.roll().to_be_bytes()[0]).collect()
    }
}

fn answer(status: u16, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn refusal(status: u16, said: &StatusDetail) -> Response<Body> {
    let (code, header) = match said {
        StatusDetail::Empty => return answer(status, JSON, Body::empty()),
        StatusDetail::Html => return answer(status, HTML, proxy_page("The server is not available").into()),
        StatusDetail::Code(code) => (code.as_str(), None),
        StatusDetail::Document => (code(status), None),
        StatusDetail::RetryAfter(seconds) => (code(status), Some((RETRY_AFTER, HeaderValue::from(*seconds)))),
        StatusDetail::RetryDate => {
            let date = httpdate::fmt_http_date(SystemTime::now() + AHEAD);
            (code(status), HeaderValue::try_from(date).ok().map(|date| (RETRY_AFTER, date)))
        }
        StatusDetail::Remaining => {
            let name = HeaderName::from_static("ratelimit-remaining");
            (code(status), Some((name, HeaderValue::from(0))))
        }
    };
    let reason = StatusCode::from_u16(status).unwrap_or_default().canonical_reason();
    let document = json!({
        "detail": "The sandbox was told to fail.",
        "error": status,
        "errorCode": code,
        "parameters": [],
        "reason": reason,
    });
    let mut response = answer(status, JSON, document.to_string().into());
    if matches!(said, StatusDetail::Remaining) {
        response.headers_mut().insert(HeaderName::from_static("ratelimit-limit"), HeaderValue::from(100));
    }
    response.headers_mut().extend(header);
    response
}

/// The `errorCode` that goes with a status.
fn code(status: u16) -> &'static str {
    match status {
        400 => "RATE_LIMITED_IP",
        401 => "USER_UNAUTHORIZED",
        403 => "ACCESS_FORBIDDEN",
        404 => "USER_NOT_FOUND",
        408 => "REQUEST_TIMEOUT",
        410 => "PERSONAL_API_KEYS_DEPRECATED",
        429 => "RATE_LIMITED",
        503 => "SERVICE_UNAVAILABLE",
        _ => "UNEXPECTED_ERROR",
    }
}

fn proxy_page(title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    )
}

fn redirect(status: u16, to: &str) -> Response<Body> {
    let mut response = answer(status, "text/plain", Body::empty());
    if let Ok(to) = HeaderValue::try_from(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

fn deep(levels: u32) -> String {
    let levels = usize::try_from(levels).unwrap_or_default();
    format!(r#"{{"links":[],"totalCount":1,"results":[{}{}]}}"#, "[".repeat(levels), "]".repeat(levels))
}

/// So many bytes that begin as a page does.
fn long(bytes: u64) -> Body {
    let rows = Bytes::from(ROW.repeat(PIECE / ROW.len()));
    let pieces = stream::unfold((Bytes::from_static(BEGINNING), bytes), move |(piece, left)| {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        let more = (size > 0).then(|| (piece.slice(..size), (rows.clone(), left - size as u64)));
        std::future::ready(more.map(|(piece, rest)| (Ok::<_, Infallible>(piece), rest)))
    });
    Body::from_stream(pieces)
}
