//! A letter as an Internet message (RFC 5322): `sendmail -t` sends the file, and a mail program opens it as a draft.
//!
//! It has no `From`, which the program that sends it adds: who sends it is not known, and answers must not get lost.

use std::fmt;

use chrono::{DateTime, Utc};
use email_encoding::headers::rfc2047;
use email_encoding::headers::writer::EmailWriter;

use crate::digest::sha256;
use crate::output::text::{printable, shortened};

/// Characters of a subject.
const SUBJECT: usize = 120;
/// The most characters of an address, of its part before `@`, and of a part of its domain (RFC 5321, 4.5.3.1; RFC 1035).
const ADDRESS: usize = 254;
const LOCAL_PART: usize = 64;
const LABEL: usize = 63;
/// The Message-ID has a domain that can never exist (RFC 2606), since that of the sender is not known.
const DOMAIN: &str = "keysunset.invalid";
/// `X-Unsent`: Outlook opens the file for writing.
const FIXED: &str = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: quoted-printable\r\nX-Unsent: 1\r\n";

/// A message with one recipient at most.
pub(super) struct Message<'a> {
    to: Option<&'a str>,
    subject: String,
    date: DateTime<Utc>,
    body: String,
}

impl<'a> Message<'a> {
    /// `owner` is the recipient where the name is an e-mail address; otherwise there is none.
    pub(super) fn new(owner: &'a str, subject: &str, date: DateTime<Utc>, text: &str) -> Self {
        Self {
            to: is_plain_address(owner).then_some(owner),
            subject: shortened(&printable(subject), SUBJECT),
            date,
            body: quoted_printable::encode_to_str(text.replace('\n', "\r\n")),
        }
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { to, subject, date, body } = self;
        let to = to.map_or_else(String::new, |to| format!("To: {to}\r\n"));
        let head = format!("{to}Subject: {}\r\nDate: {}\r\n", header(subject)?, date.to_rfc2822());
        // Another message has another id, since mail servers drop a message with an id that they know.
        let id = sha256(format!("{head}{body}").as_bytes());
        write!(f, "{head}Message-ID: <{}@{DOMAIN}>\r\n{FIXED}\r\n{body}", &id[..32])
    }
}

/// The value of the header `Subject`, in lines of at most 76 characters.
fn header(text: &str) -> Result<String, fmt::Error> {
    const NAME: usize = "Subject: ".len();
    let mut value = String::new();
    // Text that looks like an encoded word must not be decoded.
    if text.is_ascii() && text.len() + NAME <= 76 && !text.contains("=?") {
        return Ok(text.to_owned());
    }
    rfc2047::encode(text, &mut EmailWriter::new(&mut value, NAME, 0, false))?;
    Ok(value)
}

/// Whether it is an address without quotes, comments or a name: with a part before `@` and a domain, both in ASCII.
fn is_plain_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_atom = |atom: &str| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        !atom.is_empty() && atom.chars().all(is_allowed)
    };
    let is_label = |label: &str| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let ends = label.starts_with('-') || label.ends_with('-');
        (1..=LABEL).contains(&label.len()) && !ends && label.chars().all(is_allowed)
    };
    let is_host =
        domain.rsplit('.').next().is_some_and(|top| top.starts_with(|c: char| c.is_ascii_alphabetic()));
    text.len() <= ADDRESS
        && local.len() <= LOCAL_PART
        && local.split('.').all(is_atom)
        && is_host
        && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_is_a_plain_address() {
        let long = format!("{}@example.com", "x".repeat(65));
        for (text, expected) in [
            ("ann.lee+ci@example.com", true),
            ("o'neil@mail.example.com", true),
            ("ann@localhost", true),
            ("ann", false),
            ("", false),
            ("@example.com", false),
            ("ann@", false),
            ("ann@@example.com", false),
            (".ann@example.com", false),
            ("ann..lee@example.com", false),
            ("ann lee@example.com", false),
            ("Ann <ann@example.com>", false),
            ("ann@example.com, eve@example.com", false),
            ("ann@example.com\r\nBcc: eve@example.com", false),
            ("ann@example.com\n", false),
            ("\"ann\"@example.com", false),
            ("ann(x)@example.com", false),
            ("ann@[192.0.2.1]", false),
            ("ann@192.0.2.1", false),
            ("ann@-example.com", false),
            ("ann@example..com", false),
            ("ünal@example.com", false),
            ("ann@exämple.com", false),
            (&long, false),
        ] {
            assert_eq!(is_plain_address(text), expected, "{text:?}");
        }
    }

    #[test]
    fn no_text_makes_another_header_or_a_long_line() {
        for text in [
            "a\r\nBcc: eve@example.com",
            "=?utf-8?q?a?=",
            "ü\r\n\r\nbody",
            &"ж".repeat(500),
            &"a ".repeat(99),
        ] {
            let message = Message::new(text, text, DateTime::UNIX_EPOCH, "text\n").to_string();
            let (head, body) = message.split_once("\r\n\r\n").unwrap();
            let names: Vec<_> = head
                .split("\r\n")
                .filter(|line| !line.starts_with(' '))
                .map(|line| line.split(':').next().unwrap())
                .collect();
            assert_eq!(
                names,
                [
                    "Subject",
                    "Date",
                    "Message-ID",
                    "MIME-Version",
                    "Content-Type",
                    "Content-Transfer-Encoding",
                    "X-Unsent"
                ]
            );
            assert!(head.is_ascii() && head.split("\r\n").all(|line| line.len() <= 78), "{head}");
            assert_eq!(body, "text\r\n");
        }
    }
}
