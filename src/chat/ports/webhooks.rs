//! The ports of webhooks: the outbox in the store, and the programs that are told.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{BackendFailure, Fault, StoredMessage};
use crate::domain::{
    CloseReason, ConnectionAddress, Conversation, DisplayNames, Entry, NodeId, Place, Role,
    RoomName, RoomTopic, Seq, Space, UserName, WebhookEventKind, WebhookName, WebhookRules,
};

/// How long a node sends the events of a webhook after it acquired or renewed the lease.
pub const WEBHOOK_LEASE: Duration = Duration::from_secs(8);

/// Keeps the events that webhooks are told of until they are delivered, and who is present on which
/// node.
///
/// Events of messages and memberships are recorded by
/// [`Store::commit`](super::Store::commit) with the transaction that they are about: see
/// [`Recording`](super::Recording).
///
/// # Guarantees
/// - **Durable:** what was recorded is found until it is delivered, also after `kill -9`.
/// - **In order:** ids grow in the order in which events of one subject were recorded. Not
///   guaranteed: an order between subjects, or that ids are read in their order while several
///   processes record.
/// - **Once in the cluster:** `user.online` and `room.occupied` are recorded when the subject is
///   present on the first node, `user.offline` and `room.vacated` when it has left the last one, both
///   in the transaction that changes the presence.
/// - **One sender:** at most one node at a time has the lease of a webhook.
#[async_trait]
pub trait WebhookOutbox: Send + Sync + 'static {
    /// Applies changes of a node's presence, and records the events that follow from them. What is
    /// present already does not appear, and what is not present is not gone.
    async fn record_presence(&self, record: Arc<PresenceRecord>) -> Result<(), Fault>;

    /// Ends the presence of nodes that have failed, with the events that follow from it, and returns
    /// how many subjects are present on the node of `record`, whose changes are ignored. Where no other
    /// process uses the database, all nodes but that one have failed. A call may leave a part of them
    /// to the next one.
    async fn end_lost_presence(&self, record: Arc<PresenceRecord>) -> Result<u64, Fault>;

    /// Acquires or renews the lease of a webhook for [`WEBHOOK_LEASE`]. Returns whether the node has
    /// it.
    async fn acquire_lease(&self, webhook: &WebhookName, node: &NodeId) -> Result<bool, Fault>;

    /// Ends the leases of a node.
    async fn release_leases(&self, node: &NodeId) -> Result<(), Fault>;

    /// Undelivered events of a webhook that are no dead letters: those of batches first, then the
    /// oldest, without those of the given subjects.
    async fn waiting(
        &self,
        webhook: &WebhookName,
        without: &[String],
        events_max: usize,
    ) -> Result<Vec<OutboxEvent>, Fault>;

    /// Stores that these events are sent together, under this id.
    async fn assign_batch(&self, events: &[u64], batch: &str) -> Result<(), Fault>;

    /// Stores the outcomes of attempts: removes delivered events, and counts failed attempts.
    async fn settle(&self, outcomes: &[AttemptOutcome]) -> Result<(), Fault>;

    /// Dead letters after an id, of a webhook or all, oldest first.
    async fn dead_letters(
        &self,
        webhook: Option<&WebhookName>,
        after: u64,
        events_max: usize,
    ) -> Result<Vec<OutboxEvent>, Fault>;

    /// Makes dead letters wait again, as if they had not been attempted. Returns their number.
    async fn resend(&self, letters: &DeadLetters) -> Result<u64, Fault>;

    /// Removes what was recorded before a time, delivered or not.
    async fn remove_before(&self, time: OffsetDateTime) -> Result<(), Fault>;
}

