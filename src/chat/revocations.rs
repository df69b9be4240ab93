//! Revocations of tokens, with an API key.

use time::{Duration, OffsetDateTime};

use super::{Chat, lists::ListPage, ports::ApiKey, request::ListRange};
use crate::domain::{
    ApiScope, Denial, DenialSubject, DisplayNames, Rejection, RevocationSubject, TokenId, UserName,
};

/// How far the clock of a back end may be ahead of this one.
const CLOCK_LEAD_MAX: Duration = Duration::MINUTE;

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

/// A revocation that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRevocation {
    /// What it is about.
    pub subject: RevocationSubject,
    /// When the token was revoked; of a user, the time before which the tokens were issued.
    pub at: OffsetDateTime,
    /// When it ends. `None`: never.
    pub until: Option<OffsetDateTime>,
}

/// A token may be valid for any space, so the key must be, too.
impl Chat {
    /// Revokes tokens, and begins to close the connections that use them.
    pub async fn revoke(&self, key: &ApiKey, revocation: Revocation) -> Result<(), Rejection> {
        self.admit_api_request_for_all(key, ApiScope::Manage)?;
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

    /// Ends a revocation: its tokens are valid again. It is no error if there is none.
    pub async fn end_revocation(
        &self,
        key: &ApiKey,
        subject: RevocationSubject,
    ) -> Result<(), Rejection> {
        self.admit_api_request_for_all(key, ApiScope::Manage)?;
        self.allow(subject.into()).await
    }

    /// A page of revocations, as this node knows them: those of single tokens by their ids, and then
    /// those of users by their names.
    pub fn revocations(
        &self,
        key: &ApiKey,
        range: ListRange<RevocationSubject>,
    ) -> Result<ListPage<ListedRevocation, RevocationSubject>, Rejection> {
        self.admit_api_request_for_all(key, ApiScope::Read)?;
        let part = (range.after, range.limit);
        let (revocations, more) = self.hub.denials.revocations(part, self.clock.now());
        let listed = |(subject, Denial { subject: _, at, until, reason: _ })| ListedRevocation {
            subject,
            at,
            until,
        };
        let items: Vec<_> = revocations.into_iter().map(listed).collect();
        let next = items.last().filter(|_| more).map(|it| it.subject.clone());
        Ok(ListPage { items, names: DisplayNames::new(), total: None, next })
    }
}
