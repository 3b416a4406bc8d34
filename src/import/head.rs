//! The headers that curl's `--include` writes before a body.

use chrono::{DateTime, Utc};

/// What a block of headers says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// When the service answered, by its own clock.
    pub(super) date: Option<DateTime<Utc>>,
    /// `X-MongoDB-Service-Version`, whole.
    pub(super) version: Option<String>,
    /// Whether curl has an answer to it: a challenge of the service or a proxy, or another address.
    follow_up: bool,
    /// Whether the challenge says that only the nonce was too old.
    stale: bool,
    /// Whether it is a proxy's word that the way is free.
    connected: bool,
}

impl Head {
    /// Reads the lines of a block; `None` where the first is no status line.
    pub(super) fn read(block: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(block);
        let mut lines = text.lines();
        let first = lines.next()?;
        let mut words = first.strip_prefix("HTTP/")?.split_ascii_whitespace().skip(1);
        let status = words.next()?.parse().ok().filter(|status| (100..600).contains(status))?;
        let reason = words.collect::<Vec<_>>().join(" ").to_ascii_lowercase();
        let mut head = Self { status, connected: reason == "connection established", ..Self::default() };
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            head.note(&name.trim().to_ascii_lowercase(), value.trim());
        }
        Some(head)
    }

    fn note(&mut self, name: &str, value: &str) {
        match name {
            "date" => self.date = httpdate::parse_http_date(value).ok().map(DateTime::from),
            "x-mongodb-service-version" => self.version = Some(value.to_owned()),
            "www-authenticate" | "proxy-authenticate" | "location" => {
                self.follow_up = true;
                self.stale |= value.to_ascii_lowercase().replace([' ', '"'], "").contains("stale=true");
            }
            _ => {}
        }
    }

    /// Whether `next`, which stands right behind it, is what became of the same request: curl writes no body for what it
    /// follows up on. A second challenge that does not blame the nonce is a refusal, and `next` begins another request.
    pub(super) fn goes_on(&self, before: Option<&Self>) -> bool {
        match self.status {
            100..=199 => true,
            200 => self.connected,
            300..=399 => self.follow_up,
            401 | 407 => {
                let again = before.is_some_and(|before| before.status == self.status);
                self.follow_up && (self.stale || !again)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        Head::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_headers_that_count_are_read_whatever_their_case_and_line_ends() {
        for text in [
            "HTTP/1.1 200 OK\r\nDate: Wed, 01 Jan 2025 00:00:00 GMT\r\nX-MongoDB-Service-Version: gitHash=a; versionString=4.4.12\r\n",
            "HTTP/2 200\ndate:Wed, 01 Jan 2025 00:00:00 GMT\nx-mongodb-service-version: gitHash=a; versionString=4.4.12",
        ] {
            let head = head(text);
            assert_eq!((head.status, head.date.unwrap().timestamp()), (200, 1_735_689_600), "{text}");
            assert_eq!(head.version.as_deref(), Some("gitHash=a; versionString=4.4.12"));
        }
        for text in ["HTTP/1.1", "HTTP/1.1 OK", "HTTP/1.1 42", "HTTPS 200", ""] {
            assert_eq!(Head::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn only_what_curl_follows_up_on_is_no_answer() {
        for (text, goes_on) in [
            ("HTTP/1.1 100 Continue", true),
            ("HTTP/1.1 200 Connection established", true),
            ("HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Digest nonce=\"a\", stale=false", true),
            ("HTTP/1.1 401 Unauthorized", false),
            ("HTTP/1.1 307 Temporary Redirect\nLocation: /elsewhere", true),
            ("HTTP/1.1 304 Not Modified", false),
            ("HTTP/1.1 200 OK", false),
            ("HTTP/1.1 502 Bad Gateway", false),
        ] {
            assert_eq!(head(text).goes_on(None), goes_on, "{text}");
        }
    }

    #[test]
    fn a_second_challenge_is_a_refusal_unless_the_nonce_was_stale() {
        let first = head("HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Digest nonce=\"a\", stale=false");
        let stale = head("HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Digest nonce=\"b\", stale=\"TRUE\"");
        assert!(!first.goes_on(Some(&first)));
        assert!(stale.goes_on(Some(&first)));
    }
}
