//! A key in the settings: its location and its algorithm.
//!
//! It is parsed by hand and not derived, because serde's errors quote the invalid value, and here
//! that may be a secret.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr};

use http::{Uri, uri::Scheme};
pub use jsonwebtoken::Algorithm;
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use toml::{Table, Value};

use crate::domain::Secret;

/// The fields that locate a key. Each key has one of them.
const SOURCE_FIELDS: [&str; 5] = ["secret", "secret_file", "pem_file", "jwks_file", "jwks_url"];
/// The optional fields of a key.
const OPTIONAL_FIELDS: [&str; 2] = ["algorithm", "id"];
/// Longest id of a key in bytes. A thumbprint has 43.
const ID_BYTES_MAX: usize = 256;

/// All algorithms that a key may have.
const ALGORITHMS: [Algorithm; 12] = [
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// The algorithms of a secret that both sides have.
const HMAC: [Algorithm; 3] = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];

/// A key besides the server's own, with which another issuer signs tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySettings {
    /// The location of the key.
    pub source: KeySource,
    /// The `kid` of its tokens; a key without an id is tried for any `kid`.
    pub id: Option<Box<str>>,
}

/// The location of keys. A set names the algorithm of each of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
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

/// The address of a set of keys. It is displayed without the parts that may be secret: user and
/// query.
#[derive(Clone, PartialEq, Eq)]
pub struct JwksUrl(Uri);

impl KeySettings {
    /// Parses one table of the list. No error message contains a value.
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Table(table) = value else {
            return Err("must be a table, such as { pem_file = \"a.pem\", algorithm = \"ES256\" }"
                .to_owned());
        };
        let known =
            |name: &&String| SOURCE_FIELDS.iter().chain(&OPTIONAL_FIELDS).any(|it| it == name);
        if let Some(wrong) = table.keys().find(|name| !known(name)) {
            let names = [SOURCE_FIELDS.as_slice(), &OPTIONAL_FIELDS].concat().join(", ");
            return Err(format!("has `{wrong}`; there are {names}"));
        }
        let mut sources = SOURCE_FIELDS.into_iter().filter(|name| table.contains_key(*name));
        let (Some(source), None) = (sources.next(), sources.next()) else {
            return Err(format!("must have one of {}", SOURCE_FIELDS.join(", ")));
        };
        let (place, id) = (text(table, source)?.unwrap_or_default(), text(table, "id")?);
        let algorithm = algorithm(table)?;
        let source = match source {
            "secret" => secret(place, algorithm)?,
            "secret_file" => KeySource::SecretFile(place.into(), secret_algorithm(algorithm)?),
            "pem_file" => KeySource::PemFile(place.into(), public_key_algorithm(algorithm)?),
            _ if algorithm.is_some() => return Err(not_allowed_in_set("algorithm")),
            _ if id.is_some() => return Err(not_allowed_in_set("id")),
            "jwks_file" => KeySource::JwksFile(place.into()),
            _ => KeySource::JwksUrl(place.parse()?),
        };
        match id {
            Some(id) if id.len() > ID_BYTES_MAX => {
                Err(format!("`id` is longer than {ID_BYTES_MAX} bytes"))
            }
            _ => Ok(Self { source, id: id.map(Into::into) }),
        }
    }
}

/// The text of the field `name`; it must not be empty.
fn text<'t>(table: &'t Table, name: &str) -> Result<Option<&'t str>, String> {
    match table.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(format!("`{name}` must be a text that is not empty")),
    }
}

fn algorithm(table: &Table) -> Result<Option<Algorithm>, String> {
    match text(table, "algorithm")? {
        None => Ok(None),
        Some(name) => name.parse().map(Some).map_err(|_| one_of(&ALGORITHMS)),
    }
}

