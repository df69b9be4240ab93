//! The other nodes (failure detector). A node is removed when its lease in the store has expired
//! and the bus has received nothing from it for as long.

use std::{collections::BTreeMap, time::Duration};

use crate::{chat::ports::LEASE, domain::NodeId};

/// After this time without an announcement a node counts as unreachable on the bus.
const SILENCE_MAX: Duration = Duration::from_millis(2500);

/// See the module. Times are durations since an instant that the caller chooses.
#[derive(Debug, Default)]
pub(super) struct Peers {
    nodes: BTreeMap<NodeId, Peer>,
    /// The last time that the store could not be read.
    store_failed_at: Option<Duration>,
}

#[derive(Debug)]
struct Peer {
    /// Whether its lease in the store is valid.
    is_alive: bool,
    /// The time of its last announcement on the bus; initially the time of its discovery.
    received_at: Duration,
    /// When it said that it leaves. It does not come back: the next process has another id.
    left_at: Option<Duration>,
}

impl Peers {
    /// Records an announcement of a node. Returns whether the node was unknown.
    pub(super) fn record_received(&mut self, node: &NodeId, now: Duration) -> bool {
        if let Some(peer) = self.nodes.get_mut(node) {
            peer.received_at = now;
            return false;
        }
        let peer = Peer { is_alive: false, received_at: now, left_at: None };
        self.nodes.insert(node.clone(), peer);
        true
    }

    /// Records the nodes with a valid lease in the store. Returns the new and the removed nodes.
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
                Peer { is_alive: true, received_at: now, left_at: None }
            });
            peer.is_alive = true;
        }
        // After a failure of the store, all leases look expired until the nodes have renewed them.
        let is_store_stale = self.store_failed_at.is_some_and(|at| now < at + LEASE);
        let is_gone = |it: &Peer| !is_store_stale && !it.is_alive && now >= it.received_at + LEASE;
        let gone: Vec<_> =
            self.nodes.iter().filter(|(_, it)| is_gone(it)).map(|(node, _)| node.clone()).collect();
        self.nodes.retain(|node, _| !gone.contains(node));
        (new, gone)
    }

    /// Records that a node leaves. Its users count as present until it is removed, so that they may
    /// come back on another node.
    pub(super) fn record_left(&mut self, node: &NodeId, now: Duration) {
        if let Some(peer) = self.nodes.get_mut(node) {
            peer.left_at = Some(now);
        }
    }

    /// Records that the store could not be read.
    pub(super) fn record_store_failure(&mut self, now: Duration) {
        self.store_failed_at = Some(now);
    }

    /// Whether the bus has recently received an announcement from each node.
    pub(super) fn are_all_responsive(&self, now: Duration) -> bool {
        self.nodes.values().all(|it| now < it.received_at + SILENCE_MAX)
    }

    /// The nodes that may have connections: those with a valid lease, and those that have recently
    /// announced something, unless they have left. A node that has left is known for longer.
    pub(super) fn serving(&self, now: Duration) -> impl Iterator<Item = &NodeId> {
        let serves = move |it: &Peer| {
            it.left_at.is_none() && (it.is_alive || now < it.received_at + SILENCE_MAX)
        };
        self.nodes.iter().filter(move |(_, it)| serves(it)).map(|(node, _)| node)
    }

    /// The known nodes that have said that they leave.
    pub(super) fn stopped(&self) -> impl Iterator<Item = &NodeId> {
        self.nodes.iter().filter(|(_, it)| it.left_at.is_some()).map(|(node, _)| node)
    }

    /// The known nodes.
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
        assert_eq!(peers.update_alive([], at(12)), (vec![], vec![]), "received on the bus");
        assert!(!peers.are_all_responsive(at(12)));
        assert_eq!(peers.update_alive([node()], at(20)), (vec![], vec![]), "alive in the store");
        assert_eq!(peers.update_alive([], at(21)), (vec![], vec![node()]));
        assert!(peers.ids().next().is_none() && peers.are_all_responsive(at(21)));
    }

    #[test]
    fn a_node_that_left_is_known_but_does_not_serve() {
        let mut peers = Peers::default();
        peers.update_alive([node()], at(0));
        assert_eq!(peers.serving(at(5)).count(), 1, "its lease is valid");
        peers.record_received(&node(), at(6));
        peers.update_alive([], at(7));
        assert_eq!(peers.serving(at(8)).count(), 1, "it has announced something");
        assert_eq!(peers.serving(at(9)).count(), 0);
        assert_eq!((peers.ids().count(), peers.stopped().count()), (1, 0));
    }

    #[test]
    fn a_node_that_said_farewell_does_not_serve_even_if_earlier_announcements_arrive_late() {
        let mut peers = Peers::default();
        peers.update_alive([node()], at(0));
        peers.record_left(&node(), at(1));
        peers.record_received(&node(), at(1));
        peers.update_alive([node()], at(1));
        assert_eq!((peers.serving(at(1)).count(), peers.ids().count()), (0, 1));
        assert_eq!(peers.stopped().count(), 1);
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
