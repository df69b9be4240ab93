//! The reference engine of the node registry: for several nodes in one process, and for a single
//! node.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::{
    chat::ports::{
        ClaimOutcome, DEVICES_PER_USER_MAX, Fault, GuestExpired, GuestName, HeartbeatReply, LEASE,
        Nodes, OnlineDevices, RemoteUsers,
    },
    domain::{DeviceId, DeviceSet, NameKey, NodeId, Space, UserName},
};

/// One node's handle to a shared registry.
#[derive(Clone, Debug)]
pub struct MemoryNodes {
    node_id: NodeId,
    /// How long the claims of a node that left or failed last.
    grace: Duration,
    registry: Arc<Mutex<NodeRegistry>>,
}

#[derive(Debug, Default)]
struct NodeRegistry {
    /// The time of each node's last heartbeat.
    heartbeats: BTreeMap<NodeId, Instant>,
    /// The times at which nodes have left.
    left: BTreeMap<NodeId, Instant>,
    /// The nodes and guest sessions that have claimed a name, rarely more than one.
    claims: HashMap<(Space, NameKey), Vec<(NodeId, GuestName)>>,
    /// The devices with which names were claimed, the newest first.
    devices: HashMap<(NodeId, GuestName), Vec<DeviceId>>,
    /// The lost names that each node has yet to receive.
    lost: HashMap<NodeId, Vec<GuestName>>,
    online: HashMap<(NodeId, Space, UserName), DeviceSet>,
    tickets: u64,
}

impl MemoryNodes {
    /// A single node.
    pub fn single(node_id: NodeId) -> Self {
        Self { node_id, grace: Duration::ZERO, registry: Arc::default() }
    }

    /// Another node of the same registry.
    #[must_use]
    pub fn add_node(&self, other: NodeId) -> Self {
        Self { node_id: other, ..self.clone() }
    }

    /// The same node, for which the claims of nodes that left or failed last for a grace period.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Whether an expired guest of one node is on another one.
    pub(super) fn is_on_other_node(&self, expired: &GuestExpired) -> bool {
        let registry = self.lock();
        let holders = registry.claims.get(&(expired.space.clone(), expired.user.key()));
        let mut others = holders.into_iter().flatten().filter(|(node, _)| *node != expired.from);
        others.any(|(node, name)| {
            name.guest_session == expired.guest_session && registry.is_alive(node)
        })
    }

    /// Whether the lease of a node is valid.
    pub(super) fn is_alive(&self, node: &NodeId) -> bool {
        self.lock().is_alive(node)
    }

    fn lock(&self) -> MutexGuard<'_, NodeRegistry> {
        self.registry.lock()
    }
}

#[async_trait]
impl Nodes for MemoryNodes {
    async fn heartbeat(&self, changes: &[OnlineDevices]) -> Result<HeartbeatReply, Fault> {
        let mut registry = self.lock();
        registry.heartbeats.insert(self.node_id.clone(), Instant::now());
        registry.left.remove(&self.node_id);
        let expired = registry.take_expired(self.grace);
        for OnlineDevices { space, user, devices } in changes {
            let key = (self.node_id.clone(), space.clone(), user.clone());
            if devices.is_empty() {
                registry.online.remove(&key);
            } else {
                registry.online.insert(key, devices.clone());
            }
        }
        let alive =
            registry.heartbeats.keys().filter(|it| registry.is_alive(it)).cloned().collect();
        let lost = registry.lost.remove(&self.node_id).unwrap_or_default();
        Ok(HeartbeatReply { alive, lost, expired })
    }

    async fn claim(
        &self,
        name: &GuestName,
        device: Option<&DeviceId>,
    ) -> Result<ClaimOutcome, Fault> {
        let mut guard = self.lock();
        let registry = &mut *guard;
        let key = key(name);
        let mut holders = registry.claims.remove(&key).unwrap_or_default();
        let others = holders.iter().filter(|(_, other)| other.guest_session != name.guest_session);
        let others: Vec<_> = others.cloned().collect();
        let holds_names =
            |node: &NodeId| *node != self.node_id && registry.holds_names(node, self.grace);
        let is_taken = others.iter().any(|(node, _)| holds_names(node));
        if !is_taken {
            for other in others {
                holders.retain(|it| *it != other);
                registry.devices.remove(&other);
                if other.0 != self.node_id {
                    registry.lost.entry(other.0).or_default().push(other.1);
                }
            }
            let holder = (self.node_id.clone(), name.clone());
            if let Some(device) = device {
                let devices = registry.devices.entry(holder.clone()).or_default();
                devices.retain(|it| it != device);
                devices.insert(0, device.clone());
                devices.truncate(DEVICES_PER_USER_MAX);
            }
            if !holders.contains(&holder) {
                holders.reserve_exact(1);
                holders.push(holder);
            }
        }
        registry.claims.insert(key, holders);
        Ok(if is_taken { ClaimOutcome::Taken } else { ClaimOutcome::Granted })
    }

