//! What this node tells the others, and what it wants to hear of them.
//!
//! Every announcement has a number on its channel, so that whoever misses one notices. What was
//! announced is not kept, the store has it; only acts are, for those who ask again.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    mem,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use tokio::{sync::Notify, time::Instant};

use crate::{
    chat::ports::{Announcement, Bus, ClusterCommand, ClusterEvent, LEASE},
    domain::{Channel, NodeId, Place, Space, UserName},
};

/// For how long a beat says how much was announced on a channel: whoever did not hear of it in that
/// time did not hear this node at all.
const HEARTBEAT_WINDOW: Duration = Duration::from_secs(15);
/// For how long acts are kept for those who missed them, and how many. The oldest go first.
const COMMAND_RETENTION: Duration = Duration::from_mins(10);
const COMMANDS_RETAINED_MAX: usize = 4096;

/// See the module.
pub(crate) struct Publisher {
    node: NodeId,
    bus: Arc<dyn Bus>,
    /// Whether there is no other node.
    alone: AtomicBool,
    /// Whether everything is heard, and everybody who was asked has answered.
    is_synchronized: AtomicBool,
    /// When it was said last to whoever counts the nodes that this one lives.
    lease_renewed_at: Mutex<Instant>,
    state: Mutex<PublisherState>,
    /// Something is to be done by whoever listens to the others.
    wake: Notify,
}

#[derive(Default)]
struct PublisherState {
    published: HashMap<Channel, Published>,
    commands: VecDeque<RetainedCommand>,
    /// By how many subscriptions a channel is wanted.
    subscriptions: HashMap<Channel, usize>,
    /// Whether other channels are wanted than the bus was told of.
    subscriptions_changed: bool,
    /// Rooms of which nothing was heard so far.
    new_rooms: Vec<Place>,
}

/// An act that may be announced again.
#[derive(Clone)]
struct RetainedCommand {
    channel: Channel,
    number: u64,
    command: ClusterCommand,
    at: Instant,
}

/// What was announced on a channel.
struct Published {
    number: u64,
    at: Instant,
}

impl Publisher {
    /// Speaks for `node`.
    pub(crate) fn new(node: NodeId, bus: Arc<dyn Bus>) -> Arc<Self> {
        let state = PublisherState { subscriptions_changed: true, ..PublisherState::default() };
        let (alone, is_synchronized) = (AtomicBool::new(true), AtomicBool::new(true));
        let wake = Notify::new();
        let lease_renewed_at = Mutex::new(Instant::now());
        Arc::new(Self {
            node,
            bus,
            alone,
            is_synchronized,
            lease_renewed_at,
            state: Mutex::new(state),
            wake,
        })
    }

    fn lock(&self) -> MutexGuard<'_, PublisherState> {
        self.state.lock()
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
    pub(crate) fn set_peer_count(&self, peers: usize) {
        self.alone.store(peers == 0, Ordering::Relaxed);
    }

    /// Whether it is known here who is on the other nodes.
    pub(crate) fn is_synchronized(&self) -> bool {
        self.is_alone() || self.is_synchronized.load(Ordering::Relaxed)
    }

    /// Takes note of what is still to be heard.
    pub(in crate::chat) fn set_missing(&self, missing: usize) {
        self.is_synchronized.store(missing == 0, Ordering::Relaxed);
    }

    /// Whether this node's lease is over: the others have forgotten who was here.
    pub(crate) fn is_lease_expired(&self) -> bool {
        self.lease_renewed_at.lock().elapsed() >= LEASE
    }

    /// This node lives, as far as whoever counts the nodes knows.
    pub(in crate::chat) fn record_lease_renewal(&self) {
        *self.lease_renewed_at.lock() = Instant::now();
    }

    /// Announces something on a channel. What is said there goes out in the order of the calls.
    pub(crate) fn publish(&self, channel: Channel, event: ClusterEvent) {
        self.publish_locked(&mut self.lock(), channel, event);
    }

    fn publish_locked(
        &self,
        state: &mut PublisherState,
        channel: Channel,
        event: ClusterEvent,
    ) -> u64 {
        let now = Instant::now();
        let published = state.published.entry(channel).or_insert(Published { number: 0, at: now });
        *published = Published { number: published.number + 1, at: now };
        let number = published.number;
        self.bus.publish(channel, Announcement { from: self.node.clone(), number, event });
        number
    }

    /// Announces something about a conversation, to all who are in it.
    pub(crate) fn publish_to_place(&self, place: &Place, event: impl Fn() -> ClusterEvent) {
        for channel in Channel::of(place) {
            self.publish(channel, event());
        }
    }

