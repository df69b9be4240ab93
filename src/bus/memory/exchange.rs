//! The endpoints of the nodes, and the faults between them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use super::{BusFault, BusPath};
use crate::{
    bus::inbox::BusInbox,
    chat::ports::Announcement,
    domain::{Channel, NodeId},
};

/// The largest number of delayed events. Past it, the oldest one is lost.
const DELAYED_MAX: usize = 4096;

/// The outcome for one announcement.
pub(super) enum Transmission {
    Delivered,
    Duplicated,
    Delayed,
    Dropped,
}

/// All endpoints of a bus, and the fault rules.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) endpoints: BTreeMap<NodeId, Endpoint>,
    pub(super) rules: Vec<FaultRule>,
    delayed: VecDeque<(NodeId, Channel, Announcement)>,
    pub(super) rng_state: u64,
}

/// The endpoint of a node.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) inbox: Arc<BusInbox>,
    pub(super) channels: BTreeSet<Channel>,
}

/// A fault that a test has configured.
#[derive(Debug)]
pub(super) struct FaultRule {
    pub(super) path: BusPath,
    pub(super) fault: BusFault,
    /// The number of announcements that the rule has seen.
    pub(super) seen: usize,
}

impl Exchange {
    /// Whether this is the inbox of the node's current endpoint.
    pub(super) fn is_attached(&self, node: &NodeId, inbox: &Arc<BusInbox>) -> bool {
        self.endpoints.get(node).is_some_and(|endpoint| Arc::ptr_eq(&endpoint.inbox, inbox))
    }

    /// The nodes that receive nothing.
    pub(super) fn isolated(&self) -> BTreeSet<NodeId> {
        let cut = |rule: &&FaultRule| rule.fault == BusFault::Cut && rule.path.from.is_none();
        let cut: Vec<_> = self.rules.iter().filter(cut).map(|rule| &rule.path.to).collect();
        let isolated =
            |node: &&NodeId| cut.iter().any(|to| to.as_ref().is_none_or(|to| to == *node));
        self.endpoints.keys().filter(isolated).cloned().collect()
    }

    /// Applies the rules in the order in which they were added. The first that matches decides.
    pub(super) fn decide_transmission(&mut self, from: &NodeId, to: &NodeId) -> Transmission {
        let rng_state = &mut self.rng_state;
        let mut transmission = Transmission::Delivered;
        for rule in self.rules.iter_mut().filter(|rule| rule.path.covers(from, to)) {
            rule.seen += 1;
            // A random number is drawn in any case, so that one rule does not shift the numbers of
            // another.
            let draw = next_random(rng_state) % 1000;
            let decided = match rule.fault {
                BusFault::DropEvery(nth) if rule.seen.is_multiple_of(nth.get()) => {
                    Transmission::Dropped
                }
                BusFault::Drop(share) if draw < u64::from(share) => Transmission::Dropped,
                BusFault::Duplicate(share) if draw < u64::from(share) => Transmission::Duplicated,
                BusFault::Delay(share) if draw < u64::from(share) => Transmission::Delayed,
                BusFault::Cut => Transmission::Dropped,
                BusFault::DropEvery(_)
                | BusFault::Drop(_)
                | BusFault::Duplicate(_)
                | BusFault::Delay(_) => {
                    continue;
                }
            };
            if matches!(transmission, Transmission::Delivered) {
                transmission = decided;
            }
        }
        transmission
    }

    pub(super) fn deliver(&self, to: &NodeId, channel: Channel, announcement: &Announcement) {
        if let Some(endpoint) =
            self.endpoints.get(to).filter(|endpoint| endpoint.channels.contains(&channel))
        {
            endpoint.inbox.push(channel, announcement.clone(), 0);
        }
    }

    pub(super) fn delay(&mut self, to: NodeId, channel: Channel, announcement: Announcement) {
        if self.delayed.len() >= DELAYED_MAX {
            self.delayed.pop_front();
        }
        self.delayed.push_back((to, channel, announcement));
    }

    /// A random one of the delayed events.
    pub(super) fn take_delayed(&mut self) -> Option<(NodeId, Channel, Announcement)> {
        let count = u64::try_from(self.delayed.len()).expect("a length fits into 64 bits").max(1);
        let place = next_random(&mut self.rng_state) % count;
        self.delayed.swap_remove_back(usize::try_from(place).expect("it is below a length"))
    }
}

/// The random number generator `SplitMix64`: short, and sufficient for tests.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
