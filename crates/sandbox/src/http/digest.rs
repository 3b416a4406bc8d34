//! HTTP Digest as the service does it: its challenges, and the check of the `Authorization` header.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;

use digest_auth::{Algorithm, AlgorithmType};

use super::nonces::{NonceUse, Nonces};

const REALM: &str = "MMS Public API";

/// The challenge that the digest layer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Challenge {
    /// As the real service: MD5, qop="auth"
    Jetty,
    /// As the Ops Manager documentation prints it: op="auth"
    Reference,
    /// SHA-256 instead of MD5
    Sha256,
    /// Without qop (RFC 2069)
    NoQop,
    /// Three headers: Basic, Digest SHA-256, Digest MD5
    Several,
    /// Basic and Digest in one header
    OneHeader,
    /// Only Basic: every response is refused
    BasicOnly,
}

/// The body of the digest layer's own 401, which has no `errorCode`.
pub(super) const NOT_AUTHORIZED: &str =
    r#"{"reason":"Unauthorized","error":401,"detail":"You are not authorized for this resource."}"#;

/// Why a request is not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DigestError {
    /// There is no `Authorization` header.
    Missing,
    /// The header is wrong, or not well formed, or repeats a nonce count.
    Wrong,
    /// The nonce is unknown, too old or used up; the rest was not looked at.
    Stale,
}

