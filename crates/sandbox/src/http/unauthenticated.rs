//! Resources without credentials. They are not counted, and no fault hits them.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};
use serde_json::json;

use super::server::{Server, VERSION_HEADER, respond};
use crate::product::GIT_HASH;

/// The counts of the sandbox, which are no part of the service.
const COUNTS: &str = "/sandbox/counts";

/// The version of the service is in a header; the body is the hash of the build.
const VERSION: &str = "/api/private/unauth/version";

/// The response to a request for one of these resources; `None` for any other request.
pub(super) fn respond_to(server: &Server, head: &Parts) -> Option<Response<Body>> {
    match head.uri.path() {
        COUNTS => Some(respond(StatusCode::OK, Some(json!(server.counts()).to_string()), HeaderMap::new())),
        VERSION if head.method == Method::GET => {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            headers.insert(VERSION_HEADER, server.version.clone());
            Some(respond(StatusCode::OK, Some(GIT_HASH.to_owned()), headers))
        }
        _ => None,
    }
}
