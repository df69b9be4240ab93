//! Who sits where, and what becomes of what is said.

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

/// What may be held back. What was held longest is lost past it.
const DELAYED_MAX: usize = 4096;

/// What becomes of one announcement.
pub(super) enum Transmission {
    Delivered,
    Duplicated,
    Delayed,
    Dropped,
}

/// All seats of a bus, and what goes wrong between them.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) endpoints: BTreeMap<NodeId, Endpoint>,
    pub(super) rules: Vec<FaultRule>,
    delayed: VecDeque<(NodeId, Channel, Announcement)>,
    pub(super) rng_state: u64,
}

/// Where a node sits.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) inbox: Arc<BusInbox>,
    pub(super) channels: BTreeSet<Channel>,
}

/// A fault that was ordered.
#[derive(Debug)]
pub(super) struct FaultRule {
    pub(super) path: BusPath,
    pub(super) fault: BusFault,
    /// How many came by.
    pub(super) seen: usize,
}

impl Exchange {
    /// Whether this is the inbox of the node that has the id now.
    pub(super) fn is_attached(&self, node: &NodeId, inbox: &Arc<BusInbox>) -> bool {
        self.endpoints.get(node).is_some_and(|endpoint| Arc::ptr_eq(&endpoint.inbox, inbox))
    }

    /// The nodes that nobody reaches.
    pub(super) fn isolated(&self) -> BTreeSet<NodeId> {
        let cut = |rule: &&FaultRule| rule.fault == BusFault::Cut && rule.path.from.is_none();
        let cut: Vec<_> = self.rules.iter().filter(cut).map(|rule| &rule.path.to).collect();
        let isolated =
            |node: &&NodeId| cut.iter().any(|to| to.as_ref().is_none_or(|to| to == *node));
        self.endpoints.keys().filter(isolated).cloned().collect()
    }

    /// Asks all rules, in the order in which they were given. The first that speaks decides.
    pub(super) fn decide_transmission(&mut self, from: &NodeId, to: &NodeId) -> Transmission {
        let rng_state = &mut self.rng_state;
        let mut transmission = Transmission::Delivered;
        for rule in self.rules.iter_mut().filter(|rule| rule.path.covers(from, to)) {
            rule.seen += 1;
            // Chance is asked whether it matters or not, so that one rule does not move another's.
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

    /// One of those that are held back, by chance.
    pub(super) fn take_delayed(&mut self) -> Option<(NodeId, Channel, Announcement)> {
        let count = u64::try_from(self.delayed.len()).expect("a length fits").max(1);
        let place = next_random(&mut self.rng_state) % count;
        self.delayed.swap_remove_back(usize::try_from(place).expect("it is below a length"))
    }
}

/// The generator `SplitMix64`: short, and good enough to decide who is unlucky.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
