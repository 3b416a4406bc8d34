//! What a server asks for in `WWW-Authenticate`: any number of headers and schemes, out of which one Digest challenge is
//! picked.

use std::borrow::Cow;

use digest_auth::{Algorithm, Charset, Qop, WwwAuthenticateHeader};
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// Bytes as ISO-8859-1, which loses none: a realm is hashed and sent back as the bytes that came.
pub(super) fn one_char_a_byte(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The bytes of a text out of [`one_char_a_byte`]; `None` for any other.
pub(super) fn bytes(text: &str) -> Option<Cow<'_, [u8]>> {
    if text.is_ascii() {
        return Some(text.as_bytes().into());
    }
    text.chars().map(|c| u8::try_from(c).ok()).collect()
}

/// Picks the first Digest challenge that can be answered, out of any number of headers and schemes. Its texts have one char
/// a byte.
///
/// # Errors
/// What the server asked for instead.
pub(super) fn pick(headers: &HeaderMap) -> Result<WwwAuthenticateHeader, String> {
    let mut asked_for = Vec::new();
    for header in headers.get_all(WWW_AUTHENTICATE) {
        for challenge in challenges(&one_char_a_byte(header.as_bytes())) {
            match challenge.digest() {
                Ok(digest) => return Ok(digest),
                Err(what) => asked_for.push(what),
            }
        }
    }
    if asked_for.is_empty() {
        return Err("the 401 response has no WWW-Authenticate header".to_owned());
    }
    Err(format!("the service requires {}", asked_for.join(", ")))
}

/// One scheme and its parameters, names in lower case.
#[derive(Debug, Default, PartialEq)]
struct Offer {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Offer {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.parameter(name).is_some_and(|given| given.eq_ignore_ascii_case(value))
    }

    /// Unknown parameters (such as the `op` of the Ops Manager page) are ignored; without `qop` it is RFC 2069.
    fn digest(&self) -> Result<WwwAuthenticateHeader, String> {
        if !self.scheme.eq_ignore_ascii_case("Digest") {
            return Err(printable(&self.scheme));
        }
        let named = |name| self.parameter(name).ok_or_else(|| format!("Digest without {name}"));
        Ok(WwwAuthenticateHeader {
            domain: None,
            realm: named("realm")?.to_owned(),
            nonce: named("nonce")?.to_owned(),
            opaque: self.parameter("opaque").map(str::to_owned),
            stale: self.is("stale", "true"),
            algorithm: self.algorithm()?,
            qop: self.qop()?.map(|qop| vec![qop]),
            userhash: self.is("userhash", "true"),
            charset: if self.is("charset", "utf-8") { Charset::UTF8 } else { Charset::ASCII },
            nc: 0,
        })
    }

    fn algorithm(&self) -> Result<Algorithm, String> {
        let Some(given) = self.parameter("algorithm") else { return Ok(Algorithm::default()) };
        ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"]
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(given))
            .and_then(|known| known.parse().ok())
            .ok_or_else(|| format!("Digest with algorithm {}", printable(given)))
    }

    fn qop(&self) -> Result<Option<Qop>, String> {
        let Some(given) = self.parameter("qop").filter(|given| !given.trim().is_empty()) else {
            return Ok(None);
        };
        let offers = |name: &str| given.split(',').any(|qop| qop.trim().eq_ignore_ascii_case(name));
        if offers("auth") {
            Ok(Some(Qop::AUTH))
        } else if offers("auth-int") {
            Ok(Some(Qop::AUTH_INT))
        } else {
            Err(format!("Digest with qop {}", printable(given)))
        }
    }
}

/// At most 40 characters, nothing that moves a terminal.
fn printable(text: &str) -> String {
    text.chars().take(40).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// Splits a header into its challenges. Tolerant: a missing comma, a semicolon, white space, empty elements and a list without
/// quotes are all well.
fn challenges(header: &str) -> Vec<Offer> {
    let mut found: Vec<Offer> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches(|c: char| matches!(c, ',' | ';') || c.is_whitespace());
        let end =
            rest.find(|c: char| matches!(c, ',' | ';' | '=') || c.is_whitespace()).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        if token.is_empty() && after.is_empty() {
            return found;
        }
        if let Some(value) = after.trim_start().strip_prefix('=') {
            let (value, after) = parameter_value(value.trim_start());
            if let Some(offer) = found.last_mut() {
                offer.parameters.push((token.to_ascii_lowercase(), value));
            }
            rest = after;
        } else {
            match found.last_mut().and_then(|offer| offer.parameters.last_mut()) {
                // A list that should have been quoted.
                Some((name, qop)) if name == "qop" && matches!(token, "auth" | "auth-int") => {
                    *qop = format!("{qop},{token}");
                }
                Some(_) | None => found.push(Offer { scheme: token.to_owned(), parameters: Vec::new() }),
            }
            rest = after;
        }
    }
}

