//! Who sits where, and what becomes of what is said.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use super::{Fault, Path};
use crate::{
    bus::inbox::Inbox,
    chat::ports::Announcement,
    domain::{Channel, NodeId},
};

/// What may be held back. What was held longest is lost past it.
const HELD_MAX: usize = 4096;

/// What becomes of one announcement.
pub(super) enum Fate {
    Heard,
    HeardTwice,
    Held,
    Lost,
}

/// All seats of a bus, and what goes wrong between them.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) seats: BTreeMap<NodeId, Seat>,
    pub(super) rules: Vec<Rule>,
    held: VecDeque<(NodeId, Channel, Announcement)>,
    pub(super) chance: u64,
}

/// Where a node sits.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) inbox: Arc<Inbox>,
    pub(super) channels: BTreeSet<Channel>,
}

/// A fault that was ordered.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) path: Path,
    pub(super) fault: Fault,
    /// How many came by.
    pub(super) seen: usize,
}

impl Exchange {
    /// Whether this is the inbox of the node that has the id now.
    pub(super) fn is_seated(&self, node: &NodeId, inbox: &Arc<Inbox>) -> bool {
        self.seats.get(node).is_some_and(|seat| Arc::ptr_eq(&seat.inbox, inbox))
    }

    /// The nodes that nobody reaches.
    pub(super) fn deaf(&self) -> BTreeSet<NodeId> {
        let cut = |rule: &&Rule| rule.fault == Fault::Cut && rule.path.from.is_none();
        let cut: Vec<_> = self.rules.iter().filter(cut).map(|rule| &rule.path.to).collect();
        let deaf = |node: &&NodeId| cut.iter().any(|to| to.as_ref().is_none_or(|to| to == *node));
        self.seats.keys().filter(deaf).cloned().collect()
    }

    /// Asks all rules, in the order in which they were given. The first that speaks decides.
    pub(super) fn fate(&mut self, from: &NodeId, to: &NodeId) -> Fate {
        let chance = &mut self.chance;
        let mut fate = Fate::Heard;
        for rule in self.rules.iter_mut().filter(|rule| rule.path.covers(from, to)) {
            rule.seen += 1;
            // Chance is asked whether it matters or not, so that one rule does not move another's.
            let draw = next_chance(chance) % 1000;
            let its = match rule.fault {
                Fault::DropEvery(nth) if rule.seen.is_multiple_of(nth.get()) => Fate::Lost,
                Fault::Drop(share) if draw < u64::from(share) => Fate::Lost,
                Fault::Repeat(share) if draw < u64::from(share) => Fate::HeardTwice,
                Fault::Hold(share) if draw < u64::from(share) => Fate::Held,
                Fault::Cut => Fate::Lost,
                Fault::DropEvery(_) | Fault::Drop(_) | Fault::Repeat(_) | Fault::Hold(_) => {
                    continue;
                }
            };
            if matches!(fate, Fate::Heard) {
                fate = its;
            }
        }
        fate
    }

    pub(super) fn deliver(&self, to: &NodeId, channel: Channel, announcement: &Announcement) {
        if let Some(seat) = self.seats.get(to).filter(|seat| seat.channels.contains(&channel)) {
            seat.inbox.push(channel, announcement.clone(), 0);
        }
    }

    pub(super) fn hold(&mut self, to: NodeId, channel: Channel, announcement: Announcement) {
        if self.held.len() >= HELD_MAX {
            self.held.pop_front();
        }
        self.held.push_back((to, channel, announcement));
    }

    /// One of those that are held back, by chance.
    pub(super) fn take_held(&mut self) -> Option<(NodeId, Channel, Announcement)> {
        let count = u64::try_from(self.held.len()).expect("a length fits").max(1);
        let place = next_chance(&mut self.chance) % count;
        self.held.swap_remove_back(usize::try_from(place).expect("it is below a length"))
    }
}

/// The generator `SplitMix64`: short, and good enough to decide who is unlucky.
fn next_chance(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
