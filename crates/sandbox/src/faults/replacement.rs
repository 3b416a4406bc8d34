//! Answers that take the place of the service's.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use axum::http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use axum::http::{Response, StatusCode};
use futures::stream;
use serde_json::json;

use super::selection::{ActiveFault, REDIRECTED};
use super::spec::{FaultKind, no_argument, number};
use crate::rng::Rng;

/// The statuses that a fault may have.
const STATUSES: [u16; 11] = [400, 401, 403, 404, 408, 410, 429, 500, 502, 503, 504];

/// An answer in place of the service's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// An answer with this status.
    Status(u16, StatusDetail),
    /// A proxy's page with status 200.
    Html,
    /// Status 200 and no byte.
    Empty,
    /// Status 200 and bytes that are no text.
    Garbage,
    /// A page whose one row is so many nested arrays.
    Deep(u32),
    /// A page of so many GiB, with its `Content-Length`.
    Gigabytes(u32),
    /// A page that never ends, without `Content-Length`.
    Endless,
    /// With this status, to the same path with a mark in the query, where no fault applies.
    Redirect(u16),
    /// To the very same address.
    RedirectLoop,
    /// To the same path at this origin.
    RedirectAway(String),
}

/// What a bad status comes with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusDetail {
    /// An error document with the code that fits the status.
    Document,
    /// An error document with this code.
    Code(String),
    /// No body.
    Empty,
    /// A proxy's page.
    Html,
    /// `Retry-After` in seconds.
    RetryAfter(u32),
    /// `Retry-After` as a date, two seconds ahead.
    RetryDate,
    /// `RateLimit-Remaining: 0`.
    Remaining,
}

impl Replacement {
    pub(super) fn parse(name: &str, argument: Option<&str>) -> Option<Result<Self, &'static str>> {
        if let Some(status) = name.parse().ok().filter(|status| STATUSES.contains(status)) {
            return Some(StatusDetail::parse(argument).map(|detail| Self::Status(status, detail)));
        }
        Some(match name {
            "html" => no_argument(argument, Self::Html),
            "empty" => no_argument(argument, Self::Empty),
            "garbage" => no_argument(argument, Self::Garbage),
            "deep" => number(argument, 100_000, 1_000_000).map(Self::Deep),
            "gigabytes" => number(argument, 4, 1 << 20).map(Self::Gigabytes),
            "endless" => no_argument(argument, Self::Endless),
            "redirect" => match argument.unwrap_or("307").parse() {
                Ok(status @ (301 | 302 | 303 | 307 | 308)) => Ok(Self::Redirect(status)),
                Ok(_) | Err(_) => Err("the argument is 301, 302, 303, 307 or 308"),
            },
            "redirect-loop" => no_argument(argument, Self::RedirectLoop),
            "redirect-away" => origin(argument.unwrap_or_default()).map(Self::RedirectAway),
            _ => return None,
        })
    }
}

impl StatusDetail {
    fn parse(argument: Option<&str>) -> Result<Self, &'static str> {
        let is_code = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        Ok(match argument {
            None => Self::Document,
            Some("empty") => Self::Empty,
            Some("html") => Self::Html,
            Some("date") => Self::RetryDate,
            Some("remaining") => Self::Remaining,
            Some(code) if is_code(code) && !code.is_empty() => Self::Code(code.to_owned()),
            Some(seconds) => Self::RetryAfter(seconds.parse().map_err(
                |_| "the argument is empty, html, date, remaining, a number of seconds or an ERROR_CODE",
            )?),
        })
    }
}

fn origin(text: &str) -> Result<String, &'static str> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let origin = url.map(|url| url.origin().ascii_serialization());
    origin.ok_or("the argument is the other origin, such as http://127.0.0.1:8081")
}

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

/// How far ahead a `Retry-After` is that is a date; it is in whole seconds, so it may be one less.
const AHEAD: Duration = Duration::from_secs(2);

