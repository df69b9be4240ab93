//! Who somebody is: the keys, and the tokens that they sign.

mod jwks;
mod keys;
mod refused;
#[cfg(test)]
mod test_support;
mod tokens;

pub use jsonwebtoken::Algorithm;
pub use jwks::{NoTrust, Source};
pub use keys::{FILE, Key, KeyFrom, KeyOptions, KeyRefused, KeyUnfit, Keys, KeysRefused};
pub use keys::{find, open, read};
pub use refused::Refused;
pub use tokens::{KeyTokens, Rules, TOKEN_BYTES_MAX};