impl Challenge {
    /// The `WWW-Authenticate` headers, in order.
    pub(super) fn headers(self, nonce: &str, stale: bool) -> Vec<String> {
        let digest = |algorithm: &str, qop: &str| {
            format!(
                r#"Digest realm="{REALM}", domain="", nonce="{nonce}", algorithm={algorithm}, {qop}stale={stale}"#
            )
        };
        let basic = format!(r#"Basic realm="{REALM}""#);
        let auth = r#"qop="auth", "#;
        match self {
            Self::Jetty => vec![digest("MD5", auth)],
            Self::Reference => vec![digest("MD5", r#"op="auth", "#)],
            Self::Sha256 => vec![digest("SHA-256", auth)],
            Self::NoQop => vec![digest("MD5", "")],
            Self::Several => vec![basic, digest("SHA-256", auth), digest("MD5", auth)],
            Self::OneHeader => vec![format!("{basic}, {}", digest("MD5", auth))],
            Self::BasicOnly => vec![basic],
        }
    }

    /// The algorithm that a header names, if it was offered; a header that names none means MD5.
    fn algorithm(self, named: Option<&str>) -> Option<Algorithm> {
        let (md5, sha256) = match self {
            Self::Jetty | Self::Reference | Self::NoQop | Self::OneHeader => (true, false),
            Self::Sha256 => (false, true),
            Self::Several => (true, true),
            Self::BasicOnly => (false, false),
        };
        let named = named.unwrap_or("MD5");
        if md5 && named.eq_ignore_ascii_case("MD5") {
            Some(Algorithm::new(AlgorithmType::MD5, false))
        } else if sha256 && named.eq_ignore_ascii_case("SHA-256") {
            Some(Algorithm::new(AlgorithmType::SHA2_256, false))
        } else {
            None
        }
    }

    fn accepts_qop(self) -> bool {
        self != Self::NoQop
    }

    fn accepts_no_qop(self) -> bool {
        matches!(self, Self::Reference | Self::NoQop)
    }
}

/// The parts of a request that its digest covers.
pub(super) struct DigestRequest<'a> {
    pub(super) method: &'a str,
    /// The request's target, byte for byte.
    pub(super) target: &'a str,
    /// All its `Authorization` headers; `None` for one that is not text.
    pub(super) authorization: Vec<Option<&'a str>>,
}

/// Checks a request's digest. `credentials` looks a digest user up: the passwords it may have, each with what it proves.
///
/// The nonce count is used before the password is looked at, so that guessing costs nonce counts.
pub(super) fn authenticate<T>(
    request: &DigestRequest,
    challenge: Challenge,
    nonces: &mut Nonces,
    now: Instant,
    credentials: impl FnOnce(&str) -> Vec<(String, T)>,
) -> Result<T, DigestError> {
    let header = match request.authorization.as_slice() {
        [] => return Err(DigestError::Missing),
        [Some(header)] => *header,
        _ => return Err(DigestError::Wrong),
    };
    let fields = DigestFields::parse(header).ok_or(DigestError::Wrong)?;
    let algorithm = challenge.algorithm(fields.get("algorithm")).ok_or(DigestError::Wrong)?;
    let counted = fields.nonce_count(challenge)?;
    let field = |name| fields.get(name).ok_or(DigestError::Wrong);
    let (user, nonce, response) = (field("username")?, field("nonce")?, field("response")?);
    if field("realm")? != REALM || field("uri")? != request.target {
        return Err(DigestError::Wrong);
    }
    match nonces.use_count(nonce, counted.as_ref().map(|counted| counted.count), now) {
        NonceUse::Accepted => {}
        NonceUse::Repeated => return Err(DigestError::Wrong),
        NonceUse::Stale => return Err(DigestError::Stale),
    }
    let middle = match &counted {
        Some(counted) => Cow::Owned(format!("{nonce}:{}:{}:auth", counted.text, counted.client_nonce)),
        None => Cow::Borrowed(nonce),
    };
    let request_hash = algorithm.hash_str(&format!("{}:{}", request.method, request.target));
    let matches = |password: &str| {
        let user_hash = algorithm.hash_str(&format!("{user}:{REALM}:{password}"));
        algorithm.hash_str(&format!("{user_hash}:{middle}:{request_hash}")) == response
    };
    let found = credentials(user).into_iter().find(|(password, _)| matches(password));
    found.map(|(_, proven)| proven).ok_or(DigestError::Wrong)
}

/// The fields of an `Authorization: Digest` header, by their names in lower case.
struct DigestFields(BTreeMap<String, String>);

/// The fields that only `qop=auth` has.
struct NonceCount<'a> {
    count: u32,
    text: &'a str,
    client_nonce: &'a str,
}

impl DigestFields {
    /// `None` unless the header is one of Digest, well formed, with no field twice.
    fn parse(header: &str) -> Option<Self> {
        let (scheme, mut rest) = header.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let mut fields = BTreeMap::new();
        loop {
            let (name, after) = rest.split_once('=')?;
            let name = name.trim().to_ascii_lowercase();
            let (value, after) = value(after.trim_start())?;
            if !is_token(&name) || fields.insert(name, value).is_some() {
                return None;
            }
            rest = match after.trim_start() {
                "" => return Some(Self(fields)),
                more => more.strip_prefix(',')?,
            };
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `None` for a header without qop, where the challenge allows one.
    fn nonce_count(&self, challenge: Challenge) -> Result<Option<NonceCount<'_>>, DigestError> {
        let Some(qop) = self.get("qop") else {
            return if challenge.accepts_no_qop() { Ok(None) } else { Err(DigestError::Wrong) };
        };
        let text = self.get("nc").ok_or(DigestError::Wrong)?;
        let client_nonce = self.get("cnonce").filter(|text| !text.is_empty()).ok_or(DigestError::Wrong)?;
        let hex = text.len() == 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !hex || qop != "auth" || !challenge.accepts_qop() {
            return Err(DigestError::Wrong);
        }
        let count = u32::from_str_radix(text, 16).map_err(|_| DigestError::Wrong)?;
        Ok(Some(NonceCount { count, text, client_nonce }))
    }
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte))
}

/// A value, quoted or not, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        let value = value.trim_end();
        let token = !value.is_empty() && !value.contains(|c: char| c == '"' || c.is_whitespace());
        return token.then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(header in r#"(?i:digest)? ?([a-z]{0,3} ?=? ?["\\,é]{0,3})*"#) {
            let _ = DigestFields::parse(&header);
        }
    }

    #[test]
    fn a_header_that_is_not_well_formed_is_refused() {
        let good =
            DigestFields::parse(r#"digest Username="a\"b",  realm = "x, y" ,nc=00000001,qop=auth"#).unwrap();
        assert_eq!(good.get("username"), Some(r#"a"b"#));
        assert_eq!(good.get("realm"), Some("x, y"));
        assert_eq!(good.get("qop"), Some("auth"));
        for bad in [
            "",
            "Digest",
            "Digest ",
            "Digest a",
            "Digest a=",
            "Digest a=b,",
            "Digest a=b,,c=d",
            "Digest a=b c=d",
            r#"Digest a="b"#,
            r#"Digest a="b\"#,
            r#"Digest a="b"c"#,
            "Digest a=b, A=c",
            "Digest =b",
            "Basic dXNlcjpwYXNz",
        ] {
            assert!(DigestFields::parse(bad).is_none(), "{bad}");
        }
    }
}
