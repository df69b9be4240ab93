//! The rooms that are live on this node: those with a connection, a cached member, a user in the
//! grace period, or a [`RoomInterest`].

use std::{
    collections::{BTreeSet, HashMap},
    mem,
    sync::Arc,
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};

use super::{
    live_room::{
        AttachedConnection, FullOutboxes, LiveRoom, PresenceChange, RemotePresence, ReplayCursor,
        ReplayStatus, RunDelivery,
    },
    presence_log::PresenceLog,
    slow_readers::close_slow_readers,
    timers::{GracePeriod, Timers},
};
use crate::{
    chat::{
        event::{Delivery, Post},
        ports::{ClusterEvent, MetricEvent, Metrics},
        publisher::Publisher,
    },
    domain::{
        Channel, ConnectionId, DisplayName, DisplayNames, Limits, Log, NodeId, PassingDelivery,
        Place, Retained, UserName,
    },
};

/// The live rooms by place, and the timers that their presence needs.
///
/// The lock guards the map. It may be taken while the users are locked; a room's own lock and the
/// timers' may be taken while it is held.
pub(crate) struct LiveRooms {
    limits: Limits,
    publisher: Arc<Publisher>,
    timers: Arc<Timers>,
    presence_log: Arc<PresenceLog>,
    metrics: Arc<dyn Metrics>,
    state: Mutex<LiveRoomsState>,
}

#[derive(Default)]
struct LiveRoomsState {
    rooms: HashMap<Place, Arc<LiveRoom>>,
    /// Users whose grace period in a room is over while their presence on other nodes is unknown.
    doubtful: Vec<(Place, UserName)>,
}

impl LiveRooms {
    pub(super) fn new(
        limits: Limits,
        publisher: Arc<Publisher>,
        timers: Arc<Timers>,
        presence_log: Arc<PresenceLog>,
        metrics: Arc<dyn Metrics>,
    ) -> Self {
        let state = Mutex::default();
        Self { limits, publisher, timers, presence_log, metrics, state }
    }

