//! The port of the engines that carry announcements between nodes.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    ConnectionsRequest, ConnectionsRequestId, DenialChange, FirstConnections, SessionClaim,
    SessionClaimId, SessionReply,
};
use crate::{
    chat::event::Delivery,
    domain::{
        AfterDisconnect, AskAnswer, AskId, Channel, ConnectionAddress, CustomEvent, CustomTarget,
        DeviceId, DisplayNames, NamedUser, NodeId, PassingDelivery, Place, Retained, RoomName, Seq,
        Space, Typing, UserName,
    },
};

/// Carries announcements from node to node.
///
/// It guarantees little: the store is the source of truth.
///
/// # Guarantees
/// - `publish` never waits and never fails: what cannot be carried is dropped.
/// - A node does not receive its own announcements, and none of channels without a subscription.
/// - After [`BusEvent::Subscribed`] for a channel, announcements of other nodes on it are received
///   as long as `is_connected` stays true.
/// - An event that this version does not understand is received as [`ClusterEvent::Unknown`], so
///   that its loss is detected.
///
/// Not guaranteed: that announcements arrive, arrive once, or arrive in order. The receiver
/// compares sequence numbers and reads what is missing from the store.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Publishes an announcement to the other nodes.
    fn publish(&self, channel: Channel, announcement: Announcement);

    /// Subscribes to exactly these channels. Takes effect later; see [`BusEvent::Subscribed`].
    fn set_subscriptions(&self, channels: &BTreeSet<Channel>);

    /// Waits for the next event. `None` when the bus has ended. Cancel-safe: a received event is
    /// either returned or kept for the next call.
    async fn next(&self) -> Option<BusEvent>;

    /// Sends a number to this node itself, the way that announcements take: [`BusEvent::Probe`]
    /// follows, unless the bus loses it. Never waits.
    fn probe(&self, number: u64);

    /// Whether a recent check has shown that all subscriptions work.
    fn is_connected(&self) -> bool;

    /// Sends queued announcements, for a bounded time, and closes connections.
    async fn close(&self);
}

/// An event of the bus.
#[derive(Clone, Debug)]
pub enum BusEvent {
    /// An announcement of another node.
    Received(Channel, Announcement),
    /// The subscriptions of these channels are active. Earlier announcements may have been lost.
    Subscribed(BTreeSet<Channel>),
    /// A number that this node has sent to itself ([`Bus::probe`]).
    Probe(u64),
}

/// An announcement of one node on one channel.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The publishing node.
    pub from: NodeId,
    /// The sequence number among the node's announcements on the channel: 1, 2, 3 … A missing
    /// number is a lost announcement.
    pub number: u64,
    /// The content.
    pub event: ClusterEvent,
}

