//! Replication between nodes: entries stored by any node are delivered to this node's connections,
//! once and in order.
//!
//! Per conversation, the next entry is delivered, earlier ones are dropped as duplicates, and later
//! ones wait until the missing ones were read from the store. So the bus may lose, repeat and
//! reorder announcements. Sequence numbers reveal losses ([`gap_detector`]); the store is the
//! source of truth and is then read.

mod gap_detector;
mod heartbeat;
mod peers;
mod probe;
mod receive;
mod reorder_buffer;
mod repair;
#[cfg(test)]
mod tests;
mod transfers;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::timeout,
};

pub(crate) use self::probe::ProbeProgress;
use self::{
    gap_detector::GapDetector, heartbeat::LeaseRounds, peers::Peers, probe::ReceivedProbes,
    reorder_buffer::ReorderBuffer,
};
use super::{
    event::Post,
    hub::{DeliveryProgress, Hub, RunDelivery, StaleMemberships},
    ports::{Bus, Clock, ClusterEvent, Nodes, SpanFact, SpanKind, Store, Tracer},
    publisher::Publisher,
    request::ReadyReply,
};
use crate::domain::{Channel, NodeId, Place, Seq, Space, UserName};

/// How long a connecting user waits for the other nodes' lists of online users.
const PEER_WAIT_MAX: Duration = Duration::from_millis(300);
/// How long a missing entry may be delayed on the bus before it is read from the store.
const REORDER_WAIT: Duration = Duration::from_millis(30);

/// See the module.
pub(crate) struct Cluster {
    hub: Arc<Hub>,
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    nodes: Arc<dyn Nodes>,
    clock: Arc<dyn Clock>,
    tracer: Option<Arc<dyn Tracer>>,
    publisher: Arc<Publisher>,
    /// Held while entries are stored and then delivered.
    commit_lock: Semaphore,
    state: Mutex<ClusterState>,
    /// Changes when another node has sent a room's roster. Not sent under the lock of `state`.
    roster_received: watch::Sender<()>,
    lease_rounds: watch::Sender<LeaseRounds>,
    probes: ReceivedProbes,
}

#[derive(Default)]
struct ClusterState {
    reorder_buffers: HashMap<Place, ReorderBuffer>,
    gap_detector: GapDetector,
    peers: Peers,
    /// The channels whose subscription is active.
    subscribed: BTreeSet<Channel>,
    dirty_channels: DirtyChannels,
    /// Users whose cached memberships are out of date.
    stale_users: BTreeMap<(Space, UserName), StaleMemberships>,
    /// The nodes whose rosters are still missing, per room.
    roster_requests: HashMap<Place, BTreeSet<NodeId>>,
    /// Whether the missing rosters are requested without delay.
    rosters_due: bool,
    /// The numbers that were lost, per node and channel, and are to be requested again.
    missed: BTreeMap<(NodeId, Channel), RangeInclusive<u64>>,
}

/// A user whose cached memberships have to be read from the store again.
pub(crate) struct MembershipRefresh {
    pub(crate) space: Space,
    pub(crate) user: UserName,
    pub(crate) stale: StaleMemberships,
}

/// Queues membership refreshes in the order of this node's writes. The journal implements it; the
/// trait is defined here because the cluster is below the journal.
pub(crate) trait RefreshQueue: Sync {
    /// Queues a refresh without waiting. Returns it if the queue is full.
    fn try_refresh(&self, refresh: MembershipRefresh) -> Result<(), MembershipRefresh>;
}

/// The channels on which messages may have been lost.
#[derive(Debug, Default)]
struct DirtyChannels {
    channels: BTreeSet<Channel>,
    all: bool,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

/// The hub and the engines that a cluster works with.
pub(crate) struct ClusterParts {
    pub(crate) hub: Arc<Hub>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) nodes: Arc<dyn Nodes>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
}

impl Cluster {
    pub(crate) fn new(parts: ClusterParts) -> Arc<Self> {
        let ClusterParts { hub, bus, store, nodes, clock, tracer } = parts;
        let (publisher, commit_lock) = (Arc::clone(&hub.publisher), Semaphore::new(1));
        Arc::new(Self {
            hub,
            bus,
            store,
            nodes,
            clock,
            tracer,
            publisher,
            commit_lock,
            state: Mutex::default(),
            roster_received: watch::Sender::new(()),
            lease_rounds: watch::Sender::default(),
            probes: ReceivedProbes::default(),
        })
    }

