//! The `Authorization` header that answers a challenge: its digests are over the bytes that the texts of the challenge were
//! made of, and so are its texts. `digest_auth` hashes and writes their UTF-8.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use digest_auth::{AlgorithmType, AuthorizationHeader, HttpMethod, Qop};
use diqwest::DigestAuthCredentials;
use diqwest::session::CachedContextGuard;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::challenge::bytes;
use super::credential_store::Credential;
use super::nonces::Nonce;

/// One use of a nonce, in the form in which diqwest wants it.
pub(super) struct NonceUse<'a> {
    pub(super) credential: &'a Credential,
    pub(super) nonce: &'a Nonce,
    pub(super) count: u32,
}

impl NonceUse<'_> {
    /// The header for a GET of `path` (path and query, as sent).
    pub(super) fn header(&self, path: &str) -> Option<HeaderValue> {
        let answer = self.calculate_authorization("", path, HttpMethod::GET, None, &HeaderMap::new()).ok()?;
        HeaderValue::from_bytes(&line(&answer)).ok()
    }

    /// `cnonce` is the client's own nonce; without `qop` there is none.
    fn answer(&self, method: &HttpMethod<'_>, path: &str, body: &[u8], cnonce: &str) -> AuthorizationHeader {
        let challenge = &self.nonce.challenge;
        let algorithm = challenge.algorithm;
        let qop = challenge.qop.as_deref().and_then(|offered| offered.first().copied());
        let hash = |parts: &[&[u8]]| algorithm.hash(&Zeroizing::new(parts.join(&b':')));
        let (realm, nonce) = (raw(&challenge.realm), raw(&challenge.nonce));
        let cnonce = qop.map(|_| cnonce.to_owned());
        let cnonce_bytes = cnonce.as_deref().unwrap_or_default().as_bytes();
        let (username, password) = (self.username().as_bytes(), self.password().as_bytes());
        // The same for each answer with this nonce.
        let secret = self.nonce.secret.get_or_init(|| hash(&[username, &realm, password]).into());
        let secret = if algorithm.sess {
            Cow::Owned(hash(&[secret.as_bytes(), &nonce, cnonce_bytes]))
        } else {
            Cow::Borrowed(secret.as_str())
        };
        let (method, uri) = (method.to_string(), path.as_bytes());
        let request = match qop {
            Some(Qop::AUTH_INT) => hash(&[method.as_bytes(), uri, hash(&[body]).as_bytes()]),
            Some(Qop::AUTH) | None => hash(&[method.as_bytes(), uri]),
        };
        let (secret, request) = (secret.as_bytes(), request.as_bytes());
        let response = match qop {
            Some(qop) => {
                let (count, qop) = (format!("{:08x}", self.count), qop.to_string());
                hash(&[secret, &nonce, count.as_bytes(), cnonce_bytes, qop.as_bytes(), request])
            }
            None => hash(&[secret, &nonce, request]),
        };
        AuthorizationHeader {
            realm: challenge.realm.clone(),
            nonce: challenge.nonce.clone(),
            opaque: challenge.opaque.clone(),
            userhash: challenge.userhash,
            algorithm,
            response,
            username: if challenge.userhash { hash(&[username, &realm]) } else { self.username().to_owned() },
            uri: path.to_owned(),
            qop,
            cnonce,
            nc: self.count,
        }
    }
}

impl DigestAuthCredentials for NonceUse<'_> {
    fn username(&self) -> &str {
        &self.credential.public
    }

    fn password(&self) -> &str {
        self.credential.private.expose_secret()
    }

    /// Never: the session above keeps the nonces.
    fn cached_context<'h>(
        &self,
        _host: &'h str,
    ) -> diqwest::error::Result<Option<CachedContextGuard<'_, 'h>>> {
        Ok(None)
    }

    fn store_context(&self, _host: &str, _challenge: &str) -> diqwest::error::Result<()> {
        Ok(())
    }

    fn clear_context(&self, _host: &str) -> diqwest::error::Result<()> {
        Ok(())
    }

    fn calculate_authorization(
        &self,
        _host: &str,
        path: &str,
        method: HttpMethod,
        body: Option<&[u8]>,
        _headers: &HeaderMap,
    ) -> diqwest::error::Result<AuthorizationHeader> {
        Ok(self.answer(&method, path, body.unwrap_or_default(), &cnonce()))
    }
}

/// 128 bits that can't be predicted: each half is hashed with keys of its own, made of the system's random numbers.
fn cnonce() -> String {
    let random = || RandomState::new().hash_one(());
    format!("{:016x}{:016x}", random(), random())
}

/// The bytes that a text of a challenge was made of.
fn raw(text: &str) -> Cow<'_, [u8]> {
    bytes(text).unwrap_or_default()
}