impl ActiveFault<'_> {
    /// The answer that takes the place of the service's, if one does. `target` is the request's.
    pub(crate) fn replacement(&self, target: &str) -> Option<Response<Body>> {
        let FaultKind::Replacement(replacement) = self.kind else { return None };
        Some(match replacement {
            Replacement::Status(status, detail) => status_response(*status, detail),
            Replacement::Html => response(200, HTML, proxy_page("Sign in")),
            Replacement::Empty => response(200, JSON, Body::empty()),
            Replacement::Garbage => response(200, JSON, self.garbage()),
            Replacement::Deep(levels) => response(200, JSON, nested(*levels)),
            Replacement::Gigabytes(count) => {
                let bytes = u64::from(*count) << 30;
                let mut response = response(200, JSON, long_page(bytes));
                response.headers_mut().insert(CONTENT_LENGTH, bytes.into());
                response
            }
            Replacement::Endless => response(200, JSON, long_page(u64::MAX)),
            Replacement::Redirect(status) => {
                let separator = if target.contains('?') { '&' } else { '?' };
                redirect(*status, &format!("{target}{separator}{REDIRECTED}"))
            }
            Replacement::RedirectLoop => redirect(302, target),
            Replacement::RedirectAway(origin) => redirect(302, &format!("{origin}{target}")),
        })
    }

    /// Bytes of which none begins a document or a text.
    fn garbage(&self) -> Vec<u8> {
        let mut rng = Rng::new(self.random, 0, 0);
        (0..GARBAGE).map(|_| 0x80 | rng.next_u64().to_be_bytes()[0]).collect()
    }
}

fn response(status: u16, content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn status_response(status: u16, detail: &StatusDetail) -> Response<Body> {
    let mut headers = HeaderMap::new();
    let mut error_code = default_code(status);
    match detail {
        StatusDetail::Empty => return response(status, JSON, Body::empty()),
        StatusDetail::Html => return response(status, HTML, proxy_page("The server is not available")),
        StatusDetail::Document => {}
        StatusDetail::Code(code) => error_code = code,
        StatusDetail::RetryAfter(seconds) => _ = headers.insert(RETRY_AFTER, (*seconds).into()),
        StatusDetail::RetryDate => {
            let date = httpdate::fmt_http_date(SystemTime::now() + AHEAD);
            headers.extend(HeaderValue::try_from(date).ok().map(|date| (RETRY_AFTER, date)));
        }
        StatusDetail::Remaining => {
            headers.insert(HeaderName::from_static("ratelimit-limit"), 100.into());
            headers.insert(HeaderName::from_static("ratelimit-remaining"), 0.into());
        }
    }
    let document = json!({
        "detail": "The sandbox was configured to fail.",
        "error": status,
        "errorCode": error_code,
        "parameters": [],
        "reason": StatusCode::from_u16(status).unwrap_or_default().canonical_reason(),
    });
    let mut response = response(status, JSON, document.to_string());
    response.headers_mut().extend(headers);
    response
}

/// The `errorCode` that goes with a status.
fn default_code(status: u16) -> &'static str {
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
    let mut response = response(status, "text/plain", Body::empty());
    if let Ok(to) = HeaderValue::try_from(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

fn nested(levels: u32) -> String {
    let levels = usize::try_from(levels).unwrap_or_default();
    format!(r#"{{"links":[],"totalCount":1,"results":[{}{}]}}"#, "[".repeat(levels), "]".repeat(levels))
}

/// A body of so many bytes that begins as a page does.
fn long_page(bytes: u64) -> Body {
    let rows = Bytes::from(ROW.repeat(PIECE / ROW.len()));
    let pieces = stream::unfold((Bytes::from_static(BEGINNING), bytes), move |(piece, left)| {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        let more = (size > 0).then(|| (piece.slice(..size), (rows.clone(), left - size as u64)));
        std::future::ready(more.map(|(piece, rest)| (Ok::<_, Infallible>(piece), rest)))
    });
    Body::from_stream(pieces)
}
