//! The certificates of the server: read, checked, chosen by name, and replaced while it runs.
//!
//! Files are replaced as a whole or not at all: what cannot be served is refused, and what was served
//! before stays.

mod file;

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::sleep;
use tokio_rustls::rustls::{
    ServerConfig,
    client::verify_server_name,
    crypto::ring,
    pki_types::ServerName,
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tracing::{info, warn};

pub use self::file::CertificateError;
use crate::chat::ports::Clock;

/// How often the files are compared.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// The one protocol above TLS.
const ALPN: &[u8] = b"http/1.1";

/// The files of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, and those of the authorities between it and the root, as PEM.
    pub cert: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
}

/// The certificates of a server.
pub struct Certificates {
    files: Vec<CertificateFiles>,
    clock: Arc<dyn Clock>,
    /// In the order of the files.
    served: Mutex<Arc<[Arc<CertifiedKey>]>>,
}

impl Certificates {
    /// Reads and checks the files.
    pub fn open(
        files: Vec<CertificateFiles>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, CertificateError> {
        let served = Mutex::new(read_all(&files, &*clock)?);
        Ok(Arc::new(Self { files, clock, served }))
    }

    /// Reads the files again, for new connections. If any of them is unusable, nothing changes.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let read = read_all(&self.files, &*self.clock)?;
        *self.served.lock() = read;
        Ok(())
    }

    /// Reloads when a file has changed, for as long as it is polled.
    ///
    /// Certificate and key are two files, so they are read once they have stayed the same for an
    /// interval.
    pub async fn watch(self: Arc<Self>) {
        let mut served = self.state();
        let mut before = served.clone();
        loop {
            sleep(WATCH_INTERVAL).await;
            let now = self.state();
            if now != served && now == before {
                match self.reload() {
                    Ok(()) => info!("certificates reloaded"),
                    Err(error) => {
                        warn!(%error, "certificate reload failed: the old ones are served");
                    }
                }
                served = now.clone();
            }
            before = now;
        }
    }

    /// What TLS connections are accepted with.
    pub(crate) fn server_config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the provider has both versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![ALPN.to_vec()];
        Arc::new(config)
    }

    /// What tells whether a file was replaced or written. `None` for one that is missing.
    fn state(&self) -> Vec<Option<[i64; 4]>> {
        let paths = self.files.iter().flat_map(|it| [&it.cert, &it.key]);
        paths.map(|path| state_of(path)).collect()
    }
}

fn state_of(path: &Path) -> Option<[i64; 4]> {
    let found = fs::metadata(path).ok()?;
    Some([found.ino().cast_signed(), found.size().cast_signed(), found.mtime(), found.mtime_nsec()])
}

fn read_all(
    files: &[CertificateFiles],
    clock: &dyn Clock,
) -> Result<Arc<[Arc<CertifiedKey>]>, CertificateError> {
    files.iter().map(|it| file::read(it, clock.now()).map(Arc::new)).collect()
}

impl ResolvesServerCert for Certificates {
    /// The first certificate for the name that the client asks for; without such a one, the first.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let served = Arc::clone(&self.served.lock());
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let is_for = |key: &CertifiedKey, name: &ServerName<'_>| {
            let parsed = key.cert.first().map(ParsedCertificate::try_from);
            parsed.is_some_and(|it| it.is_ok_and(|it| verify_server_name(&it, name).is_ok()))
        };
        let named = name.and_then(|name| served.iter().find(|key| is_for(key, &name)));
        named.or_else(|| served.first()).map(Arc::clone)
    }
}

impl fmt::Debug for Certificates {
    /// Leaves out the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("files", &self.files).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod tests;
