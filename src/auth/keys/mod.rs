//! Keys: each has one algorithm, which no token can change.
//!
//! A key is validated for its algorithm when it is created, so that an unsuitable key fails the
//! start rather than a later token. A public key can never serve as an HMAC secret: the two have
//! separate constructors.

mod file;
mod pem;
mod set;
mod verified;

use std::{fmt, ops::RangeInclusive, sync::Arc};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    crypto::verify,
    jwk::{AlgorithmParameters, Jwk},
};

use self::verified::VerifiedSignatures;
use crate::domain::Secret;

pub use file::{FILE, KeyFileError, load_or_create_key, load_or_generate_key, read_key_file};
pub(super) use set::{InvalidKeySet, read as parse_key_set};

/// Bytes of an Ed25519 key.
const ED_BYTES: usize = 32;
/// The smallest RSA key that RFC 7518 allows, and the largest that the library accepts.
const RSA_BITS: RangeInclusive<usize> = 2048..=4096;

/// A key that verifies signatures of one algorithm.
#[derive(Clone)]
pub struct Key {
    algorithm: Algorithm,
    id: Option<Box<str>>,
    decoding: DecodingKey,
    verified: Arc<VerifiedSignatures>,
}

/// Why a key is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The secret is too short to be secure.
    #[error("it must have at least {least} bytes for {algorithm:?}")]
    TooShort {
        /// The algorithm.
        algorithm: Algorithm,
        /// The required size: that of the hash.
        least: usize,
    },
    /// A private key. It would allow tokens for any user, and is not needed here.
    #[error("it holds a private key; use the public one (openssl pkey -in private.pem -pubout)")]
    Private,
    /// A certificate. Its validity period would not be checked here.
    #[error("it holds a certificate; use its key (openssl x509 -in cert.pem -pubkey -noout)")]
    Certificate,
    /// Not a public key in PEM.
    #[error("it is not one PEM block with a PUBLIC KEY")]
    NotPem,
    /// A key of another kind, or damaged.
    #[error("it holds no key for {0:?}")]
    WrongAlgorithm(Algorithm),
    /// An RSA key of an unsupported size.
    #[error("an RSA key must have 2048 to 4096 bits, and this one has {0}")]
    Size(usize),
}

impl Key {
    /// The server's own key. Its length was checked when it was read.
    pub(super) fn own(secret: &Secret) -> Self {
        Self::new(Algorithm::HS256, None, DecodingKey::from_secret(secret.expose()))
    }

    /// A shared secret.
    pub fn secret(
        secret: &Secret,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Self, InvalidKey> {
        let least = match algorithm {
            Algorithm::HS256 => 32,
            Algorithm::HS384 => 48,
            Algorithm::HS512 => 64,
            _ => return Err(InvalidKey::WrongAlgorithm(algorithm)),
        };
        if secret.expose().len() < least {
            return Err(InvalidKey::TooShort { algorithm, least });
        }
        Ok(Self::new(algorithm, id, DecodingKey::from_secret(secret.expose())))
    }

    /// The public key in the text of a PEM file.
    pub fn pem(text: &[u8], algorithm: Algorithm, id: Option<&str>) -> Result<Self, InvalidKey> {
        Self::public(pem::read(text, algorithm)?, algorithm, id)
    }

    /// Checks that `decoding_key` is a public key of the right kind and of a secure size.
    fn public(
        decoding_key: DecodingKey,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Self, InvalidKey> {
        let invalid_key = InvalidKey::WrongAlgorithm(algorithm);
        let family = decoding_key.family();
        if family == AlgorithmFamily::Hmac || algorithm.family() != family {
            return Err(invalid_key);
        }
        if family == AlgorithmFamily::Rsa {
            return Self::rsa(&decoding_key, algorithm, id);
        }
        // The library takes the first 32 bytes without a check of the length.
        let sized = family != AlgorithmFamily::Ed
            || decoding_key.try_get_as_bytes().is_ok_and(|bytes| bytes.len() == ED_BYTES);
        // The library checks that the point is on the curve with each signature.
        if !sized || verify("", b"", &decoding_key, algorithm).is_err() {
            return Err(invalid_key);
        }
        Ok(Self::new(algorithm, id, decoding_key))
    }

    /// An RSA key. The library does not check it before the first signature.
    fn rsa(
        decoding_key: &DecodingKey,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Self, InvalidKey> {
        let invalid_key = InvalidKey::WrongAlgorithm(algorithm);
        let Ok(Jwk { algorithm: AlgorithmParameters::RSA(jwk), .. }) =
            Jwk::from_decoding_key(decoding_key, None)
        else {
            return Err(invalid_key);
        };
        let number = |text: &str| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
            bytes.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<_>>()
        };
        let (modulus, exponent) = (number(&jwk.n), number(&jwk.e));
        let bits =
            modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
        if !RSA_BITS.contains(&bits) {
            return Err(InvalidKey::Size(bits));
        }
        let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        if !odd(&modulus) || !odd(&exponent) || exponent == [1] || exponent.len() > 4 {
            return Err(invalid_key);
        }
        let decoding_key = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
        Ok(Self::new(algorithm, id, decoding_key))
    }

    fn new(algorithm: Algorithm, id: Option<&str>, decoding_key: DecodingKey) -> Self {
        let (id, verified) = (id.map(Into::into), Arc::default());
        Self { algorithm, id, decoding: decoding_key, verified }
    }

    /// Whether it may verify a token with this `alg` and `kid`.
    pub(super) fn may_sign(&self, algorithm: Algorithm, key: Option<&str>) -> bool {
        let named = key.is_none_or(|key| self.id.as_deref().is_none_or(|id| id == key));
        self.algorithm == algorithm && named
    }

    /// Whether its id is `key`.
    pub(super) fn has_id(&self, key: &str) -> bool {
        self.id.as_deref() == Some(key)
    }

    /// Whether `signature`, in base64url as in a token, is its signature of `message`.
    pub(super) fn has_signed(&self, message: &str, signature: &str) -> bool {
        let verify = || {
            verify(signature, message.as_bytes(), &self.decoding, self.algorithm).unwrap_or(false)
        };
        // A keyed hash costs as much as the hash that would find it.
        if self.algorithm.family() == AlgorithmFamily::Hmac {
            return verify();
        }
        self.verified.check(message, signature, verify)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?}, {:?}, ***)", self.algorithm, self.id)
    }
}

#[cfg(test)]
mod tests;
