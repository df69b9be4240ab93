//! Signatures: verified by `ring`, which TLS uses, too.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use ring::{
    agreement, hmac, rand,
    signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey},
};

use super::{InvalidKey, edwards, rsa};

/// A key in the form that verifies signatures of one algorithm.
pub(super) enum Verifier {
    /// A keyed hash.
    Secret(hmac::Key),
    /// An RSA key, and the form of the signatures.
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
    /// A point on the curve of the algorithm.
    Point(UnparsedPublicKey<Vec<u8>>),
}

impl Verifier {
    /// The server's own secret.
    pub(super) fn hs256(secret: &[u8]) -> Self {
        Self::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The shared secret, if it is as long as the hash.
    pub(super) fn secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, InvalidKey> {
        let hash = match algorithm {
            Algorithm::HS256 => hmac::HMAC_SHA256,
            Algorithm::HS384 => hmac::HMAC_SHA384,
            Algorithm::HS512 => hmac::HMAC_SHA512,
            _ => return Err(InvalidKey::WrongAlgorithm(algorithm)),
        };
        let least = hash.digest_algorithm().output_len();
        if secret.len() < least {
            return Err(InvalidKey::TooShort { algorithm, least });
        }
        Ok(Self::Secret(hmac::Key::new(hash, secret)))
    }

    /// The public key, if it is of the right kind, secure and valid.
    pub(super) fn public(key: &DecodingKey, algorithm: Algorithm) -> Result<Self, InvalidKey> {
        let invalid = InvalidKey::WrongAlgorithm(algorithm);
        if key.family() != algorithm.family() {
            return Err(invalid);
        }
        if key.family() == AlgorithmFamily::Rsa {
            let components = rsa::components(key.kind(), invalid)?;
            return Ok(Self::Rsa(rsa_form(algorithm).ok_or(invalid)?, components));
        }
        let DecodingKeyKind::SecretOrDer(point) = key.kind() else { return Err(invalid) };
        if key.family() == AlgorithmFamily::Ec && matches!(point.first(), Some(2 | 3)) {
            return Err(InvalidKey::Compressed);
        }
        let (is_valid, form): (_, &'static dyn signature::VerificationAlgorithm) = match algorithm {
            Algorithm::ES256 => {
                (is_on(&agreement::ECDH_P256, point), &signature::ECDSA_P256_SHA256_FIXED)
            }
            Algorithm::ES384 => {
                (is_on(&agreement::ECDH_P384, point), &signature::ECDSA_P384_SHA384_FIXED)
            }
            Algorithm::EdDSA => (edwards::is_point(point), &signature::ED25519),
            _ => return Err(invalid),
        };
        if !is_valid {
            return Err(invalid);
        }
        Ok(Self::Point(UnparsedPublicKey::new(form, point.clone())))
    }

    /// Whether `signature`, in base64url as in a token, is this key's of `message`.
    pub(super) fn verify(&self, message: &[u8], signature: &str) -> bool {
        let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else { return false };
        match self {
            Self::Secret(key) => hmac::verify(key, message, &signature).is_ok(),
            Self::Rsa(form, key) => key.verify(form, message, &signature).is_ok(),
            Self::Point(key) => key.verify(message, &signature).is_ok(),
        }
    }
}

const fn rsa_form(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// Whether `point` is on the curve. For signatures `ring` says only that one is invalid; an agreement
/// fails with an invalid point alone.
fn is_on(curve: &'static agreement::Algorithm, point: &[u8]) -> bool {
    let own = agreement::EphemeralPrivateKey::generate(curve, &rand::SystemRandom::new());
    let point = agreement::UnparsedPublicKey::new(curve, point);
    own.is_ok_and(|own| agreement::agree_ephemeral(own, &point, |_secret| ()).is_ok())
}
