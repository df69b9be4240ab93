//! JSON Web Tokens, signed with the server's own key or with a configured one.
//!
//! The library must not use its own clock or trust a token's header. So time is an argument, a
//! key's algorithm is fixed, and claims are read only after the signature was verified.

mod claims;
mod parts;

use std::{convert::Infallible, fmt, sync::Arc};

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use jsonwebtoken::AlgorithmFamily;
use ring::hmac;
use time::{Duration, OffsetDateTime};
use tokio::{sync::watch, time::timeout};
use tracing::debug;

use self::{claims::Signer, parts::TokenParts};
use super::{
    AdminPassword, Key, Keys, PasswordHash, TokenError,
    jwks::{JwksSource, RefreshMode},
};
use crate::{
    chat::{
        Replaceable,
        ports::{Claims, Clock, Fault, Tokens},
    },
    domain::{Rejection, Secret, Token},
};

/// How long a token may wait for keys. After it, the known keys decide.
const KEYS_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// The header of the server's own tokens.
const OWN_HEADER: &[u8] = br#"{"typ":"JWT","alg":"HS256"}"#;

/// The rules for all tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// The required issuer; `None` allows any.
    pub issuer: Option<Box<str>>,
    /// The accepted audiences; none allows any.
    pub audience: Vec<Box<str>>,
    /// The tolerated lead of the issuer's clock.
    pub leeway: Duration,
}

/// The sets of keys that sites publish.
type Sources = Arc<[Arc<JwksSource>]>;

/// Issues and verifies tokens. Clones share the keys.
#[derive(Clone)]
pub struct KeyTokens {
    signing: hmac::Key,
    secret: Secret,
    own: Key,
    /// The keys of other issuers that do not change by themselves.
    fixed: Replaceable<Vec<Key>>,
    /// The sets that are fetched. Replaced as a whole.
    sources: Arc<watch::Sender<Sources>>,
    rules: Arc<TokenRules>,
    clock: Arc<dyn Clock>,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self { issuer: None, audience: Vec::new(), leeway: Duration::seconds(5) }
    }
}

impl KeyTokens {
    /// Tokens of the server's own key `secret`; `clock` dates the tokens that it issues.
    pub fn new(secret: &Secret, clock: Arc<dyn Clock>) -> Self {
        Self {
            signing: hmac::Key::new(hmac::HMAC_SHA256, secret.expose()),
            secret: secret.clone(),
            own: Key::own(secret),
            fixed: Replaceable::default(),
            sources: Arc::new(watch::Sender::new(Arc::default())),
            rules: Arc::default(),
            clock,
        }
    }

    /// The same with further keys and other rules.
    #[must_use]
    pub fn with(self, others: Keys, rules: TokenRules) -> Self {
        let Keys { fixed, sources } = others;
        let sources = Arc::new(watch::Sender::new(sources.into()));
        Self { fixed: Replaceable::new(fixed), sources, rules: Arc::new(rules), ..self }
    }

    /// The user of the Admin UI with this name and password, whose sessions the server's own key signs.
    pub fn admin(&self, username: &str, hash: PasswordHash) -> AdminPassword {
        AdminPassword::new(username, hash, &self.secret, Arc::clone(&self.clock))
    }

    /// Replaces the keys of other issuers. A set that is fetched already stays. Connections live until
    /// their tokens expire.
    pub fn replace_keys(&self, others: Keys) {
        let Keys { fixed, sources } = others;
        self.fixed.replace(fixed);
        let running = self.sources();
        let kept = |new: Arc<JwksSource>| {
            running.iter().find(|it| it.is_same_site(&new)).map_or(new, Arc::clone)
        };
        let wanted: Sources = sources.into_iter().map(kept).collect();
        let is_same = wanted.len() == running.len()
            && wanted.iter().zip(running.iter()).all(|(new, old)| Arc::ptr_eq(new, old));
        if !is_same {
            self.sources.send_replace(wanted);
        }
    }

    /// Fetches the sets of keys at once and then periodically. Does not end. Cancel-safe.
    pub async fn fetch_sets(&self) -> Infallible {
        let mut updates = self.sources.subscribe();
        loop {
            let sources = Arc::clone(&updates.borrow_and_update());
            let fetching = join_all(sources.iter().map(|it| it.run()));
            tokio::select! {
                // Not an end: without a source the join is complete.
                _ended = fetching, if !sources.is_empty() => (),
                // This has the sender.
                _changed = updates.changed() => (),
            }
        }
    }

    /// The sets of keys that are fetched.
    pub fn sources(&self) -> Sources {
        Arc::clone(&self.sources.borrow())
    }

    /// Verifies `token` at `now`.
    ///
    /// If its key is unknown and may be fetched, waits for a bounded time.
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

    /// The signer of the token among the known keys.
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
        let sources = self.sources();
        let fetched = || sources.iter().map(|source| source.keys());
        if self.fixed.get().iter().any(&mut signed_by)
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

    /// Returns "temporarily unavailable" instead of a refusal while keys were never fetched:
    /// otherwise a restart would sign users out for as long as their site is down.
    fn unless_keys_missing(&self, refused: TokenError) -> TokenError {
        let complete = self.sources().iter().all(|source| source.is_loaded());
        if complete { refused } else { TokenError::KeysNotLoaded }
    }

    /// Whether a fetch may bring the key of this token, and whether it may be requested.
    fn refresh_mode(&self, parts: &TokenParts<'_>) -> Option<RefreshMode> {
        let sources = self.sources();
        // Sets hold only public keys.
        if sources.is_empty() || parts.algorithm.family() == AlgorithmFamily::Hmac {
            return None;
        }
        let Some(name) = parts.key.as_deref() else {
            // A token without a `kid` waits for the first set at most.
            return sources.iter().any(|it| !it.is_loaded()).then_some(RefreshMode::WaitOnly);
        };
        let known = |keys: &[Key]| keys.iter().any(|key| key.has_id(name));
        let known = known(&self.fixed.get()) || sources.iter().any(|it| known(&it.keys()));
        (!known).then_some(RefreshMode::Request)
    }

    /// Waits until the sets are up to date, or until the timeout.
    async fn wait_for_refresh(&self, mode: RefreshMode) {
        let sources = self.sources();
        let all = join_all(sources.iter().map(|source| source.wait_for_refresh(mode)));
        if timeout(KEYS_WAIT_MAX, all).await.is_err() {
            debug!("token key fetch wait timed out");
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
            debug!(reason = %refused, "token rejected");
            refused.into()
        })
    }

    fn issue(&self, claims: &Claims) -> Result<Token, Fault> {
        let members = claims::to_payload(claims, &self.rules, self.clock.now());
        let payload = serde_json::to_vec(&members)
            .map_err(|error| Fault::new("token signing failed", error))?;
        let encode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
        let message = format!("{}.{}", encode(OWN_HEADER), encode(&payload));
        let signature = hmac::sign(&self.signing, message.as_bytes());
        Ok(Token::from_raw(&format!("{message}.{}", encode(signature.as_ref()))))
    }
}

#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