/// A quoted string, or all up to a comma or white space; and what follows it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            plain => value.push(plain),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap())).collect()
    }

    const LIVE: &str =
        r#"Digest realm="MMS Public API", domain="", nonce="a+/b", algorithm=MD5, qop="auth", stale=false"#;

    #[test]
    fn the_live_challenge_and_the_reference_pages_are_understood() {
        let live = pick(&headers(&[LIVE])).unwrap();
        assert_eq!((live.realm.as_str(), live.nonce.as_str()), ("MMS Public API", "a+/b"));
        assert_eq!((live.qop, live.stale), (Some(vec![Qop::AUTH]), false));
        let page = LIVE.replace("qop", "op");
        assert_eq!(pick(&headers(&[&page])).unwrap().qop, None, "`op` is no `qop`: RFC 2069");
        let comma = r#"Digest realm="r", nonce="n", algorithm=MD5, qop="auth" stale=true"#;
        assert!(pick(&headers(&[comma])).unwrap().stale, "a missing comma before stale");
        let unquoted = "Digest qop=auth-int,auth; nonce=n; realm=r, Basic realm=x";
        assert_eq!(pick(&headers(&[unquoted])).unwrap().qop, Some(vec![Qop::AUTH]));
    }

    #[test]
    fn the_digest_scheme_is_found_among_headers_and_schemes() {
        for lines in [
            vec![r#"Basic realm="x""#, LIVE],
            vec![
                r#"Negotiate abc==, Basic realm="a, Digest realm=b", Digest realm="MMS Public API", nonce="a+/b""#,
            ],
            vec![r#"DIGEST Realm = "MMS Public API" , NONCE="a+/b" ,, ALGORITHM="md5""#],
            vec![r#"Digest realm="MMS Public API", nonce="z", algorithm=TOKEN-9"#, LIVE],
        ] {
            let picked = pick(&headers(&lines)).unwrap();
            assert_eq!(
                (picked.realm.as_str(), picked.nonce.as_str()),
                ("MMS Public API", "a+/b"),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_answered_is_named() {
        for (lines, said) in [
            (vec![], "no WWW-Authenticate"),
            (vec![r#"Basic realm="x""#], "Basic"),
            (vec!["Negotiate", r#"Basic realm="x""#], "Negotiate, Basic"),
            (vec![r#"Digest realm="r", nonce="n", algorithm=TOKEN-9"#], "Digest with algorithm TOKEN-9"),
            (vec![r#"Digest realm="r", nonce="n", qop="auth-conf""#], "Digest with qop auth-conf"),
            (vec![r#"Digest realm="r""#], "Digest without nonce"),
        ] {
            let why = pick(&headers(&lines)).unwrap_err();
            assert!(why.contains(said), "{why}");
        }
    }

    proptest::proptest! {
        /// Any header at all ends in a challenge or in a reason, never in a panic.
        #[test]
        fn any_header_is_answered_or_refused(bytes in proptest::collection::vec(0x20_u8..=0xff, 0..200)) {
            let value = HeaderValue::from_bytes(&bytes);
            let headers: HeaderMap = value.into_iter().map(|value| (WWW_AUTHENTICATE, value)).collect();
            let _ = pick(&headers);
        }

        /// A quoted value comes out as the server meant it, whatever is before it and between the parameters.
        #[test]
        fn a_quoted_realm_and_nonce_come_out_whole(
            realm in "[ -~]{0,20}",
            nonce in "[ -~]{1,40}",
            before in "(Basic realm=\"x, Digest nonce=y\", )?",
            comma in "(, |,| ,  )",
        ) {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let line = format!("{before}Digest realm=\"{}\"{comma}nonce=\"{}\"", quote(&realm), quote(&nonce));
            let picked = pick(&headers(&[&line])).unwrap();
            proptest::prop_assert_eq!((picked.realm, picked.nonce), (realm, nonce));
        }
    }
}
