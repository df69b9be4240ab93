//! Keys: each has one algorithm, which no token can change.
//!
//! A key is validated for its algorithm when it is created, so that an unsuitable key fails the
//! start rather than a later token. A public key can never serve as an HMAC secret: the two have
//! separate constructors.

mod edwards;
mod file;
mod pem;
mod rsa;
mod set;
mod verified;
mod verifier;

use std::{fmt, sync::Arc};

use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};

use self::{verified::VerifiedSignatures, verifier::Verifier};
use crate::domain::Secret;

pub use file::{FILE, KeyFileError, load_or_create_key, load_or_generate_key, read_key_file};
pub(super) use set::{InvalidKeySet, read as parse_key_set};

/// A key that verifies signatures of one algorithm.
#[derive(Clone)]
pub struct Key {
    algorithm: Algorithm,
    id: Option<Box<str>>,
    verifier: Arc<Verifier>,
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
    /// A point of which the file has one coordinate. `ring` reads both.
    #[error(
        "it holds a point in compressed form; use both coordinates (openssl ec -pubin -in key.pem \
         -conv_form uncompressed)"
    )]
    Compressed,
    /// An RSA key of an unsupported size.
    #[error("an RSA key must have 2048 to 4096 bits, and this one has {0}")]
    Size(u64),
}

impl Key {
    /// The server's own key. Its length was checked when it was read.
    pub(super) fn own(secret: &Secret) -> Self {
        Self::new(Algorithm::HS256, None, Verifier::hs256(secret.expose()))
    }

    /// A shared secret.
    pub fn secret(
        secret: &Secret,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Self, InvalidKey> {
        Ok(Self::new(algorithm, id, Verifier::secret(secret.expose(), algorithm)?))
    }

    /// The public key in the text of a PEM file.
    pub fn pem(text: &[u8], algorithm: Algorithm, id: Option<&str>) -> Result<Self, InvalidKey> {
        Self::public(&pem::read(text, algorithm)?, algorithm, id)
    }

    fn public(
        key: &DecodingKey,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Self, InvalidKey> {
        Ok(Self::new(algorithm, id, Verifier::public(key, algorithm)?))
    }

    fn new(algorithm: Algorithm, id: Option<&str>, verifier: Verifier) -> Self {
        let (id, verifier) = (id.map(Into::into), Arc::new(verifier));
        Self { algorithm, id, verifier, verified: Arc::default() }
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
        let verify = || self.verifier.verify(message.as_bytes(), signature);
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
