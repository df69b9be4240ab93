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

use tracing::error;

use self::auth::{Absence, Rights};
use super::{
    Answerer, Chat, Request,
    hub::{Registration, Residence, Topic},
    ports::{Fault, Outbox},
};
use crate::domain::{
    CloseReason, Conversation, DeviceId, Pace, Place, Rejection, Role, RoomName, Seq, Space,
    UserName, View,
};

/// See the module.
#[must_use = "the connection leaves when this is dropped"]
pub struct Session {
    chat: Arc<Chat>,
    origin: Origin,
    outbox: Arc<dyn Outbox>,
    pace: Pace,
    identity: Option<Identity>,
    // Last, so that the rooms are left before the connection is forgotten.
    registration: Registration,
}

/// What is left of a session whose connection is not quite gone.
#[must_use = "a drain does not wait for the connection any more when this is dropped"]
#[derive(Debug)]
pub struct Departure {
    _registration: Registration,
}

/// What the connection said at the door.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) space: Space,
    /// The room that it asked for.
    pub(super) room: Option<RoomName>,
    /// The last entry that the client has, per room. One that no log has, where it knows another
    /// database.
    pub(super) since: BTreeMap<RoomName, Seq>,
    /// The device that it is on, if it says so.
    pub(super) device: Option<DeviceId>,
}

/// Who the session is.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) rights: Rights,
    // Before the name, whose last word it is.
    _absence: Absence,
    pub(super) residence: Residence,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("connection", &self.registration.id())
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(chat: Arc<Chat>, origin: Origin, outbox: Arc<dyn Outbox>) -> Self {
        let registration = chat.hub.register(Arc::clone(&outbox));
        if chat.is_draining() {
            outbox.close(CloseReason::Draining);
        }
        Self { chat, origin, outbox, pace: Pace::default(), identity: None, registration }
    }

    /// Takes one request. `answer` is called exactly once, for a message when it is on disk.
    pub async fn on(&mut self, request: Request, answer: Answerer) {
        if let Err(rejection) = self.may_go_on() {
            return answer(Err(rejection));
        }
        self.look_again(&request).await;
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
    async fn look_again(&mut self, request: &Request) {
        if self.chat.hub.herald().is_alone() {
            return;
        }
        let home = self.origin.home();
        let (Ok(identity), Some(room)) = (self.identity(), request.room(&home)) else { return };
        let user = identity.user().clone();
        let is_open = self.room(room).is_ok_and(|(_, role)| request.is_for(role));
        let is_sure = is_open && !request.trusts_memory();
        if !is_sure && self.keep_pace().is_ok() {
            self.chat.journal.refresh(&self.origin.space, &user).await;
        }
    }

    /// Leaves, but stays among the connections that a drain waits for until the answer is dropped:
    /// for a transport that has something left to say.
    pub fn depart(self) -> Departure {
        let Self { identity, registration, .. } = self;
        drop(identity);
        Departure { _registration: registration }
    }

    /// Who this is, or the refusal to do anything for nobody.
    fn identity(&self) -> Result<&Identity, Rejection> {
        self.identity.as_ref().ok_or(Rejection::NotIdentified)
    }

    /// Whether anything is taken from the client any more. If not, the end is on its way.
    fn may_go_on(&self) -> Result<(), Rejection> {
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

    fn keep_pace(&mut self) -> Result<(), Rejection> {
        self.pace.take(self.chat.hub.now(), &self.chat.rules.limits)
    }

    /// The room that is meant.
    fn room_or_home(&self, room: Option<RoomName>) -> RoomName {
        room.unwrap_or_else(|| self.origin.home())
    }

    /// A room that this connection is in, and what its user may do there.
    fn room(&self, room: &RoomName) -> Result<(Arc<Topic>, Role), Rejection> {
        self.identity()?.residence.room(room)
    }

    /// The conversation that is meant, if this session is in it, and what its user may do there.
    fn place(&self, of: Option<View>) -> Result<(Place, Role), Rejection> {
        let user = self.identity()?.user();
        let view = of.unwrap_or_else(|| View::Room(self.origin.home()));
        let role = match &view {
            View::Room(room) => self.room(room)?.1,
            View::With(_) | View::Inbox => Role::Member,
        };
        Ok((self.at(view.of(user)), role))
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
        let Rights { rooms, office, .. } = &identity.rights;
        let needs = rooms.grant(room).least(*office, enough).ok_or(Rejection::NotMember)?;
        Ok((user, Some(needs)))
    }

    /// A conversation in this session's space.
    fn at(&self, conversation: Conversation) -> Place {
        Place { space: self.origin.space.clone(), conversation }
    }
}

impl Origin {
    /// The room that is meant when none is named.
    pub(super) fn home(&self) -> RoomName {
        self.room.clone().unwrap_or_else(RoomName::lobby)
    }
}

impl Identity {
    fn user(&self) -> &UserName {
        self.residence.user()
    }
}

/// Logs a fault of the store on a read and makes it the refusal that the caller hears.
pub(super) fn unavailable(fault: &Fault) -> Rejection {
    error!(error = fault.chain(), "the store cannot be read");
    Rejection::Unavailable
}
