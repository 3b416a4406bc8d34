//! The `Authorization` header that answers a challenge.

use digest_auth::{AuthContext, AuthorizationHeader, HttpMethod, Qop, WwwAuthenticateHeader};
use diqwest::DigestAuthCredentials;
use diqwest::session::CachedContextGuard;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;

use super::challenge::{bytes, one_char_a_byte};
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
        let username = one_char_a_byte(answer.username.as_bytes());
        let answer = AuthorizationHeader { username, ..answer };
        HeaderValue::from_bytes(&bytes(&answer.to_header_string())?).ok()
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
        let mut challenge = WwwAuthenticateHeader { nc: self.count - 1, ..self.nonce.challenge.clone() };
        let only_auth_int = challenge.qop.as_deref() == Some(&[Qop::AUTH_INT]);
        let body = body.or(only_auth_int.then_some(&[]));
        let context = AuthContext::new_with_method(self.username(), self.password(), path, body, method);
        let answer = challenge.respond(&context)?;
        Ok(hashed_as_bytes(answer, &context))
    }
}

/// An answer with its digests over the bytes that the texts of the challenge were made of: `digest_auth` hashes their UTF-8.
fn hashed_as_bytes(answer: AuthorizationHeader, context: &AuthContext<'_>) -> AuthorizationHeader {
    let hash = |parts: &[&[u8]]| answer.algorithm.hash(&parts.join(&b':'));
    let raw = |text: &str| bytes(text).unwrap_or_default();
    let (realm, nonce) = (raw(&answer.realm), raw(&answer.nonce));
    let cnonce = answer.cnonce.as_deref().unwrap_or_default().as_bytes();
    let mut secret = hash(&[context.username.as_bytes(), &realm, context.password.as_bytes()]);
    if answer.algorithm.sess {
        secret = hash(&[secret.as_bytes(), &nonce, cnonce]);
    }
    let (method, body) = (context.method.to_string(), hash(&[context.body.as_deref().unwrap_or_default()]));
    let request = match answer.qop {
        Some(Qop::AUTH_INT) => hash(&[method.as_bytes(), context.uri.as_bytes(), body.as_bytes()]),
        Some(Qop::AUTH) | None => hash(&[method.as_bytes(), context.uri.as_bytes()]),
    };
    let response = match answer.qop {
        Some(qop) => {
            let (count, qop) = (format!("{:08x}", answer.nc), qop.to_string());
            let parts =
                [secret.as_bytes(), &nonce, count.as_bytes(), cnonce, qop.as_bytes(), request.as_bytes()];
            hash(&parts)
        }
        None => hash(&[secret.as_bytes(), &nonce, request.as_bytes()]),
    };
    let username =
        if answer.userhash { hash(&[context.username.as_bytes(), &realm]) } else { answer.username };
    AuthorizationHeader { response, username, ..answer }
}

#[cfg(test)]
mod tests {
    use reqwest::header::WWW_AUTHENTICATE;

    use super::super::challenge::pick;
    use super::*;

    fn picked(line: &str) -> WwwAuthenticateHeader {
        pick(&[(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap())].into_iter().collect()).unwrap()
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
            let mut challenge = picked(&line);
            let mut context = AuthContext::new("Mufasa", "Circle of Life", "/dir/index.html");
            context.set_custom_cnonce("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
            let answer = hashed_as_bytes(challenge.respond(&context).unwrap(), &context);
            assert_eq!(answer.response, expected);
        }
    }

    /// Of ASCII, bytes and text are one: every kind of answer is as `digest_auth` computes it.
    #[test]
    fn an_answer_in_ascii_is_the_same_in_bytes() {
        for (qop, userhash) in [("", ""), ("qop=auth,", "userhash=true,"), ("qop=auth-int,", "")] {
            for algorithm in ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"]
            {
                let line = format!("Digest {qop}{userhash}algorithm={algorithm},realm=r,nonce=n,opaque=o");
                let mut challenge = picked(&line);
                let mut context = AuthContext::new("Mufasa", "Circle of Life", "/dir/index.html");
                context.body = Some(b"x".as_slice().into());
                let answer = challenge.respond(&context).unwrap();
                if answer.cnonce.is_some() || !answer.algorithm.sess {
                    assert_eq!(hashed_as_bytes(answer.clone(), &context), answer);
                }
            }
        }
    }

    #[test]
    fn a_name_that_is_no_ascii_is_sent_in_utf_8() {
        let credential = Credential { public: "büro".to_owned(), private: "x".into() };
        let nonce = Nonce::first_use(picked("Digest realm=r,nonce=n"));
        let header = NonceUse { credential: &credential, nonce: &nonce, count: 1 }.header("/x").unwrap();
        assert!(header.as_bytes().starts_with("Digest username=\"büro\", realm=\"r\"".as_bytes()));
    }
}