/// An event that webhooks are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookEvent {
    /// A user is online.
    UserOnline(UserName),
    /// A user is offline.
    UserOffline(UserName),
    /// A room has a connection.
    RoomOccupied(RoomName),
    /// A room has no connection any more.
    RoomVacated(RoomName),
    /// A user became a member of a room.
    MemberJoined {
        /// The room.
        room: RoomName,
        /// The user.
        user: UserName,
        /// The role.
        role: Role,
        /// Who added the user, if not the user.
        by: Option<UserName>,
    },
    /// A user is no longer a member of a room.
    MemberLeft {
        /// The room.
        room: RoomName,
        /// The user.
        user: UserName,
        /// Who removed the user, if not the user.
        by: Option<UserName>,
    },
    /// A room has another topic.
    RoomTopic {
        /// The room.
        room: RoomName,
        /// The user who set it.
        user: UserName,
        /// The topic. `None`: it was removed.
        topic: Option<RoomTopic>,
    },
    /// An entry was stored. The body is read from the log when the event is sent.
    Message(StoredMessage),
    /// A connection ended.
    ConnectionClosed {
        /// The connection.
        connection: ConnectionAddress,
        /// Whose it was.
        client: PresentClient,
        /// Why it ended.
        reason: ConnectionEnd,
    },
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// The client said that it leaves.
    ByClient,
    /// The transport ended before the client said anything.
    TransportClosed,
    /// The client broke the protocol.
    ProtocolError,
    /// The server closed it.
    ByServer(CloseReason),
    /// Its node failed.
    NodeLost,
}

/// The client of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresentClient {
    /// The user; `None` while the connection is anonymous.
    pub user: Option<UserName>,
    /// The address of the peer, where it is known.
    pub address: Option<Box<str>>,
}

/// An event that is recorded for a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOutboxEvent {
    /// The webhook.
    pub webhook: WebhookName,
    /// The space.
    pub space: Space,
    /// What happened.
    pub event: WebhookEvent,
    /// When it happened.
    pub at: OffsetDateTime,
}

/// A recorded event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEvent {
    /// The number of the event in this database. Never used twice.
    pub id: u64,
    /// The event.
    pub new: NewOutboxEvent,
    /// The id of the batch that it is sent with.
    pub batch: Option<Box<str>>,
    /// The number of failed attempts.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub failure: Option<Box<str>>,
    /// Since when it is a dead letter.
    pub dead_at: Option<OffsetDateTime>,
}

/// The outcome of an attempt to deliver events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// They were delivered.
    Delivered(Vec<u64>),
    /// They were not.
    Failed {
        /// The events.
        events: Vec<u64>,
        /// Why.
        failure: Box<str>,
        /// The time, if they become dead letters.
        dead_at: Option<OffsetDateTime>,
    },
}

/// Dead letters that are sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadLetters {
    /// Those with these ids.
    Ids(Vec<u64>),
    /// All of a webhook.
    Of(WebhookName),
}

/// Changes of the presence on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceRecord {
    /// The node.
    pub node: NodeId,
    /// What is present from now on. A client replaces an earlier one of the connection.
    pub appeared: Vec<(PresenceSubject, PresentClient)>,
    /// What is no longer present after that, and why the connections among it ended.
    pub gone: Vec<(PresenceSubject, ConnectionEnd)>,
    /// Which webhooks are told.
    pub rules: Arc<WebhookRules>,
    /// The time of the events.
    pub at: OffsetDateTime,
}

/// That a transaction records events for webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Which webhooks are told.
    pub rules: Arc<WebhookRules>,
    /// The time of the changes of members.
    pub at: OffsetDateTime,
    /// Who made each change, if not the member: one per change.
    pub by: Vec<Option<UserName>>,
}

/// Who or what is present on a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PresenceSubject {
    /// The space.
    pub space: Space,
    /// See there.
    pub kind: PresenceKind,
}

/// See [`PresenceSubject`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PresenceKind {
    /// A user.
    User(UserName),
    /// A room.
    Room(RoomName),
    /// A connection.
    Connection(ConnectionAddress),
}

/// A program that is told of events.
///
/// # Guarantees
/// - `Ok` means that the program has accepted all events of the request.
#[async_trait]
pub trait WebhookReceiver: Send + Sync + 'static {
    /// Sends a request once. Returns within the timeout of the receiver.
    async fn deliver(&self, request: &WebhookRequest) -> Result<(), BackendFailure>;
}

