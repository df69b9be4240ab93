//! Which other nodes there are. A node is gone when neither the store nor the bus has heard of it.

use std::{collections::BTreeMap, time::Duration};

use crate::{chat::ports::LEASE, domain::NodeId};

/// A node that was silent on the bus for so long is not to be heard there.
const SILENCE: Duration = Duration::from_millis(2500);

/// See the module. Times are durations since a moment of the caller's choice.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    nodes: BTreeMap<NodeId, Neighbour>,
    /// When the store could not be asked last.
    blind_at: Option<Duration>,
}

#[derive(Debug)]
struct Neighbour {
    /// Whether it is alive as far as the store knows.
    is_alive: bool,
    /// When it was heard on the bus last; at first, when it was found.
    heard_at: Duration,
}

impl Neighbours {
    /// A node was heard on the bus. Answers whether it was unknown.
    pub(super) fn hear(&mut self, node: &NodeId, now: Duration) -> bool {
        if let Some(neighbour) = self.nodes.get_mut(node) {
            neighbour.heard_at = now;
            return false;
        }
        self.nodes.insert(node.clone(), Neighbour { is_alive: false, heard_at: now });
        true
    }

    /// These live as far as the store knows. Answers those that were unknown, and those that are gone.
    pub(super) fn count(
        &mut self,
        alive: impl IntoIterator<Item = NodeId>,
        now: Duration,
    ) -> (Vec<NodeId>, Vec<NodeId>) {
        self.nodes.values_mut().for_each(|it| it.is_alive = false);
        let mut new = Vec::new();
        for node in alive {
            let neighbour = self.nodes.entry(node.clone()).or_insert_with(|| {
                new.push(node);
                Neighbour { is_alive: true, heard_at: now }
            });
            neighbour.is_alive = true;
        }
        // After the store was away, all nodes look dead until they have said that they live.
        let is_blind = self.blind_at.is_some_and(|at| now < at + LEASE);
        let is_gone = |it: &Neighbour| !is_blind && !it.is_alive && now >= it.heard_at + LEASE;
        let gone: Vec<_> =
            self.nodes.iter().filter(|(_, it)| is_gone(it)).map(|(node, _)| node.clone()).collect();
        self.nodes.retain(|node, _| !gone.contains(node));
        (new, gone)
    }

    /// The store could not be asked.
    pub(super) fn blink(&mut self, now: Duration) {
        self.blind_at = Some(now);
    }

    /// Whether all of them were heard on the bus of late.
    pub(super) fn are_heard(&self, now: Duration) -> bool {
        self.nodes.values().all(|it| now < it.heard_at + SILENCE)
    }

    /// Those that there are.
    pub(super) fn names(&self) -> impl Iterator<Item = &NodeId> {
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
    fn a_node_is_gone_when_nobody_has_heard_of_it() {
        let mut neighbours = Neighbours::default();
        assert_eq!(neighbours.count([node()], at(0)), (vec![node()], vec![]));
        assert!(!neighbours.hear(&node(), at(5)));
        assert_eq!(neighbours.count([], at(12)), (vec![], vec![]), "the bus heard it");
        assert!(!neighbours.are_heard(at(12)));
        assert_eq!(neighbours.count([node()], at(20)), (vec![], vec![]), "the store has");
        assert_eq!(neighbours.count([], at(21)), (vec![], vec![node()]));
        assert!(neighbours.names().next().is_none() && neighbours.are_heard(at(21)));
    }

    #[test]
    fn who_could_not_look_takes_nobody_for_dead() {
        let mut neighbours = Neighbours::default();
        assert!(neighbours.hear(&node(), at(0)));
        neighbours.blink(at(30));
        assert_eq!(neighbours.count([], at(37)), (vec![], vec![]));
        assert_eq!(neighbours.count([], at(38)), (vec![], vec![node()]));
    }
}
