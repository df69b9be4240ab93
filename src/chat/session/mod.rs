//! The conversation on a connection: anonymous, and then identified.
//!
//! Requests are taken strictly in the order in which they came, but the next one does not wait for
//! the previous message to be on disk: order is kept by the journal, and answers come when they are
//! true. Dropping the session is leaving.

mod auth;
mod history;
mod identify;
mod post;
mod rooms;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tracing::error;

use self::auth::{Absence, Rights};
use super::{
    Answerer, Chat, Request,
    hub::{Attachment, Registration, Residence},
    ports::{Fault, Outbox},
};
use crate::domain::{CloseReason, DeviceId, Pace, Rejection, RoomName, Seq, Space, UserName};

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
    /// The room that is meant when none is named.
    pub(super) home: RoomName,
    /// The last message that the client has, per room.
    pub(super) since: BTreeMap<RoomName, Seq>,
    /// The device that it is on, if it says so.
    pub(super) device: Option<DeviceId>,
}

/// Who the session is, and where.
#[derive(Debug)]
pub(super) struct Identity {
    // Rooms first: they are left before the name is given back.
    pub(super) rooms: HashMap<RoomName, Attachment>,
    pub(super) rights: Rights,
    // Before the name, whose last word it is.
    _absence: Option<Box<Absence>>,
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
        match request {
            Request::Identify { user, device } => self.identify(user, device, answer).await,
            Request::Auth { token } => self.auth(token, answer).await,
            Request::Send(post) => self.send(post, answer).await,
            Request::GroupChat(post) => self.group_chat(post, answer).await,
            Request::SingleChat { to, body, id } => self.single_chat(to, body, id, answer).await,
            Request::GroupList { room } => answer(self.group_list(room)),
            Request::Join { room, since } => {
                let reply = self.join(room, since).await;
                answer(reply);
            }
            Request::Leave { room } => answer(self.leave(room)),
            Request::History { of, range, limit } => {
                let reply = self.history(of, range, limit).await;
                answer(reply);
            }
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

    /// The room that is meant.
    fn room_or_home(&self, room: Option<RoomName>) -> RoomName {
        room.unwrap_or_else(|| self.origin.home.clone())
    }

    /// The guard of a room that this connection is in.
    fn attachment(&self, room: &RoomName) -> Result<&Attachment, Rejection> {
        self.identity()?.rooms.get(room).ok_or(Rejection::NotMember)
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
