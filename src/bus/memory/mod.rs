//! The reference: a bus for nodes of one process, with faults that a test may order.
//!
//! Everything happens in the call that causes it, and chance comes from a seed: the same calls in the
//! same order have the same outcome. Without faults nothing is lost, repeated or reordered, as long as
//! consumers keep up.

mod exchange;

use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use self::exchange::{Exchange, Fate, Rule, Seat};
use super::inbox::Inbox;
use crate::{
    chat::ports::{Announcement, Bus, Heard},
    domain::{Channel, NodeId},
};

/// What may wait for one node. What comes past it is dropped, and the node is told that it was.
const INBOX_MAX: NonZeroUsize = NonZeroUsize::new(4096).expect("it is not zero");

/// One node's end of it.
#[derive(Debug)]
pub struct MemoryBus {
    node: NodeId,
    inbox: Arc<Inbox>,
    exchange: Arc<Mutex<Exchange>>,
}

/// From whom to whom: where a fault is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// The node that speaks; every node, if none is named.
    pub from: Option<NodeId>,
    /// The node that hears; every node, if none is named.
    pub to: Option<NodeId>,
}

/// What goes wrong with an announcement on a path. A share is so many in a thousand, by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every nth is lost.
    DropEvery(NonZeroUsize),
    /// This share is lost.
    Drop(u16),
    /// This share comes twice.
    Repeat(u16),
    /// This share is held back until it is released.
    Hold(u16),
    /// All is lost. A node that is cut off from everybody knows it: it is not whole.
    Cut,
}

impl MemoryBus {
    /// The first node of a bus.
    pub fn new(node: NodeId) -> Arc<Self> {
        Self::on(node, Arc::default())
    }

    /// Another node of the same bus. One that has the same id is put out by it.
    pub fn beside(&self, node: NodeId) -> Arc<Self> {
        Self::on(node, Arc::clone(&self.exchange))
    }

    fn on(node: NodeId, exchange: Arc<Mutex<Exchange>>) -> Arc<Self> {
        let bus = Self { node, inbox: Arc::new(Inbox::new(INBOX_MAX)), exchange };
        let seat = Seat { inbox: Arc::clone(&bus.inbox), channels: BTreeSet::new() };
        let before = bus.lock().seats.insert(bus.node.clone(), seat);
        if let Some(before) = before {
            before.inbox.close();
        }
        Arc::new(bus)
    }

    /// Chance begins anew from this seed, for all nodes.
    pub fn seed(&self, seed: u64) {
        self.lock().chance = seed;
    }

    /// From now on this goes wrong there, beside what went wrong before.
    pub fn order(&self, path: Path, fault: Fault) {
        self.lock().rules.push(Rule { path, fault, seen: 0 });
    }

    /// Nothing goes wrong any more of what was ordered for exactly this path. Nodes that were cut off
    /// from everybody hear again, and are told so.
    pub fn heal(&self, path: &Path) {
        let mut exchange = self.lock();
        let before = exchange.deaf();
        exchange.rules.retain(|rule| rule.path != *path);
        let after = exchange.deaf();
        for node in before.difference(&after) {
            if let Some(seat) = exchange.seats.get(node) {
                seat.inbox.open(seat.channels.iter().copied());
            }
        }
    }

    /// What was held back is heard now, in an order by chance.
    pub fn release(&self) {
        let mut exchange = self.lock();
        while let Some((to, channel, announcement)) = exchange.take_held() {
            exchange.deliver(&to, channel, &announcement);
        }
    }

    /// Lets go of the node's seat, if it is still this one's.
    fn leave(&self) {
        self.inbox.close();
        let mut exchange = self.lock();
        if exchange.is_seated(&self.node, &self.inbox) {
            exchange.seats.remove(&self.node);
        }
    }

    /// Poisoning is ignored: each step leaves the exchange consistent.
    fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Bus for MemoryBus {
    fn publish(&self, channel: Channel, announcement: Announcement) {
        let mut exchange = self.lock();
        if !exchange.is_seated(&self.node, &self.inbox) {
            return;
        }
        let others = exchange.seats.iter().filter(|(node, _)| **node != announcement.from);
        let others = others.filter(|(_, seat)| seat.channels.contains(&channel));
        let others: Vec<_> = others.map(|(node, _)| node.clone()).collect();
        for to in others {
            match exchange.fate(&announcement.from, &to) {
                Fate::Heard => exchange.deliver(&to, channel, &announcement),
                Fate::HeardTwice => {
                    exchange.deliver(&to, channel, &announcement);
                    exchange.deliver(&to, channel, &announcement);
                }
                Fate::Held => exchange.hold(to, channel, announcement.clone()),
                Fate::Lost => (),
            }
        }
    }

    fn listen(&self, channels: &BTreeSet<Channel>) {
        let mut exchange = self.lock();
        if !exchange.is_seated(&self.node, &self.inbox) {
            return;
        }
        let deaf = exchange.deaf().contains(&self.node);
        if let Some(seat) = exchange.seats.get_mut(&self.node) {
            let new: Vec<_> = channels.difference(&seat.channels).copied().collect();
            seat.channels.clone_from(channels);
            if !deaf && !new.is_empty() {
                seat.inbox.open(new);
            }
        }
    }

    async fn next(&self) -> Option<Heard> {
        self.inbox.next().await
    }

    fn is_whole(&self) -> bool {
        let exchange = self.lock();
        exchange.is_seated(&self.node, &self.inbox)
            && !self.inbox.overflows()
            && !exchange.deaf().contains(&self.node)
    }

    async fn close(&self) {
        self.leave();
    }
}

impl Drop for MemoryBus {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Path {
    fn covers(&self, from: &NodeId, to: &NodeId) -> bool {
        self.from.as_ref().is_none_or(|it| it == from) && self.to.as_ref().is_none_or(|it| it == to)
    }
}

#[cfg(test)]
mod tests;
