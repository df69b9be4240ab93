//! Tokens of the server's own key, and their verification.

use futures_util::FutureExt as _;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::Value;

use super::*;
use crate::{
    auth::test_support::{FixedClock, NOW, signed},
    domain::UserName,
};

pub(super) const KEY: &[u8] = b"a key of at least thirty-two bytes";

pub(super) fn tokens(key: &[u8]) -> KeyTokens {
    KeyTokens::new(&Secret::from_raw(key), Arc::new(FixedClock))
}

/// The server's own key with further ones.
pub(super) fn with(fixed: Vec<Key>, rules: TokenRules) -> KeyTokens {
    tokens(KEY).with(Keys { fixed, sources: Vec::new() }, rules)
}

pub(super) fn ann() -> Claims {
    Claims::of(UserName::from_raw("ann"), NOW + Duration::hours(1))
}

pub(super) fn later(seconds: i64) -> i64 {
    NOW.unix_timestamp() + seconds
}

/// A token of the own key with any header and payload.
pub(super) fn own(header: &str, payload: &str) -> String {
    signed(&EncodingKey::from_secret(KEY), Algorithm::HS256, header, payload)
}

pub(super) fn hs256(payload: &Value) -> String {
    own(r#"{"alg":"HS256","typ":"JWT"}"#, &payload.to_string())
}

/// The result of its verification at a time, without a fetch.
pub(super) fn verified(
    tokens: &KeyTokens,
    token: &str,
    now: OffsetDateTime,
) -> Result<Claims, TokenError> {
    let token = Token::from_raw(token);
    tokens.verify(&token, now).now_or_never().expect("no fetch is pending")
}

pub(super) fn check_at(
    tokens: &KeyTokens,
    token: &str,
    now: OffsetDateTime,
) -> Result<Claims, Rejection> {
    let token = Token::from_raw(token);
    tokens.check(&token, now).now_or_never().expect("no fetch is pending")
}

pub(super) fn check(token: &str) -> Result<Claims, Rejection> {
    check_at(&tokens(KEY), token, NOW)
}

pub(super) fn token_error(token: &str) -> TokenError {
    verified(&tokens(KEY), token, NOW).unwrap_err()
}