fn secret(text: &str, algorithm: Option<Algorithm>) -> Result<KeySource, String> {
    let algorithm = secret_algorithm(algorithm)?;
    let (least, size) = (secret_bytes_min(algorithm), text.len());
    if size < least {
        return Err(format!(
            "`secret` must have at least {least} bytes for {algorithm:?}, and has {size}"
        ));
    }
    Ok(KeySource::Secret(Secret::from_raw(text.as_bytes()), algorithm))
}

/// The algorithm of a secret.
fn secret_algorithm(algorithm: Option<Algorithm>) -> Result<Algorithm, String> {
    let algorithm = algorithm.unwrap_or(Algorithm::HS256);
    HMAC.contains(&algorithm)
        .then_some(algorithm)
        .ok_or_else(|| format!("is a secret: {}", one_of(&HMAC)))
}

/// The algorithm of a public key.
fn public_key_algorithm(algorithm: Option<Algorithm>) -> Result<Algorithm, String> {
    let others: Vec<_> = ALGORITHMS.into_iter().filter(|it| !HMAC.contains(it)).collect();
    algorithm
        .filter(|it| others.contains(it))
        .ok_or_else(|| format!("is a public key: {}", one_of(&others)))
}

fn one_of(algorithms: &[Algorithm]) -> String {
    let names: Vec<_> = algorithms.iter().map(|it| format!("{it:?}")).collect();
    format!("`algorithm` must be one of {}", names.join(", "))
}

fn not_allowed_in_set(name: &str) -> String {
    format!("is a set, which says `{name}` of each of its keys; leave it out")
}

/// The shortest secret for an algorithm: as many bytes as its hash has.
fn secret_bytes_min(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => 32,
    }
}

impl JwksUrl {
    /// The whole address, for fetching.
    pub fn expose(&self) -> &Uri {
        &self.0
    }

    /// Whether an attacker on the network could replace the keys.
    pub(super) fn is_insecure(&self) -> bool {
        let host = self.0.host().unwrap_or_default().trim_matches(['[', ']']);
        let here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        self.0.scheme() == Some(&Scheme::HTTP) && !here
    }
}

impl FromStr for JwksUrl {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let good = |uri: &Uri| {
            let scheme = uri.scheme().is_some_and(|it| [Scheme::HTTP, Scheme::HTTPS].contains(it));
            scheme && uri.host().is_some_and(|host| !host.is_empty())
        };
        let uri = raw.parse().ok().filter(good);
        uri.map(Self)
            .ok_or_else(|| "`jwks_url` must begin with https:// and name a host".to_owned())
    }
}

impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host) = (self.0.scheme_str(), self.0.host());
        write!(f, "{}://{}", scheme.unwrap_or_default(), host.unwrap_or_default())?;
        if let Some(port) = self.0.port_u16() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.0.path())
    }
}

impl fmt::Debug for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Parses the list of keys.
pub(super) fn read_keys<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<KeySettings>, D::Error> {
    let list = Vec::<Value>::deserialize(input)?;
    let keys = list.iter().enumerate().map(|(place, value)| {
        KeySettings::read(value)
            .map_err(|reason| D::Error::custom(format!("key {}: {reason}", place + 1)))
    });
    keys.collect()
}

/// Settings are serialized only to list the valid keys, and no default is a secret.
pub(super) fn write_keys<S: Serializer>(
    keys: &[KeySettings],
    output: S,
) -> Result<S::Ok, S::Error> {
    output.collect_seq(keys.iter().map(|_| "***"))
}

/// Parses a secret. The type was checked before, so serde's error cannot quote the value.
pub(super) fn read_secret<'de, D: Deserializer<'de>>(input: D) -> Result<Secret, D::Error> {
    String::deserialize(input).map(|text| Secret::from_raw(text.as_bytes()))
}

/// As [`write_keys`].
pub(super) fn write_secret<S: Serializer>(secret: &Secret, output: S) -> Result<S::Ok, S::Error> {
    output.serialize_str(if secret.is_empty() { "" } else { "***" })
}