    /// Announces something about a user.
    pub(crate) fn publish_to_user(&self, space: &Space, user: &UserName, event: ClusterEvent) {
        self.publish(Channel::of_user(space, &user.key()), event);
    }

    /// Announces an act, and keeps it.
    pub(crate) fn publish_command(&self, channel: Channel, command: ClusterCommand) {
        let mut state = self.lock();
        let number =
            self.publish_locked(&mut state, channel, ClusterEvent::Command(command.clone()));
        let now = Instant::now();
        state.commands.push_back(RetainedCommand { channel, number, command, at: now });
        let is_over = |retained: &RetainedCommand| now - retained.at > COMMAND_RETENTION;
        while state.commands.len() > COMMANDS_RETAINED_MAX
            || state.commands.front().is_some_and(is_over)
        {
            state.commands.pop_front();
        }
    }

    /// Announces the acts among these numbers again.
    pub(crate) fn republish(&self, channel: Channel, numbers: &RangeInclusive<u64>) {
        let mut state = self.lock();
        let missed = |it: &&RetainedCommand| it.channel == channel && numbers.contains(&it.number);
        let commands: Vec<_> = state.commands.iter().filter(missed).cloned().collect();
        for RetainedCommand { number, command, .. } in commands {
            self.publish_locked(&mut state, channel, ClusterEvent::ResentCommand(number, command));
        }
    }

    /// Says that this node lives, and how much it has announced where something was said of late, or an
    /// act is kept.
    pub(crate) fn publish_heartbeat(&self) {
        let mut state = self.lock();
        let now = Instant::now();
        let with_commands: BTreeSet<_> = state.commands.iter().map(|it| it.channel).collect();
        let active = state.published.iter().filter(|(channel, published)| {
            let is_recent = now - published.at < HEARTBEAT_WINDOW;
            **channel != Channel::BROADCAST && (is_recent || with_commands.contains(channel))
        });
        let counts = active.map(|(channel, published)| (*channel, published.number)).collect();
        self.publish_locked(&mut state, Channel::BROADCAST, ClusterEvent::Heartbeat(counts));
    }

    /// Wants to hear a channel for as long as the answer is held.
    pub(crate) fn subscribe(self: &Arc<Self>, channel: Channel) -> Subscription {
        let mut state = self.lock();
        let count = state.subscriptions.entry(channel).or_insert(0);
        *count += 1;
        if *count == 1 {
            state.subscriptions_changed = true;
            self.wake.notify_one();
        }
        drop(state);
        Subscription { publisher: Arc::clone(self), channel }
    }

    /// A room is looked after from now on, of which others may know more.
    pub(crate) fn add_new_room(&self, place: &Place) {
        if !self.is_alone() {
            self.lock().new_rooms.push(place.clone());
            self.wake.notify_one();
        }
    }

    /// Whether nothing was heard so far of a room.
    pub(in crate::chat) fn is_new_room(&self, place: &Place) -> bool {
        self.lock().new_rooms.contains(place)
    }

    /// Takes the rooms of which nothing was heard so far.
    pub(in crate::chat) fn take_new_rooms(&self) -> Vec<Place> {
        mem::take(&mut self.lock().new_rooms)
    }

    /// Has the bus listen to what is wanted, if that is something else than before. Channels that are
    /// not wanted any more are let go with the next one that is.
    pub(in crate::chat) fn update_subscriptions(&self) {
        let mut state = self.lock();
        if !mem::take(&mut state.subscriptions_changed) {
            return;
        }
        let subscriptions: BTreeSet<_> =
            state.subscriptions.keys().copied().chain([Channel::BROADCAST]).collect();
        drop(state);
        self.bus.set_subscriptions(&subscriptions);
    }

    /// Has the other half of the relay look.
    pub(in crate::chat) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until something is to be done. Cancel-safe.
    pub(in crate::chat) async fn wait_for_work(&self) {
        self.wake.notified().await;
    }
}

/// A channel that this node hears while this is held.
#[must_use = "the channel is not heard any more when this is dropped"]
pub(crate) struct Subscription {
    publisher: Arc<Publisher>,
    channel: Channel,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Subscription").field(&self.channel).finish()
    }
}

impl Subscription {
    /// Announces something on the channel.
    pub(crate) fn publish(&self, event: ClusterEvent) {
        self.publisher.publish(self.channel, event);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.publisher.lock();
        if let Some(count) = state.subscriptions.get_mut(&self.channel) {
            *count -= 1;
            if *count == 0 {
                state.subscriptions.remove(&self.channel);
            }
        }
    }
}
