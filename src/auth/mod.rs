//! Who somebody is: the keys, and the tokens that they sign.

mod jwks;
mod keys;
#[cfg(test)]
mod test_support;
mod token_error;
mod tokens;

pub use jsonwebtoken::Algorithm;
pub use jwks::{JwksSource, NoTrustedCertificates};
pub use keys::{FILE, InvalidKey, Key, KeyFileError, KeyLocation, KeyOptions, Keys, KeysError};
pub use keys::{load_or_create_key, load_or_generate_key, read_key_file};
pub use token_error::TokenError;
pub use tokens::{KeyTokens, TOKEN_BYTES_MAX, TokenRules};
