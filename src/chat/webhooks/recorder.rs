//! The task that records the presence on this node, and ends that of nodes that failed.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    Webhooks,
    fault_log::{FaultLog, FaultTexts},
};
use crate::{
    chat::{
        cluster::Cluster,
        hub::{Hub, PresenceChanges},
        ports::PresenceRecord,
    },
    domain::NodeId,
};

/// How often the presence of failed nodes is looked for.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);
/// The time between two attempts to record something.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long the task waits for the lease of this node. Other nodes take a node without a lease for a
/// failed one.
const LEASE_WAIT_MAX: Duration = Duration::from_secs(5);

const FAULTS: FaultTexts = FaultTexts {
    failed: "presence for webhooks is not recorded",
    restored: "presence for webhooks is recorded again",
};

/// See the module.
pub(in crate::chat) struct PresenceRecorder {
    hub: Arc<Hub>,
    cluster: Arc<Cluster>,
    webhooks: Arc<Webhooks>,
    node: NodeId,
    faults: FaultLog,
}

impl PresenceRecorder {
    pub(in crate::chat) fn new(
        hub: Arc<Hub>,
        cluster: Arc<Cluster>,
        webhooks: Arc<Webhooks>,
        node: NodeId,
    ) -> Self {
        Self { hub, cluster, webhooks, node, faults: FaultLog::new(FAULTS, None) }
    }

    /// Records changes until `finish`, then the end of everything that is present here, and returns.
    pub(in crate::chat) async fn run(mut self, finish: CancellationToken) {
        timeout(LEASE_WAIT_MAX, self.cluster.wait_for_lease()).await.ok();
        self.end_lost_presence().await;
        while !finish.is_cancelled() {
            let log = &self.hub.presence_log;
            // All of them are cancel-safe.
            tokio::select! {
                () = log.wait_for_change() => self.record_all(&finish).await,
                () = sleep(CHECK_INTERVAL) => self.end_lost_presence().await,
                () = finish.cancelled() => (),
            }
        }
        self.hub.presence_log.end_all();
        self.record_all(&finish).await;
    }

    /// Records all changes. Gives up when the store fails after `finish`: the next start, or another
    /// node, ends the presence of this one then.
    async fn record_all(&mut self, finish: &CancellationToken) {
        loop {
            let changes = self.hub.presence_log.take();
            if changes.is_empty() {
                return;
            }
            let record = Arc::new(self.record(changes));
            loop {
                let recorded = self.webhooks.outbox.record_presence(Arc::clone(&record)).await;
                if self.faults.check(recorded).is_some() {
                    break;
                }
                if finish.is_cancelled() {
                    return;
                }
                timeout(RETRY_INTERVAL, finish.cancelled()).await.ok();
            }
            self.webhooks.wake();
        }
    }

    /// Ends the presence of failed nodes. If another node has taken this one for failed, records what is
    /// present here again.
    async fn end_lost_presence(&mut self) {
        let record = Arc::new(self.record(PresenceChanges::default()));
        let ended = self.webhooks.outbox.end_lost_presence(record).await;
        let Some(own) = self.faults.check(ended) else { return };
        self.webhooks.wake();
        let recorded = self.hub.presence_log.recorded();
        if recorded.is_some_and(|recorded| recorded as u64 != own) {
            info!("presence of this node was removed, and is recorded again");
            self.hub.presence_log.record_again();
        }
    }

    fn record(&self, changes: PresenceChanges) -> PresenceRecord {
        let PresenceChanges { appeared, gone } = changes;
        PresenceRecord {
            node: self.node.clone(),
            appeared,
            gone,
            rules: Arc::clone(&self.webhooks.rules),
            at: self.webhooks.clock.now(),
        }
    }
}
