//! What a response that the API never sends says of the server or proxy it is from, for the help of an error.

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

use super::error::CLIENT_CERTIFICATE_HELP;
use crate::printable::{printable, without_digests};

/// No server says later what it is, in bytes.
const HEAD: usize = 8 << 10;
/// Longer titles are cut, in characters.
const LONGEST_TITLE: usize = 100;

/// What is known of a response that the API never sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnexpectedPage {
    /// The title of an HTML page, or the first line of a text: foreign text, printable and without digests.
    pub(super) title: Option<String>,
    /// Why it came, where that is known.
    pub(super) reason: Option<PageReason>,
}

/// Why the API did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageReason {
    /// The port is one for TLS, and the request was not.
    PlainHttp,
    /// There was no client certificate, or one that is not accepted.
    ClientCertificate,
    /// It is compressed, though nothing asked for that.
    Compressed,
}

impl PageReason {
    /// What to do about it.
    pub(super) fn help(self) -> &'static str {
        match self {
            Self::PlainHttp => "the port is one for TLS: use https in --url",
            Self::ClientCertificate => CLIENT_CERTIFICATE_HELP,
            Self::Compressed => {
                "keysunset asks for responses that are not compressed: turn compression off in the server or proxy that \
                 answers"
            }
        }
    }
}

/// Phrases of servers, in lower case.
const PHRASES: &[(&str, PageReason)] = &[
    // nginx
    ("plain http request was sent to https port", PageReason::PlainHttp),
    ("no required ssl certificate was sent", PageReason::ClientCertificate),
    ("400 the ssl certificate error", PageReason::ClientCertificate),
    // Apache
    ("speaking plain http to an ssl-enabled server port", PageReason::PlainHttp),
    // Tomcat
    ("this combination of host and port requires tls", PageReason::PlainHttp),
    // Go
    ("client sent an http request to an https server", PageReason::PlainHttp),
];

impl UnexpectedPage {
    /// Reads the headers and the decoded body of a response.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !matches!(text(CONTENT_ENCODING), "" | "identity") {
            return Self { title: None, reason: Some(PageReason::Compressed) };
        }
        let head = String::from_utf8_lossy(&body[..body.len().min(HEAD)]);
        let lower = head.to_ascii_lowercase();
        let is_text = text(CONTENT_TYPE).starts_with("text/plain");
        let title = if is_text { head.trim_start().lines().next() } else { html_title(&head, &lower) };
        let reason = PHRASES.iter().find(|(phrase, _)| lower.contains(phrase)).map(|(_, reason)| *reason);
        Self { title: title.map(quotable).filter(|title| !title.is_empty()), reason }
    }
}

/// What is between the tags; `lower` is the page in lower case, of the same length.
fn html_title<'p>(page: &'p str, lower: &str) -> Option<&'p str> {
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    page.get(start..end)
}

fn quotable(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = without_digests(&printable(&line));
    match line.char_indices().nth(LONGEST_TITLE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(content_type: &str, body: &str) -> UnexpectedPage {
        let headers = [(CONTENT_TYPE, content_type.parse().unwrap())].into_iter().collect();
        UnexpectedPage::read(&headers, body.as_bytes())
    }

    #[test]
    fn the_title_of_a_page_is_cut_printable_and_without_digests() {
        let digest = "0123456789abcdef".repeat(4);
        for (content_type, body, title) in [
            ("text/html", "<html><TITLE lang=en>\n Sign\tin </Title>".to_owned(), Some("Sign in")),
            ("text/html", format!("<title>{digest}\u{1b}[31m</title>"), Some("********\\u{1b}[31m")),
            ("text/html", "<title></title>".to_owned(), None),
            ("text/html", "<title>never ends".to_owned(), None),
            ("text/html", "</title><title".to_owned(), None),
            ("text/plain", "Bad Gateway\nmore".to_owned(), Some("Bad Gateway")),
            ("application/json", "{}".to_owned(), None),
        ] {
            assert_eq!(page(content_type, &body).title.as_deref(), title, "{body}");
        }
        let long = page("text/html", &format!("<title>{}</title>", "é".repeat(1000))).title.unwrap();
        assert_eq!(long.chars().count(), LONGEST_TITLE + 1);
    }
}
