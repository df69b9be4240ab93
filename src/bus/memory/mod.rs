//! The reference: a bus for nodes of one process, with faults that a test can configure.
//!
//! All effects happen within the call that causes them, and random numbers are seeded: the same
//! calls in the same order have the same outcome. Without faults nothing is lost, repeated or
//! reordered, as long as consumers keep up.

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

/// The limit of a node's inbox. Events past it are dropped, and the consumer receives the gap.
const INBOX_MAX: NonZeroUsize = NonZeroUsize::new(4096).expect("it is not zero");

/// One node's endpoint.
#[derive(Debug)]
pub struct MemoryBus {
    node: NodeId,
    inbox: Arc<BusInbox>,
    exchange: Arc<Mutex<Exchange>>,
}

/// The path of a fault: publisher and receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusPath {
    /// The publishing node; every node, if `None`.
    pub from: Option<NodeId>,
    /// The receiving node; every node, if `None`.
    pub to: Option<NodeId>,
}

/// A fault of announcements on a path. Shares are per thousand, at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusFault {
    /// Every nth is lost.
    DropEvery(NonZeroUsize),
    /// This share is lost.
    Drop(u16),
    /// This share is delivered twice.
    Duplicate(u16),
    /// This share is delayed until it is released.
    Delay(u16),
    /// Everything is lost. A node that receives from no other node is disconnected.
    Cut,
}

impl MemoryBus {
    /// The first node of a bus.
    pub fn new(node: NodeId) -> Arc<Self> {
        Self::attach(node, Arc::default())
    }

    /// Another node of the same bus. It replaces one with the same id.
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

    /// Restarts the random numbers of all nodes from this seed.
    pub fn seed(&self, seed: u64) {
        self.lock().rng_state = seed;
    }

    /// Adds a fault on a path, beside earlier ones.
    pub fn inject_fault(&self, path: BusPath, fault: BusFault) {
        self.lock().rules.push(FaultRule { path, fault, seen: 0 });
    }

    /// Removes the faults of exactly this path. Nodes that were isolated are connected again, and
    /// receive [`BusEvent::Subscribed`].
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

    /// Delivers the delayed events, in random order.
    pub fn release_delayed(&self) {
        let mut exchange = self.lock();
        while let Some((to, channel, announcement)) = exchange.take_delayed() {
            exchange.deliver(&to, channel, &announcement);
        }
    }

    /// Removes the node's endpoint, if it is still this one.
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

    fn probe(&self, number: u64) {
        let mut exchange = self.lock();
        let is_attached = exchange.is_attached(&self.node, &self.inbox);
        // Faults apply, but there is nothing to reorder, and a repetition has no effect.
        let transmission = exchange.decide_transmission(&self.node, &self.node);
        if is_attached && !matches!(transmission, Transmission::Dropped) {
            self.inbox.push_probe(number);
        }
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
