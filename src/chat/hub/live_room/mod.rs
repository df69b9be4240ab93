//! One room on this node: its head, its recent entries, the attached connections and the present
//! users.

mod names;
mod state;
#[cfg(test)]
mod tests;
mod topic;
mod types;

use std::{sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::OnceCell;

use self::state::LiveRoomState;
pub(super) use self::state::push_function;
pub(super) use self::types::contiguous_run;
pub(crate) use self::types::{
    AttachedConnection, FullOutboxes, PresenceChange, RemotePresence, ReplayCursor, ReplayMode,
    ReplayStatus, RoomKind, RunDelivery,
};
use super::{
    connection_map::ConnectionMap, delivered_log::DeliveredLog, presence_log::PresenceLog,
};
use crate::{
    chat::{
        event::{Delivery, Event, Post},
        ports::{ClusterEvent, Metrics},
        publisher::{Publisher, Subscription},
    },
    domain::{
        Channel, ConnectionId, DeletedCount, DisplayName, Entry, Limits, Log, NamedUser, NodeId,
        PassingDelivery, Place, Position, Retained, RoomName, RosterArrival, RosterDeparture, Seq,
        UserName,
    },
};

/// A room that is live on this node.
///
/// Attaching, delivering and catching up take the same short lock, so no entry is lost or repeated
/// between replay and live delivery.
pub(crate) struct LiveRoom {
    place: Place,
    state: Mutex<LiveRoomState>,
    /// Set once the ring was filled from the store, which happens when a cursor is older than the ring:
    /// a thousand clients that reconnect after a restart cost one page.
    warm: OnceCell<()>,
    /// The channel of the room. Presence is published under the room's lock, so that other nodes
    /// receive it in order.
    subscription: Subscription,
    /// Receives whether the room has users, under the room's lock.
    presence_log: Arc<PresenceLog>,
}

impl std::fmt::Debug for LiveRoom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveRoom").field("place", &self.place).finish_non_exhaustive()
    }
}

impl LiveRoom {
    /// A room without connections. `log` is the state of its log in the store.
    pub(super) fn new(
        (place, log): (Place, Log),
        publisher: &Arc<Publisher>,
        presence_log: Arc<PresenceLog>,
        metrics: Arc<dyn Metrics>,
    ) -> Arc<Self> {
        let room = place.conversation.room().expect("only rooms are live rooms");
        let subscription = publisher.subscribe(Channel::of_room(&place.space, room));
        let (state, warm) = (Mutex::new(LiveRoomState::new(log, metrics)), OnceCell::new());
        Arc::new(Self { place, state, warm, subscription, presence_log })
    }

    fn lock(&self) -> MutexGuard<'_, LiveRoomState> {
        self.state.lock()
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The name of the room.
    pub(crate) fn room(&self) -> RoomName {
        self.place.conversation.room().expect("only rooms are live rooms").clone()
    }

    /// The state of the log, as far as it was delivered here.
    pub(crate) fn log(&self) -> Log {
        self.lock().log.log()
    }

    /// The state of the log, and the deleted messages after `read` by the same entries.
    pub(super) fn log_and_deleted(&self, read: Seq, counted: DeletedCount) -> (Log, u64) {
        let state = self.lock();
        (state.log.log(), state.log.deleted(read, counted))
    }

    /// Has each count of deleted messages updated if the log keeps many deletions.
    pub(super) fn update_counts(&self, update: impl FnOnce(&DeliveredLog)) {
        let mut state = self.lock();
        if state.log.has_many_deletions() {
            update(&state.log);
            state.log.drop_older_deletions();
        }
    }

    /// Sets how many members the room has.
    pub(crate) fn set_member_count(&self, members: u64) {
        self.lock().log.set_member_count(members);
    }

    /// Drops entries that are no longer stored.
    pub(crate) fn trim(&self, retained: &Retained) {
        self.lock().trim(retained);
    }

    /// Sends a run of stored entries, in order, to the connections that are live, as far as it
    /// continues the head.
    pub(super) fn deliver(&self, run: &[Post], limits: &Limits) -> (RunDelivery, FullOutboxes) {
        self.lock().deliver(run, limits)
    }

    /// The number of connections that are attached.
    pub(super) fn sockets(&self) -> usize {
        self.lock().sockets()
    }

    /// Continues after `to`: earlier entries are no longer stored. The live connections receive that.
    pub(super) fn skip(&self, to: Position) -> FullOutboxes {
        self.lock().skip(&self.room(), to)
    }