/// The value of the header, its fields in the order of `digest_auth`.
fn line(answer: &AuthorizationHeader) -> Vec<u8> {
    let mut line = Vec::with_capacity(512);
    let mut field = |name: &str, value: &[u8], is_quoted: bool| {
        line.extend_from_slice(if line.is_empty() { b"Digest " } else { b", " });
        line.extend_from_slice(name.as_bytes());
        line.extend_from_slice(if is_quoted { b"=\"" } else { b"=" });
        let mut rest = value;
        if is_quoted {
            while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
                line.extend_from_slice(&rest[..at]);
                line.extend_from_slice(&[b'\\', rest[at]]);
                rest = &rest[at + 1..];
            }
        }
        line.extend_from_slice(rest);
        if is_quoted {
            line.push(b'"');
        }
    };
    field("username", answer.username.as_bytes(), true);
    field("realm", &raw(&answer.realm), true);
    field("nonce", &raw(&answer.nonce), true);
    field("uri", answer.uri.as_bytes(), true);
    if let (Some(qop), Some(cnonce)) = (&answer.qop, &answer.cnonce) {
        field("qop", qop.to_string().as_bytes(), false);
        field("nc", format!("{:08x}", answer.nc).as_bytes(), false);
        field("cnonce", cnonce.as_bytes(), true);
    }
    field("response", answer.response.as_bytes(), true);
    if let Some(opaque) = &answer.opaque {
        field("opaque", &raw(opaque), true);
    }
    // RFC 2069 has no other algorithm, and no field for it.
    if answer.qop.is_some() || answer.algorithm.algo != AlgorithmType::MD5 {
        field("algorithm", answer.algorithm.to_string().as_bytes(), false);
    }
    if answer.userhash {
        field("userhash", b"true", false);
    }
    line
}

#[cfg(test)]
mod tests {
    use digest_auth::{AuthContext, WwwAuthenticateHeader};
    use reqwest::header::WWW_AUTHENTICATE;

    use super::super::challenge::pick;
    use super::*;

    fn picked(line: &str) -> WwwAuthenticateHeader {
        pick(&[(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap())].into_iter().collect()).unwrap()
    }

    fn credential(public: &str, private: &str) -> Credential {
        Credential { public: public.to_owned(), private: private.into() }
    }

    /// The two examples of RFC 7616, section 3.9.1, whose server is `http-auth@example.org`.
    #[test]
    fn answers_are_those_of_rfc_7616() {
        for (algorithm, expected) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let line = format!(
                r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm},
                nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#
            )
            .replace('\n', " ");
            let nonce = Nonce::first_use(picked(&line));
            let credential = credential("Mufasa", "Circle of Life");
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let answer = NonceUse { credential: &credential, nonce: &nonce, count: 1 }.answer(
                &HttpMethod::GET,
                "/dir/index.html",
                b"",
                cnonce,
            );
            assert_eq!(answer.response, expected);
        }
    }

    /// Of ASCII, bytes and text are one: every kind of header is as `digest_auth` makes it.
    #[test]
    fn a_header_in_ascii_is_that_of_digest_auth() {
        let credential = credential(r#"Mu"fa\sa"#, "Circle of Life");
        let path = "/api/users/1/keys?pageNum=1";
        for fields in ["", "qop=auth,", "qop=auth,userhash=true,", "userhash=true,", "qop=auth-int,"] {
            for algorithm in ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"]
            {
                if !fields.contains("qop") && algorithm.ends_with("sess") {
                    // Its answer has no room for the client's nonce.
                    continue;
                }
                let line =
                    format!(r#"Digest {fields}algorithm={algorithm},realm="a \"r\"",nonce=n/+,opaque=o"#);
                let nonce = Nonce::first_use(picked(&line));
                for count in [1, 0x3ff] {
                    let header =
                        NonceUse { credential: &credential, nonce: &nonce, count }.header(path).unwrap();
                    let mut parsed = AuthorizationHeader::parse(header.to_str().unwrap()).unwrap();
                    let body = fields.contains("int").then_some(&b""[..]);
                    let (public, private) = (&*credential.public, credential.private.expose_secret());
                    let context = AuthContext::new_with_method(public, private, path, body, HttpMethod::GET);
                    parsed.digest(&context);
                    assert_eq!(header.to_str().unwrap(), parsed.to_header_string(), "{line}");
                }
            }
        }
    }

    #[test]
    fn texts_that_are_no_ascii_are_sent_in_the_bytes_that_came() {
        let credential = credential("büro", "x");
        let challenge =
            [(WWW_AUTHENTICATE, HeaderValue::from_bytes(b"Digest realm=\"b\xfcro\",nonce=n").unwrap())];
        let nonce = Nonce::first_use(pick(&challenge.into_iter().collect()).unwrap());
        let header = NonceUse { credential: &credential, nonce: &nonce, count: 1 }.header("/x").unwrap();
        let expected =
            [b"Digest username=\"", "büro".as_bytes(), b"\", realm=\"b\xfcro\", nonce=\"n\""].concat();
        assert!(header.as_bytes().starts_with(&expected));
    }

    #[test]
    fn no_two_answers_have_the_same_nonce_of_the_client() {
        let cnonces: std::collections::HashSet<_> = (0..1000).map(|_| cnonce()).collect();
        assert!(cnonces.len() == 1000 && cnonces.iter().all(|cnonce| cnonce.len() == 32));
    }
}
