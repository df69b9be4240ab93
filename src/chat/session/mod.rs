//! The conversation on a connection: anonymous, and then identified.
//!
//! Requests are taken strictly in the order in which they came, but the next one does not wait for
//! the previous message to be on disk: order is kept by the journal, and answers come when they are
//! true. Only who joins or leaves is waited for, because what comes next depends on it. Dropping the
//! session is leaving.

mod auth;
mod change;
mod history;
mod identify;
mod members;
mod post;
mod reading;
mod rooms;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use tracing::{Span, error, field::display};

use self::auth::{LastSeenGuard, Rights};
use super::{
    Chat, ReplyCallback, Request,
    hub::{HubRegistration, LiveRoom, NameClaim},
    ports::{Claims, Fault, Outbox},
};
use crate::domain::{
    CloseReason, Conversation, DeviceId, Place, RateLimiter, Rejection, Role, RoomName, Seq, Space,
    Token, UserName, View,
};

/// See the module.
#[must_use = "the connection leaves when this is dropped"]
pub struct Session {
    chat: Arc<Chat>,
    origin: SessionOrigin,
    outbox: Arc<dyn Outbox>,
    rate_limiter: RateLimiter,
    identity: Option<SessionIdentity>,
    // Last, so that the rooms are left before the connection is forgotten.
    registration: HubRegistration,
}

/// What is left of a session whose connection is not quite gone.
#[must_use = "a drain does not wait for the connection any more when this is dropped"]
#[derive(Debug)]
pub struct DrainGuard {
    _registration: HubRegistration,
}

/// What the connection said at the door.
#[derive(Debug)]
pub(super) struct SessionOrigin {
    pub(super) space: Space,
    /// The room that it asked for.
    pub(super) room: Option<RoomName>,
    /// The last entry that the client has, per room. One that no log has, where it knows another
    /// database.
    pub(super) since: BTreeMap<RoomName, Seq>,
    /// The device that it is on, if it says so.
    pub(super) device: Option<DeviceId>,
}

/// A claimed name, the claims that prove it, and the token that `welcome` returns to the client.
#[derive(Debug)]
pub(super) struct ClaimedIdentity {
    pub(super) name_claim: NameClaim,
    pub(super) claims: Claims,
    /// Only a guest's token that did not arrive in a cookie: scripts must not read a cookie's token.
    pub(super) token: Option<Token>,
}

/// The user of an identified session.
#[derive(Debug)]
pub(super) struct SessionIdentity {
    pub(super) rights: Rights,
    // Before the name, whose last word it is.
    _last_seen: LastSeenGuard,
    pub(super) name_claim: NameClaim,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("connection", &self.registration.id())
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(chat: Arc<Chat>, origin: SessionOrigin, outbox: Arc<dyn Outbox>) -> Self {
        let registration = chat.hub.register(Arc::clone(&outbox));
        Span::current().record("connection.id", display(registration.id()));
        if chat.is_draining() {
            outbox.close(CloseReason::Draining);
        }
        Self {
            chat,
            origin,
            outbox,
            rate_limiter: RateLimiter::default(),
            identity: None,
            registration,
        }
    }

    /// Takes one request. `answer` is called exactly once, for a message when it is on disk.
    pub async fn handle(&mut self, request: Request, answer: ReplyCallback) {
        if let Err(rejection) = self.check_active() {
            return answer(Err(rejection));
        }
        self.refresh_membership(&request).await;
        match request {
            Request::Identify { user, device } => self.identify(user, device, answer).await,
            Request::Auth { token } => self.auth(token, answer).await,
            Request::Send(post) => self.send(post, answer).await,
            Request::GroupChat(post) => self.group_chat(post, answer).await,
            Request::SingleChat { to, body, id } => self.single_chat(to, body, id, answer).await,
            Request::Notify { to, body, id } => self.notify(to, body, id, answer).await,
            Request::Edit { of, seq, body } => self.edit(of, seq, body, answer).await,
            Request::Delete { of, seq } => self.delete(of, seq, answer).await,
            Request::Read { of, seq } => self.read(of, seq, answer).await,
            Request::Mute { of, muted } => self.mute(of, muted, answer).await,
            Request::Invite { room, user, role } => self.invite(room, user, role, answer).await,
            Request::Kick { room, user } => self.kick(room, user, answer).await,
            Request::GroupList { room } => answer(self.group_list(room)),
            Request::Typing { of, typing } => answer(self.typing(of, typing)),
            Request::Join { room, since, epoch } => {
                self.join(room, since.map(|since| (since, epoch)), answer).await;
            }
            Request::Leave { room } => self.leave(room, answer).await,
            Request::History { of, range, limit } => {
                self.history(of, (range, limit), answer).await;
            }
            Request::Presence { users } => {
                let reply = self.presence(users).await;
                answer(reply);
            }
        }
    }

