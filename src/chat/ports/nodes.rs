//! The port of the engines that know which nodes there are, and what may be only once among them.

use std::time::Duration;

use async_trait::async_trait;

use super::Fault;
use crate::domain::{DeviceSet, NodeId, Space, UserName};

/// How long a node is alive that beats no more.
pub const LEASE: Duration = Duration::from_secs(8);

/// Knows which nodes live, who has which guest's name, and who is online on which node.
///
/// An engine is made for one node, whose name it knows. Time is the engine's own: clocks of nodes may
/// differ.
///
/// # Guarantees
/// - A node that beats is alive for everybody who beats after it; one that beats no more is not, from
///   [`LEASE`] after its last beat on. One that has left is not, at once.
/// - Of guests whose names look alike in one space, only one stay at a time has claims on living
///   nodes: one on each node where its guest is. A claim lasts until it is released or its node is no
///   more alive; then others may have the name, and the node finds that out with its next beat.
#[async_trait]
pub trait Nodes: Send + Sync + 'static {
    /// Says that this node lives, and what has changed on it since the last time that this went well.
    async fn heartbeat(&self, changes: &[OnlineDevices]) -> Result<HeartbeatReply, Fault>;

    /// Has a guest's name for this node, or answers that somebody has it on another one. Whoever had
    /// it on this node before has it no more: who claims has seen to that.
    async fn claim(&self, name: &GuestName) -> Result<ClaimOutcome, Fault>;

    /// Gives guests' names back, as far as they are this node's.
    async fn release(&self, names: &[GuestName]) -> Result<(), Fault>;

    /// On which devices these users are on the *other* living nodes, as they said with their beats.
    async fn online(&self, space: &Space, users: &[UserName]) -> Result<Vec<DeviceSet>, Fault>;

    /// A number that is larger than all that were drawn before, on whatever node.
    async fn ticket(&self) -> Result<u64, Fault>;

    /// This node lives no more. Its names are free.
    async fn leave(&self) -> Result<(), Fault>;
}

/// On which devices a user is on this node now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineDevices {
    /// In which world.
    pub space: Space,
    /// Who.
    pub user: UserName,
    /// On which.
    pub devices: DeviceSet,
}

/// What a beat answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatReply {
    /// The nodes that live, this one among them, in the order of their names.
    pub alive: Vec<NodeId>,
    /// Guests' names that this node had claimed and has no more: somebody else claimed them while it
    /// was not alive. Each is answered once.
    pub lost: Vec<GuestName>,
}

/// A guest's name, and the stay for which it is theirs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GuestName {
    /// In which world.
    pub space: Space,
    /// The name. Those that look alike ([`UserName::key`]) are one.
    pub user: UserName,
    /// The mark of the stay.
    pub guest_session: Box<str>,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The name is this node's.
    Granted,
    /// Another stay has it.
    Taken,
}
