//! Bans, with an API key.

use time::OffsetDateTime;

use super::{Chat, lists::ListPage, ports::ApiKey, request::ListRange};
use crate::domain::{
    ApiScope, BanReason, Denial, DenialSubject, DisplayNames, Rejection, Space, UserName,
};

/// A ban that a back end asks for. It replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRequest {
    /// The space. `None`: all of them.
    pub space: Option<Space>,
    /// The user, who need not exist.
    pub user: UserName,
    /// When it ends. `None`: never.
    pub until: Option<OffsetDateTime>,
    /// Why, for the list.
    pub reason: Option<BanReason>,
}

/// A page of the bans of a space, in the order of the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BansQuestion {
    /// The space. `None`: the bans from all spaces, which no single space lists.
    pub space: Option<Space>,
    /// The part of the list.
    pub range: ListRange<UserName>,
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
    /// Bans a user from a space, or from all, and begins to close the user's connections there. When
    /// this returns, the ban is stored and holds on this node; other nodes follow within a second.
    pub async fn ban(&self, key: &ApiKey, request: BanRequest) -> Result<(), Rejection> {
        let BanRequest { space, user, until, reason } = request;
        self.admit_about_bans(key, space.as_ref(), ApiScope::Manage)?;
        let until = self.check_end(until)?;
        let at = self.clock.now().truncate_to_millisecond();
        self.deny(Denial { subject: DenialSubject::User(space, user), at, until, reason }).await
    }

    /// Ends a ban. It is no error if there is none. One from all spaces does not end for one.
    pub async fn unban(
        &self,
        key: &ApiKey,
        (space, user): (Option<Space>, UserName),
    ) -> Result<(), Rejection> {
        self.admit_about_bans(key, space.as_ref(), ApiScope::Manage)?;
        self.allow(DenialSubject::User(space, user)).await
    }

    /// A page of bans, as this node knows them. A display name is that of a space, so the list of the
    /// bans from all spaces has none.
    pub async fn bans(
        &self,
        key: &ApiKey,
        question: BansQuestion,
    ) -> Result<ListPage<Ban>, Rejection> {
        let BansQuestion { space, range: ListRange { after, limit } } = question;
        self.admit_about_bans(key, space.as_ref(), ApiScope::Read)?;
        let part = (after.as_ref(), limit);
        let (bans, more) = self.hub.denials.bans(space.as_ref(), part, self.clock.now());
        let ban =
            |(user, Denial { subject: _, at, until, reason })| Ban { user, at, until, reason };
        let items: Vec<_> = bans.into_iter().map(ban).collect();
        let users: Vec<_> = items.iter().map(|it| it.user.clone()).collect();
        let names = match &space {
            Some(space) => self.display_names(space, &users).await?,
            None => DisplayNames::new(),
        };
        let next = users.last().filter(|_| more).cloned();
        Ok(ListPage { items, names, total: None, next })
    }

    fn admit_about_bans(
        &self,
        key: &ApiKey,
        space: Option<&Space>,
        scope: ApiScope,
    ) -> Result<(), Rejection> {
        match space {
            Some(space) => self.admit_api_request(key, space, [scope], 1),
            None => self.admit_api_request_for_all(key, scope),
        }
    }

    /// The end of a ban or a revocation, as it is stored.
    pub(super) fn check_end(
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
