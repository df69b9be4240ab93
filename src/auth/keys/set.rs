//! Sets of public keys: JSON Web Key Sets, RFC 7517.
//!
//! A set may hold keys for other purposes and of unsupported kinds. Those are skipped, so that a
//! site can start to publish a new kind without breaking the keys in use.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};
use tracing::debug;

use super::Key;

/// The largest number of keys in a set. A site has a handful.
const KEYS_MAX: usize = 100;
/// Bytes of a coordinate on P-256 and on P-384, as text.
const P256_CHARS: usize = 43;
const P384_CHARS: usize = 64;

/// Why a set of keys is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeySet {
    /// It is malformed.
    #[error("this is not a set of keys: {{\"keys\": […]}}")]
    Malformed,
    /// It has more keys than the limit.
    #[error("this is a set of more than {KEYS_MAX} keys")]
    TooMany,
    /// It has no usable key.
    #[error("this is a set without a public key that could be used")]
    Empty,
}

/// The keys in `text` that can verify tokens.
pub(in crate::auth) fn read(text: &[u8]) -> Result<Vec<Key>, InvalidKeySet> {
    let set: Value = serde_json::from_slice(text).or(Err(InvalidKeySet::Malformed))?;
    let list = set.get("keys").and_then(Value::as_array).ok_or(InvalidKeySet::Malformed)?;
    if list.len() > KEYS_MAX {
        return Err(InvalidKeySet::TooMany);
    }
    let keys = list.iter().filter_map(|entry| {
        let entry = entry.as_object()?;
        let key = key(entry);
        if key.is_none() {
            let id = text_of(entry, "kid").map(|id| id.chars().take(64).collect::<String>());
            debug!(key.id = id, "jwks key skipped: unsupported");
        }
        key
    });
    Ok(keys.collect())
}

/// One key; `None` if it is for another purpose.
fn key(entry: &Map<String, Value>) -> Option<Key> {
    let text = |name| text_of(entry, name);
    let for_signatures = entry.get("use").is_none_or(|it| it == "sig");
    let checks = entry
        .get("key_ops")
        .is_none_or(|it| it.as_array().is_some_and(|it| it.iter().any(|it| it == "verify")));
    // A published private key is not secret any more.
    if !for_signatures || !checks || entry.contains_key("d") {
        return None;
    }
    let decoding_key = match text("kty")? {
        "RSA" => DecodingKey::from_rsa_components(text("n")?, text("e")?).ok()?,
        "EC" => {
            let size = if text("crv")? == "P-256" { P256_CHARS } else { P384_CHARS };
            let point = (text("x")?, text("y")?);
            let sized = point.0.len() == size && point.1.len() == size;
            DecodingKey::from_ec_components(point.0, point.1).ok().filter(|_| sized)?
        }
        "OKP" => DecodingKey::from_ed_components(text("x")?).ok()?,
        _ => return None,
    };
    let natural = match (text("kty")?, text("crv")) {
        ("RSA", _) => Algorithm::RS256,
        ("EC", Some("P-256")) => Algorithm::ES256,
        ("EC", Some("P-384")) => Algorithm::ES384,
        ("OKP", Some("Ed25519")) => Algorithm::EdDSA,
        _ => return None,
    };
    let algorithm = match entry.get("alg") {
        None => natural,
        Some(name) => name.as_str()?.parse().ok()?,
    };
    // An RSA key without `alg` may be for any RSA algorithm; other kinds have one algorithm each.
    let fits = natural == Algorithm::RS256 || natural == algorithm;
    Key::public(&decoding_key, algorithm, text("kid")).ok().filter(|_| fits)
}

fn text_of<'e>(entry: &'e Map<String, Value>, name: &str) -> Option<&'e str> {
    entry.get(name).and_then(Value::as_str)
}
