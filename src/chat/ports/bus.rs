//! The port of the engines that carry between nodes.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;

use crate::{
    chat::event::Delivery,
    domain::{Channel, DeviceId, NodeId, Place, Position, Seq, SignInId, Space, Typing, UserName},
};

/// Carries news from node to node.
///
/// It promises little, so that the store need promise much.
///
/// # Guarantees
/// - `publish` never waits and never fails: what cannot be carried is dropped.
/// - A node does not hear itself, and hears nothing of channels that it never listened to.
/// - Once [`BusEvent::Subscribed`] was answered for a channel, what others publish there from then on is
///   answered as long as `is_connected` stays true; not longer.
/// - What a version does not understand is answered as [`ClusterEvent::Unknown`], so that it is missed.
///
/// Not guaranteed: that news arrive, arrive once, or arrive in order. Whoever listens compares
/// numbers and asks the store for what is missing.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Tells the other nodes.
    fn publish(&self, channel: Channel, announcement: Announcement);

    /// From now on these channels are to be heard, and no others. Takes effect by and by.
    fn set_subscriptions(&self, channels: &BTreeSet<Channel>);

    /// Waits for what another node announced. `None` when there will be nothing more.
    /// Cancel-safe: what was heard is either returned or still there.
    async fn next(&self) -> Option<BusEvent>;

    /// Whether it is proved, of late, that everything that is listened to is heard.
    fn is_connected(&self) -> bool;

    /// Sends what waits, for a bounded time, and lets go of connections.
    async fn close(&self);
}

/// What comes out of a bus.
#[derive(Clone, Debug)]
pub enum BusEvent {
    /// Another node has said something.
    Received(Channel, Announcement),
    /// These channels are heard from here on. What was said before may have been missed.
    Subscribed(BTreeSet<Channel>),
}

/// News of one node on one channel.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// Who says so.
    pub from: NodeId,
    /// How many this one is that the node publishes on the channel: 1, 2, 3 … Who misses a number
    /// has missed news.
    pub number: u64,
    /// What it says.
    pub event: ClusterEvent,
}

/// What a node tells the others.
#[derive(Clone, Debug)]
pub enum ClusterEvent {
    /// An entry was stored: a delivery of [`Event::Entry`](crate::chat::event::Event::Entry).
    Entry(Arc<Delivery>),
    /// A log was cut: what lies up to here is not kept any more.
    Trimmed(Place, Position),
    /// What a user is in a place was changed, by somebody else if one is named.
    MembershipChanged {
        /// Where.
        place: Place,
        /// Who.
        user: UserName,
        /// Who did it.
        by: Option<UserName>,
    },
    /// A user has read a conversation up to here, and others care.
    Read {
        /// Where.
        place: Place,
        /// Who.
        user: UserName,
        /// Up to here.
        seq: Seq,
    },
    /// A user began to type, or stopped.
    Typing {
        /// Where.
        place: Place,
        /// Who.
        user: UserName,
        /// Whether they type now.
        typing: Typing,
    },
    /// A user came to a room on this node.
    Joined(Place, UserName),
    /// A user is in a room no more on this node.
    Left(Place, UserName),
    /// All users who are in a room on this node.
    Roster(Place, Vec<UserName>),
    /// Others are to say who is in these rooms on their nodes, each with [`ClusterEvent::Roster`].
    RosterRequest(Vec<Place>),
    /// What was announced under these numbers on this channel by that node was not heard.
    ResendRequest {
        /// Whose news.
        of: NodeId,
        /// From this number on.
        from: u64,
        /// Up to this one.
        to: u64,
    },
    /// What is said to all nodes alike about a user or a sign-in.
    Command(ClusterCommand),
    /// An act that was announced under this number before, for those who missed it.
    ResentCommand(u64, ClusterCommand),
    /// The node lives, and has published so many on these channels of late.
    Heartbeat(Vec<(Channel, u64)>),
    /// Something that this version does not understand.
    Unknown,
}

/// What every node is to do about a user or a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterCommand {
    /// A user came with a device, and wherever one may be on only one, their others go.
    ReplaceDevices {
        /// In which world.
        space: Space,
        /// Who.
        user: UserName,
        /// With what.
        device: Option<DeviceId>,
        /// The ticket that was drawn for it ([`Nodes::ticket`](super::Nodes::ticket)): those who drew
        /// later stay.
        ticket: u64,
    },
    /// A name is a user's of the back end from now on: guests who look alike lose theirs.
    RevokeGuestNames {
        /// In which world.
        space: Space,
        /// The name.
        user: UserName,
    },
    /// A sign-in was ended.
    EndSignIn(SignInId),
}
