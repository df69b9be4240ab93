//! The port of the engines that record live nodes and what must be unique among them.

use std::time::Duration;

use async_trait::async_trait;

use super::{Fault, GuestExpired, GuestName};
use crate::domain::{DeviceId, DeviceSet, NodeId, Space, UserName};

/// How long a node counts as alive after its last heartbeat.
pub const LEASE: Duration = Duration::from_secs(8);

/// Records the live nodes, the claims of guest names, and the online users of each node.
///
/// An engine belongs to one node and knows its id. Time is the engine's own, because the clocks of
/// nodes may differ.
///
/// # Guarantees
/// - After a heartbeat a node is alive in the replies to all later heartbeats, until [`LEASE`] has
///   passed since its last one or it has left.
/// - Of guest names that look alike in one space, only one guest session at a time has claims on
///   live nodes: one claim on each node with a connection of the guest. A claim lasts until its
///   release. If its node leaves, it lasts for the grace period of the engine; if the node fails,
///   for that time after the last heartbeat, and at least until the lease expires. Another session
///   may claim the name then, and the next heartbeat reports the loss to the node.
/// - When the claims of a node that left are over, one heartbeat of another node reports its guests.
///
/// A node that failed may return, so its guests may be reported later, or never.
#[async_trait]
pub trait Nodes: Send + Sync + 'static {
    /// Renews this node's lease and reports the changes since its last successful heartbeat.
    async fn heartbeat(&self, changes: &[OnlineDevices]) -> Result<HeartbeatReply, Fault>;

    /// Claims a guest name for this node, unless another session has it on another node. The claim
    /// replaces one of another session on this node: the caller ensures that this session is over.
    ///
    /// The engine remembers the last [`DEVICES_PER_USER_MAX`](super::DEVICES_PER_USER_MAX) devices of a claim at least.
    async fn claim(
        &self,
        name: &GuestName,
        device: Option<&DeviceId>,
    ) -> Result<ClaimOutcome, Fault>;

    /// The guest session that has claimed exactly this name with this device, on any node, if the
    /// claim is valid.
    async fn guest_session(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<Box<str>>, Fault>;

    /// Releases those of these guest names that this node has claimed.
    async fn release(&self, names: &[GuestName]) -> Result<(), Fault>;

    /// The devices of these users on the *other* live nodes, as reported by their heartbeats.
    async fn online(&self, space: &Space, users: &[UserName]) -> Result<Vec<DeviceSet>, Fault>;

    /// The first `count_max` users of a space on the *other* live nodes after a name, in the order of
    /// their names byte by byte, as reported by the heartbeats.
    async fn remote_users(
        &self,
        space: &Space,
        after: Option<&UserName>,
        count_max: usize,
    ) -> Result<RemoteUsers, Fault>;

    /// A number that is larger than all that were drawn before on any node.
    async fn ticket(&self) -> Result<u64, Fault>;

    /// Ends this node's lease. The claims of its names last for the grace period.
    async fn leave(&self) -> Result<(), Fault>;
}

/// The devices of a user on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineDevices {
    /// The space.
    pub space: Space,
    /// The user.
    pub user: UserName,
    /// The devices.
    pub devices: DeviceSet,
}

/// Users on other nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteUsers {
    /// A page of them, with their devices on these nodes.
    pub users: Vec<(UserName, DeviceSet)>,
    /// How many users of the space are on other nodes and, as reported, not on this one.
    pub not_here: usize,
}

/// The reply to a heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatReply {
    /// The live nodes including this one, in the order of their ids.
    pub alive: Vec<NodeId>,
    /// Guest names that this node has lost: another session claimed them while this node's lease
    /// was expired. Each is reported once.
    pub lost: Vec<GuestName>,
    /// Guests whose claims on a node that left or failed are over. They have expired, unless they
    /// are on another node.
    pub expired: Vec<GuestExpired>,
}

/// The result of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// This node has the name.
    Granted,
    /// Another session has it.
    Taken,
}
