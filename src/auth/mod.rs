//! Authentication: keys, and the tokens that they sign.

mod admin_password;
mod api_keys;
mod jwks;
mod jwks_url;
mod keyring;
mod keys;
#[cfg(test)]
mod test_support;
mod token_error;
mod tokens;

pub use admin_password::{AdminPassword, InvalidPasswordHash, PasswordHash};
pub use api_keys::{ApiKeyHash, HashedApiKeys, new_api_key};
pub use jsonwebtoken::Algorithm;
pub use jwks::JwksSource;
pub use jwks_url::JwksUrl;
pub use keyring::{KeyLocation, KeyOptions, Keys, KeysError};
pub use keys::{FILE, InvalidKey, Key, KeyFileError};
pub use keys::{load_or_create_key, load_or_generate_key, read_key_file};
pub use token_error::{TOKEN_BYTES_MAX, TokenError};
pub use tokens::{KeyTokens, TokenRules};
