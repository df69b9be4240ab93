//! What this node tells the others, and what it wants to hear of them.
//!
//! Every announcement has a number on its channel, so that whoever misses one notices. What was
//! announced is not kept, the store has it; only acts are, for those who ask again.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    mem,
    ops::RangeInclusive,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::{
    chat::ports::{Act, Announcement, Bus, LEASE, News},
    domain::{Channel, NodeId, Place, Space, UserName},
};

/// For how long a beat says how much was announced on a channel: whoever did not hear of it in that
/// time did not hear this node at all.
const BEAT_TELLS: Duration = Duration::from_secs(15);
/// For how long acts are kept for those who missed them, and how many. The oldest go first.
const ACTS_LAST: Duration = Duration::from_mins(10);
const ACTS_KEPT_MAX: usize = 4096;

/// See the module.
pub(crate) struct Herald {
    node: NodeId,
    bus: Arc<dyn Bus>,
    /// Whether there is no other node.
    alone: AtomicBool,
    /// Whether everything is heard, and everybody who was asked has answered.
    hears_all: AtomicBool,
    /// When it was said last to whoever counts the nodes that this one lives.
    counted: Mutex<Instant>,
    state: Mutex<State>,
    /// Something is to be done by whoever listens to the others.
    wake: Notify,
}

#[derive(Default)]
struct State {
    said: HashMap<Channel, Said>,
    acts: VecDeque<Kept>,
    /// By how many subscriptions a channel is wanted.
    wanted: HashMap<Channel, usize>,
    /// Whether other channels are wanted than the bus was told of.
    wants_others: bool,
    /// Rooms of which nothing was heard so far.
    fresh: Vec<Place>,
}

/// An act that may be announced again.
#[derive(Clone)]
struct Kept {
    channel: Channel,
    number: u64,
    act: Act,
    at: Instant,
}

/// What was announced on a channel.
struct Said {
    number: u64,
    at: Instant,
}

impl Herald {
    /// Speaks for `node`.
    pub(crate) fn new(node: NodeId, bus: Arc<dyn Bus>) -> Arc<Self> {
        let state = State { wants_others: true, ..State::default() };
        let (alone, hears_all) = (AtomicBool::new(true), AtomicBool::new(true));
        let wake = Notify::new();
        let counted = Mutex::new(Instant::now());
        Arc::new(Self { node, bus, alone, hears_all, counted, state: Mutex::new(state), wake })
    }

    /// Poisoning is ignored: every critical section leaves the state consistent at each step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For whom it speaks.
    pub(crate) fn node(&self) -> &NodeId {
        &self.node
    }

