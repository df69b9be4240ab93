//! Between this node and the others: what was stored anywhere reaches this node's connections, once and
//! in order.
//!
//! Per conversation, what is next in line is sent on, what was sent before is dropped, and what is
//! ahead waits until the store has given what is missing. So the bus may lose, repeat and reorder.
//! What it lost is noticed by numbers ([`gap_detector`]), and then the store is asked: it is what is true.

mod gap_detector;
mod heartbeat;
mod peers;
mod receive;
mod reorder_buffer;
mod repair;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::RangeInclusive,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit, watch},
    time::timeout,
};

use self::{
    gap_detector::GapDetector, heartbeat::LeaseRounds, peers::Peers, reorder_buffer::ReorderBuffer,
};
use super::{
    event::Post,
    hub::{Hub, RunDelivery, StaleMemberships},
    ports::{Bus, ClusterEvent, Nodes, Store},
    publisher::Publisher,
    request::ReadyReply,
};
use crate::domain::{Channel, NodeId, Place, Seq, Space, UserName};

/// How long somebody who comes waits until nodes know of each other's users.
const PEER_WAIT_MAX: Duration = Duration::from_millis(300);
/// How long something that is missing may be on its way, before the store is asked for it.
const REORDER_WAIT: Duration = Duration::from_millis(30);

/// See the module.
pub(crate) struct Cluster {
    hub: Arc<Hub>,
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    nodes: Arc<dyn Nodes>,
    publisher: Arc<Publisher>,
    /// Whose turn it is to store, and to send on what was stored.
    commit_lock: Semaphore,
    state: Mutex<ClusterState>,
    /// Another node has said who is in a room there.
    roster_received: Notify,
    lease_rounds: watch::Sender<LeaseRounds>,
}

#[derive(Default)]
struct ClusterState {
    reorder_buffers: HashMap<Place, ReorderBuffer>,
    gap_detector: GapDetector,
    peers: Peers,
    /// The channels that are heard.
    subscribed: BTreeSet<Channel>,
    dirty_channels: DirtyChannels,
    /// Users whose memberships are others than this node knows.
    stale_users: BTreeMap<(Space, UserName), StaleMemberships>,
    /// Which nodes have yet to say who is in a room there.
    roster_requests: HashMap<Place, BTreeSet<NodeId>>,
    /// Whether some of them are to be asked at once.
    rosters_due: bool,
    /// What of whom was not heard on which channel, and is to be asked for.
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
}

impl Cluster {
    pub(crate) fn new(parts: ClusterParts) -> Arc<Self> {
        let ClusterParts { hub, bus, store, nodes } = parts;
        let (publisher, commit_lock) = (Arc::clone(hub.publisher()), Semaphore::new(1));
        Arc::new(Self {
            hub,
            bus,
            store,
            nodes,
            publisher,
            commit_lock,
            state: Mutex::default(),
            roster_received: Notify::new(),
            lease_rounds: watch::Sender::default(),
        })
    }

    /// Poisoning is ignored: what a panic leaves half done is mended by the store.
    fn lock(&self) -> MutexGuard<'_, ClusterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody stores. While it is held, whatever was stored by this node has been posted.
    pub(crate) async fn commit_lock(&self) -> SemaphorePermit<'_> {
        self.commit_lock.acquire().await.expect("the semaphore is never closed")
    }

    /// Sends on what this node has stored in one conversation, in order, here and to the other nodes.
    /// `replies` are sent once it was delivered here.
    pub(crate) fn publish_entries(
        &self,
        place: &Place,
        run: &[Post],
        replies: Vec<(Seq, ReadyReply)>,
    ) {
        for post in run {
            self.publisher
                .publish_to_place(place, || ClusterEvent::Entry(Arc::clone(&post.delivery)));
        }
        self.deliver_in_order(place, run, replies);
    }

    /// Sends on what was stored in one conversation by whomever, or keeps it until it is next in line.
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

    /// Sends what is next in line of what waits in a conversation. Answers whom to answer.
    fn deliver_ready(&self, state: &mut ClusterState, place: &Place) -> Vec<ReadyReply> {
        let Some(buffer) = state.reorder_buffers.get_mut(place) else { return Vec::new() };
        if self.hub.deliver(place, &buffer.run()) == RunDelivery::Complete {
            let mut buffer = state.reorder_buffers.remove(place).unwrap_or_default();
            return buffer.take_replies();
        }
        let delivered = self.hub.delivery_progress(place).delivered;
        delivered.map_or_else(Vec::new, |seq| buffer.remove_delivered(seq))
    }

    /// When the store is asked for what is missing now: at once, where nothing else will bring it.
    fn repair_time(&self) -> Duration {
        let wait = if self.bus.is_connected() { REORDER_WAIT } else { Duration::ZERO };
        self.hub.now() + wait
    }

    /// A conversation is further than it was delivered here.
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

    /// A user's memberships are others than this node knows.
    pub(crate) fn mark_stale(&self, space: &Space, user: &UserName, stale: StaleMemberships) {
        self.lock().stale_users.entry((space.clone(), user.clone())).or_default().merge(stale);
        self.publisher.wake();
    }

    /// Waits until the other nodes have said who is in these rooms there, for a moment at most.
    pub(crate) async fn wait_for_rosters(&self, rooms: impl FnOnce() -> Vec<Place>) {
        if self.publisher.is_alone() || !self.bus.is_connected() {
            return;
        }
        let rooms = rooms();
        let received = async {
            loop {
                let mut roster_received = pin!(self.roster_received.notified());
                // Listening begins before looking, so that no word falls in between.
                roster_received.as_mut().enable();
                if rooms.iter().all(|room| self.has_rosters(room)) {
                    return;
                }
                roster_received.await;
            }
        };
        timeout(PEER_WAIT_MAX, received).await.ok();
    }

    fn has_rosters(&self, room: &Place) -> bool {
        if self.publisher.is_new_room(room) {
            return false;
        }
        let state = self.lock();
        let is_subscribed = Channel::of(room).all(|channel| state.subscribed.contains(&channel));
        is_subscribed && !state.roster_requests.contains_key(room)
    }

    /// Whether everything that the other nodes say is heard.
    fn is_connected(&self) -> bool {
        self.bus.is_connected() && self.lock().peers.are_all_responsive(self.hub.now())
    }
}
