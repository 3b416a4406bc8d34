//! The way of requests to the deployment, for the errors of it.

use std::time::Duration;

use url::Url;

/// What an error says of the way to the deployment.
pub(super) struct Route<'a> {
    /// What was asked for.
    pub(super) url: &'a Url,
    /// Host and port of the proxy, if there is one.
    pub(super) proxy: Option<String>,
    /// For one request.
    pub(super) timeout: Duration,
}

impl Route<'_> {
    /// ` through the proxy HOST:PORT`, or nothing.
    pub(super) fn by_proxy(&self) -> String {
        self.proxy.as_ref().map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"))
    }

    /// What is wrong where the proxy wants a user and a password.
    pub(super) fn proxy_login(&self) -> String {
        let proxy =
            self.proxy.as_ref().map_or_else(|| "a proxy".to_owned(), |proxy| format!("the proxy {proxy}"));
        format!("{proxy} before {} requires a login", self.url.origin().ascii_serialization())
    }
}

/// What to do about a proxy that wants a user and a password.
pub(super) fn proxy_login_help(url: &Url) -> &'static str {
    if url.scheme() == "https" {
        "set the user name and password of the proxy (HTTPS_PROXY=http://user:password@host:port), or name the host in \
         NO_PROXY"
    } else {
        "set the user name and password of the proxy (HTTP_PROXY=http://user:password@host:port), or name the host in \
         NO_PROXY"
    }
}
