//! What a response means: a document, the API's refusal, or something that is not the API at all.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use memchr::memmem::Finder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};
use url::Url;

use super::fields::repeated_field;
use super::product;
use super::unexpected_page::UnexpectedPage;
use super::wire::{ErrorDocument, bounded};
use crate::model::{Outcome, Product, ReadStatus};

/// One response, read to its end.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Whether the digest layer accepted an answer on the way here.
    pub(super) authenticated: bool,
    /// Where the last redirect led, if there was one.
    pub(super) redirected_to: Option<Redirected>,
    /// How long the service took, challenges included, without the waits of the rate limiter.
    pub(super) latency: Duration,
}

/// Where redirects led.
pub(super) struct Redirected {
    pub(super) url: Url,
    /// The path and page of it, where these are not what was asked for.
    pub(super) other_resource: Option<String>,
}

impl Response {
    /// The version of the server that answered; `None` where its headers contradict each other.
    pub(super) fn version(&self) -> Option<&str> {
        let mut headers = self.headers.get_all(&VERSION_HEADER).iter();
        let first = headers.next()?;
        headers.all(|header| header == first).then_some(())?;
        product::version_in_header(first.to_str().ok()?)
    }
}

/// Which version of the service answers.
pub(super) static VERSION_HEADER: HeaderName = HeaderName::from_static("x-mongodb-service-version");

/// What a response says.
#[derive(Debug, PartialEq)]
pub(super) enum Classification {
    /// What was asked for, by its looks JSON.
    Document,
    /// A refusal by the API, or by what is behind its digest layer.
    Refused(Outcome),
    /// Nothing that the API sends. If nothing else ever came, it is not the API.
    UnexpectedResponse(Outcome, UnexpectedPage),
    /// A document, for a request without authentication: it proves nothing.
    Unauthenticated,
}

/// Reads a response. Only 200 to an authenticated request for this very path is an answer to it.
pub(super) fn classify(response: &Response, product: Product) -> Classification {
    let classification = classify_here(response, product);
    let is_complete = match &classification {
        Classification::Document => true,
        Classification::Refused(outcome) | Classification::UnexpectedResponse(outcome, _) => {
            outcome.status.is_complete()
        }
        Classification::Unauthenticated => false,
    };
    match response.redirected_to.as_ref().and_then(|redirected| redirected.other_resource.as_deref()) {
        Some(path) if is_complete => {
            let why = bounded(format!("a redirect led to another resource, {path}"));
            Classification::Refused(Outcome::unread(ReadStatus::Malformed, Some(response.status), why))
        }
        Some(_) | None => classification,
    }
}

/// Reads a response, wherever it comes from.
fn classify_here(response: &Response, product: Product) -> Classification {
    let Response { status, headers, body, authenticated, .. } = response;
    let (status, is_success) = (*status, (200..300).contains(status));
    let json = body.trim_ascii_start().first() == Some(&b'{');
    if is_success && !json {
        let expected = if body.trim_ascii_start().starts_with(b"[") { "a JSON object" } else { "JSON" };
        let why = format!("{} instead of {expected}", describe_body(headers, body));
        let outcome = Outcome::unread(ReadStatus::Malformed, Some(status), why);
        return Classification::UnexpectedResponse(outcome, UnexpectedPage::read(headers, body));
    }
    let document = if is_success && !may_be_error(body) { None } else { Some(ErrorDocument::read(body)) };
    let Some(document) = document.filter(|document| !is_success || document.is_error()) else {
        return match (status, authenticated) {
            (200, true) => Classification::Document,
            (_, true) => {
                let why = format!("HTTP status {status} instead of the documented 200");
                Classification::Refused(Outcome::unread(ReadStatus::Malformed, Some(status), why))
            }
            (_, false) => Classification::Unauthenticated,
        };
    };
    let is_of_the_api = *authenticated || document.error_code.is_some() || status == 429;
    let status = document.status.filter(|inner| is_success && *inner >= 300).unwrap_or(status);
    if is_of_the_api {
        Classification::Refused(refusal(status, document, response, product))
    } else {
        let why = format!("{} with HTTP status {status} and no error code", describe_body(headers, body));
        let outcome = Outcome { detail: Some(why), ..refusal(status, document, response, product) };
        Classification::UnexpectedResponse(outcome, UnexpectedPage::read(headers, body))
    }
}

