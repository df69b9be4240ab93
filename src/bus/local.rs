//! A bus for a single node: it has no other nodes to publish to or to receive from.

use std::{collections::BTreeSet, num::NonZeroUsize};

use async_trait::async_trait;

use super::inbox::BusInbox;
use crate::{
    chat::ports::{Announcement, Bus, BusEvent},
    domain::Channel,
};

/// Probes that are not received yet. Further ones are lost.
const PROBES_MAX: NonZeroUsize = NonZeroUsize::new(4).expect("it is not zero");

/// See the module.
#[derive(Debug)]
pub struct LocalBus {
    inbox: BusInbox,
}

impl Default for LocalBus {
    fn default() -> Self {
        Self { inbox: BusInbox::new(PROBES_MAX) }
    }
}

#[async_trait]
impl Bus for LocalBus {
    fn publish(&self, _: Channel, _: Announcement) {}

    fn set_subscriptions(&self, _: &BTreeSet<Channel>) {}

    async fn next(&self) -> Option<BusEvent> {
        self.inbox.next().await
    }

    fn probe(&self, number: u64) {
        self.inbox.push_probe(number);
    }

    fn is_connected(&self) -> bool {
        true
    }

    /// `next` goes on waiting: its task ends with the others.
    async fn close(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::contract;

    #[tokio::test(start_paused = true)]
    async fn keeps_the_contract() {
        contract::single_node_contract(&LocalBus::default()).await;
    }
}
