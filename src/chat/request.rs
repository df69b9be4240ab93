//! What a session may be asked, and what it answers: domain types only, for every wire alike.

use time::OffsetDateTime;

use crate::domain::{
    Body, DeviceId, Message, MessageId, Rejection, RoomName, Seq, Space, Token, UserName,
};

use super::ports::Range;

/// What a connection says at the door.
#[derive(Clone, Debug)]
pub struct Hello {
    /// The world it wants to enter.
    pub space: Space,
    /// The token it carries, if any.
    pub token: Option<Token>,
    /// What it calls the device that it is on.
    pub device: Option<DeviceId>,
    /// The room to join in place of the lobby.
    pub room: Option<RoomName>,
    /// The last message seen, per room.
    pub since: Vec<(RoomName, Seq)>,
}

/// What an entered connection asks for.
#[derive(Clone, Debug)]
pub enum Request {
    /// `new user`: be somebody.
    Identify {
        /// Who.
        user: UserName,
        /// With what, if it was not said at the door.
        device: Option<DeviceId>,
    },
    /// `auth`: go on with a fresh token, or become who it names.
    Auth {
        /// The token.
        token: Token,
    },
    /// `send message`: to everyone in a room, sender included.
    Send(RoomPost),
    /// `GroupChat`: to everyone in a room but this connection.
    GroupChat(RoomPost),
    /// `SingleChat`: to one user.
    SingleChat {
        /// Whom.
        to: UserName,
        /// What.
        body: Body,
        /// The client's id for it.
        id: Option<MessageId>,
    },
    /// `GroupList`: who is in a room.
    GroupList {
        /// Which; the default room when left out.
        room: Option<RoomName>,
    },
    /// `join`.
    Join {
        /// Which; the default room when left out.
        room: Option<RoomName>,
        /// The last message seen there.
        since: Option<Seq>,
    },
    /// `leave`.
    Leave {
        /// Which; the default room when left out.
        room: Option<RoomName>,
    },
    /// `history`.
    History {
        /// Of what.
        of: HistoryOf,
        /// Which part.
        range: Range,
        /// How many at most; the server's default when left out.
        limit: Option<u32>,
    },
}

/// A message for a room.
#[derive(Clone, Debug)]
pub struct RoomPost {
    /// Which; the default room when left out.
    pub room: Option<RoomName>,
    /// What.
    pub body: Body,
    /// The client's id for it.
    pub id: Option<MessageId>,
}

/// Whose history.
#[derive(Clone, Debug)]
pub enum HistoryOf {
    /// A room's; the default room's when left out.
    Room(Option<RoomName>),
    /// That of the direct conversation with this user.
    With(UserName),
}

/// What comes back for a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To `new user`.
    Identified {
        /// Who the connection is now.
        user: UserName,
        /// With which it comes back.
        token: Token,
    },
    /// To `auth`.
    Authorized {
        /// Who the connection is.
        user: UserName,
        /// Until when it may stay.
        expires_at: OffsetDateTime,
    },
    /// To a message for a room.
    Posted {
        /// The message.
        receipt: Receipt,
        /// Where it went.
        room: RoomName,
    },
    /// To `SingleChat`.
    PostedTo {
        /// The message.
        receipt: Receipt,
        /// To whom.
        to: UserName,
        /// Whether they are online on any node.
        online: bool,
    },
    /// To `GroupList`.
    Users {
        /// Which room.
        room: RoomName,
        /// Who; empty when there are too many to list.
        users: Vec<UserName>,
        /// How many.
        count: usize,
    },
    /// To `join` and `leave`.
    Room {
        /// Which room.
        room: RoomName,
        /// Its last message.
        seq: Seq,
        /// Its users.
        count: usize,
    },
    /// To `history`.
    Page {
        /// Oldest first.
        messages: Vec<Message>,
        /// Whether there are further ones in the direction that was asked for.
        more: bool,
    },
}

/// Proof that a message is on disk.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Its identity.
    pub id: MessageId,
    /// Its place.
    pub seq: Seq,
    /// When it was taken.
    pub at: OffsetDateTime,
    /// Whether it was there before, so that nothing was done now.
    pub duplicate: bool,
}

/// An answer or a refusal. A fault of ours is logged where it happens and is a refusal here.
pub type Reply = Result<Answer, Rejection>;

/// Where the reply goes, exactly once, perhaps after the next request was taken.
pub type Answerer = Box<dyn FnOnce(Reply) + Send>;
