//! Between this node and the others: what was stored anywhere reaches this node's connections, once and
//! in order.
//!
//! Per conversation, what is next in line is sent on, what was sent before is dropped, and what is
//! ahead waits until the store has given what is missing. So the bus may lose, repeat and reorder.
//! What it lost is noticed by numbers ([`streams`]), and then the store is asked: it is what is true.

mod census;
mod hear;
mod herald;
mod live;
mod mend;
mod pending;
mod streams;
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

use self::{census::Neighbours, live::Counts, pending::Pending, streams::Streams};
pub(crate) use self::{
    herald::{Herald, Subscription},
    pending::{Answered, answer_all},
};
use super::{
    hub::{Hub, Sent},
    journal::Post,
    ports::{Bus, News, Nodes, Store},
};
use crate::domain::{Channel, NodeId, Place, Seq, Space, UserName};

/// How long somebody who comes waits until nodes know of each other's users.
const ACQUAINTANCE_MAX: Duration = Duration::from_millis(300);
/// How long something that is missing may be on its way, before the store is asked for it.
const PATIENCE: Duration = Duration::from_millis(30);

/// See the module.
pub(crate) struct Relay {
    hub: Arc<Hub>,
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    nodes: Arc<dyn Nodes>,
    herald: Arc<Herald>,
    /// Whose turn it is to store, and to send on what was stored.
    turn: Semaphore,
    state: Mutex<State>,
    /// Another node has said who is in a room there.
    told: Notify,
    counts: watch::Sender<Counts>,
}

#[derive(Default)]
struct State {
    pending: HashMap<Place, Pending>,
    streams: Streams,
    neighbours: Neighbours,
    /// The channels that are heard.
    open: BTreeSet<Channel>,
    suspects: Suspects,
    /// Users whose memberships are others than this node knows.
    stale: BTreeMap<(Space, UserName), Stale>,
    /// Which nodes have yet to say who is in a room there.
    asked: HashMap<Place, BTreeSet<NodeId>>,
    /// Whether some of them are to be asked at once.
    asks_anew: bool,
    /// What of whom was not heard on which channel, and is to be asked for.
    missed: BTreeMap<(NodeId, Channel), RangeInclusive<u64>>,
}

/// What is known of why a user's memberships are others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stale {
    /// Who has changed some.
    pub(crate) by: Vec<(Place, UserName)>,
    /// Of which revision of the store they are at least, once they were read.
    pub(crate) revision: Option<u64>,
}

impl Stale {
    fn merge(&mut self, other: Self) {
        self.by.extend(other.by);
        self.revision = self.revision.max(other.revision);
    }
}

/// Where something may have been missed.
#[derive(Debug, Default)]
struct Suspects {
    channels: BTreeSet<Channel>,
    everywhere: bool,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

/// What a relay is made of.
pub(crate) struct Ends {
    pub(crate) hub: Arc<Hub>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) nodes: Arc<dyn Nodes>,
}

impl Relay {
    pub(crate) fn new(ends: Ends) -> Arc<Self> {
        let Ends { hub, bus, store, nodes } = ends;
        let (herald, turn) = (Arc::clone(hub.herald()), Semaphore::new(1));
        Arc::new(Self {
            hub,
            bus,
            store,
            nodes,
            herald,
            turn,
            state: Mutex::default(),
            told: Notify::new(),
            counts: watch::Sender::default(),
        })
    }

    /// Poisoning is ignored: what a panic leaves half done is mended by the store.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody stores. While it is held, whatever was stored by this node has been posted.
    pub(crate) async fn turn(&self) -> SemaphorePermit<'_> {
        self.turn.acquire().await.expect("the semaphore is never closed")
    }

    /// Sends on what this node has stored in one conversation, in order, here and to the other nodes.
    /// `answers` are called once it was sent here.
    pub(crate) fn post(&self, place: &Place, run: &[Post], answers: Vec<(Seq, Answered)>) {
        for post in run {
            self.herald.tell(place, || News::Entry(Arc::clone(&post.delivery)));
        }
        self.arrive(place, run, answers);
    }

    /// Sends on what was stored in one conversation by whomever, or keeps it until it is next in line.
    fn arrive(&self, place: &Place, run: &[Post], answers: Vec<(Seq, Answered)>) {
        let mut state = self.lock();
        let sent = if let Some(pending) = state.pending.get_mut(place) {
            pending.add(run, answers);
            self.send(&mut state, place)
        } else if self.hub.deliver(place, run) == Sent::All {
            answers.into_iter().map(|(_, answer)| answer).collect()
        } else {
            let mut pending = Pending::due_at(self.due());
            pending.add(run, answers);
            state.pending.insert(place.clone(), pending);
            self.herald.wake();
            self.send(&mut state, place)
        };
        drop(state);
        answer_all(sent);
    }

    /// Sends what is next in line of what waits in a conversation. Answers whom to answer.
    fn send(&self, state: &mut State, place: &Place) -> Vec<Answered> {
        let Some(pending) = state.pending.get_mut(place) else { return Vec::new() };
        if self.hub.deliver(place, &pending.run()) == Sent::All {
            let mut pending = state.pending.remove(place).unwrap_or_default();
            return pending.answers();
        }
        let delivered = self.hub.lag(place).delivered;
        delivered.map_or_else(Vec::new, |seq| pending.sent(seq))
    }

    /// When the store is asked for what is missing now: at once, where nothing else will bring it.
    fn due(&self) -> Duration {
        let patience = if self.bus.is_whole() { PATIENCE } else { Duration::ZERO };
        self.hub.now() + patience
    }

    /// A conversation is further than it was delivered here.
    pub(crate) fn is_behind(&self, places: Vec<Place>) {
        if places.is_empty() {
            return;
        }
        let now = self.hub.now();
        let mut state = self.lock();
        for place in places {
            state.pending.entry(place).or_default().due = now;
        }
        drop(state);
        self.herald.wake();
    }

    /// A user's memberships are others than this node knows.
    pub(crate) fn is_stale(&self, space: &Space, user: &UserName, stale: Stale) {
        self.lock().stale.entry((space.clone(), user.clone())).or_default().merge(stale);
        self.herald.wake();
    }

    /// Waits until the other nodes have said who is in these rooms there, for a moment at most.
    pub(crate) async fn acquaint(&self, rooms: impl FnOnce() -> Vec<Place>) {
        if self.herald.is_alone() || !self.bus.is_whole() {
            return;
        }
        let rooms = rooms();
        let acquainted = async {
            loop {
                let mut told = pin!(self.told.notified());
                // Listening begins before looking, so that no word falls in between.
                told.as_mut().enable();
                if rooms.iter().all(|room| self.is_acquainted(room)) {
                    return;
                }
                told.await;
            }
        };
        timeout(ACQUAINTANCE_MAX, acquainted).await.ok();
    }

    fn is_acquainted(&self, room: &Place) -> bool {
        if self.herald.has_fresh(room) {
            return false;
        }
        let state = self.lock();
        let is_heard = Channel::of(room).all(|channel| state.open.contains(&channel));
        is_heard && !state.asked.contains_key(room)
    }

    /// Whether everything that the other nodes say is heard.
    fn is_whole(&self) -> bool {
        self.bus.is_whole() && self.lock().neighbours.are_heard(self.hub.now())
    }
}