    fn lock(&self) -> MutexGuard<'_, LiveRoomsState> {
        self.state.lock()
    }

    /// The live room at a place, if there is one.
    pub(super) fn get(&self, place: &Place) -> Option<Arc<LiveRoom>> {
        self.lock().rooms.get(place).cloned()
    }

    /// The live room at a place. It is made with `log` if there is none, else trimmed as `log` is.
    pub(super) fn get_or_create(&self, place: &Place, log: Log) -> Arc<LiveRoom> {
        let mut state = self.lock();
        let live_room = state.rooms.entry(place.clone()).or_insert_with(|| {
            self.publisher.add_new_room(place);
            let (presence_log, metrics) =
                (Arc::clone(&self.presence_log), Arc::clone(&self.metrics));
            LiveRoom::new((place.clone(), log), &self.publisher, presence_log, metrics)
        });
        live_room.trim(&log.retained());
        Arc::clone(live_room)
    }

    /// The live rooms whose events are published on these channels, or all.
    pub(crate) fn on_channels(&self, channels: Option<&BTreeSet<Channel>>) -> Vec<Arc<LiveRoom>> {
        let is_on = |place: &Place| {
            channels.is_none_or(|it| Channel::of(place).any(|channel| it.contains(&channel)))
        };
        self.lock().rooms.values().filter(|it| is_on(it.place())).cloned().collect()
    }

    /// Removes a live room that nothing refers to any more.
    pub(super) fn forget_if_empty(&self, place: &Place) {
        let mut state = self.lock();
        let is_unused = |it: &Arc<LiveRoom>| Arc::strong_count(it) == 1 && it.is_empty();
        if state.rooms.get(place).is_some_and(is_unused) {
            state.rooms.remove(place);
        }
    }

    /// Number of live rooms.
    pub(crate) fn len(&self) -> usize {
        self.lock().rooms.len()
    }

    /// Counts stored entries that were queued for connections.
    pub(super) fn count_delivered(&self, entries: u64) {
        self.metrics.record(MetricEvent::Delivered { entries });
    }

    /// Whether no room is live.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().rooms.is_empty()
    }

    /// Keeps a room live, for as long as the result is held, while this node learns which users are
    /// present on other nodes. `log` is the state of its log in the store.
    pub(crate) fn register_interest(self: &Arc<Self>, place: &Place, log: Log) -> RoomInterest {
        let live_room = place.conversation.room().map(|_| self.get_or_create(place, log));
        RoomInterest { rooms: Arc::clone(self), place: place.clone(), live_room }
    }

    /// Number of users in a room who are online on any node, as far as this node knows: see
    /// [`register_interest`](Self::register_interest).
    pub(crate) fn online_count(&self, place: &Place) -> usize {
        self.get(place).map_or(0, |live_room| live_room.count())
    }

    /// Attaches a connection to a room.
    pub(super) fn enter(
        &self,
        live_room: &LiveRoom,
        (attached, name): (AttachedConnection, Option<&DisplayName>),
        cursor: ReplayCursor,
    ) -> (ReplayStatus, FullOutboxes) {
        // A connection that enters its default room receives the presence list, changed or not.
        let wants_list = attached.wants_presence_list();
        let (status, presence_change, full_outboxes) =
            live_room.enter((attached, name), cursor, &self.limits);
        if presence_change == PresenceChange::Changed || wants_list {
            self.timers.schedule_presence(live_room.place());
        }
        (status, full_outboxes)
    }

    /// Detaches a connection that leaves a room on purpose: no grace period.
    pub(super) fn leave(
        &self,
        live_room: &LiveRoom,
        connection: ConnectionId,
        user: &UserName,
    ) -> FullOutboxes {
        self.schedule_if_changed(live_room, live_room.leave(connection, user, &self.limits))
    }

    /// Detaches a lost connection. The grace period of its last connection ends at `until`.
    pub(super) fn disconnect(
        &self,
        live_room: &LiveRoom,
        connection: ConnectionId,
        user: &UserName,
        until: Duration,
    ) {
        if live_room.disconnect(connection, user, until) {
            let grace_period = GracePeriod::Room(live_room.place().clone(), user.clone());
            self.timers.schedule_expiry(grace_period, until);
        }
    }

    /// Ends the grace period of a user who is no longer a member of a room.
    pub(super) fn end_grace(&self, place: &Place, user: &UserName) -> FullOutboxes {
        let Some(live_room) = self.get(place) else { return FullOutboxes::new() };
        self.schedule_if_changed(&live_room, live_room.end_grace(user, &self.limits))
    }

    /// Ends the grace period of a user in a room, if it is over and the user did not reconnect.
    pub(crate) fn expire(&self, place: &Place, user: &UserName) {
        let Some(live_room) = self.get(place) else { return };
        let expired = live_room.expire(user, self.timers.now(), &self.limits);
        close_slow_readers(self.schedule_if_changed(&live_room, expired));
        drop(live_room);
        self.forget_if_empty(place);
    }

    /// Ends grace periods in rooms, or keeps them until the presence on other nodes is known.
    pub(super) fn expire_when_synchronized(&self, users: Vec<(Place, UserName)>) {
        if self.publisher.is_synchronized() {
            for (place, user) in &users {
                self.expire(place, user);
            }
        } else {
            self.mark_doubtful(users);
        }
    }

    /// Keeps users whose presence on other nodes is unknown.
    pub(crate) fn mark_doubtful(&self, users: Vec<(Place, UserName)>) {
        self.lock().doubtful.extend(users);
    }

    /// Takes the users that [`Self::mark_doubtful`] kept.
    pub(crate) fn take_doubtful(&self) -> Vec<(Place, UserName)> {
        mem::take(&mut self.lock().doubtful)
    }

    /// Applies the presence of users in a room on another node.
    pub(crate) fn apply_remote_presence(
        &self,
        node: &NodeId,
        place: &Place,
        remote_presence: RemotePresence<'_>,
    ) {
        if let Some(live_room) = self.get(place) {
            let applied = live_room.apply_remote_presence(node, remote_presence, &self.limits);
            close_slow_readers(self.schedule_if_changed(&live_room, applied));
        }
    }

    /// Removes the presence of all users on a node that has failed or left.
    pub(crate) fn forget_node(&self, node: &NodeId) {
        let nobody = RemotePresence::Snapshot(&[], &DisplayNames::new());
        for live_room in self.on_channels(None) {
            self.apply_remote_presence(node, live_room.place(), nobody);
        }
    }

    /// Publishes the users of a room on this node.
    pub(crate) fn publish_roster(&self, place: &Place) {
        match self.get(place) {
            Some(live_room) => {
                let overdue = self.publisher.is_lease_expired().then(|| self.timers.now());
                live_room.publish_roster(overdue);
            }
            None => self.publisher.publish_to_place(place, || {
                ClusterEvent::Roster(place.clone(), vec![], DisplayNames::new())
            }),
        }
    }

    /// Sends the presence lists that are due at `now`.
    pub(super) fn send_due_presences(&self, now: Duration) {
        for place in self.timers.take_presences(now) {
            if let Some(live_room) = self.get(&place) {
                let (receivers, full_outboxes) = live_room.broadcast_presence(&self.limits);
                close_slow_readers(full_outboxes);
                self.timers.prolong_presence(&place, now, receivers);
            }
            self.forget_if_empty(&place);
        }
    }

    /// Sends a run of stored entries to the connections in a room.
    pub(super) fn deliver(&self, place: &Place, run: &[Post]) -> RunDelivery {
        let Some(live_room) = self.get(place) else { return RunDelivery::Complete };
        let (sent, full_outboxes) = live_room.deliver(run, &self.limits);
        close_slow_readers(full_outboxes);
        sent
    }

    /// Sends an event that is not in a log to the connections of all users in a room but one.
    pub(super) fn send_to_others(&self, place: &Place, user: &UserName, event: &Arc<Delivery>) {
        if let Some(live_room) = self.get(place) {
            close_slow_readers(live_room.broadcast_to_others(user, event));
        }
    }

    /// The same with an event that a full outbox drops.
    pub(super) fn offer_to_others(&self, place: &Place, user: &UserName, event: &Arc<Delivery>) {
        if let Some(live_room) = self.get(place) {
            live_room.offer_to_others(user, event, &self.limits);
        }
    }

    /// Sends an event of the application to the connections in a room but `except`.
    pub(super) fn send_custom(
        &self,
        place: &Place,
        event: &Arc<Delivery>,
        except: Option<ConnectionId>,
        delivery: PassingDelivery,
    ) {
        if let Some(live_room) = self.get(place) {
            close_slow_readers(live_room.send_custom(event, except, delivery));
        }
    }

    /// Sets how many members a room has.
    pub(super) fn set_member_count(&self, place: &Place, members: u64) {
        if let Some(live_room) = self.get(place) {
            live_room.set_member_count(members);
        }
    }

    /// Drops entries of a room that are no longer stored.
    pub(super) fn trim(&self, place: &Place, retained: &Retained) {
        if let Some(live_room) = self.get(place) {
            live_room.trim(retained);
        }
    }

    fn schedule_if_changed(
        &self,
        live_room: &LiveRoom,
        (presence_change, full_outboxes): (PresenceChange, FullOutboxes),
    ) -> FullOutboxes {
        if presence_change == PresenceChange::Changed {
            self.timers.schedule_presence(live_room.place());
        }
        full_outboxes
    }
}

/// Keeps a room live, with or without users on this node.
#[must_use = "the room is forgotten when this is dropped"]
pub(crate) struct RoomInterest {
    rooms: Arc<LiveRooms>,
    place: Place,
    live_room: Option<Arc<LiveRoom>>,
}

impl Drop for RoomInterest {
    fn drop(&mut self) {
        self.live_room = None;
        self.rooms.forget_if_empty(&self.place);
    }
}
