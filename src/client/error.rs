//! What can go wrong with a request: what ends the run, and what is one request's own.

use std::error::Error as _;

use crate::exit::Error;
use crate::model::{Outcome, ReadStatus};

/// A page of 500 keys is some 150 KB; whoever sends more than this sends no page.
pub const BODY_LIMIT: usize = 16 << 20;

/// What makes the whole run pointless.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error("no connection to {origin}: {why}")]
    NoConnection {
        /// Scheme, host and port.
        origin: String,
        /// The causes, outermost first.
        why: String,
    },
    /// The digest layer refuses the answer to its own challenge.
    #[error("the deployment refused the credentials (401 from {origin})")]
    RefusedCredentials {
        /// Scheme, host and port.
        origin: String,
        /// The public part.
        public: String,
    },
    /// An authentication other than the API's.
    #[error("can't authenticate with {origin}: {why}")]
    Challenge {
        /// Scheme, host and port.
        origin: String,
        /// What was asked for.
        why: String,
    },
    /// Something else listens there.
    #[error("what answers at {url} is not the API: {why}")]
    NotTheApi {
        /// What was asked for.
        url: String,
        /// What came instead.
        why: String,
    },
    /// The certificate file or the TLS set-up.
    #[error("can't set up the connection: {0}")]
    Setup(String),
    /// The client's own certificate.
    #[error("the client certificate can't be used: {0}")]
    ClientCertificate(String),
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        let ended = Self::input(&error);
        match error {
            ClientError::NoConnection { .. } => {
                ended.help("check --url, the network and any proxy (HTTPS_PROXY, NO_PROXY)").see_doctor()
            }
            ClientError::RefusedCredentials { public, .. } => ended
                .details([format!("tried: {public}")])
                .help(
                    "check both parts of the key; a programmatic key also needs this machine's address on its access list",
                )
                .see_doctor(),
            ClientError::Challenge { .. } => {
                ended.help("keysunset answers HTTP Digest; is this the API itself, not a proxy?")
            }
            ClientError::NotTheApi { .. } => ended.help(
                "--url takes the host's root or the whole base path, such as https://om.example:8080/api/public/v1.0",
            ),
            ClientError::Setup(_) => ended.help("--ca-cert takes a file of PEM certificates"),
            ClientError::ClientCertificate(_) => ended.help(
                "--client-cert takes one PEM file with the certificate and its private key, without a password",
            ),
        }
    }
}

/// Why no response could be had.
pub(super) enum RequestError {
    /// There is no connection.
    NoConnection(String),
    /// It took too long.
    Timeout(String),
    /// What came broke off, or is no HTTP.
    Broken(String),
    /// More than any page holds.
    TooLong,
    /// To another host, or without end.
    Redirect(u16, String),
    /// The digest layer refuses the credential.
    CredentialRefused,
    /// The digest layer asks for an authentication that this client can't do.
    UnsupportedChallenge(String),
}

impl RequestError {
    /// What it means for the user or list that was asked for.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::NoConnection(why) | Self::Timeout(why) | Self::Broken(why) => {
                Outcome::unread(ReadStatus::Error, None, why)
            }
            Self::TooLong => {
                let why = format!("the answer is longer than {} MiB", BODY_LIMIT >> 20);
                Outcome::unread(ReadStatus::Malformed, None, why)
            }
            Self::Redirect(status, why) => Outcome::unread(ReadStatus::Error, Some(status), why),
            Self::CredentialRefused => {
                let why = "the credential was refused";
                Outcome::unread(ReadStatus::Forbidden, Some(401), why)
            }
            Self::UnsupportedChallenge(why) => Outcome::unread(ReadStatus::Error, Some(401), why),
        }
    }

    /// What happened, in a sentence.
    pub(super) fn describe(self) -> String {
        self.outcome().detail.unwrap_or_default()
    }
}

impl From<&reqwest::Error> for RequestError {
    fn from(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout("timed out".to_owned())
        } else if error.is_connect() {
            Self::NoConnection(format!("can't connect: {}", innermost_cause(error)))
        } else {
            Self::Broken(format!("the connection broke: {}", innermost_cause(error)))
        }
    }
}

/// The innermost cause says what happened; the outer ones only where.
pub(super) fn innermost_cause(error: &reqwest::Error) -> String {
    let mut innermost = None;
    let mut cause = error.source();
    while let Some(inner) = cause {
        innermost = Some(inner.to_string());
        cause = inner.source();
    }
    innermost.unwrap_or_else(|| error.to_string())
}