    /// Before a request is refused for what is known here, or taken for nothing else, it is looked
    /// whether that is so still: its user may have been told something else on another node.
    async fn refresh_membership(&mut self, request: &Request) {
        if self.chat.hub.publisher().is_alone() {
            return;
        }
        let default_room = self.origin.default_room();
        let (Ok(identity), Some(room)) = (self.identity(), request.room(&default_room)) else {
            return;
        };
        let user = identity.user().clone();
        let is_open = self.room(room).is_ok_and(|(_, role)| request.is_allowed_for(role));
        let is_sure = is_open && !request.uses_cached_membership();
        if !is_sure && self.check_rate().is_ok() {
            self.chat.journal.refresh(&self.origin.space, &user).await;
        }
    }

    /// Leaves, but stays among the connections that a drain waits for until the answer is dropped:
    /// for a transport that has something left to say.
    pub fn into_drain_guard(self) -> DrainGuard {
        let Self { identity, registration, .. } = self;
        drop(identity);
        DrainGuard { _registration: registration }
    }

    /// Who this is, or the refusal to do anything for nobody.
    fn identity(&self) -> Result<&SessionIdentity, Rejection> {
        self.identity.as_ref().ok_or(Rejection::NotIdentified)
    }

    /// Whether anything is taken from the client any more. If not, the end is on its way.
    fn check_active(&self) -> Result<(), Rejection> {
        if self.outbox.is_revoked() {
            return Err(Rejection::Unauthorized);
        }
        match &self.identity {
            Some(identity) if identity.rights.expires_at <= self.chat.clock.now() => {
                Err(Rejection::TokenExpired)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_rate(&mut self) -> Result<(), Rejection> {
        self.rate_limiter.acquire(self.chat.hub.now(), &self.chat.rules.limits)
    }

    /// The room that is meant.
    fn room_or_default(&self, room: Option<RoomName>) -> RoomName {
        room.unwrap_or_else(|| self.origin.default_room())
    }

    /// A room that this connection is in, and what its user may do there.
    fn room(&self, room: &RoomName) -> Result<(Arc<LiveRoom>, Role), Rejection> {
        self.identity()?.name_claim.room(room)
    }

    /// The conversation that is meant, if this session is in it, and what its user may do there.
    fn place(&self, of: Option<View>) -> Result<(Place, Role), Rejection> {
        let user = self.identity()?.user();
        let view = of.unwrap_or_else(|| View::Room(self.origin.default_room()));
        let role = match &view {
            View::Room(room) => self.room(room)?.1,
            View::Direct(_) | View::Inbox => Role::Member,
        };
        Ok((self.place_of(view.conversation_of(user)), role))
    }

    /// Who acts in a conversation, and the least role that they need there for their token to make it
    /// `enough`. What is known here was asked before; the store is asked when it takes what they do.
    fn author(
        &self,
        conversation: &Conversation,
        enough: fn(Role) -> bool,
    ) -> Result<(UserName, Option<Role>), Rejection> {
        let identity = self.identity()?;
        let user = identity.user().clone();
        let Some(room) = conversation.room() else { return Ok((user, None)) };
        let Rights { rooms, global_role, .. } = &identity.rights;
        let needs = rooms.grant(room).least(*global_role, enough).ok_or(Rejection::NotMember)?;
        Ok((user, Some(needs)))
    }

    /// A conversation in this session's space.
    fn place_of(&self, conversation: Conversation) -> Place {
        Place { space: self.origin.space.clone(), conversation }
    }
}

impl SessionOrigin {
    /// The room that is meant when none is named.
    pub(super) fn default_room(&self) -> RoomName {
        self.room.clone().unwrap_or_else(RoomName::lobby)
    }
}

impl SessionIdentity {
    fn user(&self) -> &UserName {
        self.name_claim.user()
    }
}

/// Logs a fault of the store on a read and makes it the refusal that the caller hears.
pub(super) fn unavailable(fault: &Fault) -> Rejection {
    error!(error = fault.chain(), "store read failed");
    Rejection::Unavailable
}
