//! Signatures that a key has verified: a client that reconnects with the same token costs a hash in
//! place of a signature check, which for RSA and elliptic curves costs more than the rest of a connect.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

/// Signatures that are remembered per key. A further one replaces the oldest.
const SIGNATURES_MAX: usize = 1 << 15;

/// The hash of a message with its signature.
type SignatureHash = [u8; 32];

/// The verified signatures of one key. Another key, also a fetched key of the same name, has its own.
/// Only the signature is remembered: the claims are checked with each connect.
#[derive(Default)]
pub(super) struct VerifiedSignatures(Mutex<Recent>);

#[derive(Default)]
struct Recent {
    hashes: HashSet<SignatureHash>,
    /// The same, the oldest first.
    order: VecDeque<SignatureHash>,
}

impl VerifiedSignatures {
    /// Whether the signature was verified before, or `verify` accepts it.
    pub(super) fn check(
        &self,
        message: &str,
        signature: &str,
        verify: impl FnOnce() -> bool,
    ) -> bool {
        let mut hash = Sha256::new();
        // A dot separates the two in a token, and no part of a token contains more.
        hash.update(message);
        hash.update(".");
        hash.update(signature);
        let hash = hash.finalize().into();
        if self.0.lock().hashes.contains(&hash) {
            return true;
        }
        let is_valid = verify();
        if is_valid {
            self.0.lock().add(hash);
        }
        is_valid
    }
}

impl Recent {
    fn add(&mut self, hash: SignatureHash) {
        if !self.hashes.insert(hash) {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > SIGNATURES_MAX {
            let oldest = self.order.pop_front();
            oldest.map(|oldest| self.hashes.remove(&oldest));
        }
    }
}

impl fmt::Debug for VerifiedSignatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedSignatures").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNCALLED: fn() -> bool = || panic!("the signature is known");

    #[test]
    fn only_valid_signatures_are_remembered() {
        let verified = VerifiedSignatures::default();
        assert!(!verified.check("a.b", "c", || false));
        assert!(verified.check("a.b", "c", || true), "checked again");
        assert!(verified.check("a.b", "c", UNCALLED));
        assert!(!verified.check("a.b", "d", || false), "another signature");
        assert!(!verified.check("a.x", "c", || false), "another message");
    }

    #[test]
    fn the_oldest_signature_is_forgotten() {
        let verified = VerifiedSignatures::default();
        for number in 0..=SIGNATURES_MAX {
            assert!(verified.check("a.b", &number.to_string(), || true));
        }
        assert!(verified.check("a.b", "1", UNCALLED));
        assert!(!verified.check("a.b", "0", || false));
        assert_eq!(verified.0.lock().hashes.len(), SIGNATURES_MAX);
    }
}
