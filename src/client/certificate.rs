//! What a server's certificate says: its subject, its issuer, and how long it is valid.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// A server's own certificate, as far as a person wants to know it. All text in it is the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// As RFC 4514 writes a name, or the first host it is for where the subject is empty, as with newer authorities.
    pub subject: String,
    /// As RFC 4514 writes a name.
    pub issuer: String,
    /// To the second.
    pub not_before: DateTime<Utc>,
    /// To the second.
    pub not_after: DateTime<Utc>,
}

impl Certificate {
    /// Reads one; `None` for bytes that are none.
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        let certificate = x509_cert::Certificate::from_der(der).ok()?;
        let certificate = certificate.tbs_certificate();
        let (subject, validity) = (certificate.subject(), certificate.validity());
        let hosts = || certificate.get_extension::<SubjectAltName>().ok().flatten().map(|(_, names)| names.0);
        let first_host = || hosts().into_iter().flatten().find_map(host);
        Some(Self {
            subject: if subject.is_empty() { first_host() } else { None }
                .unwrap_or_else(|| subject.to_string()),
            issuer: certificate.issuer().to_string(),
            not_before: instant(validity.not_before.to_unix_duration())?,
            not_after: instant(validity.not_after.to_unix_duration())?,
        })
    }

    /// How long it is still valid; negative once it has expired.
    pub(crate) fn remaining(&self, now: DateTime<Utc>) -> TimeDelta {
        self.not_after - now
    }

    /// Whether it was issued by its own subject.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }
}

fn host(name: GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(host) => Some(host.to_string()),
        _ => None,
    }
}

fn instant(since_1970: Duration) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(i64::try_from(since_1970.as_secs()).ok()?, 0)
}

#[cfg(test)]
mod tests {
    use x509_cert::der::Encode as _;

    use super::*;
    use crate::model::rfc3339;

    /// The fixtures were made by `openssl ca`.
    fn der(pem: &str) -> Vec<u8> {
        let chain = x509_cert::Certificate::load_pem_chain(pem.as_bytes()).unwrap();
        chain[0].to_der().unwrap()
    }

    #[test]
    fn subject_issuer_and_validity_are_read() {
        let read = Certificate::from_der(&der(include_str!("../../tests/data/tls/signed.pem"))).unwrap();
        assert_eq!(read.subject, "CN=om.example,O=Example");
        assert_eq!(read.issuer, "CN=Example Authority");
        assert_eq!(rfc3339(read.not_before), "2025-01-01T00:00:00Z");
        assert_eq!(rfc3339(read.not_after), "2026-01-01T00:00:00Z");
        assert!(!read.is_self_signed());
        let day_before = read.not_after - TimeDelta::days(1);
        assert_eq!(
            (read.remaining(day_before).num_days(), read.remaining(read.not_after).num_days()),
            (1, 0)
        );
    }

    #[test]
    fn without_a_subject_a_certificate_has_the_name_of_its_first_host() {
        let read = Certificate::from_der(&der(include_str!("../../tests/data/tls/hosts.pem"))).unwrap();
        assert_eq!(read.subject, "om.example");
    }

    #[test]
    fn bytes_that_are_no_certificate_are_none() {
        let whole = der(include_str!("../../tests/data/tls/signed.pem"));
        for bytes in [&b""[..], b"\x30", b"certificate", &whole[..whole.len() - 1]] {
            assert_eq!(Certificate::from_der(bytes), None);
        }
    }
}
