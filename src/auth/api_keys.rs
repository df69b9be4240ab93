//! The keys of the HTTP API. Only their hashes are kept.
//!
//! A key has 144 random bits, so one round of SHA-256 hides it: there is no list of likely keys.

use std::{collections::HashMap, fmt, sync::Arc};

use sha2::{Digest as _, Sha256};

use crate::{
    chat::{
        Replaceable,
        ports::{ApiKey, ApiKeys, IdSource},
    },
    domain::Token,
};

/// The beginning of each key, so that scanners for secrets recognise it.
const PREFIX: &str = "rcast_";

/// The SHA-256 of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ApiKeyHash([u8; 32]);

impl ApiKeyHash {
    /// The hash of this key.
    pub fn of(key: &Token) -> Self {
        Self(Sha256::digest(key.expose()).into())
    }

    /// The hash that [`Display`](fmt::Display) writes: 64 hexadecimal digits. `None` for other texts.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit());
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
        }
        is_hex.then_some(Self(bytes))
    }
}

impl fmt::Display for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A new key.
pub fn new_api_key(ids: &dyn IdSource) -> Token {
    Token::from_raw(&format!("{PREFIX}{}", ids.secret()))
}

/// The keys of the settings.
#[derive(Debug, Default)]
pub struct HashedApiKeys(Replaceable<HashMap<ApiKeyHash, Arc<ApiKey>>>);

impl HashedApiKeys {
    /// These keys.
    pub fn new(keys: impl IntoIterator<Item = (ApiKeyHash, ApiKey)>) -> Self {
        Self(Replaceable::new(by_hash(keys)))
    }

    /// Replaces all keys. Requests that were admitted go on.
    pub fn replace(&self, keys: impl IntoIterator<Item = (ApiKeyHash, ApiKey)>) {
        self.0.replace(by_hash(keys));
    }
}

fn by_hash(
    keys: impl IntoIterator<Item = (ApiKeyHash, ApiKey)>,
) -> HashMap<ApiKeyHash, Arc<ApiKey>> {
    keys.into_iter().map(|(hash, key)| (hash, Arc::new(key))).collect()
}

impl ApiKeys for HashedApiKeys {
    fn find(&self, key: &Token) -> Option<Arc<ApiKey>> {
        self.0.get().get(&ApiKeyHash::of(key)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::RandomIds;

    #[test]
    fn a_hash_is_that_of_the_system_tools() {
        // printf abc | sha256sum
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hash = ApiKeyHash::of(&Token::from_raw("abc"));
        assert_eq!(hash.to_string(), text);
        assert_eq!(ApiKeyHash::parse(text), Some(hash));
        for bad in [
            "",
            "ab",
            text.trim_start_matches('b'),
            &text.replace("ba", "g1"),
            &text.replace("ba", "+1"),
        ] {
            assert_eq!(ApiKeyHash::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_is_found_by_its_text_alone() {
        let key = new_api_key(&RandomIds);
        assert!(key.expose().starts_with(PREFIX));
        let shop =
            ApiKey { name: "shop".into(), scopes: [].into(), spaces: Vec::new(), pace: None };
        let keys = HashedApiKeys::new([(ApiKeyHash::of(&key), shop)]);
        assert_eq!(keys.find(&key).map(|it| it.name.clone()), Some("shop".into()));
        assert!(keys.find(&new_api_key(&RandomIds)).is_none());
        let hash = Token::from_raw(&ApiKeyHash::of(&key).to_string());
        assert!(keys.find(&hash).is_none());
    }
}
