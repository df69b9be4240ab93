//! What the server does: sessions, posts, rooms, history, presence; and the ports that it needs.
//!
//! A transport makes a [`Hello`] of what a connection says at the door, lets [`Chat::admit`] decide,
//! enters with an [`Outbox`](ports::Outbox), and then hands each [`Request`] to its [`Session`] in
//! the order in which they came. It decides nothing.

mod admission;
mod cluster;
pub mod event;
mod hub;
mod journal;
pub mod ports;
mod publisher;
mod request;
mod session;
mod sign_in;
#[cfg(test)]
pub(crate) mod test_support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;
use tracing::debug;

pub use self::{
    admission::Admission,
    journal::JournalWriter,
    request::{Answer, Hello, Receipt, Reply, ReplyCallback, Request, RoomPost, UserPresence},
    session::{DrainGuard, Session},
    sign_in::{Credential, Profile, SignedIn},
};
use self::{
    cluster::{Cluster, ClusterParts},
    hub::Hub,
    journal::{Journal, More, WriterParts},
    ports::{
        Bus, Clock, ConnectionMetrics, GuestExpired, GuestName, IdSource, Metrics, Nodes, Store,
        Tokens, TrimLimits, Wire,
    },
    publisher::Publisher,
};
use crate::domain::{CloseReason, Limits, NodeId, RoomRules, SpacePattern};

/// What a chat is made of.
#[expect(missing_debug_implementations, reason = "engines need not print")]
pub struct ChatParts {
    /// The engine that keeps.
    pub store: Arc<dyn Store>,
    /// The engine that carries.
    pub bus: Arc<dyn Bus>,
    /// The engine that knows which nodes there are.
    pub nodes: Arc<dyn Nodes>,
    /// The engine that proves.
    pub tokens: Arc<dyn Tokens>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<dyn IdSource>,
    /// Receives what is counted.
    pub metrics: Arc<dyn Metrics>,
    /// What the operator decided.
    pub rules: ChatRules,
}

/// What the operator decided.
#[derive(Clone, Debug)]
pub struct ChatRules {
    /// How far everything may grow.
    pub limits: Limits,
    /// Who may come without a token.
    pub guests: Guests,
    /// How long a guest's token is good.
    pub guest_lifetime: Duration,
    /// On how many devices a user may be at once.
    pub devices: DevicePolicy,
    /// The spaces there are besides `/`.
    pub spaces: Vec<SpacePattern>,
    /// Which rooms there are, and who may join them.
    pub rooms: RoomRules,
    /// For how long what is kept.
    pub retention: RetentionRules,
    /// What this process calls itself.
    pub node: NodeId,
}

/// For how long what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionRules {
    /// In each conversation the newest so many entries; all of them when it is not said.
    pub entries_max: Option<u64>,
    /// Entries that are not older; for ever when it is not said.
    pub age_max: Option<Duration>,
    /// How often it is looked.
    pub sweep_interval: Duration,
}

impl Default for RetentionRules {
    /// Everything is kept.
    fn default() -> Self {
        Self { entries_max: None, age_max: None, sweep_interval: Duration::from_mins(1) }
    }
}

/// Whether somebody may come without a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guests {
    /// Anybody may come and pick a name.
    On,
    /// Nobody.
    Off,
}

/// On how many devices a user may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevicePolicy {
    /// On any number.
    Many,
    /// On the one that came last: it signs the others out.
    Newest,
}

/// Whether new clients may be sent to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// They may.
    Ready,
    /// It is about to leave.
    Draining,
    /// It does not hear the other nodes.
    BusDisconnected,
}

/// The chat of this node.
pub struct Chat {
    store: Arc<dyn Store>,
    tokens: Arc<dyn Tokens>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    metrics: Arc<dyn Metrics>,
    rules: ChatRules,
    hub: Arc<Hub>,
    journal: Journal,
    cluster: Arc<Cluster>,
    nodes: Arc<dyn Nodes>,
    draining: AtomicBool,
}

