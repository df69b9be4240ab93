//! The session of a connection: anonymous at first, then identified.
//!
//! Requests are handled in the order of arrival, but the next one does not wait until the previous
//! message is on disk: the journal keeps the order, and an answer is sent once its result is
//! stored. Only joining and leaving delay the next request, because it may depend on them. Dropping
//! the session disconnects its user.

mod acting_user;
mod ask;
mod auth;
mod backend;
mod change;
mod custom;
mod held;
mod history;
mod hooks;
mod identify;
mod initial_rooms;
mod lists;
mod members;
mod post;
mod reading;
mod rooms;
#[cfg(test)]
mod tests;
mod topic;
mod traced;
mod transfer;

use std::{collections::BTreeMap, sync::Arc};

use tracing::{Span, field::display};

use self::{
    auth::{LastSeenGuard, Rights},
    held::HeldPosts,
};
use super::{
    Chat, ReplyCallback, Request, RequestContext, RequestRules,
    fault::unavailable,
    hub::{AskedConnection, ConnectionRegistration, ListenerRegistration, LiveRoom, NameClaim},
    ports::{Claims, Outbox},
    posting::Author,
};
use crate::domain::{
    CloseReason, ConnectionId, Conversation, DeviceId, NamedUser, Place, RateLimiter, Rejection,
    Role, RoomName, RuleNumber, Seq, Space, Token, UserName, View,
};

/// See the module.
#[must_use = "the connection leaves the hub when this is dropped"]
pub struct Session {
    chat: Arc<Chat>,
    origin: SessionOrigin,
    outbox: Arc<dyn Outbox>,
    rate_limiter: RateLimiter,
    /// One for each rule with a pace of its own whose events were sent.
    event_rate_limiters: Vec<(RuleNumber, RateLimiter)>,
    identity: Option<SessionIdentity>,
    /// Of an anonymous session.
    listener: Option<ListenerRegistration>,
    held: HeldPosts,
    // Late, so that the rooms are left before the connection is removed.
    registration: ConnectionRegistration,
    // After the registration, so that no later ask waits for the connection.
    asked_connection: AskedConnection,
}

/// The rest of a session whose connection is still closing.
#[must_use = "a drain no longer waits for the connection when this is dropped"]
#[derive(Debug)]
pub struct DrainGuard {
    _registration: ConnectionRegistration,
    _asked_connection: AskedConnection,
}

/// The handshake data that a session keeps.
#[derive(Debug)]
pub(super) struct SessionOrigin {
    /// The id of the connection, if somebody was told it before it is there.
    pub(super) reserved: Option<ConnectionId>,
    pub(super) space: Space,
    /// The requested default room.
    pub(super) room: Option<RoomName>,
    /// The last entry that the client has, per room; [`Seq::MAX`] if it is of another database.
    pub(super) since: BTreeMap<RoomName, Seq>,
    /// The client's device, if it named one.
    pub(super) device: Option<DeviceId>,
    /// What a back end keeps with the connection.
    pub(super) data: Option<Box<str>>,
    /// The ticket of the session of another node that this one continues.
    pub(super) continues: Option<u64>,
}

/// A claimed name, the claims that prove it, and the token that `welcome` returns to the client.
#[derive(Debug)]
pub(super) struct ClaimedIdentity {
    pub(super) name_claim: NameClaim,
    pub(super) claims: Claims,
    /// Only a guest's token that was not sent in a cookie: scripts must not read cookie tokens.
    pub(super) token: Option<Token>,
}

/// Whether a guest without a token is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GuestContinuity {
    /// It is.
    New,
    /// It continues a guest session with the same device.
    Continued,
}