/// Whether asking again may bring another answer.
pub(super) fn is_transient(outcome: &Outcome) -> bool {
    outcome.status == ReadStatus::RateLimited
        || outcome.http_status.is_some_and(|status| status == 408 || status >= 500)
}

/// Whether the answer says that the deployment has more to do than it can.
pub(super) fn is_overload(outcome: &Outcome) -> bool {
    outcome.status == ReadStatus::RateLimited || outcome.http_status == Some(503)
}

fn refusal(status: u16, document: ErrorDocument, response: &Response, product: Product) -> Outcome {
    let code = document.error_code.as_deref().unwrap_or_default();
    let read_status = if status == 429 || code.starts_with("RATE_LIMITED") || code.contains("_RATE_LIMITED") {
        ReadStatus::RateLimited
    } else if response.authenticated && is_removal(status, code, product, response.version()) {
        if !is_documented(status, &document, response) {
            let why = format!("the response contradicts itself: {code} next to something else");
            let malformed = Outcome::unread(ReadStatus::Malformed, Some(response.status), bounded(why));
            return Outcome { error_code: document.error_code, ..malformed };
        }
        ReadStatus::Removed
    } else {
        match (status, code) {
            (403, "") => ReadStatus::Error,
            (401 | 403, _) => ReadStatus::Forbidden,
            (404, _) => ReadStatus::NotFound,
            // An error that no status belongs to.
            (200..300, _) => ReadStatus::Malformed,
            _ => ReadStatus::Error,
        }
    };
    let detail = document.detail.unwrap_or_else(|| match status {
        200..300 => format!("the response contains an error, but has HTTP status {status}"),
        _ => format!("HTTP status {status} without details"),
    });
    Outcome {
        status: read_status,
        http_status: Some(status),
        error_code: document.error_code,
        detail: Some(detail),
    }
}

/// Whether the answer says that there are no personal keys any more, rather than none of this user. `version` is that of
/// the server that gave it: behind one name may be servers of several.
fn is_removal(status: u16, code: &str, product: Product, version: Option<&str>) -> bool {
    code == "PERSONAL_API_KEYS_DEPRECATED" && status == 410
        || code == "RESOURCE_NOT_FOUND"
            && status == 404
            && product::has_removed_personal_keys(product, version)
}

/// Whether an error document is the whole answer, and of the status of that answer, or of the envelope in an answer of 200.
/// That keys are gone is not taken from less.
fn is_documented(status: u16, document: &ErrorDocument, response: &Response) -> bool {
    let has_status =
        response.status == status || response.status == 200 && document.envelope_status == Some(status);
    has_status && document.says_only(status) && repeated_field(&response.body).is_none()
}

