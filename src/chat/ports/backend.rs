//! The port of the back ends: programs of the operator that answer events and decide.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::Rooms;

use crate::domain::{
    AfterDisconnect, ApiScope, Body, ConnectionAddress, CustomEvent, DeviceId, DisplayName,
    EventStorage, GlobalRole, Hook, MessageId, MessageKind, Refusal, Role, RoomName, RoomTopic,
    Seq, Space, SpacePattern, UserName, View,
};

/// A back end.
///
/// # Guarantees
/// - A call ends within a bounded time, with an answer or with a failure.
/// - A call has no effect here but its answer: the caller performs the actions.
///
/// Dropping the future abandons the call; the back end may have received it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Decides about a connection, before it is accepted.
    async fn connect(&self, _call: ConnectCall) -> Result<ConnectAnswer, BackendFailure> {
        Ok(ConnectAnswer::Accepted(AcceptedConnection::default()))
    }

    /// Decides about a request of the protocol, before it is taken.
    async fn request(&self, _call: RequestCall) -> Result<RequestAnswer, BackendFailure> {
        Ok(RequestAnswer::Accepted(AcceptedRequest::default()))
    }

    /// Answers an event of the application.
    async fn event(&self, call: EventCall) -> Result<BackendAnswer, BackendFailure>;
}

/// A request of the protocol that a back end decides about.
#[derive(Clone, Debug)]
pub struct RequestCall {
    /// Who sent it.
    pub caller: Caller,
    /// The request.
    pub request: HookedRequest,
}

/// See [`RequestCall`].
#[derive(Clone, Debug)]
pub enum HookedRequest {
    /// A message, or another body for one.
    Message {
        /// Which of the two.
        what: MessageRequest,
        /// The conversation.
        to: View,
        /// The body; of an event that is kept, its arguments.
        body: Body,
    },
    /// `join`, or a room that a connection enters by itself.
    Join {
        /// The room.
        room: RoomName,
    },
    /// `invite`.
    Invite {
        /// The room.
        room: RoomName,
        /// The invited user.
        user: UserName,
        /// The role.
        role: Role,
    },
}

/// What a request does with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageRequest {
    /// It sends one of this kind, which names the request.
    New(MessageKind),
    /// It replaces the body of the one with this seq.
    Edit(Seq),
}

impl HookedRequest {
    /// The hook of the request.
    pub fn hook(&self) -> Hook {
        match self {
            Self::Message { .. } => Hook::Message,
            Self::Join { .. } => Hook::Join,
            Self::Invite { .. } => Hook::Invite,
        }
    }
}

/// The answer to a [`RequestCall`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestAnswer {
    /// The request is taken.
    Accepted(AcceptedRequest),
    /// It is refused.
    Refused(Refusal),
}

/// How a request is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptedRequest {
    /// Another body, for a message.
    pub body: Option<Body>,
    /// Another role, for `join` and `invite`.
    pub role: Option<Role>,
    /// What is to be done before.
    pub actions: Vec<Action>,
}

/// A connection that asks to be accepted.
#[derive(Clone, Debug)]
pub struct ConnectCall {
    /// The space.
    pub space: Space,
    /// The address that the connection will have.
    pub connection: ConnectionAddress,
    /// What the client sent.
    pub client: ClientInfo,
}

/// What a client sent with its handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientInfo {
    /// The IP address of the client, or of the first proxy that is not trusted. Empty if it is not
    /// known.
    pub address: Box<str>,
    /// The headers that the settings choose, with names in lower case.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// The query. Back ends receive it without the token.
    pub query: Box<str>,
    /// The payload `auth` of Socket.IO, as JSON text.
    pub auth: Option<Box<str>>,
}

/// The answer to a [`ConnectCall`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectAnswer {
    /// The connection is accepted.
    Accepted(AcceptedConnection),
    /// It is refused.
    Refused(Refusal),
}

/// What a back end says about a connection that it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptedConnection {
    /// Who it is. `None`: whoever its token names, or a guest.
    pub identity: Option<ConnectIdentity>,
    /// Data to keep with the connection, as JSON text.
    pub data: Option<Box<str>>,
    /// What is to be done once the connection is there.
    pub actions: Vec<Action>,
}

/// The user of a connection, as a token would name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectIdentity {
    /// The user.
    pub user: UserName,
    /// The display name.
    pub name: Option<DisplayName>,
    /// Whether the user is an administrator.
    pub admin: bool,
    /// The spaces that are open to the user. Empty means all.
    pub spaces: Vec<SpacePattern>,
    /// The rooms that are open to the user.
    pub rooms: Rooms,
    /// When the connection ends. `None`: after a day.
    pub expires_at: Option<OffsetDateTime>,
}

