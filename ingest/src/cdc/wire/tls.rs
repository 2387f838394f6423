//! TLS below the protocol.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::login::{Address, TlsMode};
use super::packet::Duplex;
use super::{WireError, WireResult};

/// Nobody listens on the loopback.
pub(super) fn is_worth_preferring(address: &Address) -> bool {
    !(address.host == "localhost" || address.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()))
}

pub(super) async fn secure(plain: Box<dyn Duplex>, address: &Address) -> WireResult<Box<dyn Duplex>> {
    let failed = |error: String| WireError::Tls(error);
    let name = ServerName::try_from(address.host.clone()).map_err(|error| failed(error.to_string()))?;
    let config = config(address)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, plain).await.map_err(|e| failed(e.to_string()))?;
    Ok(Box::new(stream))
}

fn config(address: &Address) -> WireResult<ClientConfig> {
    let failed = |error: Error| WireError::Tls(error.to_string());
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    if !matches!(address.tls, TlsMode::VerifyCa | TlsMode::VerifyIdentity) {
        let verifier = Arc::new(Checked { roots: None, provider });
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let roots = Arc::new(roots(address)?);
    if address.tls == TlsMode::VerifyCa {
        let verifier = Arc::new(Checked { roots: Some(roots), provider });
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(|error| WireError::Tls(error.to_string()))?;
    Ok(builder.with_webpki_verifier(verifier).with_no_client_auth())
}

fn roots(address: &Address) -> WireResult<RootCertStore> {
    let Some(path) = &address.ca else {
        return Err(WireError::Tls("to verify the server, ssl-ca=FILE has to name the authority".to_owned()));
    };
    let failed = |error: String| WireError::Tls(format!("{}: {error}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))? {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// Holds the server to its authority alone (VERIFY_CA), or to nothing (REQUIRED): as MySQL's clients do.
#[derive(Debug)]
struct Checked {
    roots: Option<Arc<RootCertStore>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Checked {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            let parsed = ParsedCertificate::try_from(certificate)
                .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
