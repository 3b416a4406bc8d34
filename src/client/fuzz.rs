//! What holds for any bytes of a server.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::authorization::NonceUse;
use super::certificate::Certificate;
use super::challenge;
use super::classify::{Classification, Response, VERSION_HEADER, classify};
use super::cookies::CookieJar;
use super::credential_store::Credential;
use super::list::UserKeys;
use super::nonces::Nonce;
use super::wire::{self, Identified, Page};
use super::{charset, rate_limiter, request, tls};
use crate::console::duration;
use crate::model::{Outcome, Product, ReadStatus};

const SECRET: &str = "b5e7b0c4-3a1d-4e0e-8f55-92732876eeae";
const ANN: &str = "5af9a1d29cc0cdb6ac0bf3f8";

/// The headers of a 401: the value of a `WWW-Authenticate` a line.
pub(crate) fn challenge(bytes: &[u8]) {
    let values = bytes.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers = challenges(values.clone());
    let picked = match challenge::pick(&headers) {
        Ok(picked) => picked,
        Err(why) => return assert!(why.is_ascii() && !why.contains(char::is_control), "{why:?}"),
    };
    let basic = HeaderValue::from_static("Basic realm=\"x\"");
    let after_another = challenge::pick(&challenges([basic].into_iter().chain(values)));
    assert_eq!(after_another.as_ref(), Ok(&picked));

    let credential = Credential { public: "abcdwxyz".to_owned(), private: SECRET.into() };
    let nonce = Nonce::first_use(picked.clone());
    let Some(answer) = (NonceUse { credential: &credential, nonce: &nonce, count: 1 }).header("/x?a=b")
    else {
        return;
    };
    let has_secret = |bytes: &[u8]| memchr::memmem::find(bytes, SECRET.as_bytes()).is_some();
    assert!(has_secret(bytes) || !has_secret(answer.as_bytes()));
    // What is sent back is what came, whatever is in it.
    let sent = challenge::pick(&challenges([answer])).expect("an answer names what it answers");
    assert_eq!((sent.realm, sent.nonce, sent.opaque), (picked.realm, picked.nonce, picked.opaque));
}

fn challenges(values: impl IntoIterator<Item = HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(WWW_AUTHENTICATE, value);
    }
    headers
}

/// A certificate, in DER or PEM.
pub(crate) fn certificates(bytes: &[u8]) {
    let _ = Certificate::from_der(bytes);
    let _ = tls::Identity::from_pem(bytes);
    for certificate in tls::certificates(bytes).into_iter().flatten() {
        let _ = Certificate::from_der(&certificate);
    }
}

/// An answer as `curl --include` writes it: a status line and headers, an empty line, a body. Without them, a body alone.
pub(crate) fn answers(bytes: &[u8]) {
    let (status, headers, body) = parts(bytes);
    side_effects(&headers);
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let decoded = charset::decoded(body.to_vec(), content_type);

    page::<wire::Account>(&decoded);
    page::<wire::Organization>(&decoded);
    page::<wire::Project>(&decoded);
    page::<wire::Team>(&decoded);
    page::<wire::TeamRoles>(&decoded);
    page::<wire::AccessEntry>(&decoded);
    page::<wire::ProgrammaticKey>(&decoded);
    page::<wire::Key>(&decoded);
    if wire::single::<wire::Account>(&decoded).is_ok() {
        assert!(!has_repeated_name(&decoded));
    }
    for product in [Product::OpsManager, Product::CloudManager, Product::Atlas] {
        for authenticated in [false, true] {
            let (headers, body) = (headers.clone(), decoded.clone());
            let latency = Duration::ZERO;
            let response = Response { status, headers, body, authenticated, redirected_to: None, latency };
            match classify(&response, product) {
                Classification::Document => {
                    assert!(authenticated && status == 200 && decoded.trim_ascii_start().starts_with(b"{"));
                    same_if_saved(&response, product, content_type, body_of(bytes));
                }
                Classification::Unauthenticated => assert!(!authenticated),
                Classification::Refused(outcome) | Classification::UnexpectedResponse(outcome, _) => {
                    assert_ne!(outcome.status, ReadStatus::Read);
                    assert!(authenticated || !outcome.status.is_complete(), "{outcome:?}");
                }
            }
        }
    }
}