    /// A panic does not lock others out: repair corrects from the store what it left half done.
    fn lock(&self) -> MutexGuard<'_, ClusterState> {
        self.state.lock()
    }

    /// Waits until no batch is being stored. While the permit is held, all entries that this node
    /// has stored are delivered.
    pub(crate) async fn commit_lock(&self) -> SemaphorePermit<'_> {
        self.commit_lock.acquire().await.expect("the semaphore is never closed")
    }

    /// Delivers what this node has stored in one conversation, in order, here and to the other
    /// nodes. `replies` are sent after the delivery here.
    pub(crate) fn publish_entries(
        &self,
        place: &Place,
        run: &[Post],
        mut replies: Vec<(Seq, ReadyReply)>,
    ) {
        for post in run {
            let entry = || ClusterEvent::Entry(Arc::clone(post.delivery.untimed()));
            self.publisher.publish_to_place(place, entry);
        }
        for span in replies.iter_mut().filter_map(|(_, reply)| reply.span.as_mut()) {
            span.begin("fan-out", SpanKind::Internal);
            span.record(SpanFact::Sockets(self.hub.fanout.sockets(place)));
        }
        self.deliver_in_order(place, run, replies);
    }

    /// Delivers entries stored by any node in one conversation, or keeps them until they are next.
    fn deliver_in_order(&self, place: &Place, run: &[Post], replies: Vec<(Seq, ReadyReply)>) {
        let mut state = self.lock();
        let sent = if let Some(buffer) = state.reorder_buffers.get_mut(place) {
            buffer.add(run, replies);
            self.deliver_ready(&mut state, place)
        } else if self.hub.deliver(place, run) == RunDelivery::Complete {
            replies.into_iter().map(|(_, reply)| reply).collect()
        } else {
            let mut buffer = ReorderBuffer::due_at(self.repair_time());
            buffer.add(run, replies);
            state.reorder_buffers.insert(place.clone(), buffer);
            self.publisher.wake();
            self.deliver_ready(&mut state, place)
        };
        drop(state);
        ReadyReply::send_all(sent);
    }

    /// Delivers the buffered entries of a conversation that are next. Returns the replies to send.
    fn deliver_ready(&self, state: &mut ClusterState, place: &Place) -> Vec<ReadyReply> {
        let Some(buffer) = state.reorder_buffers.get_mut(place) else { return Vec::new() };
        if self.hub.deliver(place, &buffer.run()) == RunDelivery::Complete {
            let mut buffer = state.reorder_buffers.remove(place).unwrap_or_default();
            return buffer.take_replies();
        }
        let DeliveryProgress { delivered, uncertain_users } =
            self.hub.fanout.delivery_progress(place);
        let Some(delivered) = delivered else { return Vec::new() };
        if uncertain_users.is_empty() {
            buffer.remove_delivered(delivered);
        }
        buffer.take_replies_up_to(delivered)
    }

    /// When to read what is missing from the store: at once while the bus is disconnected, because
    /// no announcement can fill the gap.
    fn repair_time(&self) -> Duration {
        let wait = if self.bus.is_connected() { REORDER_WAIT } else { Duration::ZERO };
        self.hub.now() + wait
    }

    /// Schedules a read of conversations whose logs are ahead of what was delivered here.
    pub(crate) fn mark_behind(&self, places: Vec<Place>) {
        if places.is_empty() {
            return;
        }
        let now = self.hub.now();
        let mut state = self.lock();
        for place in places {
            state.reorder_buffers.entry(place).or_default().due = now;
        }
        drop(state);
        self.publisher.wake();
    }

    /// Schedules a refresh of a user's cached memberships.
    pub(crate) fn mark_stale(&self, space: &Space, user: &UserName, stale: StaleMemberships) {
        self.lock().stale_users.entry((space.clone(), user.clone())).or_default().merge(stale);
        self.publisher.wake();
    }

    /// Waits for the other nodes' rosters of these rooms, for [`PEER_WAIT_MAX`] at most.
    pub(crate) async fn wait_for_rosters(&self, rooms: impl FnOnce() -> Vec<Place>) {
        if self.publisher.is_alone() || !self.bus.is_connected() {
            return;
        }
        let rooms = rooms();
        let mut received = self.roster_received.subscribe();
        let has_all = |(): &()| rooms.iter().all(|room| self.has_rosters(room));
        timeout(PEER_WAIT_MAX, received.wait_for(has_all)).await.ok();
    }

    fn has_rosters(&self, room: &Place) -> bool {
        if self.publisher.is_new_room(room) {
            return false;
        }
        let state = self.lock();
        let is_subscribed = Channel::of(room).all(|channel| state.subscribed.contains(&channel));
        is_subscribed && !state.roster_requests.contains_key(room)
    }

    /// Whether the bus is connected and all peers send heartbeats.
    fn is_connected(&self) -> bool {
        self.bus.is_connected() && self.lock().peers.are_all_responsive(self.hub.now())
    }
}