impl std::fmt::Debug for Chat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chat").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Chat {
    /// Puts a chat together. The [`JournalWriter`] has to run for messages to be stored.
    pub fn new(parts: ChatParts) -> (Arc<Self>, JournalWriter) {
        let ChatParts { store, bus, nodes, tokens, clock, ids, metrics, rules } = parts;
        let publisher = Publisher::new(rules.node.clone(), Arc::clone(&bus));
        let hub = Hub::new(rules.limits.clone(), publisher);
        let parts = ClusterParts {
            hub: Arc::clone(&hub),
            bus,
            store: Arc::clone(&store),
            nodes: Arc::clone(&nodes),
        };
        let cluster = Cluster::new(parts);
        let writer_parts = WriterParts {
            store: Arc::clone(&store),
            hub: Arc::clone(&hub),
            cluster: Arc::clone(&cluster),
            metrics: Arc::clone(&metrics),
        };
        let (journal, writer) = Journal::new(&rules.limits, writer_parts);
        let draining = AtomicBool::new(false);
        let chat = Self {
            store,
            tokens,
            clock,
            ids,
            metrics,
            rules,
            hub,
            journal,
            cluster,
            nodes,
            draining,
        };
        (Arc::new(chat), writer)
    }

    /// How far everything may grow.
    pub fn limits(&self) -> &Limits {
        &self.rules.limits
    }

    /// Of how many rooms somebody may be a member.
    fn rooms_max(&self) -> Option<u64> {
        u64::try_from(self.limits().rooms_per_user_max.get()).ok()
    }

    /// Ends the graces of those who left and tells rooms who is in them. Runs for ever.
    pub async fn run_timers(self: Arc<Self>) {
        let forget_expired = || {
            for GuestName { space, user, guest_session } in self.hub.take_expired_guests() {
                let from = self.rules.node.clone();
                self.journal.try_forget_guest(GuestExpired { space, user, guest_session, from });
            }
        };
        Arc::clone(&self.hub).run_timers(forget_expired).await;
    }

    /// Hears what the other nodes say, until there is nothing more to be heard.
    pub async fn receive(self: Arc<Self>) {
        self.cluster.receive().await;
    }

    /// Sees to it that what was not heard does not stay missed. Runs for ever.
    pub async fn repair(self: Arc<Self>) {
        self.cluster.repair(&self.journal).await;
    }

    /// Says to the other nodes that this one lives. Runs for ever.
    pub async fn publish_heartbeats(self: Arc<Self>) {
        self.cluster.publish_heartbeats().await;
    }

    /// Keeps count of the nodes, of who is on which, and of guests' names. Runs for ever.
    pub async fn maintain_lease(self: Arc<Self>) {
        self.cluster.maintain_lease().await;
    }

    /// Says to the other nodes that this one lives no more.
    pub async fn leave(&self) {
        if let Err(fault) = self.nodes.leave().await {
            debug!(error = fault.chain(), "the other nodes will notice that this one is gone");
        }
    }

    /// Has taken away what is not to be kept any more. Runs for ever.
    pub async fn sweep(self: Arc<Self>) {
        let RetentionRules { entries_max, age_max, sweep_interval } = self.rules.retention;
        loop {
            let now = self.clock.now();
            let retention = TrimLimits {
                entries_max,
                entries_after: age_max.map(|age| now - age),
                // Whoever came with the last token has left by then, too.
                guests_after: now - 2 * self.rules.guest_lifetime,
            };
            // What was refused is tried again at the next turn.
            if self.journal.trim(retention).await != Ok(More::Yes) {
                sleep(sweep_interval).await;
            }
        }
    }

    /// Records that a connection was admitted, and that it closed when the result is dropped.
    pub fn open_connection_metrics(&self, wire: Wire) -> ConnectionMetrics {
        ConnectionMetrics::open(Arc::clone(&self.metrics), wire)
    }

    /// How many connections there are on this node.
    pub fn connections(&self) -> usize {
        self.hub.connection_count()
    }

    /// Refuses whoever comes from now on, and begins the end of every connection.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.hub.close_all(CloseReason::Draining);
    }

    /// Waits until everybody has gone. After [`drain`](Self::drain) nobody comes any more.
    pub async fn drained(&self) {
        self.hub.wait_until_empty().await;
    }

    /// Whether new clients may be sent here, and if not, why.
    pub fn readiness(&self) -> Readiness {
        if self.is_draining() {
            Readiness::Draining
        } else if self.cluster.is_bus_connected() {
            Readiness::Ready
        } else {
            Readiness::BusDisconnected
        }
    }

    /// Whether [`drain`](Self::drain) was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}
