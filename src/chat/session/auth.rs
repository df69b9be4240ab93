//! The rights of a session: its token's expiry, renewal and rooms.

use std::{fmt, sync::Arc, time::Duration};

use time::OffsetDateTime;

use super::{Session, unavailable};
use crate::{
    chat::{
        Answer, Chat, Reply, ReplyCallback,
        event::DeviceVisit,
        hub::Deadline,
        journal::MembershipLoad,
        ports::{Claims, Rooms, UserDeparted, UserSeen},
    },
    domain::{DeviceId, GlobalRole, Rejection, Token, UserName},
};

/// What the token of an identified session allows.
#[derive(Debug)]
pub(in crate::chat) struct Rights {
    pub(super) expires_at: OffsetDateTime,
    pub(super) rooms: Rooms,
    pub(super) global_role: GlobalRole,
    /// The id of the guest session.
    pub(super) guest: Option<Box<str>>,
    /// All claims, where another node may continue the session.
    pub(super) claims: Option<Box<Claims>>,
    _deadline: Deadline,
}

/// Records the user's departure when it is dropped.
pub(super) struct LastSeenGuard {
    chat: Arc<Chat>,
    departed: UserDeparted,
}

impl LastSeenGuard {
    /// The guard of a user that has just connected.
    pub(super) fn of(chat: &Arc<Chat>, seen: UserSeen) -> Self {
        let UserSeen { space, user, identity_kind: _, display_name: _, device, at } = seen;
        Self { chat: Arc::clone(chat), departed: UserDeparted { space, user, device, at } }
    }
}

impl fmt::Debug for LastSeenGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastSeenGuard").field("departed", &self.departed).finish_non_exhaustive()
    }
}

impl Drop for LastSeenGuard {
    fn drop(&mut self) {
        let departed = UserDeparted { at: self.chat.clock.now(), ..self.departed.clone() };
        let UserDeparted { space, user, device, at } = &departed;
        if let Some(device) = device {
            self.chat.hub.users.record_device_seen(space, user, device, *at);
        }
        self.chat.journal.try_record_departure(departed);
    }
}

impl Session {
    /// `auth`: renews the token, or identifies the session with it.
    pub(super) async fn auth(&mut self, token: Token, answer: ReplyCallback) {
        if self.identity.is_some() {
            let reply = self.renew(&token).await;
            return answer(reply);
        }
        match self.prepare_user(token).await {
            Err(rejection) => answer(Err(rejection)),
            Ok(prepared) => {
                let Claims { user, expires_at, .. } = prepared.claimed.claims.clone();
                answer(Ok(Answer::Authorized { user, expires_at }));
                self.enter(prepared).await;
            }
        }
    }

    /// Replaces the session's token by a new one of the same user.
    async fn renew(&mut self, token: &Token) -> Reply {
        let claims = self.chat.check_token_for_space(&self.origin.space, token).await?;
        let identity = self.identity()?;
        if claims.user != *identity.user() || claims.guest != identity.rights.guest {
            return Err(Rejection::OtherUser);
        }
        self.record_name(&claims).await?;
        let (user, name, expires_at) =
            (claims.user.clone(), claims.name.clone(), claims.expires_at);
        let (scope, credentials) = (self.scope(&claims), claims.credentials());
        let (rights, now) = (self.rights(claims), self.chat.clock.now());
        if let Some(identity) = &mut self.identity {
            identity.name_claim.renew((scope, name.as_ref()), credentials, now)?;
            identity.rights = rights;
        }
        Ok(Answer::Authorized { user, expires_at })
    }

    /// Stores the display name of a fresh token, if it is another one.
    async fn record_name(&self, claims: &Claims) -> Result<(), Rejection> {
        let name_claim = &self.identity()?.name_claim;
        if name_claim.display_name() == claims.name {
            return Ok(());
        }
        let device = name_claim.connection_info().and_then(|it| it.device.clone());
        let seen = self.chat.seen_now(&self.origin.space, claims, device);
        let (online_user, joins) = (name_claim.online_user().clone(), Vec::new());
        let load = MembershipLoad { seen, online_user, joins };
        self.chat.journal.load_memberships(load).await.map(drop)
    }

    /// The rights that a token grants until its expiry.
    pub(super) fn rights(&self, claims: Claims) -> Rights {
        let global_role = claims.global_role();
        let is_recoverable = !self.chat.limits().recovery.is_zero();
        let kept = is_recoverable.then(|| Box::new(claims.clone()));
        let Claims { expires_at, rooms, guest, .. } = claims;
        let left = Duration::try_from(expires_at - self.chat.clock.now()).unwrap_or_default();
        let outbox = Arc::clone(&self.outbox);
        let deadline = Deadline::set(&self.chat.hub.deadlines, outbox, (expires_at, left));
        Rights { expires_at, rooms, global_role, guest, claims: kept, _deadline: deadline }
    }

    /// Whether the user was seen before with a device.
    pub(super) async fn visit(
        &self,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<DeviceVisit, Rejection> {
        let (chat, space) = (&self.chat, &self.origin.space);
        let mut last_seen = chat.hub.users.device_seen(space, user, device);
        if last_seen.is_none() {
            let stored = chat.store.device_seen(space, user, device).await;
            last_seen = stored.map_err(|fault| unavailable(&fault))?;
        }
        Ok(last_seen.map_or(DeviceVisit::First, |last_seen| DeviceVisit::Returning { last_seen }))
    }
}
