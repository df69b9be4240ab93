//! Public keys in PEM files.

use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};

use super::InvalidKey;

/// The text before the label of a block.
const BEGIN: &str = "-----BEGIN ";

/// The key in `text`, for `algorithm`.
///
/// The label is checked first, because the library would also accept certificates and some forms of
/// private keys.
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
