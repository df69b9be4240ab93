//! JSON Web Tokens, signed with the server's own key or with one of the settings.
//!
//! What the library could decide by its own clock or by what the token says of itself is decided
//! here: time comes in as an argument, a key's algorithm is fixed, and nothing of a token is
//! believed before its signature was found to be right.

mod claims;
mod parts;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey, Header, encode};
use time::{Duration, OffsetDateTime};
use tokio::time::timeout;
use tracing::debug;

use self::{claims::Signer, parts::TokenParts};
use super::{
    Key, Keys, TokenError,
    jwks::{JwksSource, RefreshMode},
};
use crate::{
    chat::ports::{Claims, Clock, Fault, Tokens},
    domain::{Rejection, Secret, Token},
};

/// How long a token may wait for keys. Past it, it is judged by those that are there.
const KEYS_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// What is asked of every token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// Who must have made it; anybody when there is none.
    pub issuer: Option<Box<str>>,
    /// For whom it must be made: one of these; for anybody when there is none.
    pub audience: Vec<Box<str>>,
    /// How far the clock of who signs may be ahead.
    pub leeway: Duration,
}

/// Makes and checks tokens. Clones share the keys.
#[derive(Clone)]
pub struct KeyTokens {
    signing: EncodingKey,
    own: Key,
    others: Keys,
    rules: Arc<TokenRules>,
    clock: Arc<dyn Clock>,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self { issuer: None, audience: Vec::new(), leeway: Duration::seconds(5) }
    }
}

impl KeyTokens {
    /// Tokens of the server's own key `secret`, dated by `clock` when they are made.
    pub fn new(secret: &Secret, clock: Arc<dyn Clock>) -> Self {
        Self {
            signing: EncodingKey::from_secret(secret.expose()),
            own: Key::own(secret),
            others: Keys::default(),
            rules: Arc::default(),
            clock,
        }
    }

    /// The same with other keys beside it, and other rules.
    #[must_use]
    pub fn with(self, others: Keys, rules: TokenRules) -> Self {
        Self { others, rules: Arc::new(rules), ..self }
    }

    /// The keys that have to be fetched. [`JwksSource::run`] does so.
    pub fn sources(&self) -> &[Arc<JwksSource>] {
        &self.others.sources
    }

    /// What `token` proves at `now`, or why it proves nothing.
    ///
    /// Waits where its key is not known and may be fetched, but not for long.
    pub async fn verify(&self, token: &Token, now: OffsetDateTime) -> Result<Claims, TokenError> {
        let parts = TokenParts::read(token.expose())?;
        let signer = match self.signer(&parts) {
            Err(refused) => match self.refresh_mode(&parts) {
                Some(mode) => {
                    self.wait_for_refresh(mode).await;
                    self.signer(&parts).map_err(|refused| self.unless_keys_missing(refused))?
                }
                None => return Err(refused),
            },
            Ok(signer) => signer,
        };
        claims::verify(&parts.claims()?, signer, &self.rules, now)
    }

    /// Who has signed the token, as far as the keys at hand can tell.
    fn signer(&self, parts: &TokenParts<'_>) -> Result<Signer, TokenError> {
        let mut tried = false;
        let mut signed_by = |key: &Key| {
            let may = key.may_sign(parts.algorithm, parts.key.as_deref());
            tried |= may;
            may && key.has_signed(parts.message, parts.signature)
        };
        if signed_by(&self.own) {
            return Ok(Signer::Own);
        }
        let fetched = || self.others.sources.iter().map(|source| source.keys());
        if self.others.fixed.iter().any(&mut signed_by)
            || fetched().any(|set| set.iter().any(&mut signed_by))
        {
            return Ok(Signer::Other);
        }
        let (algorithm, key) = (parts.algorithm, parts.key.clone());
        Err(if tried {
            TokenError::BadSignature { algorithm, key }
        } else {
            TokenError::NoKey { algorithm, key }
        })
    }

    /// Nobody is told "no" for want of keys that were never there: a restart would shut out users for
    /// as long as their site is down.
    fn unless_keys_missing(&self, refused: TokenError) -> TokenError {
        let complete = self.others.sources.iter().all(|source| source.is_loaded());
        if complete { refused } else { TokenError::KeysNotLoaded }
    }

    /// Whether a fetch may bring the key of this token, and whether it may be asked for.
    fn refresh_mode(&self, parts: &TokenParts<'_>) -> Option<RefreshMode> {
        let sources = &self.others.sources;
        // Sets hold public keys alone.
        if sources.is_empty() || parts.algorithm.family() == AlgorithmFamily::Hmac {
            return None;
        }
        let Some(name) = parts.key.as_deref() else {
            // Who names no key waits for the first set at most.
            return sources.iter().any(|it| !it.is_loaded()).then_some(RefreshMode::WaitOnly);
        };
        let known = |keys: &[Key]| keys.iter().any(|key| key.has_id(name));
        let known = known(&self.others.fixed) || sources.iter().any(|it| known(&it.keys()));
        (!known).then_some(RefreshMode::Request)
    }

    /// Waits until the sets are as fresh as they may be, or until patience ends.
    async fn wait_for_refresh(&self, mode: RefreshMode) {
        let all = join_all(self.others.sources.iter().map(|source| source.wait_for_refresh(mode)));
        if timeout(KEYS_WAIT_MAX, all).await.is_err() {
            debug!("a token does not wait any longer for keys");
        }
    }
}

impl fmt::Debug for KeyTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyTokens(***)")
    }
}

#[async_trait]
impl Tokens for KeyTokens {
    async fn check(&self, token: &Token, now: OffsetDateTime) -> Result<Claims, Rejection> {
        self.verify(token, now).await.map_err(|refused| {
            debug!(reason = %refused, "a token is refused");
            refused.into()
        })
    }

    fn issue(&self, claims: &Claims) -> Result<Token, Fault> {
        let members = claims::to_payload(claims, &self.rules, self.clock.now());
        encode(&Header::new(Algorithm::HS256), &members, &self.signing)
            .map(|text| Token::from_raw(&text))
            .map_err(|error| Fault::new("signing a token", error))
    }
}

#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
