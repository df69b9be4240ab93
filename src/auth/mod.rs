//! Who somebody is: the key, and the tokens that it signs.

mod key;
mod tokens;

pub use key::{FILE, KeyRefused, Secret, open};
pub use tokens::{KeyTokens, LEEWAY, TOKEN_BYTES_MAX};
