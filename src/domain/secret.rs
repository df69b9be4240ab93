//! Secrets: types whose `Debug` output hides their content.

use std::{fmt, hint::black_box};

/// Key material. `Debug` prints `***`.
#[derive(Clone, Default)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// A secret with these bytes.
    pub fn from_raw(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for signing.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether the secret is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A token that authenticates a user. `Debug` prints `***`.
#[derive(Clone)]
pub struct Token(Box<str>);

impl Token {
    /// A token with this text.
    pub fn from_raw(text: &str) -> Self {
        Self(text.into())
    }

    /// The text, for verification and for the user of the token.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Compares in a time that depends on the lengths alone, so that timing does not reveal how much of
/// a guess is right.
fn constant_time_eq(one: &[u8], other: &[u8]) -> bool {
    let differing =
        one.iter().zip(other).fold(0, |seen, (one, other)| black_box(seen | (one ^ other)));
    one.len() == other.len() && differing == 0
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(&self.0, &other.0)
    }
}

impl Eq for Secret {}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for Token {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let shown = format!("{:?} {:?}", Secret::from_raw(b"abc"), Token::from_raw("abc"));
        assert_eq!(shown, "*** ***");
    }

    #[test]
    fn secrets_are_compared_as_a_whole() {
        let secret = Secret::from_raw(b"abc");
        assert_eq!(secret, Secret::from_raw(b"abc"));
        for other in ["", "ab", "abd", "abcd"] {
            assert_ne!(secret, Secret::from_raw(other.as_bytes()), "{other}");
        }
    }
}