/// An event that a node publishes to the others.
#[derive(Clone, Debug)]
pub enum ClusterEvent {
    /// An entry was stored: a delivery of [`Event::Entry`](crate::chat::event::Event::Entry).
    Entry(Arc<Delivery>),
    /// A log was trimmed, and this is left.
    Trimmed(Place, Retained),
    /// A user's membership has changed.
    MembershipChanged {
        /// The conversation.
        place: Place,
        /// The member.
        user: UserName,
        /// The user who changed it, if not the member.
        by: Option<NamedUser>,
    },
    /// A user has read a conversation up to a seq, and the other members are notified.
    Read {
        /// The conversation.
        place: Place,
        /// The reader.
        who: NamedUser,
        /// The last read entry.
        seq: Seq,
    },
    /// A user started or stopped typing.
    Typing {
        /// The conversation.
        place: Place,
        /// The user.
        who: NamedUser,
        /// Whether the user is typing now.
        typing: Typing,
    },
    /// An event of the application that is not stored.
    Custom {
        /// Who receives it.
        to: CustomTarget,
        /// The connection that does not receive it.
        except: Option<ConnectionAddress>,
        /// A delivery of [`Event::Custom`](crate::chat::event::Event::Custom).
        event: Arc<Delivery>,
        /// How it is delivered.
        delivery: PassingDelivery,
    },
    /// Every node asks its connections, and sends [`ClusterEvent::AskReply`]s.
    Ask(AskId, Arc<AskedEvent>),
    /// What became of an ask of another node.
    AskReply {
        /// The node that asks. Others ignore the reply.
        to: NodeId,
        /// Its number there.
        ask: AskId,
        /// The reply.
        reply: AskReply,
    },
    /// Every node sends its first connections, in a [`ClusterEvent::ConnectionsReply`].
    ConnectionsRequest(ConnectionsRequestId, ConnectionsRequest),
    /// The first connections of the publishing node.
    ConnectionsReply {
        /// The node that asks. Others ignore the reply.
        to: NodeId,
        /// The number of its request.
        request: ConnectionsRequestId,
        /// The connections.
        first: FirstConnections,
    },
    /// The node claims a session. Every node sends a [`ClusterEvent::SessionReply`].
    SessionClaim(SessionClaimId, SessionClaim),
    /// What the publishing node replies to a claim.
    SessionReply {
        /// The node that claims. Others ignore the reply.
        to: NodeId,
        /// The number of its claim.
        claim: SessionClaimId,
        /// The reply.
        reply: SessionReply,
    },
    /// A user joined a room on the publishing node, or has another display name there.
    Joined(Place, NamedUser),
    /// A user left a room on the publishing node.
    Left(Place, UserName),
    /// All users of a room on the publishing node, and the display names of those who have one.
    Roster(Place, Vec<UserName>, DisplayNames),
    /// Requests a [`ClusterEvent::Roster`] of each of these rooms from the other nodes.
    RosterRequest(Vec<Place>),
    /// Requests the commands that a node announced under these numbers on this channel.
    ResendRequest {
        /// The node that announced them.
        of: NodeId,
        /// The first number.
        from: u64,
        /// The last number.
        to: u64,
    },
    /// A command to all nodes about a user or a sign-in.
    Command(ClusterCommand),
    /// A command that was announced under this number before, for nodes that missed it.
    ResentCommand(u64, ClusterCommand),
    /// The node leaves: it serves no connections any more, and replies to nothing.
    Leaving,
    /// The node is alive, and these are its last numbers on recently used channels.
    Heartbeat(Vec<(Channel, u64)>),
    /// An event that this version does not understand.
    Unknown,
}

/// An event of the application that connections answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedEvent {
    /// The space of the connections.
    pub space: Space,
    /// The connections.
    pub to: CustomTarget,
    /// The connection that is not asked.
    pub except: Option<ConnectionAddress>,
    /// The event.
    pub event: CustomEvent,
    /// How long the node that asks waits.
    pub wait: Duration,
}

/// What a node replies to an ask of another node: first `Asked`, then what became of each connection,
/// several in a reply, so that no queue overflows when many connections answer at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskReply {
    /// So many connections were asked.
    Asked(usize),
    /// What became of some of them.
    Settled(Vec<SettledAsk>),
}

/// What became of an ask of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettledAsk {
    /// A connection has answered.
    Answered(AskAnswer),
    /// A connection has closed without an answer.
    Gone(ConnectionAddress),
}

/// A command to all nodes about a user, a token or a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterCommand {
    /// A user connected with a device. Where only one device is allowed, the user's others are
    /// disconnected.
    ReplaceDevices {
        /// The space.
        space: Space,
        /// The user.
        user: UserName,
        /// The new device.
        device: Option<DeviceId>,
        /// The connection's ticket ([`Nodes::ticket`](super::Nodes::ticket)). Connections with a
        /// later ticket stay.
        ticket: u64,
    },
    /// A name belongs to a registered user from now on: guests with a name that looks like it lose
    /// theirs.
    RevokeGuestNames {
        /// The space.
        space: Space,
        /// The name.
        user: UserName,
    },
    /// The list of denials has changed.
    ChangeDenials {
        /// The number of the change ([`DenialStore`](super::DenialStore)).
        number: u64,
        /// The change.
        change: DenialChange,
    },
    /// A back end disconnects a user.
    DisconnectUser {
        /// The space.
        space: Space,
        /// The user.
        user: UserName,
        /// The device; `None` disconnects all.
        device: Option<DeviceId>,
        /// What the client does then.
        after: AfterDisconnect,
    },
    /// A back end disconnects one connection, if it is in the space.
    DisconnectConnection {
        /// The space.
        space: Space,
        /// The connection.
        address: ConnectionAddress,
        /// What the client does then.
        after: AfterDisconnect,
    },
    /// An operator puts one connection in a room, as Redis emitters do, or takes it out.
    PlaceConnection {
        /// The space.
        space: Space,
        /// The connection.
        address: ConnectionAddress,
        /// The room.
        room: RoomName,
        /// What happens.
        placing: Placing,
    },
}

/// What happens to a connection and a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placing {
    /// It is in the room from now on.
    In,
    /// It is not in the room any more.
    Out,
}
