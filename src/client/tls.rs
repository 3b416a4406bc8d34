//! Which servers are trusted, and with which certificate the client identifies itself: TLS settings that reqwest's own
//! builder cannot express.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::certificate::Certificate;
use super::error::{client_certificate, setup};
use crate::exit;

/// The certificates (PEM) of `--ca-cert`.
///
/// # Errors
/// A file that holds none.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|why| format!("the certificates can't be read: {why}"))?;
    if certificates.is_empty() {
        return Err("no certificate in the file".to_owned());
    }
    Ok(certificates)
}

/// What the client shows to a gateway that asks for a certificate.
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads a certificate (and those that vouch for it) and its private key out of one PEM text, in any order.
    ///
    /// # Errors
    /// Which of the two is missing, or can't be read. Nothing of the text is repeated.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let chain = certificates(pem)?;
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|_| "no private key in the file, or a private key with a password".to_owned())?;
        Ok(Self { chain, key })
    }
}

/// Trusts what the system trusts and the certificates `extra`; shows `identity` where a server asks for it.
///
/// # Errors
/// What of them can't be used.
pub(super) fn config(
    extra: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
) -> Result<ClientConfig, exit::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = TrustedCertificates::new(extra, Arc::clone(&provider)).map_err(setup)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { chain, key }) => {
            builder.with_client_auth_cert(chain, key).map_err(client_certificate)?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Verifies as the platform does, and besides trusts a server that shows exactly one of the certificates it was given,
/// as curl and OpenSSL do. The certificate of `openssl req -x509` is such a one: it says of itself that it is an authority
/// (CA:TRUE), and webpki refuses an authority as a server's certificate.
#[derive(Debug)]
struct TrustedCertificates {
    platform: Verifier,
    exact: Vec<CertificateDer<'static>>,
}

impl TrustedCertificates {
    fn new(exact: Vec<CertificateDer<'static>>, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let platform = if exact.is_empty() {
            Verifier::new(provider)?
        } else {
            Verifier::new_with_extra_roots(exact.clone(), provider)?
        };
        Ok(Self { platform, exact })
    }
}

impl ServerCertVerifier for TrustedCertificates {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(_) if self.exact.contains(end_entity) => {
                valid_at(end_entity, now)?;
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }
}

/// Whether a certificate is in force.
fn valid_at(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), CertificateError> {
    let read = Certificate::from_der(certificate).ok_or(CertificateError::BadEncoding)?;
    let now =
        i64::try_from(now.as_secs()).ok().and_then(|seconds| DateTime::<Utc>::from_timestamp(seconds, 0));
    match now {
        Some(now) if now < read.not_before => Err(CertificateError::NotValidYet),
        Some(now) if now <= read.not_after => Ok(()),
        Some(_) | None => Err(CertificateError::Expired),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// In force in 2025; made by `openssl ca`.
    const SIGNED: &[u8] = include_bytes!("../../tests/data/tls/signed.pem");

    #[test]
    fn a_certificate_is_in_force_from_its_first_second_to_its_last() {
        let certificate = &certificates(SIGNED).unwrap()[0];
        let at = |time: &str| {
            let seconds = time.parse::<DateTime<Utc>>().unwrap().timestamp().cast_unsigned();
            valid_at(certificate, UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
        };
        assert_eq!(at("2024-12-31T23:59:59Z"), Err(CertificateError::NotValidYet));
        assert_eq!(at("2025-01-01T00:00:00Z"), Ok(()));
        assert_eq!(at("2026-01-01T00:00:00Z"), Ok(()));
        assert_eq!(at("2026-01-01T00:00:01Z"), Err(CertificateError::Expired));
    }
}