    /// Attaches a connection: it receives presence events from now on, and entries as soon as it is
    /// [`ReplayStatus::Live`].
    pub(super) fn enter(
        &self,
        (attached, name): (AttachedConnection, Option<&DisplayName>),
        cursor: ReplayCursor,
        limits: &Limits,
    ) -> (ReplayStatus, PresenceChange, FullOutboxes) {
        let who = NamedUser { user: attached.user.clone(), name: name.cloned() };
        let mut state = self.lock();
        let is_renamed = state.set_name(&who.user, name);
        let (status, arrival, full_outboxes) = state.enter(&self.room(), attached, cursor, limits);
        if arrival != RosterArrival::AlreadyLocal || is_renamed {
            self.subscription.publish(ClusterEvent::Joined(self.place.clone(), who));
        }
        if arrival != RosterArrival::AlreadyLocal {
            self.presence_log.room_appeared(&self.place);
        }
        (status, PresenceChange::from(arrival == RosterArrival::FirstJoined), full_outboxes)
    }

    /// Sends a connection the entries after its cursor, if the ring has them.
    pub(crate) fn catch_up(
        &self,
        connection: ConnectionId,
        cursor: ReplayCursor,
        limits: &Limits,
    ) -> (ReplayStatus, FullOutboxes) {
        self.lock().catch_up(&self.room(), connection, cursor, limits)
    }

    /// The replay status of a connection.
    pub(crate) fn replay_status(&self, connection: ConnectionId) -> ReplayStatus {
        self.lock().replay_status(connection)
    }

    /// Sends a connection no entries until it has caught up again. Returns the last entry that it was
    /// sent, if it was live.
    pub(crate) fn pause(&self, connection: ConnectionId) -> Option<Seq> {
        self.lock().pause(connection)
    }

    /// Fills the ring from the store, once: concurrent callers wait for the first. Returns whether it
    /// was not filled before.
    pub(crate) async fn warm<E>(
        &self,
        limits: &Limits,
        read: impl AsyncFnOnce() -> Result<Vec<Entry>, E>,
    ) -> Result<bool, E> {
        let fill = async || {
            let entries = read().await?;
            self.lock().fill(entries, limits);
            Ok(())
        };
        let was_cold = !self.warm.initialized();
        self.warm.get_or_try_init(fill).await?;
        Ok(was_cold)
    }

    /// Detaches a connection whose user leaves. The room is left at once if it was the user's last one.
    pub(super) fn leave(
        &self,
        connection: ConnectionId,
        user: &UserName,
        limits: &Limits,
    ) -> (PresenceChange, FullOutboxes) {
        let mut state = self.lock();
        if !state.remove(connection) {
            return (PresenceChange::Unchanged, FullOutboxes::new());
        }
        let departure = state.roster.leave(user);
        self.announce_departure(&state, departure, user, limits)
    }

    /// Detaches a lost connection. Returns whether its user's grace period begins.
    pub(super) fn disconnect(
        &self,
        connection: ConnectionId,
        user: &UserName,
        until: Duration,
    ) -> bool {
        let mut state = self.lock();
        state.remove(connection) && state.roster.disconnect(user, until)
    }

    /// Ends the grace period of a user if it is over at `now`, and sends the departure.
    pub(super) fn expire(
        &self,
        user: &UserName,
        now: Duration,
        limits: &Limits,
    ) -> (PresenceChange, FullOutboxes) {
        let mut state = self.lock();
        let departure = state.roster.expire(user, now);
        self.announce_departure(&state, departure, user, limits)
    }

    /// Ends the grace period of a user who is no longer a member, and sends the departure.
    pub(super) fn end_grace(
        &self,
        user: &UserName,
        limits: &Limits,
    ) -> (PresenceChange, FullOutboxes) {
        let mut state = self.lock();
        let departure = state.roster.end_grace(user);
        self.announce_departure(&state, departure, user, limits)
    }

    /// Sends and publishes a departure.
    fn announce_departure(
        &self,
        state: &LiveRoomState,
        departure: RosterDeparture,
        user: &UserName,
        limits: &Limits,
    ) -> (PresenceChange, FullOutboxes) {
        if departure != RosterDeparture::StillLocal {
            self.subscription.publish(ClusterEvent::Left(self.place.clone(), user.clone()));
            if state.roster.has_no_local_users() {
                self.presence_log.room_gone(&self.place);
            }
        }
        let is_gone = departure == RosterDeparture::LastLeft;
        let full_outboxes =
            if is_gone { state.broadcast_left(&self.room(), user, limits) } else { vec![] };
        (PresenceChange::from(is_gone), full_outboxes)
    }

