//! The reference: a bus for nodes of one process, with faults that a test may order.
//!
//! Everything happens in the call that causes it, and chance comes from a seed: the same calls in the
//! same order have the same outcome. Without faults nothing is lost, repeated or reordered, as long as
//! consumers keep up.

mod exchange;

use std::{collections::BTreeSet, num::NonZeroUsize, sync::Arc};

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};

use self::exchange::{Endpoint, Exchange, FaultRule, Transmission};
use super::inbox::BusInbox;
use crate::{
    chat::ports::{Announcement, Bus, BusEvent},
    domain::{Channel, NodeId},
};

/// What may wait for one node. What comes past it is dropped, and the node is told that it was.
const INBOX_MAX: NonZeroUsize = NonZeroUsize::new(4096).expect("it is not zero");

/// One node's end of it.
#[derive(Debug)]
pub struct MemoryBus {
    node: NodeId,
    inbox: Arc<BusInbox>,
    exchange: Arc<Mutex<Exchange>>,
}

/// From whom to whom: where a fault is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusPath {
    /// The node that speaks; every node, if none is named.
    pub from: Option<NodeId>,
    /// The node that hears; every node, if none is named.
    pub to: Option<NodeId>,
}

/// What goes wrong with an announcement on a path. A share is so many in a thousand, by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusFault {
    /// Every nth is lost.
    DropEvery(NonZeroUsize),
    /// This share is lost.
    Drop(u16),
    /// This share comes twice.
    Duplicate(u16),
    /// This share is held back until it is released.
    Delay(u16),
    /// All is lost. A node that is cut off from everybody knows it: it is not whole.
    Cut,
}

impl MemoryBus {
    /// The first node of a bus.
    pub fn new(node: NodeId) -> Arc<Self> {
        Self::attach(node, Arc::default())
    }

    /// Another node of the same bus. One that has the same id is put out by it.
    pub fn add_node(&self, node: NodeId) -> Arc<Self> {
        Self::attach(node, Arc::clone(&self.exchange))
    }

    fn attach(node: NodeId, exchange: Arc<Mutex<Exchange>>) -> Arc<Self> {
        let bus = Self { node, inbox: Arc::new(BusInbox::new(INBOX_MAX)), exchange };
        let endpoint = Endpoint { inbox: Arc::clone(&bus.inbox), channels: BTreeSet::new() };
        let before = bus.lock().endpoints.insert(bus.node.clone(), endpoint);
        if let Some(before) = before {
            before.inbox.close();
        }
        Arc::new(bus)
    }

    /// Chance begins anew from this seed, for all nodes.
    pub fn seed(&self, seed: u64) {
        self.lock().rng_state = seed;
    }

    /// From now on this goes wrong there, beside what went wrong before.
    pub fn inject_fault(&self, path: BusPath, fault: BusFault) {
        self.lock().rules.push(FaultRule { path, fault, seen: 0 });
    }

    /// Nothing goes wrong any more of what was ordered for exactly this path. Nodes that were cut off
    /// from everybody hear again, and are told so.
    pub fn clear_faults(&self, path: &BusPath) {
        let mut exchange = self.lock();
        let before = exchange.isolated();
        exchange.rules.retain(|rule| rule.path != *path);
        let after = exchange.isolated();
        for node in before.difference(&after) {
            if let Some(endpoint) = exchange.endpoints.get(node) {
                endpoint.inbox.push_subscribed(endpoint.channels.iter().copied());
            }
        }
    }

    /// What was held back is heard now, in an order by chance.
    pub fn release_delayed(&self) {
        let mut exchange = self.lock();
        while let Some((to, channel, announcement)) = exchange.take_delayed() {
            exchange.deliver(&to, channel, &announcement);
        }
    }

    /// Lets go of the node's seat, if it is still this one's.
    fn detach(&self) {
        self.inbox.close();
        let mut exchange = self.lock();
        if exchange.is_attached(&self.node, &self.inbox) {
            exchange.endpoints.remove(&self.node);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock()
    }
}

#[async_trait]
impl Bus for MemoryBus {
    fn publish(&self, channel: Channel, announcement: Announcement) {
        let mut exchange = self.lock();
        if !exchange.is_attached(&self.node, &self.inbox) {
            return;
        }
        let others = exchange.endpoints.iter().filter(|(node, _)| **node != announcement.from);
        let others = others.filter(|(_, endpoint)| endpoint.channels.contains(&channel));
        let others: Vec<_> = others.map(|(node, _)| node.clone()).collect();
        for to in others {
            match exchange.decide_transmission(&announcement.from, &to) {
                Transmission::Delivered => exchange.deliver(&to, channel, &announcement),
                Transmission::Duplicated => {
                    exchange.deliver(&to, channel, &announcement);
                    exchange.deliver(&to, channel, &announcement);
                }
                Transmission::Delayed => exchange.delay(to, channel, announcement.clone()),
                Transmission::Dropped => (),
            }
        }
    }

    fn set_subscriptions(&self, channels: &BTreeSet<Channel>) {
        let mut exchange = self.lock();
        if !exchange.is_attached(&self.node, &self.inbox) {
            return;
        }
        let isolated = exchange.isolated().contains(&self.node);
        if let Some(endpoint) = exchange.endpoints.get_mut(&self.node) {
            let new: Vec<_> = channels.difference(&endpoint.channels).copied().collect();
            endpoint.channels.clone_from(channels);
            if !isolated && !new.is_empty() {
                endpoint.inbox.push_subscribed(new);
            }
        }
    }

    async fn next(&self) -> Option<BusEvent> {
        self.inbox.next().await
    }

    fn is_connected(&self) -> bool {
        let exchange = self.lock();
        exchange.is_attached(&self.node, &self.inbox)
            && !self.inbox.overflows()
            && !exchange.isolated().contains(&self.node)
    }

    async fn close(&self) {
        self.detach();
    }
}

impl Drop for MemoryBus {
    fn drop(&mut self) {
        self.detach();
    }
}

impl BusPath {
    fn covers(&self, from: &NodeId, to: &NodeId) -> bool {
        self.from.as_ref().is_none_or(|it| it == from) && self.to.as_ref().is_none_or(|it| it == to)
    }
}

#[cfg(test)]
mod tests;