    /// Whether there is no other node, as far as this one knows.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Relaxed)
    }

    /// Takes note of how many other nodes there are.
    pub(crate) fn count_others(&self, others: usize) {
        self.alone.store(others == 0, Ordering::Relaxed);
    }

    /// Whether it is known here who is on the other nodes.
    pub(crate) fn hears_all(&self) -> bool {
        self.is_alone() || self.hears_all.load(Ordering::Relaxed)
    }

    /// Takes note of what is still to be heard.
    pub(super) fn lacks(&self, unheard: usize) {
        self.hears_all.store(unheard == 0, Ordering::Relaxed);
    }

    /// Whether this node's lease is over: the others have forgotten who was here.
    pub(crate) fn has_lapsed(&self) -> bool {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).elapsed() >= LEASE
    }

    /// This node lives, as far as whoever counts the nodes knows.
    pub(super) fn is_counted(&self) {
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Announces something on a channel. What is said there goes out in the order of the calls.
    pub(crate) fn say(&self, channel: Channel, news: News) {
        self.announce(&mut self.lock(), channel, news);
    }

    fn announce(&self, state: &mut State, channel: Channel, news: News) -> u64 {
        let now = Instant::now();
        let said = state.said.entry(channel).or_insert(Said { number: 0, at: now });
        *said = Said { number: said.number + 1, at: now };
        let number = said.number;
        self.bus.publish(channel, Announcement { from: self.node.clone(), number, news });
        number
    }

    /// Announces something about a conversation, to all who are in it.
    pub(crate) fn tell(&self, place: &Place, news: impl Fn() -> News) {
        for channel in Channel::of(place) {
            self.say(channel, news());
        }
    }

    /// Announces something about a user.
    pub(crate) fn tell_of(&self, space: &Space, user: &UserName, news: News) {
        self.say(Channel::of_user(space, &user.key()), news);
    }

    /// Announces an act, and keeps it.
    pub(crate) fn act(&self, channel: Channel, act: Act) {
        let mut state = self.lock();
        let number = self.announce(&mut state, channel, News::Act(act.clone()));
        let now = Instant::now();
        state.acts.push_back(Kept { channel, number, act, at: now });
        let is_over = |kept: &Kept| now - kept.at > ACTS_LAST;
        while state.acts.len() > ACTS_KEPT_MAX || state.acts.front().is_some_and(is_over) {
            state.acts.pop_front();
        }
    }

    /// Announces the acts among these numbers again.
    pub(crate) fn repeat(&self, channel: Channel, numbers: &RangeInclusive<u64>) {
        let mut state = self.lock();
        let missed = |it: &&Kept| it.channel == channel && numbers.contains(&it.number);
        let acts: Vec<_> = state.acts.iter().filter(missed).cloned().collect();
        for Kept { number, act, .. } in acts {
            self.announce(&mut state, channel, News::Again(number, act));
        }
    }

    /// Says that this node lives, and how much it has announced where something was said of late, or an
    /// act is kept.
    pub(crate) fn beat(&self) {
        let mut state = self.lock();
        let now = Instant::now();
        let acted: BTreeSet<_> = state.acts.iter().map(|it| it.channel).collect();
        let told = state.said.iter().filter(|(channel, said)| {
            let is_of_late = now - said.at < BEAT_TELLS;
            **channel != Channel::EVERYBODY && (is_of_late || acted.contains(channel))
        });
        let beat = told.map(|(channel, said)| (*channel, said.number)).collect();
        self.announce(&mut state, Channel::EVERYBODY, News::Beat(beat));
    }

    /// Wants to hear a channel for as long as the answer is held.
    pub(crate) fn subscribe(self: &Arc<Self>, channel: Channel) -> Subscription {
        let mut state = self.lock();
        let count = state.wanted.entry(channel).or_insert(0);
        *count += 1;
        if *count == 1 {
            state.wants_others = true;
            self.wake.notify_one();
        }
        drop(state);
        Subscription { herald: Arc::clone(self), channel }
    }

    /// A room is looked after from now on, of which others may know more.
    pub(crate) fn is_fresh(&self, place: &Place) {
        if !self.is_alone() {
            self.lock().fresh.push(place.clone());
            self.wake.notify_one();
        }
    }

    /// Whether nothing was heard so far of a room.
    pub(super) fn has_fresh(&self, place: &Place) -> bool {
        self.lock().fresh.contains(place)
    }

    /// Takes the rooms of which nothing was heard so far.
    pub(super) fn take_fresh(&self) -> Vec<Place> {
        mem::take(&mut self.lock().fresh)
    }

    /// Has the bus listen to what is wanted, if that is something else than before. Channels that are
    /// not wanted any more are let go with the next one that is.
    pub(super) fn listen(&self) {
        let mut state = self.lock();
        if !mem::take(&mut state.wants_others) {
            return;
        }
        let wanted: BTreeSet<_> =
            state.wanted.keys().copied().chain([Channel::EVERYBODY]).collect();
        drop(state);
        self.bus.listen(&wanted);
    }

    /// Has the other half of the relay look.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until something is to be done. Cancel-safe.
    pub(super) async fn awake(&self) {
        self.wake.notified().await;
    }
}

/// A channel that this node hears while this is held.
#[must_use = "the channel is not heard any more when this is dropped"]
pub(crate) struct Subscription {
    herald: Arc<Herald>,
    channel: Channel,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Subscription").field(&self.channel).finish()
    }
}

impl Subscription {
    /// Announces something on the channel.
    pub(crate) fn say(&self, news: News) {
        self.herald.say(self.channel, news);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.herald.lock();
        if let Some(count) = state.wanted.get_mut(&self.channel) {
            *count -= 1;
            if *count == 0 {
                state.wanted.remove(&self.channel);
            }
        }
    }
}