/// The user of an identified session.
#[derive(Debug)]
pub(super) struct SessionIdentity {
    pub(super) rights: Rights,
    // Before the name claim, so that the departure is recorded while the name is still claimed.
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
        let (space, since) = (origin.space.clone(), chat.clock.now());
        let (connections, queue) = (&chat.hub.connections, Arc::clone(&outbox));
        let registration = match origin.reserved {
            Some(id) => connections.register_reserved(id, space, queue, since),
            None => connections.register(space, queue, since),
        };
        let asked_connection = AskedConnection::new(&chat.hub.asks, registration.id());
        Span::current().record("connection.id", display(registration.id()));
        registration.announce(&origin.space, &*outbox, None);
        if chat.is_draining() {
            outbox.close(CloseReason::DRAINING);
        }
        Self {
            chat,
            origin,
            outbox,
            rate_limiter: RateLimiter::default(),
            event_rate_limiters: Vec::new(),
            identity: None,
            listener: None,
            held: HeldPosts::default(),
            registration,
            asked_connection,
        }
    }

    /// The id of the connection on this node.
    pub fn connection(&self) -> ConnectionId {
        self.registration.id()
    }

    /// The user, once it is known.
    pub fn user(&self) -> Option<&UserName> {
        self.identity.as_ref().map(SessionIdentity::user)
    }

    /// What the meaning of this session's requests depends on.
    pub fn request_context<'a>(&'a self, rules: &'a RequestRules) -> RequestContext<'a> {
        let RequestRules { limits, events } = rules;
        RequestContext { limits, events, space: &self.origin.space }
    }

    /// What the next request is judged by.
    pub fn request_rules(&self) -> Arc<RequestRules> {
        self.chat.rules.requests.get()
    }

    /// Handles one request. `answer` is called exactly once; for a message, once it is on disk. A
    /// post before `new user` may wait for it: see `session/held.rs`.
    pub async fn handle(&mut self, request: Request, answer: ReplyCallback) {
        if let Err(rejection) = self.check_active() {
            return answer(Err(rejection));
        }
        let Some((request, answer)) = self.hold(request, answer) else { return };
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
            Request::Topic { room, topic } => self.set_topic(room, topic, answer).await,
            Request::GroupList { room } => answer(self.group_list(room)),
            Request::Typing { of, typing } => answer(self.typing(of, typing)),
            Request::Join { room, since, epoch } => {
                self.join(room, since.map(|since| (since, epoch)), answer).await;
            }
            Request::Leave { room } => self.leave(room, answer).await,
            Request::History { of, range, limit } => {
                self.history(of, (range, limit), answer).await;
            }
            Request::Custom(post) => self.custom(*post, answer).await,
            Request::AnswerAsk { ask, args } => answer(self.answer_ask(ask, args)),
            Request::Presence { users } => {
                let reply = self.presence(users).await;
                answer(reply);
            }
            Request::Members { room, query, range } => {
                answer(self.list_members(room, query.as_ref(), range).await);
            }
            Request::Rooms { query, range } => answer(self.list_rooms(query.as_ref(), range).await),
        }
    }

    /// Reads the user's memberships again before the cached membership rejects the request, or if
    /// nothing else checks it: another node may have changed it.
    async fn refresh_membership(&mut self, request: &Request) {
        if self.chat.hub.publisher.is_alone() {
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

    /// Ends the session. A drain waits for the connection until the guard is dropped, so that the
    /// transport can send what is left.
    pub fn into_drain_guard(self) -> DrainGuard {
        let Self { identity, registration, asked_connection, .. } = self;
        drop(identity);
        DrainGuard { _registration: registration, _asked_connection: asked_connection }
    }

    /// The identity, or a rejection if the session is anonymous.
    fn identity(&self) -> Result<&SessionIdentity, Rejection> {
        self.identity.as_ref().ok_or(Rejection::NotIdentified)
    }

    /// Rejects all requests of a session that is being closed or whose token has expired.
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
        self.rate_limiter.acquire(self.chat.hub.now(), self.chat.limits().message_pace())
    }

    /// The named room, or the default room.
    fn room_or_default(&self, room: Option<RoomName>) -> RoomName {
        room.unwrap_or_else(|| self.origin.default_room())
    }

    /// A room of this connection, and the user's role in it.
    fn room(&self, room: &RoomName) -> Result<(Arc<LiveRoom>, Role), Rejection> {
        self.identity()?.name_claim.room(room)
    }

    /// The requested conversation, if this session is in it, and the user's role in it.
    fn place(&self, of: Option<View>) -> Result<(Place, Role), Rejection> {
        let user = self.identity()?.user();
        let view = of.unwrap_or_else(|| View::Room(self.origin.default_room()));
        let role = match &view {
            View::Room(room) => self.room(room)?.1,
            View::Direct(_) | View::Inbox => Role::Member,
        };
        Ok((self.place_of(view.conversation_of(user)), role))
    }

    /// The author of a draft, and the lowest role that is `enough` together with the user's token.
    /// The cached role was checked before; the store checks the role again when it commits the
    /// draft.
    fn author(
        &self,
        conversation: &Conversation,
        enough: impl Fn(Role) -> bool,
    ) -> Result<Author, Rejection> {
        let identity = self.identity()?;
        let Rights { rooms, global_role, guest, .. } = &identity.rights;
        let least =
            |room| rooms.grant(room).least(*global_role, &enough).ok_or(Rejection::NotMember);
        let needs = conversation.room().map(least).transpose()?;
        let NamedUser { user, name } = identity.named_user();
        Ok(Author {
            user,
            name,
            guest_session: guest.clone(),
            connection: self.registration.id(),
            needs,
        })
    }

    /// A conversation in this session's space.
    fn place_of(&self, conversation: Conversation) -> Place {
        Place { space: self.origin.space.clone(), conversation }
    }
}

impl SessionOrigin {
    /// The room of requests that name none.
    pub(super) fn default_room(&self) -> RoomName {
        self.room.clone().unwrap_or_else(RoomName::lobby)
    }
}

impl SessionIdentity {
    fn user(&self) -> &UserName {
        self.name_claim.user()
    }

    fn named_user(&self) -> NamedUser {
        NamedUser { user: self.user().clone(), name: self.name_claim.display_name() }
    }
}