/// An event for a back end.
#[derive(Clone, Debug)]
pub struct EventCall {
    /// Who sent it.
    pub caller: Caller,
    /// The event.
    pub event: CustomEvent,
}

/// The connection that a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its space.
    pub space: Space,
    /// Its address.
    pub connection: ConnectionAddress,
    /// Its default room.
    pub room: RoomName,
    /// Its user. `None` while it is anonymous.
    pub user: Option<CallingUser>,
    /// What the back end keeps with the connection, as JSON text.
    pub data: Option<Box<str>>,
}

/// The user of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallingUser {
    /// The name.
    pub name: UserName,
    /// The display name.
    pub display_name: Option<DisplayName>,
    /// Whether it is a guest or registered.
    pub kind: CallingUserKind,
    /// Whether the token says that it is an administrator.
    pub global_role: GlobalRole,
}

/// How a user was identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallingUserKind {
    /// By a token of a back end.
    Registered,
    /// By the name that it chose.
    Guest,
}

/// The answer of a back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendAnswer {
    /// It was accepted.
    Accepted {
        /// The arguments of the acknowledgement, a JSON array; `None` for the usual one.
        ack: Option<Body>,
        /// What is to be done, in this order, before the acknowledgement is sent.
        actions: Vec<Action>,
    },
    /// It was refused.
    Refused(Refusal),
}

/// Something that a back end asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sends an event of the application.
    Emit {
        /// The event.
        event: CustomEvent,
        /// Who receives it.
        to: EmitTarget,
        /// The connection that does not receive it.
        except: Option<ConnectionAddress>,
        /// Whether it is stored; only events to a room may be.
        storage: EventStorage,
        /// The id of one that is stored, so that a repetition is stored once.
        id: Option<MessageId>,
    },
    /// Posts a message to a room, delivered as `new message`.
    Message {
        /// The room.
        room: RoomName,
        /// The author. `None`: the user of the call.
        user: Option<UserName>,
        /// The body.
        body: Body,
        /// The id, so that a repetition is stored once.
        id: Option<MessageId>,
    },
    /// Adds a notification to the inbox of a user, in the name of the user of the call.
    Notify {
        /// The user.
        to: UserName,
        /// The body.
        body: Body,
        /// The id.
        id: Option<MessageId>,
    },
    /// Makes a user a member of a room.
    Join {
        /// The user. `None`: that of the call.
        user: Option<UserName>,
        /// The room.
        room: RoomName,
        /// The role. `None`: the room's default role.
        role: Option<Role>,
    },
    /// Ends the membership of a user in a room.
    Leave {
        /// The user. `None`: that of the call.
        user: Option<UserName>,
        /// The room.
        room: RoomName,
    },
    /// Sets the topic of a room that exists, or removes it.
    Topic {
        /// In whose name.
        user: UserName,
        /// The room.
        room: RoomName,
        /// The topic. `None` removes it.
        topic: Option<RoomTopic>,
    },
    /// Closes the connections of a user, of a device, or one connection.
    Disconnect(DisconnectTarget, AfterDisconnect),
}

impl Action {
    /// The scope that an API key needs for it.
    pub fn scope(&self) -> ApiScope {
        match self {
            Self::Emit { .. } | Self::Message { .. } | Self::Notify { .. } => ApiScope::Publish,
            Self::Join { .. } | Self::Leave { .. } | Self::Topic { .. } | Self::Disconnect(..) => {
                ApiScope::Manage
            }
        }
    }
}

/// Who receives an event of a back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmitTarget {
    /// A room of the space.
    Room(RoomName),
    /// All connections of a user.
    User(UserName),
    /// One connection.
    Connection(ConnectionAddress),
    /// All connections in the space, also anonymous ones.
    Space,
}

/// Which connections are closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DisconnectTarget {
    /// All of a user.
    User(UserName),
    /// All of a user with a device.
    Device(UserName, DeviceId),
    /// One.
    Connection(ConnectionAddress),
}

/// Why a back end gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendFailure {
    /// It did not answer in time.
    #[error("no answer in time")]
    Timeout,
    /// It cannot be reached, or the connection broke.
    #[error("{0}")]
    Unreachable(String),
    /// It answered with this HTTP status.
    #[error("it answered with the status {0}")]
    Status(u16),
    /// Its answer does not have the documented form.
    #[error("{0}")]
    Malformed(String),
    /// It was not called, because it has only failed recently.
    #[error("it is not called while it only fails")]
    CircuitOpen,
}
