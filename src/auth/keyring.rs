//! All keys besides the server's own, from each location that the settings name.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use jsonwebtoken::Algorithm;

use super::{
    jwks::{HttpFetch, JwksSource},
    jwks_url::JwksUrl,
    keys::{InvalidKey, InvalidKeySet, Key, KeyFileError, parse_key_set, read_key_file},
};
use crate::{
    domain::Secret,
    http_client::{NoTrustedCertificates, http_client},
};

/// A key besides the server's own, with which another issuer signs tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOptions {
    /// The location of the key.
    pub location: KeyLocation,
    /// The `kid` of its tokens; a key without an id is tried for any `kid`.
    pub id: Option<Box<str>>,
}

/// The location of keys. A set names the algorithm of each of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyLocation {
    /// In the settings themselves.
    Secret(Secret, Algorithm),
    /// In a file that holds a secret.
    SecretFile(PathBuf, Algorithm),
    /// In a file that holds a public key.
    PemFile(PathBuf, Algorithm),
    /// In a file that holds a set.
    JwksFile(PathBuf),
    /// At a site that publishes a set.
    JwksUrl(JwksUrl),
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file cannot be read, or is too short or too long.
    #[error("key {0}")]
    File(usize, #[source] KeyFileError),
    /// A secret or a public key is invalid.
    #[error("key {number}{}", path.as_deref().map(|it| format!(", {}", it.display())).unwrap_or_default())]
    InvalidKey {
        /// Its place in the list, from 1.
        number: usize,
        /// Its file.
        path: Option<PathBuf>,
        /// What is wrong.
        source: InvalidKey,
    },
    /// A file is not a set of keys, or holds no usable key.
    #[error("key {number}, {}", path.display())]
    Set {
        /// Its place in the list, from 1.
        number: usize,
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        source: InvalidKeySet,
    },
    /// The system has no trusted certificates to verify the site with.
    #[error(transparent)]
    NoTrustedCertificates(#[from] NoTrustedCertificates),
}

/// The keys beside the server's own.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Keys that do not change.
    pub(in crate::auth) fixed: Vec<Key>,
    /// Sets of keys that are refreshed.
    pub(in crate::auth) sources: Vec<Arc<JwksSource>>,
}

impl Keys {
    /// Reads all files. Remote sets are fetched later, every `refresh`.
    pub fn open(options: &[KeyOptions], refresh: Duration) -> Result<Self, KeysError> {
        Ok(Self { sources: jwks_sources(options, refresh)?, fixed: Self::read_files(options)? })
    }

    /// Reads the keys that are in the settings and in files.
    pub fn read_files(options: &[KeyOptions]) -> Result<Vec<Key>, KeysError> {
        let mut fixed = Vec::new();
        for (place, KeyOptions { location, id }) in options.iter().enumerate() {
            let (number, id) = (place + 1, id.as_deref());
            match location {
                KeyLocation::Secret(secret, algorithm) => {
                    let key = Key::secret(secret, *algorithm, id);
                    fixed.push(key.map_err(invalid_key(number, None))?);
                }
                KeyLocation::SecretFile(path, algorithm) => {
                    let secret =
                        read_key_file(path).map_err(|error| KeysError::File(number, error))?;
                    let key = Key::secret(&secret, *algorithm, id);
                    fixed.push(key.map_err(invalid_key(number, Some(path)))?);
                }
                KeyLocation::PemFile(path, algorithm) => {
                    let key = Key::pem(&read_public_key_file(number, path)?, *algorithm, id);
                    fixed.push(key.map_err(invalid_key(number, Some(path)))?);
                }
                KeyLocation::JwksFile(path) => fixed.extend(set(number, path)?),
                KeyLocation::JwksUrl(_) => (),
            }
        }
        Ok(fixed)
    }
}

/// The sites that publish sets. They share one client, which is built if there is a site.
fn jwks_sources(
    options: &[KeyOptions],
    refresh: Duration,
) -> Result<Vec<Arc<JwksSource>>, NoTrustedCertificates> {
    let sites = options.iter().filter_map(|it| match &it.location {
        KeyLocation::JwksUrl(url) => Some(url),
        _ => None,
    });
    let sites: Vec<_> = sites.collect();
    let urls: Vec<_> = sites.iter().map(|it| it.expose()).collect();
    if urls.is_empty() {
        return Ok(Vec::new());
    }
    let client = http_client(urls.iter().map(|url| url.scheme_str()))?;
    let sources = sites.into_iter().map(|site| {
        let fetch = HttpFetch::new(client.clone(), site.expose());
        let source = JwksSource::new(&site.to_string(), Box::new(fetch), refresh);
        Arc::new(source.of_site(site.clone()))
    });
    Ok(sources.collect())
}

fn invalid_key(number: usize, path: Option<&PathBuf>) -> impl FnOnce(InvalidKey) -> KeysError {
    move |source| KeysError::InvalidKey { number, path: path.cloned(), source }
}

/// The keys of the set in a file; there is at least one.
fn set(number: usize, path: &PathBuf) -> Result<Vec<Key>, KeysError> {
    let keys = parse_key_set(&read_public_key_file(number, path)?);
    let keys =
        keys.and_then(|keys| if keys.is_empty() { Err(InvalidKeySet::Empty) } else { Ok(keys) });
    keys.map_err(|source| KeysError::Set { number, path: path.clone(), source })
}

/// The content of the file of a public key or of a set.
fn read_public_key_file(number: usize, path: &PathBuf) -> Result<Vec<u8>, KeysError> {
    fs::read(path).map_err(|source| {
        let path = path.clone();
        KeysError::File(number, KeyFileError::Disk { doing: "reading", path, source })
    })
}
