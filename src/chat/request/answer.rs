//! Answers to requests.

use time::OffsetDateTime;

use super::list::{MemberPage, RoomPage};
use crate::{
    chat::event::RoomState,
    domain::{
        Body, DisplayName, DisplayNames, Entry, MessageId, Muted, Role, RoomName, RoomTopic, Seq,
        Token, UserName,
    },
};

/// The answer to a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To `new user`.
    Identified {
        /// The connection's user.
        user: UserName,
        /// The guest's token for reconnecting.
        token: Token,
    },
    /// To `auth`.
    Authorized {
        /// The connection's user.
        user: UserName,
        /// The expiry of the token.
        expires_at: OffsetDateTime,
    },
    /// To a message to a room.
    Posted {
        /// The message.
        receipt: Receipt,
        /// Its room.
        room: RoomName,
    },
    /// To `SingleChat` and `notify`.
    PostedTo {
        /// The message.
        receipt: Receipt,
        /// The addressee.
        to: UserName,
        /// Whether the addressee is online on any node.
        online: bool,
    },
    /// To `GroupList`.
    Users {
        /// The room.
        room: RoomName,
        /// Its users; empty if there are too many to list.
        users: Vec<UserName>,
        /// Their display names.
        names: DisplayNames,
        /// The number of users.
        count: usize,
    },
    /// To `join`.
    Joined {
        /// The room as the new member sees it.
        state: RoomState,
        /// The number of users.
        count: usize,
    },
    /// To `leave`.
    Left {
        /// The room.
        room: RoomName,
        /// Its last entry.
        seq: Seq,
        /// The number of remaining users.
        count: usize,
    },
    /// To `history`.
    Page {
        /// Oldest first.
        entries: Vec<Entry>,
        /// Whether there are more entries in the requested direction.
        more: bool,
    },
    /// To `read`.
    Read {
        /// The last read entry.
        seq: Seq,
        /// The number of unread messages.
        unread: u64,
    },
    /// To `mute`.
    Muted(Muted),
    /// To `typing`, to an event that passes by, and to an answer.
    Acknowledged,
    /// To an event that a back end answers.
    Custom {
        /// The arguments of the acknowledgement: a JSON array.
        ack: Body,
    },
    /// To `edit message` and `delete message`.
    Changed {
        /// The seq of the change.
        seq: Seq,
        /// The time at which the server received it.
        at: OffsetDateTime,
        /// Whether the same change was stored before.
        duplicate: bool,
    },
    /// To `invite`.
    Invited {
        /// The room.
        room: RoomName,
        /// The invited user.
        user: UserName,
        /// The user's role.
        role: Role,
    },
    /// To `kick`.
    Kicked {
        /// The room.
        room: RoomName,
        /// The removed user.
        user: UserName,
    },
    /// To `topic`.
    Topic {
        /// The room.
        room: RoomName,
        /// Its topic.
        topic: Option<RoomTopic>,
    },
    /// To `presence`.
    Presences(Vec<UserPresence>),
    /// To `members`.
    Members(MemberPage),
    /// To `rooms`.
    Rooms(RoomPage),
}

/// The presence of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPresence {
    /// The user.
    pub user: UserName,
    /// The display name.
    pub name: Option<DisplayName>,
    /// Whether the user is online.
    pub online: bool,
    /// The number of online devices.
    pub devices: usize,
    /// The time of the last connect or disconnect, if any.
    pub last_seen: Option<OffsetDateTime>,
}

/// The receipt of a stored message.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Its id.
    pub id: MessageId,
    /// Its seq.
    pub seq: Seq,
    /// The time at which the server received it.
    pub at: OffsetDateTime,
    /// Whether it was stored before.
    pub duplicate: bool,
}
