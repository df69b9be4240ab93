//! A bus for a single node: it has no other nodes to publish to or to receive from.

use std::{collections::BTreeSet, future};

use async_trait::async_trait;

use crate::{
    chat::ports::{Announcement, Bus, BusEvent},
    domain::Channel,
};

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalBus;

#[async_trait]
impl Bus for LocalBus {
    fn publish(&self, _: Channel, _: Announcement) {}

    fn set_subscriptions(&self, _: &BTreeSet<Channel>) {}

    async fn next(&self) -> Option<BusEvent> {
        future::pending().await
    }

    fn is_connected(&self) -> bool {
        true
    }

    async fn close(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::contract;

    #[tokio::test(start_paused = true)]
    async fn keeps_the_contract() {
        contract::single_node_contract(&LocalBus).await;
    }
}
