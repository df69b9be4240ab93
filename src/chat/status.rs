//! What this node says of itself: how much it holds, and whether its engines work.

use std::{collections::HashMap, sync::Arc};

use time::OffsetDateTime;

use super::{
    Chat,
    ports::{ApiKey, Carrier, MetricEvent, RequestMetrics, Traffic, TrafficMeter, Wire},
};
use crate::domain::{ApiScope, KeyRejection, NodeId, Rejection, Space};

/// Whether an engine works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineState {
    /// It does.
    Up,
    /// It does not.
    Down,
}

/// What a node holds at one time.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// Number of connections.
    pub connections: HashMap<(Space, Carrier), usize>,
    /// The bytes that wait for these connections.
    pub waiting_bytes: usize,
    /// What connections have sent and received.
    pub traffic: Traffic,
    /// Number of users, with those in the grace period.
    pub users: usize,
    /// Number of rooms in memory.
    pub rooms: usize,
    /// Number of commands that wait for the store.
    pub journal_commands: usize,
    /// The size of the messages among them.
    pub journal_bytes: usize,
    /// Whether the last transaction of the journal succeeded.
    pub store: EngineState,
    /// Whether announcements of other nodes arrive.
    pub bus: EngineState,
    /// Whether the node drains.
    pub is_draining: bool,
}

impl From<bool> for EngineState {
    fn from(is_up: bool) -> Self {
        if is_up { Self::Up } else { Self::Down }
    }
}

impl Chat {
    /// Whether another node is known.
    #[cfg(test)]
    pub(crate) fn has_peers(&self) -> bool {
        !self.cluster.serving_peers().is_empty()
    }

    /// The name of this node.
    pub fn node(&self) -> &NodeId {
        &self.rules.node
    }

    /// The time now.
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// The number of connections on this node.
    pub fn connections(&self) -> usize {
        self.hub.connections.count()
    }

    /// What this node holds now. The values are not all of the same moment.
    pub fn gauges(&self) -> Gauges {
        let totals = self.hub.connections.totals();
        let journal = self.journal.usage();
        Gauges {
            connections: totals.connections,
            waiting_bytes: totals.waiting_bytes,
            traffic: self.hub.connection_pages.traffic(),
            users: self.hub.users.count(),
            rooms: self.hub.live_rooms.len(),
            journal_commands: journal.commands,
            journal_bytes: journal.bytes,
            store: EngineState::from(journal.is_store_up),
            bus: EngineState::from(self.cluster.is_bus_connected()),
            is_draining: self.is_draining(),
        }
    }

    /// Sets what counts the traffic of this node. The first one is kept.
    pub fn set_traffic_meter(&self, meter: Arc<dyn TrafficMeter>) {
        self.hub.connection_pages.set_traffic_meter(meter);
    }

    /// Refuses an API key that may not read what concerns all spaces. Unlike other requests of the API
    /// this one is answered during a drain, too.
    pub fn check_may_observe(&self, key: &ApiKey) -> Result<(), Rejection> {
        if !key.spaces.is_empty() {
            Err(Rejection::Key(KeyRejection::AllSpaces))
        } else if !key.scopes.contains(&ApiScope::Read) {
            Err(Rejection::Key(KeyRejection::Scope(ApiScope::Read)))
        } else {
            Ok(())
        }
    }

    /// Counts a poll of a Socket.IO client.
    pub fn count_poll(&self) {
        self.metrics.record(MetricEvent::PollReceived);
    }

    /// The counters of the requests of connections over `wire`.
    pub fn request_metrics(&self, wire: Wire) -> RequestMetrics {
        RequestMetrics::new(Arc::clone(&self.metrics), self.tracer.clone(), wire)
    }
}
