//! HTTP Digest as the service does it: what it asks for, and what it takes for an answer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;

use digest_auth::{Algorithm, AlgorithmType};

use super::nonces::{Nonces, Spent};

const REALM: &str = "MMS Public API";

/// The challenge that the digest layer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Challenge {
    /// As captured from the live service: MD5, `qop="auth"`
    Jetty,
    /// As the Ops Manager page prints it: `op="auth"`, so that an answer with or without qop is taken
    Reference,
    /// SHA-256 for MD5
    Sha256,
    /// Without qop, as RFC 2069
    NoQop,
    /// Three headers: Basic, Digest with SHA-256, Digest with MD5
    Several,
    /// Basic and Digest in one header
    OneHeader,
    /// Basic alone: no answer is taken
    BasicOnly,
}

/// Why a request does not get past the digest layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// No answer was attempted.
    Unanswered,
    /// The answer is not right, or not well formed, or repeats a nonce count.
    Wrong,
    /// The nonce is unknown, too old or used up; nothing is said about the rest.
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

    /// Whether an answer names an algorithm that was offered; one that names none means MD5.
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

    fn takes_qop(self) -> bool {
        self != Self::NoQop
    }

    fn takes_no_qop(self) -> bool {
        matches!(self, Self::Reference | Self::NoQop)
    }
}

/// A request as far as its digest goes.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// The request's target, byte for byte.
    pub(super) target: &'a str,
    /// All its `Authorization` headers; `None` for one that is not text.
    pub(super) authorization: Vec<Option<&'a str>>,
}

/// Judges a request's answer. `secrets` looks a digest user up: the passwords it may have, each with what it stands for.
///
/// The nonce is spent before the password is looked at, so that guessing costs nonce counts.
pub(super) fn judge<T>(
    request: &Request,
    challenge: Challenge,
    nonces: &mut Nonces,
    now: Instant,
    secrets: impl FnOnce(&str) -> Vec<(String, T)>,
) -> Result<T, Denial> {
    let header = match request.authorization.as_slice() {
        [] => return Err(Denial::Unanswered),
        [Some(header)] => *header,
        _ => return Err(Denial::Wrong),
    };
    let answer = Answer::parse(header).ok_or(Denial::Wrong)?;
    let algorithm = challenge.algorithm(answer.get("algorithm")).ok_or(Denial::Wrong)?;
    let counted = answer.counted(challenge)?;
    let field = |name| answer.get(name).ok_or(Denial::Wrong);
    let (user, nonce, response) = (field("username")?, field("nonce")?, field("response")?);
    if field("realm")? != REALM || field("uri")? != request.target {
        return Err(Denial::Wrong);
    }
    match nonces.spend(nonce, counted.as_ref().map(|counted| counted.count), now) {
        Spent::Fresh => {}
        Spent::Repeated => return Err(Denial::Wrong),
        Spent::Stale => return Err(Denial::Stale),
    }
    let middle = match &counted {
        Some(counted) => Cow::Owned(format!("{nonce}:{}:{}:auth", counted.text, counted.client_nonce)),
        None => Cow::Borrowed(nonce),
    };
    let what = algorithm.hash_str(&format!("{}:{}", request.method, request.target));
    let fits = |password: &str| {
        let who = algorithm.hash_str(&format!("{user}:{REALM}:{password}"));
        algorithm.hash_str(&format!("{who}:{middle}:{what}")) == response
    };
    let found = secrets(user).into_iter().find(|(password, _)| fits(password));
    found.map(|(_, meaning)| meaning).ok_or(Denial::Wrong)
}

/// The fields of an `Authorization: Digest` header, by their names in lower case.
struct Answer(BTreeMap<String, String>);

/// The part of an answer that only `qop=auth` has.
struct Counted<'a> {
    count: u32,
    text: &'a str,
    client_nonce: &'a str,
}

impl Answer {
    /// `None` unless the header is a digest answer, well formed, with no field twice.
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

    /// `None` for an answer without qop, where the challenge allows one.
    fn counted(&self, challenge: Challenge) -> Result<Option<Counted<'_>>, Denial> {
        let Some(qop) = self.get("qop") else {
            return if challenge.takes_no_qop() { Ok(None) } else { Err(Denial::Wrong) };
        };
        let text = self.get("nc").ok_or(Denial::Wrong)?;
        let client_nonce = self.get("cnonce").filter(|text| !text.is_empty()).ok_or(Denial::Wrong)?;
        let hex = text.len() == 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !hex || qop != "auth" || !challenge.takes_qop() {
            return Err(Denial::Wrong);
        }
        let count = u32::from_str_radix(text, 16).map_err(|_| Denial::Wrong)?;
        Ok(Some(Counted { count, text, client_nonce }))
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
            let _ = Answer::parse(&header);
        }
    }

    #[test]
    fn an_answer_that_is_not_well_formed_is_none() {
        let good = Answer::parse(r#"digest Username="a\"b",  realm = "x, y" ,nc=00000001,qop=auth"#).unwrap();
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
            assert!(Answer::parse(bad).is_none(), "{bad}");
        }
    }
}
