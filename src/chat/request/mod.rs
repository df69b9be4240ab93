//! What a session may be asked, and what it answers: domain types only, for every wire alike.

mod pending_reply;

use time::OffsetDateTime;

use crate::domain::{
    Body, DeviceId, Entry, Epoch, MessageId, Muted, Rejection, Role, RoomName, Seq, Space, Token,
    Typing, UserName, View,
};

pub(crate) use self::pending_reply::{DraftReply, PendingReply, ReadyReply};
use super::{event::RoomState, ports::PageRange};

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
    /// The last entry seen, per room.
    pub since: Vec<(RoomName, Seq)>,
    /// The database in which it saw that, if it says so.
    pub epoch: Option<Epoch>,
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
        /// The last entry seen there.
        since: Option<Seq>,
        /// The database in which it was seen, if the client says so.
        epoch: Option<Epoch>,
    },
    /// `leave`.
    Leave {
        /// Which; the default room when left out.
        room: Option<RoomName>,
    },
    /// `history`.
    History {
        /// Of what; of the default room when left out.
        of: Option<View>,
        /// Which part.
        range: PageRange,
        /// How many at most; the server's default when left out.
        limit: Option<u32>,
    },
    /// `read`: everything up to a place.
    Read {
        /// Of what; of the default room when left out.
        of: Option<View>,
        /// Up to here.
        seq: Seq,
    },
    /// `mute`: to be left alone by something, or not.
    Mute {
        /// By what; by the default room when left out.
        of: Option<View>,
        /// Whether.
        muted: Muted,
    },
    /// `typing`.
    Typing {
        /// Where; in the default room when left out. Nobody types in an inbox.
        of: Option<View>,
        /// Whether.
        typing: Typing,
    },
    /// `edit message`.
    Edit {
        /// Where; in the default room when left out.
        of: Option<View>,
        /// Which message.
        seq: Seq,
        /// What it says from now on.
        body: Body,
    },
    /// `delete message`.
    Delete {
        /// Where; in the default room when left out.
        of: Option<View>,
        /// Which message.
        seq: Seq,
    },
    /// `invite`: make somebody a member of a room.
    Invite {
        /// Which; the default room when left out.
        room: Option<RoomName>,
        /// Whom.
        user: UserName,
        /// As what; as one joins there when left out.
        role: Option<Role>,
    },
    /// `kick`: make somebody a member of a room no more.
    Kick {
        /// Which; the default room when left out.
        room: Option<RoomName>,
        /// Whom.
        user: UserName,
    },
    /// `notify`: put something into a user's inbox.
    Notify {
        /// Whose.
        to: UserName,
        /// What.
        body: Body,
        /// The client's id for it.
        id: Option<MessageId>,
    },
    /// `presence`: who of these is here.
    Presence {
        /// Who is asked for.
        users: Vec<UserName>,
    },
}

impl Request {
    /// The room that it is about, if it is about one: `default_room` where none is named.
    pub(super) fn room<'a>(&'a self, default_room: &'a RoomName) -> Option<&'a RoomName> {
        let named = match self {
            Self::Send(post) | Self::GroupChat(post) => &post.room,
            Self::GroupList { room }
            | Self::Join { room, .. }
            | Self::Leave { room }
            | Self::Invite { room, .. }
            | Self::Kick { room, .. } => room,
            Self::History { of, .. }
            | Self::Typing { of, .. }
            | Self::Read { of, .. }
            | Self::Mute { of, .. }
            | Self::Edit { of, .. }
            | Self::Delete { of, .. } => match of {
                None => &None,
                Some(View::Room(room)) => return Some(room),
                Some(View::Direct(_) | View::Inbox) => return None,
            },
            Self::Identify { .. }
            | Self::Auth { .. }
            | Self::SingleChat { .. }
            | Self::Notify { .. }
            | Self::Presence { .. } => return None,
        };
        Some(named.as_ref().unwrap_or(default_room))
    }

    /// Whether who has this role in its room may ask for it, as far as that can be told beforehand.
    pub(super) fn is_allowed_for(&self, role: Role) -> bool {
        match self {
            // Whose message it is that is to be deleted is not known yet.
            Self::Invite { .. } | Self::Kick { .. } | Self::Delete { .. } => role.may_moderate(),
            _ => role.may_send(),
        }
    }

    /// Whether it depends on what its user is in the room, and the store does not ask for that when it
    /// takes what comes of it.
    pub(super) fn uses_cached_membership(&self) -> bool {
        matches!(self, Self::Join { .. } | Self::Invite { .. } | Self::Kick { .. })
    }
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
    /// To `SingleChat` and `notify`.
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
    /// To `join`.
    Joined {
        /// The room, as one finds it.
        state: RoomState,
        /// Its users.
        count: usize,
    },
    /// To `leave`.
    Room {
        /// Which room.
        room: RoomName,
        /// Its last entry.
        seq: Seq,
        /// Its users.
        count: usize,
    },
    /// To `history`.
    Page {
        /// Oldest first.
        entries: Vec<Entry>,
        /// Whether there are further ones in the direction that was asked for.
        more: bool,
    },
    /// To `read`.
    Read {
        /// What is read by now.
        seq: Seq,
        /// How many messages are not.
        unread: u64,
    },
    /// To `mute`.
    Muted(Muted),
    /// To `typing`.
    Acknowledged,
    /// To `edit message` and `delete message`.
    Changed {
        /// The place of the change.
        seq: Seq,
        /// When it was taken.
        at: OffsetDateTime,
        /// Whether it was made before, so that nothing was done now.
        duplicate: bool,
    },
    /// To `invite`.
    Invited {
        /// Where.
        room: RoomName,
        /// Who.
        user: UserName,
        /// As what.
        role: Role,
    },
    /// To `kick`.
    Kicked {
        /// Where.
        room: RoomName,
        /// Who.
        user: UserName,
    },
    /// To `presence`.
    Presences(Vec<UserPresence>),
}

/// Whether somebody is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPresence {
    /// Who.
    pub user: UserName,
    /// Whether they are.
    pub online: bool,
    /// By how many devices.
    pub devices: usize,
    /// When they last came or went, if they ever did.
    pub last_seen: Option<OffsetDateTime>,
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
pub type ReplyCallback = Box<dyn FnOnce(Reply) + Send>;
