//! The headers that curl's `--include` writes before a body, and `-D` to a file of their own.

use chrono::{DateTime, Utc};

/// What a block of headers says.
#[derive(Default)]
pub(super) struct Headers {
    pub(super) status: u16,
    /// When the service answered, by its own clock.
    pub(super) date: Option<DateTime<Utc>>,
    /// `X-MongoDB-Service-Version`, whole.
    pub(super) version: Option<String>,
    pub(super) content_type: Option<String>,
    /// Whether curl continues from here, and writes no body: after a challenge, a redirect, or a proxy's consent.
    is_interim: bool,
    /// Whether it is a challenge that blames something else than the age of the nonce.
    is_challenge: bool,
}

impl Headers {
    /// Reads a block, and says how long it is; `None` where the text does not begin with a status line.
    pub(super) fn read(text: &[u8]) -> Option<(Self, usize)> {
        let mut lines = text.split_inclusive(|byte| *byte == b'\n');
        let first = lines.next()?;
        let status_line = String::from_utf8_lossy(first).to_ascii_lowercase();
        let mut words = status_line.strip_prefix("http/")?.split_ascii_whitespace().skip(1);
        let status = words.next()?.parse().ok().filter(|status| (100..600).contains(status))?;
        let is_interim = status < 200 || words.eq(["connection", "established"]);
        let (mut headers, mut length) = (Self { status, is_interim, ..Self::default() }, first.len());
        for line in lines {
            length += line.len();
            let line = String::from_utf8_lossy(line);
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.add(&name.trim().to_ascii_lowercase(), value.trim());
            }
        }
        Some((headers, length))
    }

    fn add(&mut self, name: &str, value: &str) {
        match (name, self.status) {
            ("date", _) => self.date = httpdate::parse_http_date(value).ok().map(DateTime::from),
            // Two that contradict each other are none, together.
            ("x-mongodb-service-version", _) => match &mut self.version {
                Some(known) if known != value => *known = format!("{known}, {value}"),
                version => *version = Some(value.to_owned()),
            },
            ("content-type", _) => self.content_type = Some(value.to_owned()),
            ("location", 300..=399) => self.is_interim = true,
            ("www-authenticate", 401) | ("proxy-authenticate", 407) => {
                self.is_interim = true;
                let value = value.to_ascii_lowercase().replace([' ', '"'], "");
                self.is_challenge = !value.contains("stale=true");
            }
            _ => {}
        }
    }

    /// Whether `next`, right behind this block, is of the same request. A second challenge in a row is a refusal, and what
    /// follows it is another request.
    pub(super) fn is_followed_by(&self, next: &mut Self) -> bool {
        if self.is_challenge && next.is_challenge && self.status == next.status {
            (next.is_interim, next.is_challenge) = (false, false);
        }
        self.is_interim
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_that_count_are_read_whatever_their_case_and_line_ends() {
        for text in [
            "HTTP/1.1 200 OK\r\nDate: Wed, 01 Jan 2025 00:00:00 GMT\r\nX-MongoDB-Service-Version: versionString=4.4.12\r\n\r\n",
            "HTTP/2 200\ndate:Wed, 01 Jan 2025 00:00:00 GMT\nx-mongodb-service-version: versionString=4.4.12",
        ] {
            let (headers, length) = Headers::read(text.as_bytes()).unwrap();
            assert_eq!(
                (length, headers.status, headers.date.unwrap().timestamp()),
                (text.len(), 200, 1_735_689_600)
            );
            assert_eq!(headers.version.as_deref(), Some("versionString=4.4.12"));
        }
        for text in ["HTTP/1.1", "HTTP/1.1 OK", "HTTP/1.1 42", "HTTPS 200", ""] {
            assert!(Headers::read(text.as_bytes()).is_none(), "{text}");
        }
    }
}
