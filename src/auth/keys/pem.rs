//! Public keys as PEM files hold them.

use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};

use super::InvalidKey;

/// What stands before the name of a block.
const BEGIN: &str = "-----BEGIN ";

/// The key in `text`, which must be one for `algorithm`.
///
/// The library would take a certificate, and of a private key in some forms more than it should, so
/// the name of the block is looked at first.
pub(super) fn read(text: &[u8], algorithm: Algorithm) -> Result<DecodingKey, InvalidKey> {
    let text = str::from_utf8(text).unwrap_or_default();
    let blocks: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix(BEGIN)).collect();
    if blocks.iter().any(|it| it.contains("PRIVATE KEY")) {
        return Err(InvalidKey::Private);
    }
    match blocks.as_slice() {
        ["PUBLIC KEY-----" | "RSA PUBLIC KEY-----"] => (),
        [one] if one.contains("CERTIFICATE") => return Err(InvalidKey::Certificate),
        _ => return Err(InvalidKey::NotPem),
    }
    let text = text.as_bytes();
    let key = match algorithm.family() {
        AlgorithmFamily::Hmac => return Err(InvalidKey::WrongAlgorithm(algorithm)),
        AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(text),
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(text),
        AlgorithmFamily::Ed => DecodingKey::from_ed_pem(text),
    };
    key.or(Err(InvalidKey::WrongAlgorithm(algorithm)))
}
