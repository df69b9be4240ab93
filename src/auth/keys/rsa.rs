//! RSA keys: their size is checked here, and their numbers, before the first signature.

use std::ops::RangeInclusive;

use jsonwebtoken::DecodingKeyKind;
use num_bigint::BigUint;
use ring::signature::RsaPublicKeyComponents;
use simple_asn1::ASN1Block;

use super::InvalidKey;

/// The smallest RSA key that RFC 7518 allows, and the largest that is accepted: the time for a
/// signature grows with the square of the size.
const BITS: RangeInclusive<u64> = 2048..=4096;
/// The largest exponent. Nearly all keys have 65,537.
const EXPONENT_BITS_MAX: u64 = 32;

/// The modulus and the exponent.
pub(super) fn components(
    key: &DecodingKeyKind,
    invalid: InvalidKey,
) -> Result<RsaPublicKeyComponents<Vec<u8>>, InvalidKey> {
    let (n, e) = match key {
        DecodingKeyKind::SecretOrDer(der) => numbers(der).ok_or(invalid)?,
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            (BigUint::from_bytes_be(n), BigUint::from_bytes_be(e))
        }
    };
    if !BITS.contains(&n.bits()) {
        return Err(InvalidKey::Size(n.bits()));
    }
    let is_valid = n.bit(0) && e.bit(0) && e.bits() > 1 && e.bits() <= EXPONENT_BITS_MAX;
    if !is_valid {
        return Err(invalid);
    }
    Ok(RsaPublicKeyComponents { n: n.to_bytes_be(), e: e.to_bytes_be() })
}

/// The two numbers of an `RSAPublicKey` (RFC 8017, A.1.1).
fn numbers(der: &[u8]) -> Option<(BigUint, BigUint)> {
    let blocks = simple_asn1::from_der(der).ok()?;
    let [ASN1Block::Sequence(_, fields)] = blocks.as_slice() else { return None };
    let [ASN1Block::Integer(_, n), ASN1Block::Integer(_, e)] = fields.as_slice() else {
        return None;
    };
    Some((n.to_biguint()?, e.to_biguint()?))
}
