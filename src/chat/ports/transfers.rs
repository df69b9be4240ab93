//! Transfers of sessions, as nodes ask each other for them: a client that lost its connection to one
//! node continues its session on another one.

use std::fmt;

use super::Claims;
use crate::domain::{Body, Channel, DeviceId, NodeId, Place, RoomName, Seq, Space, UserName};

/// The number of a claim, unique on the node that claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionClaimId(u64);

impl SessionClaimId {
    /// The claim with this number. The caller keeps the numbers unique.
    pub fn from_raw(number: u64) -> Self {
        Self(number)
    }

    /// The number between nodes.
    pub fn as_raw(self) -> u64 {
        self.0
    }
}

/// A node claims a session, whichever node has it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionClaim {
    /// What is claimed.
    pub step: ClaimStep,
    /// The secret that names the session.
    pub pid: Box<str>,
    /// The space of the client.
    pub space: Space,
    /// The user that the client proved to be, if it proved anything.
    pub user: Option<UserName>,
    /// The events after the one with this offset are sent.
    pub offset: u64,
    /// What the session must have been sent before it is taken, by conversation: the claiming node
    /// does not send it again.
    pub required: Vec<(Place, Seq)>,
    /// The announcements that must have arrived before the session is taken, with all before them.
    pub seen: Vec<SeenAnnouncement>,
}

/// An announcement that a node has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenAnnouncement {
    /// The publishing node.
    pub from: NodeId,
    /// The channel.
    pub channel: Channel,
    /// Its number there.
    pub number: u64,
}

/// A transfer has two steps. In between, the claiming node begins to receive what the session
/// receives, so that nothing is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimStep {
    /// What the session is. It stays.
    Find,
    /// What the session has received since. It ends.
    Take,
}

/// What a node replies to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionReply {
    /// The session is not here, or must not be continued by this client.
    Unknown,
    /// The session is here, and is to be claimed again in a moment: the end of its connection was not
    /// seen yet, or it was not sent yet what is required.
    NotYet,
    /// To [`ClaimStep::Find`].
    Found(Box<FoundSession>),
    /// To [`ClaimStep::Take`].
    Taken(TakenSession),
}

/// A session that waits for its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSession {
    /// The id that the client has for its connection.
    pub sid: Box<str>,
    /// The session.
    pub state: SessionState,
    /// The rooms that an emitter put the connection in.
    pub emitter_rooms: Vec<Place>,
    /// The last entry that it was sent, by conversation.
    pub positions: Vec<(Place, Seq)>,
    /// The events after the offset of the claim.
    pub events: Vec<KeptEvent>,
    /// The offset of the last one.
    pub last_offset: u64,
}

/// The end of a session that another node continues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenSession {
    /// The last entry that it was sent, by room that it was in.
    pub rooms: Vec<(Place, Seq)>,
    /// The events after the offset of the claim.
    pub events: Vec<KeptEvent>,
}

/// What a session is, apart from what it has received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionState {
    /// The identity; `None` for an anonymous session.
    pub claims: Option<Claims>,
    /// The requested default room.
    pub room: Option<RoomName>,
    /// The client's device, if it named one.
    pub device: Option<DeviceId>,
    /// What a back end keeps with the connection.
    pub data: Option<Box<str>>,
    /// Orders the connections of a user, where a user may be on one device only.
    pub ticket: u64,
}

/// An event of a session, in the form that its client receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEvent {
    /// The name and the arguments, as an array.
    pub args: Body,
    /// By what the event is recognised when another node sends it, too.
    pub source: EventSource,
}

/// See [`KeptEvent::source`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventSource {
    /// An entry of a log.
    Entry(Place, Seq),
    /// An event of the application that is not stored, by its id.
    Passing(Box<str>),
    /// By its content.
    Other,
}

// `pid` is a secret.
impl fmt::Debug for SessionClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, pid: _, space, user, offset, required, seen } = self;
        f.debug_struct("SessionClaim")
            .field("step", step)
            .field("space", space)
            .field("user", user)
            .field("offset", offset)
            .field("required", required)
            .field("seen", seen)
            .finish_non_exhaustive()
    }
}
