//! Probes: numbers that this node sends to itself, the way that announcements take.

use tokio::sync::watch;

use super::Cluster;

/// The last probes that have arrived.
#[derive(Debug, Default)]
pub(super) struct ReceivedProbes {
    /// At the receiver.
    received: watch::Sender<u64>,
    /// At the hub.
    delivered: watch::Sender<u64>,
}

/// How far a probe came that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeProgress {
    /// The bus has not returned it.
    Published,
    /// The hub has not accepted it.
    Received,
    /// It has arrived.
    Delivered,
}

impl Cluster {
    /// Sends a probe to this node.
    pub(crate) fn publish_probe(&self, number: u64) {
        self.bus.probe(number);
    }

    /// How far a published probe came.
    pub(crate) fn probe_progress(&self, number: u64) -> ProbeProgress {
        if *self.probes.delivered.borrow() >= number {
            ProbeProgress::Delivered
        } else if *self.probes.received.borrow() >= number {
            ProbeProgress::Received
        } else {
            ProbeProgress::Published
        }
    }

    /// Waits until a probe has arrived at the hub. Cancel-safe.
    pub(crate) async fn wait_for_probe(&self, number: u64) {
        let mut delivered = self.probes.delivered.subscribe();
        delivered.wait_for(|last| *last >= number).await.expect("the sender lives in `self`");
    }

    /// Passes a probe to the hub.
    pub(super) fn on_probe(&self, number: u64) {
        self.probes.received.send_modify(|last| *last = number.max(*last));
        self.hub.visit_locks();
        self.probes.delivered.send_modify(|last| *last = number.max(*last));
    }
}
