//! The HTTP client for the sites that the settings name: key sets and back ends.
//!
//! Redirects are not followed, because the settings say where a site is. The client takes proxies
//! from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`).

use std::{path::Path, sync::Arc};

use reqwest::{Client, ClientBuilder, redirect::Policy};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};

/// The system has no trusted certificates, so no site can be verified.
#[derive(Debug, thiserror::Error)]
#[error("the system's trusted certificates cannot be found{0} (SSL_CERT_FILE names them)")]
pub struct NoTrustedCertificates(String);

/// Builds the client for sites with these schemes. Only those of `https` need trusted certificates.
///
/// # Panics
///
/// If the library refuses its own TLS configuration.
pub fn http_client<'a>(
    schemes: impl IntoIterator<Item = Option<&'a str>>,
) -> Result<Client, NoTrustedCertificates> {
    let needs_certificates = schemes.into_iter().any(|scheme| scheme == Some("https"));
    let roots = match trusted_certificates() {
        Err(error) if needs_certificates => return Err(error),
        roots => roots.unwrap_or_else(|_error| RootCertStore::empty()),
    };
    Ok(client_builder(roots).build().expect("the TLS configuration is of the client's own library"))
}

/// A client of the server at a Unix socket, whatever the host of an address is.
///
/// # Panics
///
/// If the library refuses its own TLS configuration.
pub fn unix_client(socket: &Path) -> Client {
    let builder = client_builder(RootCertStore::empty()).no_proxy().unix_socket(socket);
    builder.build().expect("the TLS configuration is of the client's own library")
}

/// The system's trusted certificates.
fn trusted_certificates() -> Result<RootCertStore, NoTrustedCertificates> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let errors = found.errors.iter().map(|error| format!(": {error}"));
        return Err(NoTrustedCertificates(errors.collect()));
    }
    Ok(roots)
}

/// TLS for other clients than those of HTTP: it trusts the same certificates.
pub(crate) fn client_tls() -> Result<ClientConfig, NoTrustedCertificates> {
    trusted_certificates().map(tls_with)
}

/// A client that trusts these certificates.
pub(crate) fn client_builder(roots: RootCertStore) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls_with(roots))
        .redirect(Policy::none())
        .user_agent(concat!("roomcast/", env!("CARGO_PKG_VERSION")))
}

fn tls_with(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the usual versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