/// Status, headers and body.
fn parts(bytes: &[u8]) -> (u16, HeaderMap, &[u8]) {
    let mut headers = HeaderMap::new();
    let Some(rest) = bytes.strip_prefix(b"HTTP/1.1 ") else { return (200, headers, bytes) };
    let (head, body) =
        memchr::memmem::find(rest, b"\n\n").map_or((rest, &[][..]), |at| (&rest[..at], &rest[at + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let status = lines.next().and_then(|line| str::from_utf8(line.get(..3)?).ok()?.parse().ok());
    for line in lines {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii())) {
            headers.append(name, value);
        }
    }
    (status.unwrap_or(200), headers, body)
}

/// What the headers of any answer lead to.
fn side_effects(headers: &HeaderMap) {
    let now = SystemTime::UNIX_EPOCH;
    if let Some(pause) = rate_limiter::pause_asked(headers, now) {
        let _ = duration(pause);
    }
    let _ = request::date(headers);
    let url = "https://om.example/api/public/v1.0/orgs".parse().expect("a URL");
    let mut jar = CookieJar::default();
    jar.take(&url, headers, now);
    let _ = jar.header(&url, now);
}

/// Of each row of a page it is known whether it was read, and none says anything twice.
fn page<T: DeserializeOwned + Identified>(body: &[u8]) {
    let Ok(page) = Page::<T>::read(body) else { return };
    assert!(page.rows.iter().all(|row| !row.id().is_empty() && row.id().len() <= 4 << 10));
    assert_eq!(page.left_out > 0, page.unreadable_row.is_some());
    if page.left_out == 0 {
        assert!(!has_repeated_name(body));
    }
}

/// An audit and an import read the same keys out of the same answer, to the same status.
fn same_if_saved(response: &Response, product: Product, content_type: &str, body: &[u8]) {
    let versions = response.headers.get_all(&VERSION_HEADER).iter().count();
    let Ok(page) = Page::<wire::Key>::read(&response.body) else { return };
    let saved = super::parse_saved(Some(200), response.version(), Some(content_type), product, body);
    let Ok(saved) = saved else { panic!("an audit reads it, but an import does not") };
    if versions > 1 || saved.number != 1 {
        return;
    }
    let end = |keys: UserKeys, taken: Result<(), Outcome>| {
        let end = taken.err().or_else(|| keys.next_page().err());
        end.map(|end| keys.finish(end))
    };
    let mut audited = UserKeys::new(ANN);
    let taken = audited.take(200, page, |_| false);
    let mut imported = UserKeys::new(ANN);
    let taken_saved = imported.take_saved(saved);
    assert_eq!(end(audited, taken), end(imported, taken_saved));
}

fn body_of(bytes: &[u8]) -> &[u8] {
    parts(bytes).2
}

/// Whether an object of a document has a name twice, as another reader sees it.
fn has_repeated_name(json: &[u8]) -> bool {
    serde_json::from_slice::<OfUniqueNames>(json).is_err_and(|why| why.to_string().starts_with(REPEATED))
}

const REPEATED: &str = "a name twice";

struct OfUniqueNames;

impl<'de> Deserialize<'de> for OfUniqueNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = OfUniqueNames;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<OfUniqueNames, A::Error> {
                let mut names = BTreeSet::new();
                while let Some((name, OfUniqueNames)) = fields.next_entry::<String, _>()? {
                    if !names.insert(name) {
                        return Err(A::Error::custom(REPEATED));
                    }
                }
                Ok(OfUniqueNames)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OfUniqueNames, A::Error> {
                while let Some(OfUniqueNames) = items.next_element()? {}
                Ok(OfUniqueNames)
            }

            fn visit_bool<E>(self, _: bool) -> Result<OfUniqueNames, E> {
                Ok(OfUniqueNames)
            }

            fn visit_i64<E>(self, _: i64) -> Result<OfUniqueNames, E> {
                Ok(OfUniqueNames)
            }

            fn visit_u64<E>(self, _: u64) -> Result<OfUniqueNames, E> {
                Ok(OfUniqueNames)
            }

            fn visit_f64<E>(self, _: f64) -> Result<OfUniqueNames, E> {
                Ok(OfUniqueNames)
            }

            fn visit_str<E>(self, _: &str) -> Result<OfUniqueNames, E> {
                Ok(OfUniqueNames)
            }

            fn visit_unit<E>(self) -> Result<OfUniqueNames, E> {
                Ok(OfUniqueNames)
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}
