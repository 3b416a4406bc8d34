//! `/api/oauth/token` of Atlas: access tokens for the client ID and the secret of a service account.

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, HeaderMap};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::json;
use url::form_urlencoded;

use super::server::{Server, respond};
use crate::product::Product;
use crate::state::TOKEN_LIFE;

const TOKEN: &str = "/api/oauth/token";

/// The response to a request for a token; `None` for any other request.
pub(super) fn respond_to(server: &Server, head: &Parts, body: Option<&[u8]>) -> Option<Response<Body>> {
    let is_atlas = server.deployment.rules.product == Product::Atlas;
    if !is_atlas || head.uri.path() != TOKEN || head.method != Method::POST {
        return None;
    }
    let grant = form_urlencoded::parse(body.unwrap_or_default()).find(|(name, _)| name == "grant_type");
    if grant.is_none_or(|(_, grant)| grant != "client_credentials") {
        return Some(refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type"));
    }
    let token = basic(head).and_then(|(id, secret)| server.deployment.issue_token(&id, &secret));
    let Some(token) = token else { return Some(refusal(StatusCode::UNAUTHORIZED, "invalid_client")) };
    let document = json!({ "access_token": token, "expires_in": TOKEN_LIFE, "token_type": "Bearer" });
    Some(respond(StatusCode::OK, Some(document.to_string()), HeaderMap::new()))
}

fn refusal(status: StatusCode, error: &str) -> Response<Body> {
    respond(status, Some(json!({ "error": error }).to_string()), HeaderMap::new())
}

fn authorization<'a>(head: &'a Parts, scheme: &str) -> Option<&'a str> {
    let (found, rest) = head.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn basic(head: &Parts) -> Option<(String, String)> {
    let decoded = BASE64_STANDARD.decode(authorization(head, "basic")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}

/// The access token of a request.
pub(super) fn token(head: &Parts) -> Option<&str> {
    authorization(head, "bearer")
}