    async fn guest_session(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Result<Option<Box<str>>, Fault> {
        let registry = self.lock();
        let holders = registry.claims.get(&(space.clone(), user.key())).into_iter().flatten();
        let found = holders.filter(|holder| {
            let (node, name) = holder;
            let devices = registry.devices.get(*holder);
            name.user == *user
                && devices.is_some_and(|it| it.contains(device))
                && registry.holds_names(node, self.grace)
        });
        Ok(found.map(|(_, name)| name.guest_session.clone()).next())
    }

    async fn release(&self, names: &[GuestName]) -> Result<(), Fault> {
        let mut guard = self.lock();
        let registry = &mut *guard;
        for name in names {
            let Some(holders) = registry.claims.get_mut(&key(name)) else { continue };
            holders.retain(|holder| {
                let (node, other) = holder;
                let is_kept = *node != self.node_id || other.guest_session != name.guest_session;
                if !is_kept {
                    registry.devices.remove(holder);
                }
                is_kept
            });
            if holders.is_empty() {
                registry.claims.remove(&key(name));
            }
        }
        Ok(())
    }

    async fn online(&self, space: &Space, users: &[UserName]) -> Result<Vec<DeviceSet>, Fault> {
        let registry = self.lock();
        let devices = |user: &UserName| {
            let mut devices = DeviceSet::default();
            for ((node, world, name), there) in &registry.online {
                if *node != self.node_id
                    && world == space
                    && name == user
                    && registry.is_alive(node)
                {
                    devices.merge(there.clone());
                }
            }
            devices
        };
        Ok(users.iter().map(devices).collect())
    }

    async fn remote_users(
        &self,
        space: &Space,
        after: Option<&UserName>,
        count_max: usize,
    ) -> Result<RemoteUsers, Fault> {
        let registry = self.lock();
        let (mut users, mut here) = (BTreeMap::<UserName, DeviceSet>::new(), BTreeSet::new());
        for ((node, world, user), devices) in &registry.online {
            if world != space {
                continue;
            }
            if *node == self.node_id {
                here.insert(user);
            } else if registry.is_alive(node) {
                users.entry(user.clone()).or_default().merge(devices.clone());
            }
        }
        let not_here = users.keys().filter(|it| !here.contains(it)).count();
        let page = users.into_iter().filter(|(user, _)| after.is_none_or(|it| user > it));
        Ok(RemoteUsers { users: page.take(count_max).collect(), not_here })
    }

    async fn ticket(&self) -> Result<u64, Fault> {
        let mut registry = self.lock();
        registry.tickets += 1;
        Ok(registry.tickets)
    }

    async fn leave(&self) -> Result<(), Fault> {
        let mut registry = self.lock();
        registry.heartbeats.remove(&self.node_id);
        registry.left.insert(self.node_id.clone(), Instant::now());
        registry.online.retain(|(node, ..), _| *node != self.node_id);
        Ok(())
    }
}

impl NodeRegistry {
    fn is_alive(&self, node: &NodeId) -> bool {
        self.heartbeats.get(node).is_some_and(|heartbeat| heartbeat.elapsed() < LEASE)
    }

    /// Whether the claims of a node are valid.
    fn holds_names(&self, node: &NodeId, grace: Duration) -> bool {
        let is_held = |since: Option<&Instant>, time| since.is_some_and(|it| it.elapsed() < time);
        is_held(self.heartbeats.get(node), grace.max(LEASE)) || is_held(self.left.get(node), grace)
    }

    /// Removes the claims of nodes that left, once they are over, and returns the guests.
    fn take_expired(&mut self, grace: Duration) -> Vec<GuestExpired> {
        let left = mem::take(&mut self.left);
        let (over, left) = left.into_iter().partition(|(_, at)| at.elapsed() >= grace);
        self.left = left;
        let over: BTreeMap<NodeId, Instant> = over;
        let mut expired = Vec::new();
        if over.is_empty() {
            return expired;
        }
        for holders in self.claims.values_mut() {
            let is_over = |(node, _): &(NodeId, GuestName)| over.contains_key(node);
            let gone: Vec<_> = holders.iter().filter(|it| is_over(it)).cloned().collect();
            holders.retain(|it| !is_over(it));
            for holder in &gone {
                self.devices.remove(holder);
            }
            expired.extend(gone.into_iter().map(|(from, name)| {
                let GuestName { space, user, guest_session } = name;
                GuestExpired { space, user, guest_session, from }
            }));
        }
        self.claims.retain(|_, holders| !holders.is_empty());
        expired
    }
}

fn key(name: &GuestName) -> (Space, NameKey) {
    (name.space.clone(), name.user.key())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{NAMES_GRACE, nodes_contract};

    #[tokio::test(start_paused = true)]
    async fn memory_keeps_the_contract_of_nodes() {
        let first = MemoryNodes::single(NodeId::from_raw("n0")).with_grace(NAMES_GRACE);
        let open = async |n: u32| first.add_node(NodeId::from_raw(&format!("n{n}")));
        nodes_contract(open, tokio::time::advance).await;
        assert!(LEASE < Duration::from_secs(10));
    }
}
