//! Requests to a session and their answers: domain types only, the same for each wire.

mod answer;
mod custom;
mod list;
mod pending_reply;
mod rules;

use crate::domain::{
    AskId, Body, DeviceId, Epoch, EventAction, EventRules, Limits, MessageId, Muted, NameQuery,
    Rejection, Role, RoomName, RoomTopic, Seq, Space, Token, Typing, UserName, View,
};

pub(crate) use self::pending_reply::{DraftReply, PendingReply, ReadyReply};
pub use self::{
    answer::{Answer, Receipt, UserPresence},
    custom::CustomPost,
    list::{DirectoryRoom, ListRange, MemberPage, RoomMember, RoomPage},
    rules::RequestRules,
};
use super::ports::{ClientInfo, PageRange};

/// The handshake data of a connection.
#[derive(Clone, Debug)]
pub struct Hello {
    /// The space to enter.
    pub space: Space,
    /// The token, if any.
    pub token: Option<Token>,
    /// The client's device id.
    pub device: Option<DeviceId>,
    /// The room to join instead of the lobby.
    pub room: Option<RoomName>,
    /// The last entry that the client has, per room.
    pub since: Vec<(RoomName, Seq)>,
    /// The database of these entries, if the client names it.
    pub epoch: Option<Epoch>,
    /// What a back end decides with. Empty where none decides about connections.
    pub client: ClientInfo,
}

/// A request of a connection with a session.
#[derive(Clone, Debug)]
pub enum Request {
    /// `new user`: identify as a guest.
    Identify {
        /// The name.
        user: UserName,
        /// The device, if the handshake did not name one.
        device: Option<DeviceId>,
    },
    /// `auth`: renew the token, or identify with it.
    Auth {
        /// The token.
        token: Token,
    },
    /// `send message`: a message to all connections in a room.
    Send(RoomPost),
    /// `GroupChat`: a message to all connections in a room but this one.
    GroupChat(RoomPost),
    /// `SingleChat`: a direct message.
    SingleChat {
        /// The addressee.
        to: UserName,
        /// The body.
        body: Body,
        /// The client's id of the message.
        id: Option<MessageId>,
    },
    /// `GroupList`: the users of a room.
    GroupList {
        /// The room. `None` is the default room.
        room: Option<RoomName>,
    },
    /// `join`.
    Join {
        /// The room. `None` is the default room.
        room: Option<RoomName>,
        /// The last entry that the client has.
        since: Option<Seq>,
        /// The database of that entry, if the client names it.
        epoch: Option<Epoch>,
    },
    /// `leave`.
    Leave {
        /// The room. `None` is the default room.
        room: Option<RoomName>,
    },
    /// `history`.
    History {
        /// The conversation. `None` is the default room.
        of: Option<View>,
        /// The part of the log.
        range: PageRange,
        /// The number of entries at most. `None` is the server's default.
        limit: Option<u32>,
    },
    /// `read`: mark all entries up to a seq as read.
    Read {
        /// The conversation. `None` is the default room.
        of: Option<View>,
        /// The last read entry.
        seq: Seq,
    },
    /// `mute`: mute or unmute a conversation.
    Mute {
        /// The conversation. `None` is the default room.
        of: Option<View>,
        /// Whether it is muted from now on.
        muted: Muted,
    },
    /// `typing`.
    Typing {
        /// The conversation. `None` is the default room. An inbox is rejected.
        of: Option<View>,
        /// Whether the user is typing.
        typing: Typing,
    },
    /// `edit message`.
    Edit {
        /// The conversation. `None` is the default room.
        of: Option<View>,
        /// The seq of the message.
        seq: Seq,
        /// The new body.
        body: Body,
    },
    /// `delete message`.
    Delete {
        /// The conversation. `None` is the default room.
        of: Option<View>,
        /// The seq of the message.
        seq: Seq,
    },
    /// `invite`: make a user a member of a room.
    Invite {
        /// The room. `None` is the default room.
        room: Option<RoomName>,
        /// The invited user.
        user: UserName,
        /// The role. `None` is the room's default role.
        role: Option<Role>,
    },
    /// `kick`: remove a member from a room.
    Kick {
        /// The room. `None` is the default room.
        room: Option<RoomName>,
        /// The removed user.
        user: UserName,
    },
    /// `topic`: set the topic of a room, or remove it.
    Topic {
        /// The room. `None` is the default room.
        room: Option<RoomName>,
        /// The topic. `None` removes it.
        topic: Option<RoomTopic>,
    },
    /// `notify`: add a notification to a user's inbox.
    Notify {
        /// The addressee.
        to: UserName,
        /// The body.
        body: Body,
        /// The client's id of the message.
        id: Option<MessageId>,
    },
    /// An event of the application, for which there is a rule.
    Custom(Box<CustomPost>),
    /// The answer to an event that a back end asks about.
    AnswerAsk {
        /// The number of the event.
        ask: AskId,
        /// The arguments: a JSON array.
        args: Body,
    },
    /// `presence`: which of these users are online.
    Presence {
        /// The users.
        users: Vec<UserName>,
    },
    /// `members`: the members of a room.
    Members {
        /// The room. `None` is the default room.
        room: Option<RoomName>,
        /// Those whose names match. `None`: all.
        query: Option<NameQuery>,
        /// The part of the list.
        range: ListRange<UserName>,
    },
    /// `rooms`: the rooms that the user may know of.
    Rooms {
        /// Those whose names match. `None`: all.
        query: Option<NameQuery>,
        /// The part of the list.
        range: ListRange<RoomName>,
    },
}

