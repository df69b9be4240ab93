//! Which other nodes there are. A node is gone when neither the store nor the bus has heard of it.

use std::{collections::BTreeMap, time::Duration};

use crate::{chat::ports::LEASE, domain::NodeId};

/// A node that was silent on the bus for so long is not to be heard there.
const SILENCE_MAX: Duration = Duration::from_millis(2500);

/// See the module. Times are durations since a moment of the caller's choice.
#[derive(Debug, Default)]
pub(super) struct Peers {
    nodes: BTreeMap<NodeId, Peer>,
    /// When the store could not be asked last.
    store_failed_at: Option<Duration>,
}

#[derive(Debug)]
struct Peer {
    /// Whether it is alive as far as the store knows.
    is_alive: bool,
    /// When it was heard on the bus last; at first, when it was found.
    received_at: Duration,
}

impl Peers {
    /// A node was heard on the bus. Answers whether it was unknown.
    pub(super) fn record_received(&mut self, node: &NodeId, now: Duration) -> bool {
        if let Some(peer) = self.nodes.get_mut(node) {
            peer.received_at = now;
            return false;
        }
        self.nodes.insert(node.clone(), Peer { is_alive: false, received_at: now });
        true
    }

    /// These live as far as the store knows. Answers those that were unknown, and those that are gone.
    pub(super) fn update_alive(
        &mut self,
        alive: impl IntoIterator<Item = NodeId>,
        now: Duration,
    ) -> (Vec<NodeId>, Vec<NodeId>) {
        self.nodes.values_mut().for_each(|it| it.is_alive = false);
        let mut new = Vec::new();
        for node in alive {
            let peer = self.nodes.entry(node.clone()).or_insert_with(|| {
                new.push(node);
                Peer { is_alive: true, received_at: now }
            });
            peer.is_alive = true;
        }
        // After the store was away, all nodes look dead until they have said that they live.
        let is_store_stale = self.store_failed_at.is_some_and(|at| now < at + LEASE);
        let is_gone = |it: &Peer| !is_store_stale && !it.is_alive && now >= it.received_at + LEASE;
        let gone: Vec<_> =
            self.nodes.iter().filter(|(_, it)| is_gone(it)).map(|(node, _)| node.clone()).collect();
        self.nodes.retain(|node, _| !gone.contains(node));
        (new, gone)
    }

    /// The store could not be asked.
    pub(super) fn record_store_failure(&mut self, now: Duration) {
        self.store_failed_at = Some(now);
    }

    /// Whether all of them were heard on the bus of late.
    pub(super) fn are_all_responsive(&self, now: Duration) -> bool {
        self.nodes.values().all(|it| now < it.received_at + SILENCE_MAX)
    }

    /// Those that there are.
    pub(super) fn ids(&self) -> impl Iterator<Item = &NodeId> {
        self.nodes.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn node() -> NodeId {
        NodeId::from_raw("other")
    }

    #[test]
    fn peer_expires_when_store_and_bus_are_silent() {
        let mut peers = Peers::default();
        assert_eq!(peers.update_alive([node()], at(0)), (vec![node()], vec![]));
        assert!(!peers.record_received(&node(), at(5)));
        assert_eq!(peers.update_alive([], at(12)), (vec![], vec![]), "the bus heard it");
        assert!(!peers.are_all_responsive(at(12)));
        assert_eq!(peers.update_alive([node()], at(20)), (vec![], vec![]), "the store has");
        assert_eq!(peers.update_alive([], at(21)), (vec![], vec![node()]));
        assert!(peers.ids().next().is_none() && peers.are_all_responsive(at(21)));
    }

    #[test]
    fn no_peer_expires_within_lease_after_store_failure() {
        let mut peers = Peers::default();
        assert!(peers.record_received(&node(), at(0)));
        peers.record_store_failure(at(30));
        assert_eq!(peers.update_alive([], at(37)), (vec![], vec![]));
        assert_eq!(peers.update_alive([], at(38)), (vec![], vec![node()]));
    }
}
