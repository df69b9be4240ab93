//! All keys beside the server's own, from wherever the settings have them.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use http::Uri;
use jsonwebtoken::Algorithm;

use super::{Key, KeyRefused, KeyUnfit, NotASet, read, read_set};
use crate::{
    auth::jwks::{HttpFetch, NoTrust, Source, trust},
    domain::Secret,
};

/// A further key as it is set.
#[derive(Clone, Debug)]
pub struct KeyOptions {
    /// Where it comes from.
    pub from: KeyFrom,
    /// What tokens call it.
    pub id: Option<Box<str>>,
}

/// Where keys come from.
#[derive(Clone, Debug)]
pub enum KeyFrom {
    /// The settings themselves.
    Secret(Secret, Algorithm),
    /// A file that holds a secret.
    SecretFile(PathBuf, Algorithm),
    /// A file that holds a public key.
    PemFile(PathBuf, Algorithm),
    /// A file that holds a set.
    JwksFile(PathBuf),
    /// A site that publishes a set.
    JwksUrl {
        /// Its whole address.
        url: Uri,
        /// What may be printed of it.
        name: String,
    },
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysRefused {
    /// A file cannot be read, or is too short or too long.
    #[error("key {0}")]
    File(usize, #[source] KeyRefused),
    /// A secret or a public key does not fit.
    #[error("key {number}{}", path.as_deref().map(|it| format!(", {}", it.display())).unwrap_or_default())]
    Unfit {
        /// Its place in the list, from 1.
        number: usize,
        /// Its file.
        path: Option<PathBuf>,
        /// What is wrong.
        source: KeyUnfit,
    },
    /// A file is no set, or holds no key that could be used.
    #[error("key {number}, {}", path.display())]
    Set {
        /// Its place in the list, from 1.
        number: usize,
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        source: NotASet,
    },
    /// Nobody is trusted to vouch for the site.
    #[error(transparent)]
    NoTrust(#[from] NoTrust),
}

/// The keys beside the server's own.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Those that stay as they are.
    pub(in crate::auth) fixed: Vec<Key>,
    /// Those that come and go.
    pub(in crate::auth) sources: Vec<Arc<Source>>,
}

impl Keys {
    /// Reads all files. What lies on other machines is fetched later, every `refresh`.
    pub fn open(options: &[KeyOptions], refresh: Duration) -> Result<Self, KeysRefused> {
        let mut keys = Self::default();
        let secure = options.iter().any(|it| match &it.from {
            KeyFrom::JwksUrl { url, .. } => url.scheme_str() == Some("https"),
            _ => false,
        });
        let trusted = if secure { Some(trust()?) } else { None };
        for (place, KeyOptions { from, id }) in options.iter().enumerate() {
            let (number, id) = (place + 1, id.as_deref());
            match from {
                KeyFrom::Secret(secret, algorithm) => {
                    let key = Key::secret(secret, *algorithm, id);
                    keys.fixed.push(key.map_err(unfit(number, None))?);
                }
                KeyFrom::SecretFile(path, algorithm) => {
                    let secret = read(path).map_err(|error| KeysRefused::File(number, error))?;
                    let key = Key::secret(&secret, *algorithm, id);
                    keys.fixed.push(key.map_err(unfit(number, Some(path)))?);
                }
                KeyFrom::PemFile(path, algorithm) => {
                    let key = Key::pem(&content(number, path)?, *algorithm, id);
                    keys.fixed.push(key.map_err(unfit(number, Some(path)))?);
                }
                KeyFrom::JwksFile(path) => keys.fixed.extend(set(number, path)?),
                KeyFrom::JwksUrl { url, name } => {
                    let fetch = HttpFetch::new(url, trusted.as_ref());
                    keys.sources.push(Arc::new(Source::new(name, Box::new(fetch), refresh)));
                }
            }
        }
        Ok(keys)
    }
}

fn unfit(number: usize, path: Option<&PathBuf>) -> impl FnOnce(KeyUnfit) -> KeysRefused {
    move |source| KeysRefused::Unfit { number, path: path.cloned(), source }
}

/// The keys of the set in a file, of which there is at least one.
fn set(number: usize, path: &PathBuf) -> Result<Vec<Key>, KeysRefused> {
    let keys = read_set(&content(number, path)?);
    let keys = keys.and_then(|keys| if keys.is_empty() { Err(NotASet::Empty) } else { Ok(keys) });
    keys.map_err(|source| KeysRefused::Set { number, path: path.clone(), source })
}

/// The content of the file of a public key or of a set.
fn content(number: usize, path: &PathBuf) -> Result<Vec<u8>, KeysRefused> {
    fs::read(path).map_err(|source| {
        let path = path.clone();
        KeysRefused::File(number, KeyRefused::Disk { doing: "reading", path, source })
    })
}
