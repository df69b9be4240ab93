//! Keys and tokens for the tests of this layer.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey,
    crypto::sign,
    jwk::{AlgorithmParameters, Jwk},
};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

use crate::chat::ports::Clock;

pub(super) const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

pub(super) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> OffsetDateTime {
        NOW
    }
}

/// A file of `tests/keys`.
macro_rules! test_key {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/", $name)).as_slice()
    };
}
pub(super) use test_key;

pub(super) const RSA: KeyPair = KeyPair(test_key!("rsa.pem"), test_key!("rsa.pub.pem"));
pub(super) const P256: KeyPair = KeyPair(test_key!("p256.pem"), test_key!("p256.pub.pem"));
pub(super) const P256_NEW: KeyPair =
    KeyPair(test_key!("p256-new.pem"), test_key!("p256-new.pub.pem"));
pub(super) const P384: KeyPair = KeyPair(test_key!("p384.pem"), test_key!("p384.pub.pem"));
pub(super) const ED: KeyPair = KeyPair(test_key!("ed25519.pem"), test_key!("ed25519.pub.pem"));

/// A private key and its public key.
#[derive(Clone, Copy)]
pub(super) struct KeyPair(pub(super) &'static [u8], pub(super) &'static [u8]);

impl KeyPair {
    /// A signed token with any header and payload.
    pub(super) fn signed(self, algorithm: Algorithm, header: &str, payload: &str) -> String {
        let key = match algorithm.family() {
            AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(self.0),
            AlgorithmFamily::Ec => EncodingKey::from_ec_pem(self.0),
            AlgorithmFamily::Ed => EncodingKey::from_ed_pem(self.0),
            AlgorithmFamily::Hmac => panic!("a pair has no secret"),
        };
        signed(&key.unwrap(), algorithm, header, payload)
    }

    /// A valid token with this `kid`, if any.
    pub(super) fn token(self, algorithm: Algorithm, kid: Option<&str>) -> String {
        let header = match kid {
            Some(kid) => json!({ "alg": algorithm, "kid": kid }),
            None => json!({ "alg": algorithm }),
        };
        let payload = json!({ "sub": "ann", "exp": NOW.unix_timestamp() + 60 });
        self.signed(algorithm, &header.to_string(), &payload.to_string())
    }

    /// The public key as a member of a set, with further members.
    pub(super) fn jwk(self, others: &Value) -> Value {
        let key = [DecodingKey::from_rsa_pem, DecodingKey::from_ec_pem, DecodingKey::from_ed_pem]
            .into_iter()
            .find_map(|read| read(self.1).ok())
            .unwrap();
        let Jwk { algorithm, .. } = Jwk::from_decoding_key(&key, None).unwrap();
        let mut jwk = match algorithm {
            AlgorithmParameters::RSA(it) => json!(it),
            AlgorithmParameters::EllipticCurve(it) => json!(it),
            AlgorithmParameters::OctetKeyPair(it) => json!(it),
            _ => panic!("a public key"),
        };
        for (name, value) in others.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    }
}

/// The text of a set.
pub(super) fn set(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// A signed token with this header and payload, valid or not.
pub(super) fn signed(
    key: &EncodingKey,
    algorithm: Algorithm,
    header: &str,
    payload: &str,
) -> String {
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", part(header), part(payload));
    let signature = sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}
