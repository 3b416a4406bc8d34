//! The cookies of a balancer, sent back to the origin that set them: some choose the node by one.
//!
//! Each credential has a jar of its own, since a cookie may also identify who was authenticated with it.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};
use url::Url;

/// More are not kept; the oldest goes first.
const MAX_COOKIES: usize = 32;
/// A longer cookie is not kept.
const MAX_LENGTH: usize = 4096;

/// The cookies that one origin set for one credential.
#[derive(Default)]
pub(super) struct CookieJar(Vec<Cookie>);

struct Cookie {
    name: String,
    value: String,
    path: String,
    is_secure: bool,
    expires: Option<SystemTime>,
}

impl CookieJar {
    /// Takes what an answer of `url` sets.
    pub(super) fn take(&mut self, url: &Url, headers: &HeaderMap, now: SystemTime) {
        for header in headers.get_all(SET_COOKIE) {
            let text = header.to_str().ok().filter(|text| text.len() <= MAX_LENGTH);
            let Some(cookie) = text.and_then(|text| Cookie::parse(text, url, now)) else { continue };
            self.0.retain(|known| known.name != cookie.name || known.path != cookie.path);
            if cookie.is_alive(now) {
                if self.0.len() == MAX_COOKIES {
                    self.0.remove(0);
                }
                self.0.push(cookie);
            }
        }
    }

    /// The `Cookie` header of a request for `url`; `None` where there is no cookie for it.
    pub(super) fn header(&self, url: &Url, now: SystemTime) -> Option<HeaderValue> {
        let cookies = self.0.iter().filter(|cookie| cookie.is_alive(now) && cookie.is_for(url));
        let pairs: Vec<_> = cookies.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if pairs.is_empty() {
            return None;
        }
        let mut value = HeaderValue::from_str(&pairs.join("; ")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl Cookie {
    /// As RFC 6265 reads it; `None` for one without a name, or one that is meant for another host.
    fn parse(text: &str, url: &Url, now: SystemTime) -> Option<Self> {
        let mut parts = text.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        if name.is_empty() {
            return None;
        }
        let folder = url.path().rsplit_once('/').map_or("/", |(folder, _)| folder);
        let folder = if folder.is_empty() { "/" } else { folder };
        let mut cookie = Self { name, value, path: folder.to_owned(), is_secure: false, expires: None };
        let mut max_age = None;
        for part in parts {
            let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match attribute.trim().to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "secure" => cookie.is_secure = true,
                "max-age" => max_age = value.parse::<i64>().ok().or(max_age),
                "expires" => cookie.expires = httpdate::parse_http_date(value).ok(),
                "domain" if !covers(value, url.host_str()?) => return None,
                _ => {}
            }
        }
        if let Some(seconds) = max_age {
            let life = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            cookie.expires = Some(now.checked_add(life).unwrap_or(now));
        }
        Some(cookie)
    }

    fn is_alive(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }

    fn is_for(&self, url: &Url) -> bool {
        let rest = url.path().strip_prefix(&*self.path);
        let is_below =
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'));
        is_below && (!self.is_secure || url.scheme() == "https")
    }
}

/// Whether a `Domain` attribute covers the host.
fn covers(domain: &str, host: &str) -> bool {
    let domain = domain.trim_start_matches('.').to_ascii_lowercase();
    host == domain || host.strip_suffix(&*domain).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn sent(set: &[&str], from: &str, to: &str, later: u64) -> Option<String> {
        let mut jar = CookieJar::default();
        for line in set {
            let headers = HeaderMap::from_iter([(SET_COOKIE, HeaderValue::from_str(line).unwrap())]);
            jar.take(&from.parse().unwrap(), &headers, NOW);
        }
        let header = jar.header(&to.parse().unwrap(), NOW + Duration::from_secs(later));
        header.map(|header| header.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_is_sent_back_where_and_while_it_is_meant_to_be() {
        let (from, to) = ("https://om.example/api/orgs", "https://om.example/api/users/1/keys");
        for (set, expected) in [
            (&["node=a"][..], Some("node=a")),
            (&["node=a; Path=/; HttpOnly; SameSite=Lax", "x=y; path=/api"], Some("node=a; x=y")),
            (&["node=a", "node=b"], Some("node=b")),
            (&["node=a", "node=; Max-Age=0"], None),
            (&["node=a", "node=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], None),
            (&["node=a; Max-Age=60"], Some("node=a")),
            (&["node=a; Path=/ap"], None),
            (&["node=a; Domain=other.example"], None),
            (&["node=a; Domain=.om.example; Secure"], Some("node=a")),
            (&["=a", "node"], None),
        ] {
            assert_eq!(sent(set, from, to, 1).as_deref(), expected, "{set:?}");
        }
        assert_eq!(sent(&["node=a; Max-Age=60"], from, to, 61), None);
        assert_eq!(sent(&["node=a; Secure"], from, &to.replace("https", "http"), 1), None);
    }

    proptest::proptest! {
        #[test]
        fn any_cookie_is_kept_or_not(text in "\\PC*") {
            let _ = Cookie::parse(&text, &"http://om.example/a/b".parse().unwrap(), NOW);
        }
    }
}
