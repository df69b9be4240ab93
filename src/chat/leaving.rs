//! How a node leaves the cluster.

use tracing::debug;

use super::{Chat, ports::ClusterEvent};
use crate::domain::Channel;

impl Chat {
    /// Says farewell to the other nodes, which wait for nothing of this one then. Called once it has
    /// no connections.
    pub fn say_farewell(&self) {
        self.hub.publisher.publish(Channel::BROADCAST, ClusterEvent::Leaving);
    }

    /// Gives up this node's leases.
    pub async fn leave(&self) {
        if let Some(webhooks) = &self.webhooks
            && let Err(fault) = webhooks.outbox.release_leases(&self.rules.node).await
        {
            // They expire.
            debug!(error = fault.chain(), "webhook lease release failed");
        }
        if let Err(fault) = self.nodes.leave().await {
            // The lease expires, and the other nodes then remove this one.
            debug!(error = fault.chain(), "node lease release failed");
        }
    }
}
