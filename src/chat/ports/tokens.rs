//! The port of the engines that prove who somebody is.

use std::time::Duration;

use time::OffsetDateTime;

use super::Fault;
use crate::domain::{Rejection, Space, SpacePattern, UserName};

/// Makes and checks tokens.
///
/// # Guarantees
/// - `check` accepts what `issue` made until its time is over, and nothing that it did not make.
/// - A token's text is never part of an error or of the log.
pub trait Tokens: Send + Sync + 'static {
    /// What `token` proves at `now`, or [`Rejection::Unauthorized`] or [`Rejection::TokenExpired`].
    fn check(&self, token: &str, now: OffsetDateTime) -> Result<Claims, Rejection>;

    /// A token that proves `claims`.
    fn issue(&self, claims: &Claims) -> Result<String, Fault>;
}

/// What a token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who.
    pub user: UserName,
    /// Until when.
    pub expires_at: OffsetDateTime,
    /// Which spaces it opens; all when there is none here.
    pub spaces: Vec<SpacePattern>,
    /// For a guest, the mark of the stay that it was given to: two guests may have the same name
    /// one after the other, and the first one's token is not the second one's.
    pub guest: Option<String>,
}

impl Claims {
    /// What a guest called `user` is given in `space` at `now`.
    pub fn guest(
        user: UserName,
        space: &Space,
        stay: String,
        now: OffsetDateTime,
        lifetime: Duration,
    ) -> Self {
        let only = SpacePattern::parse(space.as_raw()).into_iter().collect();
        Self { user, expires_at: now + lifetime, spaces: only, guest: Some(stay) }
    }

    /// Whether they open `space`.
    pub fn open(&self, space: &Space) -> bool {
        self.spaces.is_empty() || self.spaces.iter().any(|pattern| pattern.matches(space))
    }
}
