//! The reference engine of which nodes there are: for nodes of one process, and for one that is alone.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{
    chat::ports::{Census, Claim, Fault, Gone, GuestName, LEASE, Nodes, Online},
    domain::{DeviceSet, NameKey, NodeId, Space, UserName},
};

/// What one node knows of those that share a registry.
#[derive(Clone, Debug)]
pub struct MemoryNodes {
    me: NodeId,
    registry: Arc<Mutex<Registry>>,
}

#[derive(Debug, Default)]
struct Registry {
    /// When each node beat last.
    beats: BTreeMap<NodeId, Instant>,
    /// By which stay a name is claimed on which nodes.
    claims: HashMap<(Space, NameKey), BTreeSet<(NodeId, GuestName)>>,
    /// What each node is to be told that it lost.
    lost: HashMap<NodeId, Vec<GuestName>>,
    online: HashMap<(NodeId, Space, UserName), DeviceSet>,
    tickets: u64,
}

impl MemoryNodes {
    /// A node that is alone.
    pub fn alone(me: NodeId) -> Self {
        Self { me, registry: Arc::default() }
    }

    /// Another node beside this one.
    #[must_use]
    pub fn beside(&self, other: NodeId) -> Self {
        Self { me: other, registry: Arc::clone(&self.registry) }
    }

    /// Whether a guest who is gone from one node is on another one.
    pub(super) fn has_elsewhere(&self, gone: &Gone) -> bool {
        let registry = self.lock();
        let holders = registry.claims.get(&(gone.space.clone(), gone.user.key()));
        let mut others = holders.into_iter().flatten().filter(|(node, _)| *node != gone.from);
        others.any(|(node, name)| name.stay == gone.stay && registry.is_alive(node))
    }

    /// Poisoning is ignored: nothing below can panic between two changes that belong together.
    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Nodes for MemoryNodes {
    async fn beat(&self, changes: &[Online]) -> Result<Census, Fault> {
        let mut registry = self.lock();
        registry.beats.insert(self.me.clone(), Instant::now());
        for Online { space, user, devices } in changes {
            let key = (self.me.clone(), space.clone(), user.clone());
            if devices.is_empty() {
                registry.online.remove(&key);
            } else {
                registry.online.insert(key, devices.clone());
            }
        }
        let alive = registry.beats.keys().filter(|it| registry.is_alive(it)).cloned().collect();
        let lost = registry.lost.remove(&self.me).unwrap_or_default();
        Ok(Census { alive, lost })
    }

    async fn claim(&self, name: &GuestName) -> Result<Claim, Fault> {
        let mut guard = self.lock();
        let registry = &mut *guard;
        let mut holders = registry.claims.remove(&key(name)).unwrap_or_default();
        let others = holders.iter().filter(|(_, other)| other.stay != name.stay);
        let others: Vec<_> = others.cloned().collect();
        let is_elsewhere = |node: &NodeId| *node != self.me && registry.is_alive(node);
        let is_taken = others.iter().any(|(node, _)| is_elsewhere(node));
        if !is_taken {
            for other in others {
                holders.remove(&other);
                if other.0 != self.me {
                    registry.lost.entry(other.0).or_default().push(other.1);
                }
            }
            holders.insert((self.me.clone(), name.clone()));
        }
        registry.claims.insert(key(name), holders);
        Ok(if is_taken { Claim::Taken } else { Claim::Granted })
    }

    async fn release(&self, names: &[GuestName]) -> Result<(), Fault> {
        let mut registry = self.lock();
        for name in names {
            let Some(holders) = registry.claims.get_mut(&key(name)) else { continue };
            holders.retain(|(node, other)| *node != self.me || other.stay != name.stay);
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
                if *node != self.me && world == space && name == user && registry.is_alive(node) {
                    devices.merge(there.clone());
                }
            }
            devices
        };
        Ok(users.iter().map(devices).collect())
    }

    async fn ticket(&self) -> Result<u64, Fault> {
        let mut registry = self.lock();
        registry.tickets += 1;
        Ok(registry.tickets)
    }

    async fn leave(&self) -> Result<(), Fault> {
        let mut registry = self.lock();
        registry.beats.remove(&self.me);
        registry.online.retain(|(node, ..), _| *node != self.me);
        for holders in registry.claims.values_mut() {
            holders.retain(|(node, _)| *node != self.me);
        }
        Ok(())
    }
}

impl Registry {
    fn is_alive(&self, node: &NodeId) -> bool {
        self.beats.get(node).is_some_and(|beat| beat.elapsed() < LEASE)
    }
}

fn key(name: &GuestName) -> (Space, NameKey) {
    (name.space.clone(), name.user.key())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::contract::nodes_contract;

    #[tokio::test(start_paused = true)]
    async fn memory_keeps_the_contract_of_nodes() {
        let first = MemoryNodes::alone(NodeId::from_raw("n0"));
        let open = async |n: u32| first.beside(NodeId::from_raw(&format!("n{n}")));
        nodes_contract(open, tokio::time::advance).await;
        assert!(LEASE < Duration::from_secs(10));
    }
}