/// A request to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRequest {
    /// The id of the request: the same whenever it is repeated.
    pub id: String,
    /// The form of the body.
    pub form: RequestForm,
    /// The events, in order.
    pub events: Vec<SentEvent>,
}

/// The form of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestForm {
    /// The event itself.
    Single,
    /// A list of events.
    Batch,
}

/// An event as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentEvent {
    /// The id of the event: the same in all requests.
    pub id: String,
    /// The recorded event.
    pub event: NewOutboxEvent,
    /// The entry of a message, if it is still stored.
    pub entry: Option<Entry>,
    /// The present display names of the users that the event names.
    pub names: DisplayNames,
}

impl WebhookEvent {
    /// The kind.
    pub fn kind(&self) -> WebhookEventKind {
        match self {
            Self::UserOnline(_) => WebhookEventKind::UserOnline,
            Self::UserOffline(_) => WebhookEventKind::UserOffline,
            Self::RoomOccupied(_) => WebhookEventKind::RoomOccupied,
            Self::RoomVacated(_) => WebhookEventKind::RoomVacated,
            Self::MemberJoined { .. } => WebhookEventKind::MemberJoined,
            Self::MemberLeft { .. } => WebhookEventKind::MemberLeft,
            Self::RoomTopic { .. } => WebhookEventKind::RoomTopic,
            Self::Message(message) => message.act.kind(),
            Self::ConnectionClosed { .. } => WebhookEventKind::ConnectionClosed,
        }
    }

    /// The user that it is about, and the one who did it, whose display names are told, too.
    pub fn user_and_by(&self) -> (Option<&UserName>, Option<&UserName>) {
        match self {
            Self::UserOnline(user) | Self::UserOffline(user) | Self::RoomTopic { user, .. } => {
                (Some(user), None)
            }
            Self::RoomOccupied(_) | Self::RoomVacated(_) => (None, None),
            Self::MemberJoined { user, by, .. } | Self::MemberLeft { user, by, .. } => {
                (Some(user), by.as_ref())
            }
            Self::Message(message) => (Some(&message.author), None),
            Self::ConnectionClosed { client, .. } => (client.user.as_ref(), None),
        }
    }

    /// A text that events of one subject in a space share: they are delivered in order. It is never
    /// parsed. Names have no line breaks.
    pub fn subject(&self, space: &Space) -> String {
        let space = space.as_raw();
        match self {
            Self::UserOnline(user) | Self::UserOffline(user) => format!("user\n{space}\n{user}"),
            Self::RoomOccupied(room) | Self::RoomVacated(room) => format!("room\n{space}\n{room}"),
            Self::MemberJoined { room, .. }
            | Self::MemberLeft { room, .. }
            | Self::RoomTopic { room, .. } => {
                conversation_subject(space, &Conversation::Room(room.clone()))
            }
            Self::Message(message) => conversation_subject(space, &message.conversation),
            Self::ConnectionClosed { connection, .. } => format!("connection\n{connection}"),
        }
    }
}

fn conversation_subject(space: &str, conversation: &Conversation) -> String {
    match conversation {
        Conversation::Room(room) => format!("log\n{space}\n{room}"),
        Conversation::Direct(one, other) => format!("direct\n{space}\n{one}\n{other}"),
        Conversation::Inbox(user) => format!("inbox\n{space}\n{user}"),
    }
}

impl NewOutboxEvent {
    /// The subject of the event: see [`WebhookEvent::subject`].
    pub fn subject(&self) -> String {
        self.event.subject(&self.space)
    }

    /// The conversation and the number of the entry that the event is about.
    pub fn entry(&self) -> Option<(Place, Seq)> {
        let WebhookEvent::Message(message) = &self.event else { return None };
        let conversation = message.conversation.clone();
        Some((Place { space: self.space.clone(), conversation }, message.seq))
    }
}
