//! Points of the curve of Ed25519: RFC 8032, 5.1.
//!
//! `ring` says of a signature only that it is invalid, also where the key is. So a damaged key would
//! be noticed with the first token. Nothing here is secret, and a key is checked once.

use num_bigint::BigUint;

/// Bytes of a point: the lower 255 bits are y, the highest is the sign of x.
const BYTES: usize = 32;

/// Whether `bytes` decode to a point: RFC 8032, 5.1.3, without the root itself.
pub(super) fn is_point(bytes: &[u8]) -> bool {
    let Ok(bytes) = <[u8; BYTES]>::try_from(bytes) else { return false };
    let p = (BigUint::from(1_u8) << 255_u8) - 19_u8;
    let mut y = BigUint::from_bytes_le(&bytes);
    let is_negative = y.bit(255);
    y.set_bit(255, false);
    if y >= p {
        return false;
    }
    // x² = (y² - 1) / (d y² + 1), with d = -121665 / 121666. Both sides times 121666.
    let square = &y * &y % &p;
    let numerator = (&square + &p - 1_u8) * 121_666_u32 % &p;
    let denominator = ((&p - &square) * 121_665_u32 + 121_666_u32) % &p;
    if numerator == BigUint::ZERO {
        return !is_negative;
    }
    // A quotient is a square if the product is one: they differ by the square of the denominator.
    let exponent = (&p - 1_u8) >> 1_u8;
    (numerator * denominator).modpow(&exponent, &p) == BigUint::from(1_u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `number` as y, the sign in the highest bit.
    fn point(number: &BigUint) -> Vec<u8> {
        let mut bytes = number.to_bytes_le();
        bytes.resize(BYTES, 0);
        bytes
    }

    #[test]
    fn public_keys_are_points() {
        // RFC 8032, 7.1: tests 1 and 2.
        for key in [
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        ] {
            let number = BigUint::parse_bytes(key.as_bytes(), 16).unwrap();
            let mut bytes = number.to_bytes_be();
            assert!(is_point(&bytes), "{key}");
            bytes.push(0);
            assert!(!is_point(&bytes), "a byte more");
            assert!(!is_point(bytes.get(..31).unwrap()), "a byte less");
        }
    }

    #[test]
    fn half_of_all_numbers_are_points() {
        // By the root that RFC 8032, 5.1.3 computes.
        let points = [0, 1, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 19];
        let found = (0..20_u8).filter(|y| is_point(&point(&BigUint::from(*y))));
        assert_eq!(found.collect::<Vec<_>>(), points);
    }

    #[test]
    fn each_point_has_one_form() {
        let p = (BigUint::from(1_u8) << 255_u8) - 19_u8;
        let negative = BigUint::from(1_u8) << 255_u8;
        assert!(is_point(&point(&BigUint::from(1_u8))), "x = 0");
        assert!(!is_point(&point(&(negative + 1_u8))), "x = -0");
        assert!(!is_point(&point(&(p + 1_u8))), "y = 1, with the modulus added");
    }
}
