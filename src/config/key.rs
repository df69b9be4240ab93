//! A key in the settings: its location and its algorithm.
//!
//! It is parsed by hand and not derived, because serde's errors quote the invalid value, and here
//! that may be a secret.

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use toml::{Table, Value};

use crate::{
    auth::{Algorithm, KeyLocation, KeyOptions},
    domain::Secret,
};

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

/// Parses one table of the list. No error message contains a value.
fn read(value: &Value) -> Result<KeyOptions, String> {
    let Value::Table(table) = value else {
        return Err(
            "must be a table, such as { pem_file = \"a.pem\", algorithm = \"ES256\" }".to_owned()
        );
    };
    let known = |name: &&String| SOURCE_FIELDS.iter().chain(&OPTIONAL_FIELDS).any(|it| it == name);
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
    let location = match source {
        "secret" => secret(place, algorithm)?,
        "secret_file" => KeyLocation::SecretFile(place.into(), secret_algorithm(algorithm)?),
        "pem_file" => KeyLocation::PemFile(place.into(), public_key_algorithm(algorithm)?),
        _ if algorithm.is_some() => return Err(not_allowed_in_set("algorithm")),
        _ if id.is_some() => return Err(not_allowed_in_set("id")),
        "jwks_file" => KeyLocation::JwksFile(place.into()),
        _ => KeyLocation::JwksUrl(place.parse()?),
    };
    match id {
        Some(id) if id.len() > ID_BYTES_MAX => {
            Err(format!("`id` is longer than {ID_BYTES_MAX} bytes"))
        }
        _ => Ok(KeyOptions { location, id: id.map(Into::into) }),
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
        Some(name) => name.parse().map(Some).map_err(|_unknown| one_of(&ALGORITHMS)),
    }
}

fn secret(text: &str, algorithm: Option<Algorithm>) -> Result<KeyLocation, String> {
    let algorithm = secret_algorithm(algorithm)?;
    let (least, size) = (secret_bytes_min(algorithm), text.len());
    if size < least {
        return Err(format!(
            "`secret` must have at least {least} bytes for {algorithm:?}, and has {size}"
        ));
    }
    Ok(KeyLocation::Secret(Secret::from_raw(text.as_bytes()), algorithm))
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

/// Parses the list of keys.
pub(super) fn read_keys<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<KeyOptions>, D::Error> {
    let list = Vec::<Value>::deserialize(input)?;
    let keys = list.iter().enumerate().map(|(place, value)| {
        read(value).map_err(|reason| D::Error::custom(format!("key {}: {reason}", place + 1)))
    });
    keys.collect()
}

/// Settings are serialized only to list the valid keys, and no default is a secret.
pub(super) fn write_keys<S: Serializer>(keys: &[KeyOptions], output: S) -> Result<S::Ok, S::Error> {
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