    /// Publishes the users on this node. With `overdue`, without those whose grace period was over then:
    /// the other nodes have removed all users of this node in the meantime.
    pub(super) fn publish_roster(&self, overdue: Option<Duration>) {
        let state = self.lock();
        let local_users = match overdue {
            Some(now) => state.roster.unexpired_local_users(now),
            None => state.roster.local_users(),
        };
        let names = state.names.of(&local_users);
        self.subscription.publish(ClusterEvent::Roster(self.place.clone(), local_users, names));
    }

    /// Applies the presence of users on another node, and sends joins and departures.
    pub(super) fn apply_remote_presence(
        &self,
        node: &NodeId,
        remote_presence: RemotePresence<'_>,
        limits: &Limits,
    ) -> (PresenceChange, FullOutboxes) {
        let mut state = self.lock();
        let (joined, left) = match remote_presence {
            RemotePresence::Joined(who) => {
                state.set_name(&who.user, who.name.as_ref());
                let is_new = state.roster.add_remote(node, &who.user);
                (is_new.then(|| who.user.clone()).into_iter().collect(), vec![])
            }
            RemotePresence::Left(user) if state.roster.remove_remote(node, user) => {
                (vec![], vec![user.clone()])
            }
            RemotePresence::Left(_) => (vec![], vec![]),
            RemotePresence::Snapshot(users, names) => {
                let changed = state.roster.set_remote(node, users);
                state.learn_names(users, names);
                changed
            }
        };
        let room = self.room();
        let mut full_outboxes = FullOutboxes::new();
        for user in &joined {
            full_outboxes.extend(state.broadcast_joined(&room, user, limits));
        }
        for user in &left {
            full_outboxes.extend(state.broadcast_left(&room, user, limits));
        }
        (PresenceChange::from(!joined.is_empty() || !left.is_empty()), full_outboxes)
    }

    /// Sends the presence list to the connections in their default room, or the count to all connections
    /// if the list would be too long. Returns the number of connections in the room, too.
    pub(super) fn broadcast_presence(&self, limits: &Limits) -> (usize, FullOutboxes) {
        let state = self.lock();
        let count = state.roster.count();
        let full_outboxes = if count > limits.presence_list_max {
            let presence = Delivery::new(Event::Presence { room: self.room(), count });
            state.broadcast(&presence, |_| true)
        } else {
            let users = Delivery::new(Event::Users(state.roster.users()));
            state.broadcast(&users, |it| it.room_kind == RoomKind::Default)
        };
        (state.connection_count(), full_outboxes)
    }

    /// Sends an event to all connections but the user's own.
    pub(super) fn broadcast_to_others(
        &self,
        user: &UserName,
        delivery: &Arc<Delivery>,
    ) -> FullOutboxes {
        self.lock().broadcast(delivery, |it| it.user != *user)
    }

    /// Sends an event of the application to all connections but `except`.
    pub(super) fn send_custom(
        &self,
        event: &Arc<Delivery>,
        except: Option<ConnectionId>,
        delivery: PassingDelivery,
    ) -> FullOutboxes {
        let state = self.lock();
        let is_receiver = |it: &AttachedConnection| Some(it.connection) != except;
        match delivery {
            PassingDelivery::Reliable => state.broadcast(event, is_receiver),
            PassingDelivery::Volatile => {
                state.offer(event, is_receiver);
                FullOutboxes::new()
            }
        }
    }

    /// Adds the attached connections to `found`.
    pub(super) fn find_connections(&self, found: &mut ConnectionMap) {
        found.extend(self.lock().connections());
    }

    /// Offers an event, which a full outbox drops, to all connections but the user's own. Rooms above the
    /// limit for presence lists send none.
    pub(super) fn offer_to_others(
        &self,
        user: &UserName,
        delivery: &Arc<Delivery>,
        limits: &Limits,
    ) {
        let state = self.lock();
        if state.roster.count() <= limits.presence_list_max {
            state.offer(delivery, |it| it.user != *user);
        }
    }

    /// The number of present users.
    pub(crate) fn count(&self) -> usize {
        self.lock().roster.count()
    }

    /// The number of present users without one who has just left, whose other node may not know it yet.
    pub(crate) fn count_without(&self, user: &UserName) -> usize {
        let state = self.lock();
        state.roster.count() - usize::from(state.roster.contains(user))
    }

    /// Whether no connection is attached and no user of this node is in the grace period.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}