impl Request {
    /// The room of the request, if it has one: `default_room` if the client names none.
    pub(super) fn room<'a>(&'a self, default_room: &'a RoomName) -> Option<&'a RoomName> {
        let named = match self {
            Self::Send(post) | Self::GroupChat(post) => &post.room,
            Self::GroupList { room }
            | Self::Members { room, .. }
            | Self::Join { room, .. }
            | Self::Leave { room }
            | Self::Invite { room, .. }
            | Self::Kick { room, .. }
            | Self::Topic { room, .. } => room,
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
            Self::Custom(post) => match post.rule.action {
                EventAction::ToRoom(_) => &post.room,
                EventAction::ToUser { .. }
                | EventAction::ToBackend(_)
                | EventAction::Acknowledge => return None,
            },
            Self::Identify { .. }
            | Self::Auth { .. }
            | Self::SingleChat { .. }
            | Self::Notify { .. }
            | Self::AnswerAsk { .. }
            | Self::Presence { .. }
            | Self::Rooms { .. } => return None,
        };
        Some(named.as_ref().unwrap_or(default_room))
    }

    /// Whether this role in its room permits the request, as far as the request alone shows it.
    pub(super) fn is_allowed_for(&self, role: Role) -> bool {
        match self {
            // The author of the message to delete is not known yet.
            Self::Invite { .. } | Self::Kick { .. } | Self::Topic { .. } | Self::Delete { .. } => {
                role.may_moderate()
            }
            Self::Custom(post) => match &post.rule.action {
                EventAction::ToRoom(action) => role >= action.role,
                EventAction::ToUser { .. }
                | EventAction::ToBackend(_)
                | EventAction::Acknowledge => true,
            },
            _ => role.may_send(),
        }
    }

    /// Whether it depends on the user's cached membership and the store does not check the
    /// membership again when it commits the result.
    pub(super) fn uses_cached_membership(&self) -> bool {
        matches!(self, Self::Join { .. } | Self::Invite { .. } | Self::Kick { .. })
    }
}

/// A message to a room.
#[derive(Clone, Debug)]
pub struct RoomPost {
    /// The room. `None` is the default room.
    pub room: Option<RoomName>,
    /// The body.
    pub body: Body,
    /// The client's id of the message.
    pub id: Option<MessageId>,
}

/// What the meaning of a request depends on.
#[derive(Clone, Copy, Debug)]
pub struct RequestContext<'a> {
    /// The size limits.
    pub limits: &'a Limits,
    /// The rules for events of the application.
    pub events: &'a EventRules,
    /// The space of the connection.
    pub space: &'a Space,
}

/// An answer or a rejection. A fault of the server is logged where it happens and is a rejection
/// here.
pub type Reply = Result<Answer, Rejection>;

/// Called with the reply exactly once, possibly after the next request was accepted.
pub type ReplyCallback = Box<dyn FnOnce(Reply) + Send>;
