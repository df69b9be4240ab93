//! Certificates for tests, made by `openssl`, and a client that trusts them.

use std::{path::Path, process::Command, sync::Arc};

use tempfile::TempDir;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
    version::{TLS12, TLS13},
};

use super::CertificateFiles;

/// A folder with an authority and the certificates that it has signed.
pub(crate) struct TestAuthority {
    pub(crate) folder: TempDir,
}

impl TestAuthority {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        openssl(
            folder.path(),
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key \
             -out ca.crt -subj /CN=authority -days 2",
        );
        Self { folder }
    }

    /// The files of a certificate for these names.
    pub(crate) fn issue(&self, name: &str, alternatives: &str) -> CertificateFiles {
        let path = self.folder.path();
        std::fs::write(path.join("names"), format!("subjectAltName={alternatives}\n")).unwrap();
        openssl(
            path,
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key \
                 -out {name}.csr -subj /CN={name}"
            ),
        );
        openssl(
            path,
            &format!(
                "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out {name}.crt \
                 -days 2 -extfile names"
            ),
        );
        CertificateFiles {
            cert: path.join(format!("{name}.crt")),
            key: path.join(format!("{name}.key")),
        }
    }

    /// A client that trusts the authority, with both versions.
    pub(crate) fn client(&self) -> ClientConfig {
        self.client_with(&[&TLS12, &TLS13])
    }

    /// The same with these versions.
    pub(crate) fn client_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(self.folder.path().join("ca.crt")).unwrap();
        roots.add(authority).unwrap();
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

fn openssl(folder: &Path, command: &str) {
    let arguments = command.split_whitespace();
    let made = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
