//! Why a server's certificate is not accepted, and what to do about it.

use chrono::{DateTime, TimeDelta, Utc};
use rustls::CertificateError;

use super::certificate::Certificate;

/// What is wrong with a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrustProblem {
    /// Its last day is over.
    Expired,
    /// Its first day is yet to come.
    NotYetValid,
    /// It is for other hosts than the one in the URL.
    OtherHost,
    /// Its authority has revoked it.
    Revoked,
    /// No known authority vouches for it.
    UnknownIssuer,
    /// It is its own authority, or one that is not accepted for a server.
    NotTrusted,
}

impl TrustProblem {
    /// By the verdict of TLS.
    pub(super) fn from_verdict(verdict: &CertificateError) -> Self {
        match verdict {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::OtherHost
            }
            CertificateError::Revoked => Self::Revoked,
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            // A purpose, a signature, or the word of the platform.
            _ => Self::NotTrusted,
        }
    }

    /// What is wrong with `certificate` now: TLS names the first problem alone, and a date is one that no other setting
    /// mends.
    pub(crate) fn refined_by(self, certificate: &Certificate, now: DateTime<Utc>) -> Self {
        if certificate.remaining(now) < TimeDelta::zero() {
            Self::Expired
        } else if certificate.not_before > now {
            Self::NotYetValid
        } else {
            self
        }
    }

    /// In a sentence.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Expired => "the certificate of the server has expired",
            Self::NotYetValid => "the certificate of the server is not valid yet",
            Self::OtherHost => "the certificate of the server is for another host",
            Self::Revoked => "the certificate of the server was revoked by its authority",
            Self::UnknownIssuer => "the certificate of the server has an unknown issuer",
            Self::NotTrusted => "the certificate of the server is not trusted",
        }
    }

    /// What to do about it.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Expired => "it has expired: renew it on the server, or check this machine's clock",
            Self::NotYetValid => "it is not valid yet: check this machine's clock, and that of its authority",
            Self::OtherHost => {
                "use a host name of the certificate in --url, or issue a certificate for the host in --url"
            }
            Self::Revoked => "it was revoked: replace it on the server",
            Self::UnknownIssuer | Self::NotTrusted => {
                "name the certificate of its authority, or of the server, with --ca-cert FILE"
            }
        }
    }
}
