//! Publishes this node's announcements and keeps its subscriptions.
//!
//! Each announcement has a sequence number on its channel, so that receivers detect a loss.
//! Announcements are not kept, because the store has their content. Commands are not in the store:
//! the publisher keeps them for resend requests.

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

/// How long heartbeats repeat the last number of a channel after its last announcement. A receiver
/// that misses all of them has lost the connection to this node.
const HEARTBEAT_WINDOW: Duration = Duration::from_secs(15);
/// How long commands are kept for resend requests.
const COMMAND_RETENTION: Duration = Duration::from_mins(10);
/// The number of commands kept for resend requests. The oldest are dropped first.
const COMMANDS_RETAINED_MAX: usize = 4096;

/// This node's lists of the other nodes' online users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Rosters {
    /// All announcements have arrived, and all requests are answered.
    Complete,
    /// Some may be missing.
    Incomplete,
}

/// See the module.
pub(crate) struct Publisher {
    node: NodeId,
    bus: Arc<dyn Bus>,
    /// Whether no other node is known.
    alone: AtomicBool,
    /// Whether all announcements arrive and all roster requests are answered.
    is_synchronized: AtomicBool,
    /// The time of the last successful lease renewal.
    lease_renewed_at: Mutex<Instant>,
    state: Mutex<PublisherState>,
    /// Wakes the repair task.
    wake: Notify,
}

#[derive(Default)]
struct PublisherState {
    published: HashMap<Channel, Published>,
    commands: VecDeque<RetainedCommand>,
    /// The number of subscriptions per channel.
    subscriptions: HashMap<Channel, usize>,
    /// The channels with subscriptions, and the one for all nodes. Many users that connect at once
    /// change it a thousand times, so it is not made anew.
    subscribed: BTreeSet<Channel>,
    /// Whether a channel was added since the bus received the set of channels.
    subscriptions_changed: bool,
    /// Rooms that are new on this node and whose rosters were not requested yet.
    new_rooms: Vec<Place>,
}

/// A command that may be announced again.
#[derive(Clone)]
struct RetainedCommand {
    channel: Channel,
    number: u64,
    command: ClusterCommand,
    at: Instant,
}

/// The last announcement on a channel.
struct Published {
    number: u64,
    at: Instant,
}

impl Publisher {
    /// Creates the publisher of `node`.
    pub(crate) fn new(node: NodeId, bus: Arc<dyn Bus>) -> Arc<Self> {
        let state = PublisherState {
            subscribed: BTreeSet::from([Channel::BROADCAST]),
            subscriptions_changed: true,
            ..PublisherState::default()
        };
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

    /// The node whose announcements these are.
    pub(crate) fn node(&self) -> &NodeId {
        &self.node
    }

    /// Whether this node knows of no other node.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Relaxed)
    }

    /// Records the number of other nodes.
    pub(crate) fn set_peer_count(&self, peers: usize) {
        self.alone.store(peers == 0, Ordering::Relaxed);
    }

    /// Whether this node's lists of the other nodes' online users are complete.
    pub(crate) fn is_synchronized(&self) -> bool {
        self.is_alone() || self.is_synchronized.load(Ordering::Relaxed)
    }

    /// Records whether this node's lists of the other nodes' online users are complete.
    pub(in crate::chat) fn set_rosters(&self, rosters: Rosters) {
        self.is_synchronized.store(rosters == Rosters::Complete, Ordering::Relaxed);
    }

    /// Whether this node's lease has expired: the other nodes have removed its online users.
    pub(crate) fn is_lease_expired(&self) -> bool {
        self.lease_renewed_at.lock().elapsed() >= LEASE
    }

    /// Records a successful lease renewal.
    pub(in crate::chat) fn record_lease_renewal(&self) {
        *self.lease_renewed_at.lock() = Instant::now();
    }

    /// Publishes an event on a channel. The events of a channel are sent in the order of the calls.
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

    /// Publishes an event of a conversation on all channels of its users.
    pub(crate) fn publish_to_place(&self, place: &Place, event: impl Fn() -> ClusterEvent) {
        for channel in Channel::of(place) {
            self.publish(channel, event());
        }
    }

    /// Publishes an event about a user.
    pub(crate) fn publish_to_user(&self, space: &Space, user: &UserName, event: ClusterEvent) {
        self.publish(Channel::of_user(space, &user.key()), event);
    }

    /// Publishes a command and keeps it for resend requests.
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

    /// Publishes the commands among these numbers again.
    pub(crate) fn republish(&self, channel: Channel, numbers: &RangeInclusive<u64>) {
        let mut state = self.lock();
        let missed = |it: &&RetainedCommand| it.channel == channel && numbers.contains(&it.number);
        let commands: Vec<_> = state.commands.iter().filter(missed).cloned().collect();
        for RetainedCommand { number, command, .. } in commands {
            self.publish_locked(&mut state, channel, ClusterEvent::ResentCommand(number, command));
        }
    }

    /// Publishes a heartbeat with the last number of each channel that was used recently or has
    /// kept commands.
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

    /// Subscribes to a channel until the result is dropped.
    pub(crate) fn subscribe(self: &Arc<Self>, channel: Channel) -> Subscription {
        let mut state = self.lock();
        let count = state.subscriptions.entry(channel).or_insert(0);
        *count += 1;
        if *count == 1 {
            state.subscribed.insert(channel);
            state.subscriptions_changed = true;
            self.wake.notify_one();
        }
        drop(state);
        Subscription { publisher: Arc::clone(self), channel }
    }

    /// Adds a room that is new on this node: its rosters are requested from the other nodes.
    pub(crate) fn add_new_room(&self, place: &Place) {
        if !self.is_alone() {
            self.lock().new_rooms.push(place.clone());
            self.wake.notify_one();
        }
    }

    /// Whether the room's rosters were not requested yet.
    pub(in crate::chat) fn is_new_room(&self, place: &Place) -> bool {
        self.lock().new_rooms.contains(place)
    }

    /// Takes the rooms whose rosters were not requested yet.
    pub(in crate::chat) fn take_new_rooms(&self) -> Vec<Place> {
        mem::take(&mut self.lock().new_rooms)
    }

    /// Passes the subscribed channels to the bus if one was added. Channels without subscriptions
    /// are removed at the next such call, from the `active` ones, too.
    pub(in crate::chat) fn update_subscriptions(&self, active: &mut BTreeSet<Channel>) {
        let mut state = self.lock();
        if mem::take(&mut state.subscriptions_changed) {
            self.bus.set_subscriptions(&state.subscribed);
            active.retain(|it| state.subscribed.contains(it));
        }
    }

    /// The number of this node's last announcement on a channel.
    pub(in crate::chat) fn last_number(&self, channel: Channel) -> Option<u64> {
        self.lock().published.get(&channel).map(|it| it.number)
    }

    /// Wakes the repair task.
    pub(in crate::chat) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until repair has work. Cancel-safe.
    pub(in crate::chat) async fn wait_for_work(&self) {
        self.wake.notified().await;
    }
}

/// A subscribed channel. Dropping it ends the subscription.
#[must_use = "the subscription ends when this is dropped"]
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
    /// Publishes an event on the channel.
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
                state.subscribed.remove(&self.channel);
            }
        }
    }
}
