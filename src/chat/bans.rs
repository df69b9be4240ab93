//! Bans and revocations, with an API key.

use time::{Duration, OffsetDateTime};

use super::{Chat, ports::ApiKey};
use crate::domain::{
    ApiScope, BanReason, Denial, DenialSubject, Rejection, Space, TokenId, UserName,
};

/// How far the clock of a back end may be ahead of this one.
const CLOCK_LEAD_MAX: Duration = Duration::MINUTE;
/// The bans of a page, if the back end names no number.
const PAGE_BANS: u32 = 100;

/// A ban that a back end asks for. It replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRequest {
    /// The space.
    pub space: Space,
    /// The user, who need not exist.
    pub user: UserName,
    /// When it ends. `None`: never.
    pub until: Option<OffsetDateTime>,
    /// Why, for the list.
    pub reason: Option<BanReason>,
}

/// Tokens that are refused from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Which ones.
    pub tokens: RevokedTokens,
    /// Until when. `None`: for good. A token that expires before may be forgotten then.
    pub until: Option<OffsetDateTime>,
}

/// See [`Revocation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevokedTokens {
    /// The one with this id.
    One(TokenId),
    /// All of a user that were issued before a time.
    IssuedBefore(UserName, OffsetDateTime),
}

/// A page of the bans of a space, in the order of the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BansQuestion {
    /// The space.
    pub space: Space,
    /// The name after which the page begins.
    pub after: Option<UserName>,
    /// The most bans. `None`: as many as a page has by default.
    pub limit: Option<u32>,
}

/// See [`BansQuestion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BansPage {
    /// The bans, each of another user.
    pub bans: Vec<Ban>,
    /// The name after which the next page begins, if there is one.
    pub next: Option<UserName>,
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// The user.
    pub user: UserName,
    /// When the user was banned.
    pub at: OffsetDateTime,
    /// When it ends. `None`: never.
    pub until: Option<OffsetDateTime>,
    /// Why.
    pub reason: Option<BanReason>,
}

impl Chat {
    /// Bans a user from a space, and begins to close the user's connections there. When this
    /// returns, the ban is stored and holds on this node; other nodes follow within a second.
    pub async fn ban(&self, key: &ApiKey, request: BanRequest) -> Result<(), Rejection> {
        let BanRequest { space, user, until, reason } = request;
        self.admit_api_request(key, &space, [ApiScope::Manage], 1)?;
        let until = self.check_end(until)?;
        let at = self.clock.now().truncate_to_millisecond();
        self.deny(Denial { subject: DenialSubject::User(space, user), at, until, reason }).await
    }

    /// Ends a ban. It is no error if there is none.
    pub async fn unban(
        &self,
        key: &ApiKey,
        (space, user): (Space, UserName),
    ) -> Result<(), Rejection> {
        self.admit_api_request(key, &space, [ApiScope::Manage], 1)?;
        self.allow(DenialSubject::User(space, user)).await
    }

    /// A page of bans, as this node knows them.
    pub fn bans(&self, key: &ApiKey, question: BansQuestion) -> Result<BansPage, Rejection> {
        let BansQuestion { space, after, limit } = question;
        self.admit_api_request(key, &space, [ApiScope::Read], 1)?;
        let limit = limit.unwrap_or(PAGE_BANS);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let part = (after.as_ref(), limit);
        let (bans, more) = self.hub.denials.bans(&space, part, self.clock.now());
        let ban =
            |(user, Denial { subject: _, at, until, reason })| Ban { user, at, until, reason };
        let bans: Vec<_> = bans.into_iter().map(ban).collect();
        let next = bans.last().filter(|_| more).map(|last| last.user.clone());
        Ok(BansPage { bans, next })
    }

    /// Revokes tokens, and begins to close the connections that use them. A token may be valid for
    /// any space, so the key must be, too.
    pub async fn revoke(&self, key: &ApiKey, revocation: Revocation) -> Result<(), Rejection> {
        self.admit_api_request(key, &Space::root(), [ApiScope::Manage], 1)?;
        if !key.spaces.is_empty() {
            return Err(Rejection::SpaceForbidden);
        }
        let Revocation { tokens, until } = revocation;
        let (until, now) = (self.check_end(until)?, self.clock.now());
        let (subject, at) = match tokens {
            RevokedTokens::One(token) => (DenialSubject::Token(token), now),
            RevokedTokens::IssuedBefore(_, at) if at > now + CLOCK_LEAD_MAX => {
                return Err(Rejection::BadRequest("`issued_before` is in the future"));
            }
            RevokedTokens::IssuedBefore(user, at) => (DenialSubject::TokensOf(user), at),
        };
        let at = at.truncate_to_millisecond();
        self.deny(Denial { subject, at, until, reason: None }).await
    }

    fn check_end(
        &self,
        until: Option<OffsetDateTime>,
    ) -> Result<Option<OffsetDateTime>, Rejection> {
        let until = until.map(OffsetDateTime::truncate_to_millisecond);
        if until.is_some_and(|until| until <= self.clock.now()) {
            return Err(Rejection::BadRequest("`until` is not in the future"));
        }
        Ok(until)
    }
}