/// A quick look, since the hot path need not parse twice: only an envelope has a `status`, only an error a code.
fn may_be_error(body: &[u8]) -> bool {
    static NAMES: LazyLock<[Finder<'_>; 2]> =
        LazyLock::new(|| ["\"status\"", "\"errorCode\""].map(Finder::new));
    NAMES.iter().any(|name| name.find(body).is_some())
}

/// What a body is, for a person.
fn describe_body(headers: &HeaderMap, body: &[u8]) -> Cow<'static, str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (content_type, encoding) = (text(CONTENT_TYPE), text(CONTENT_ENCODING));
    let description = if body.is_empty() {
        "an empty body"
    } else if !matches!(encoding, "" | "identity") {
        return bounded(format!("content with the encoding {encoding:?}, which was not requested,")).into();
    } else if content_type.starts_with("text/html") || body.trim_ascii_start().first() == Some(&b'<') {
        "an HTML page"
    } else if body.trim_ascii_start().starts_with(b"[") {
        "an array"
    } else {
        "unknown content"
    };
    description.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        let (headers, body) = (HeaderMap::new(), body.as_bytes().to_vec());
        Response { status, headers, body, authenticated: true, redirected_to: None, latency: Duration::ZERO }
    }

    fn of_version(version: &str, mut response: Response) -> Response {
        let value = format!("gitHash=a; versionString={version}").parse().unwrap();
        response.headers.insert(&VERSION_HEADER, value);
        response
    }

    #[test]
    fn only_200_to_an_authenticated_request_for_this_path_is_an_answer() {
        let page = r#"{"results":[],"totalCount":0}"#;
        let classified = |response: &Response| classify(response, Product::OpsManager);
        for status in [201, 202, 203, 204, 206, 226, 299] {
            let Classification::Refused(outcome) = classified(&response(status, page)) else {
                panic!("{status} is refused");
            };
            assert_eq!((outcome.status, outcome.http_status), (ReadStatus::Malformed, Some(status)));
        }
        let unasked = Response { authenticated: false, ..response(200, page) };
        assert_eq!(classified(&unasked), Classification::Unauthenticated);
        let moved = |response| {
            let url = "http://om.example/x".parse().unwrap();
            let redirected_to = Some(Redirected { url, other_resource: Some("/x".to_owned()) });
            Response { redirected_to, ..response }
        };
        let gone = || response(410, r#"{"errorCode":"PERSONAL_API_KEYS_DEPRECATED"}"#);
        for elsewhere in [moved(response(200, page)), moved(gone())] {
            let Classification::Refused(outcome) = classified(&elsewhere) else { panic!("it is refused") };
            assert_eq!(outcome.status, ReadStatus::Malformed);
        }
        let gone_unasked = Response { authenticated: false, ..gone() };
        let Classification::Refused(outcome) = classified(&gone_unasked) else { panic!("it is refused") };
        assert_eq!(outcome.status, ReadStatus::Error);
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
            let body =
                code.map_or_else(String::new, |code| format!(r#"{{"errorCode":"{code}","error":{status}}}"#));
            let Classification::Refused(outcome) =
                classify(&of_version(version, response(status, &body)), product)
            else {
                panic!("{status} {code:?} is a refusal");
            };
            assert_eq!(outcome.status, expected, "{product} {version} {status} {code:?}");
            assert_eq!(outcome.http_status, Some(status));
        }
    }

    #[test]
    fn two_versions_in_one_answer_are_no_version() {
        let gone = || response(404, r#"{"errorCode":"RESOURCE_NOT_FOUND","error":404}"#);
        let mut both = of_version("5.0.0", gone());
        both.headers.append(&VERSION_HEADER, "versionString=4.4.12".parse().unwrap());
        assert_eq!((of_version("5.0.0", gone()).version(), both.version()), (Some("5.0.0"), None));
    }

    #[test]
    fn a_refusal_inside_an_envelope_is_a_refusal() {
        let body = r#"{"status":404,"content":{"errorCode":"USER_NOT_FOUND","error":404}}"#;
        let Classification::Refused(outcome) = classify(&response(200, body), Product::OpsManager) else {
            panic!("a refusal");
        };
        assert_eq!((outcome.status, outcome.http_status), (ReadStatus::NotFound, Some(404)));
        for body in
            [r#"{"status":500,"content":[]}"#, r#"{"results":[],"errorCode":"UNEXPECTED_ERROR","error":500}"#]
        {
            let answer = classify(&response(200, body), Product::OpsManager);
            assert!(
                matches!(answer, Classification::Refused(Outcome { http_status: Some(500), .. })),
                "{body}: {answer:?}"
            );
        }
        // No status is recorded that was not sent.
        for body in [r#"{"status":"500","results":[]}"#, r#"{"results":[],"errorCode":"UNEXPECTED_ERROR"}"#] {
            let Classification::Refused(outcome) = classify(&response(200, body), Product::OpsManager) else {
                panic!("{body} is refused");
            };
            assert_eq!((outcome.status, outcome.http_status), (ReadStatus::Malformed, Some(200)), "{body}");
        }
        let page = r#"{"status":200,"results":[],"totalCount":0}"#;
        assert_eq!(classify(&response(200, page), Product::OpsManager), Classification::Document);
    }

    /// Keys, or another status, next to the word that there are no keys any more.
    #[test]
    fn a_removal_that_contradicts_itself_is_malformed() {
        let deprecated = r#""errorCode":"PERSONAL_API_KEYS_DEPRECATED""#;
        let unknown = r#""errorCode":"RESOURCE_NOT_FOUND""#;
        for (status, body, expected) in [
            (
                410,
                format!(r#"{{"detail":"d","error":410,{deprecated},"parameters":[],"reason":"Gone"}}"#),
                true,
            ),
            (410, format!("{{{deprecated}}}"), true),
            (410, format!(r#"{{"status":410,"content":{{"error":410,{deprecated}}}}}"#), true),
            (200, format!(r#"{{"status":410,"content":{{"error":410,{deprecated}}}}}"#), true),
            (404, format!(r#"{{"error":404,{unknown}}}"#), true),
            (200, format!(r#"{{"status":404,"content":{{"error":404,{unknown}}}}}"#), true),
            (200, format!(r#"{{"error":410,{deprecated}}}"#), false),
            (200, format!(r#"{{"results":[{{"id":"a"}}],"totalCount":1,"error":410,{deprecated}}}"#), false),
            (200, format!(r#"{{"status":410,"results":[{{"id":"a"}}],{deprecated}}}"#), false),
            (200, format!(r#"{{"status":410,"content":[{{"id":"a"}}],{deprecated}}}"#), false),
            (200, format!(r#"{{"status":410,"content":{{"results":[],{deprecated}}}}}"#), false),
            (200, format!(r#"{{"status":410,{deprecated},"content":{{"error":410,{deprecated}}}}}"#), false),
            (201, format!(r#"{{"status":410,"content":{{"error":410,{deprecated}}}}}"#), false),
            (410, format!(r#"{{"results":[{{"id":"a"}}],{deprecated}}}"#), false),
            (410, format!(r#"{{"totalCount":0,{deprecated}}}"#), false),
            (410, format!(r#"{{"error":500,{deprecated}}}"#), false),
            (410, format!(r#"{{"error":"Gone",{deprecated}}}"#), false),
            (410, format!(r#"{{"status":500,"content":{{{deprecated}}}}}"#), false),
            (410, format!(r#"{{{deprecated},"parameters":[{{"a":1,"a":2}}]}}"#), false),
            (200, format!(r#"{{"results":[{{"id":"a"}}],"totalCount":1,"error":404,{unknown}}}"#), false),
            (404, format!(r#"{{"error":404,"links":[],{unknown}}}"#), false),
        ] {
            let answer = classify(&of_version("5.0.0", response(status, &body)), Product::OpsManager);
            let Classification::Refused(outcome) = answer else { panic!("{body} is refused") };
            let expected = if expected { ReadStatus::Removed } else { ReadStatus::Malformed };
            assert_eq!(outcome.status, expected, "{status} {body}");
        }
    }

    #[test]
    fn what_the_api_never_sends_is_unexpected() {
        for (status, body) in [(200, "<html>"), (200, ""), (204, ""), (502, "<html>"), (404, ""), (403, "{}")]
        {
            let answer = Response { authenticated: false, ..response(status, body) };
            assert!(
                matches!(classify(&answer, Product::OpsManager), Classification::UnexpectedResponse(..)),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn only_transient_refusals_are_tried_again() {
        let transient = |status, code: &str| {
            let body = format!(r#"{{"errorCode":"{code}"}}"#);
            match classify(&response(status, &body), Product::OpsManager) {
                Classification::Refused(outcome) => is_transient(&outcome),
                other => panic!("{other:?}"),
            }
        };
        for (status, code) in
            [(408, "X"), (429, "X"), (500, "X"), (502, "X"), (503, "X"), (504, "X"), (400, "RATE_LIMITED_IP")]
        {
            assert!(transient(status, code), "{status} {code}");
        }
        for (status, code) in [(400, "X"), (401, "NOT_SELF"), (403, "X"), (404, "X"), (410, "X")] {
            assert!(!transient(status, code), "{status} {code}");
        }
    }
}
