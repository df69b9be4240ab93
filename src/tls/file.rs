//! One certificate: read from its files and checked.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio_rustls::rustls::{
    self, CertificateError as Refused, InconsistentKeys, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use tracing::warn;

use super::CertificateFiles;

/// The largest file. A chain has a few kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a certificate cannot be served. Nothing of a key is in it.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("reading {path} failed: {source}", path = .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file is too large.
    #[error("{} has more than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLong(PathBuf),
    /// A file has no PEM section of the kind.
    #[error("{path} has no {wanted} in PEM form", path = .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What it must have.
        wanted: &'static str,
    },
    /// A file has something else than it must.
    #[error("{path}: {reason}", path = .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// The key is another certificate's.
    #[error("the key in {key} does not match the certificate in {cert}",
        key = .0.key.display(), cert = .0.cert.display())]
    Mismatch(CertificateFiles),
    /// The certificate is not valid now.
    #[error("the certificate in {path} {when}", path = .path.display())]
    NotValidNow {
        /// The file.
        path: PathBuf,
        /// Since when, or until when.
        when: String,
    },
}

/// Reads one certificate, and checks that it can be served at `now`.
pub(super) fn read(
    files: &CertificateFiles,
    now: OffsetDateTime,
) -> Result<CertifiedKey, CertificateError> {
    let chain = read_chain(&files.cert)?;
    let key = read_key(&files.key)?;
    if let Some(first) = chain.first() {
        check_validity(&files.cert, first, now)?;
    }
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            CertificateError::Mismatch(files.clone())
        }
        error => CertificateError::Invalid { path: files.key.clone(), reason: error.to_string() },
    })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let text = read_file(path, |_mode| ())?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|_error| invalid(path, "a PEM section is damaged"))?;
    if chain.is_empty() {
        return Err(CertificateError::Missing { path: path.to_owned(), wanted: "certificate" });
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let text = read_file(path, |mode| {
        if mode & 0o077 != 0 {
            let (path, mode) = (path.display(), format!("{:o}", mode & 0o777));
            warn!(key.path = %path, key.mode = mode, "key file readable by other users: chmod 600");
        }
    })?;
    let mut keys = PrivateKeyDer::pem_slice_iter(&text);
    match keys.next() {
        Some(Ok(key)) => Ok(key),
        Some(Err(_damaged)) => Err(invalid(path, "a PEM section is damaged")),
        None if text.windows(9).any(|it| it == b"ENCRYPTED") => {
            Err(invalid(path, "the key is encrypted, and there is no setting for its password"))
        }
        None => Err(CertificateError::Missing { path: path.to_owned(), wanted: "private key" }),
    }
}

fn read_file(path: &Path, check_mode: impl Fn(u32)) -> Result<Vec<u8>, CertificateError> {
    let failed = |source| CertificateError::Disk { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    check_mode(file.metadata().map_err(failed)?.mode());
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(CertificateError::TooLong(path.to_owned()));
    }
    Ok(text)
}

/// Checks the certificate's period as a client of TLS does. No root is given, so that the check fails in
/// any case; the period is checked first.
fn check_validity(
    path: &Path,
    certificate: &CertificateDer<'_>,
    now: OffsetDateTime,
) -> Result<(), CertificateError> {
    let parsed = ParsedCertificate::try_from(certificate);
    let parsed = parsed.map_err(|_error| invalid(path, "the certificate is damaged"))?;
    let seconds = Duration::from_secs(now.unix_timestamp().try_into().unwrap_or_default());
    let checked = verify_server_cert_signed_by_trust_anchor(
        &parsed,
        &RootCertStore::empty(),
        &[],
        UnixTime::since_unix_epoch(seconds),
        ring::default_provider().signature_verification_algorithms.all,
    );
    let when = match checked {
        Err(rustls::Error::InvalidCertificate(Refused::NotValidYetContext {
            not_before, ..
        })) => {
            format!("is not valid before {}", date(not_before))
        }
        Err(rustls::Error::InvalidCertificate(Refused::ExpiredContext { not_after, .. })) => {
            format!("has expired at {}", date(not_after))
        }
        _ => return Ok(()),
    };
    Err(CertificateError::NotValidNow { path: path.to_owned(), when })
}

/// A time in RFC 3339.
fn date(time: UnixTime) -> String {
    let date = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(time.as_secs());
    date.format(&Rfc3339).unwrap_or_default()
}

fn invalid(path: &Path, reason: &str) -> CertificateError {
    CertificateError::Invalid { path: path.to_owned(), reason: reason.to_owned() }
}
