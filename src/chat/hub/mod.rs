//! The connections of this node: their users, their rooms, and the delivery of events to them.
//!
//! [`HubRegistration`], [`NameClaim`] and [`Deadline`] are guards: dropping one undoes it, however the
//! task that holds it ends. Fan-out never waits: a full outbox closes that connection.

mod attach;
mod coalesced;
mod deadlines;
mod deliver;
mod due_queue;
mod live_room;
mod members;
mod missed;
mod name_claim;
mod online_users;
mod receipts;
mod refresh;
mod remote;
mod ring;
mod sign_ins;
mod slow_readers;
#[cfg(test)]
mod tests;
mod timers;
mod typing;
mod user_connection;

use std::{
    collections::{BTreeSet, HashMap},
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use time::OffsetDateTime;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

pub(crate) use self::deadlines::Deadline;
pub(crate) use self::deliver::DeliveryProgress;
pub(crate) use self::live_room::{
    LiveRoom, RemotePresence, ReplayCursor, ReplayMode, ReplayStatus, RunDelivery,
};
pub(crate) use self::members::{Cause, Scope};
pub(crate) use self::missed::{ATTACHMENTS_PER_EVENT_MAX, LastPart, MISSED_BYTES_MAX, missed};
pub(crate) use self::name_claim::{
    AttachOutcome, AttachRequest, JoinedRoom, NameClaim, UserConnectionId, WelcomeSnapshot,
};
pub(crate) use self::online_users::{ConnectionInfo, Proof};
pub(crate) use self::refresh::StaleMemberships;
pub(crate) use self::remote::RoomInterest;
pub(crate) use self::slow_readers::{close_outboxes, close_slow_readers, send};
use self::{
    deadlines::Deadlines,
    live_room::FullOutboxes,
    online_users::{OnlineUser, OnlineUsers},
    timers::Timers,
    typing::TypingTracker,
    user_connection::UserConnection,
};
use super::{
    ports::{GuestName, IdentityKind, OnlineDevices, Outbox, UserSeen},
    publisher::Publisher,
};
use crate::domain::{
    CloseReason, ConnectionId, DeviceId, DeviceSet, Limits, Place, Position, SignInId, Space,
    UserName,
};

/// Everything on this node that events are sent to.
pub(crate) struct Hub {
    limits: Limits,
    publisher: Arc<Publisher>,
    /// The moment that all durations in here are counted from.
    epoch: Instant,
    next_connection_id: AtomicU64,
    state: Mutex<HubState>,
    timers: Timers,
    deadlines: Deadlines,
    typing: TypingTracker,
    /// How many connections there are. It is set under the lock of the state.
    connections: watch::Sender<usize>,
    /// Devices of users changed, or guests expired.
    devices_changed: Notify,
}

#[derive(Default)]
struct HubState {
    outboxes: HashMap<ConnectionId, Arc<dyn Outbox>>,
    live_rooms: HashMap<Place, Arc<LiveRoom>>,
    online_users: OnlineUsers,
    /// Guests whose grace period is over, until [`Hub::take_expired_guests`].
    expired_guests: Vec<GuestName>,
    /// Their names, until [`Hub::take_freed_names`].
    freed_names: Vec<GuestName>,
    /// Users whose devices changed since they were last published.
    devices_changed: BTreeSet<(Space, UserName)>,
    /// Users whose grace period in a room is over while their presence on other nodes is not known.
    doubtful: Vec<(Place, UserName)>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    pub(crate) fn new(limits: Limits, publisher: Arc<Publisher>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            publisher,
            epoch: Instant::now(),
            next_connection_id: AtomicU64::new(1),
            state: Mutex::default(),
            timers: Timers::default(),
            deadlines: Deadlines::default(),
            typing: TypingTracker::default(),
            connections: watch::Sender::new(0),
            devices_changed: Notify::new(),
        })
    }

    /// Publishes the events of this node to the others.
    pub(crate) fn publisher(&self) -> &Arc<Publisher> {
        &self.publisher
    }

    fn lock(&self) -> MutexGuard<'_, HubState> {
        self.state.lock()
    }

    /// The time since the hub was made: the clock of its timers.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Registers a connection, so that a drain reaches it.
    pub(crate) fn register(self: &Arc<Self>, outbox: Arc<dyn Outbox>) -> HubRegistration {
        let id = ConnectionId::from_raw(self.next_connection_id.fetch_add(1, Ordering::Relaxed));
        let mut state = self.lock();
        state.outboxes.insert(id, outbox);
        self.connections.send_replace(state.outboxes.len());
        drop(state);
        HubRegistration { hub: Arc::clone(self), id }
    }

    /// How many connections there are.
    pub(crate) fn connection_count(&self) -> usize {
        self.lock().outboxes.len()
    }

    /// Waits until there is no connection.
    pub(crate) async fn wait_until_empty(&self) {
        let mut connections = self.connections.subscribe();
        connections.wait_for(|count| *count == 0).await.expect("the hub holds the sender");
    }

    /// Begins to close all connections.
    pub(crate) fn close_all(&self, reason: CloseReason) {
        let outboxes: Vec<_> = self.lock().outboxes.values().cloned().collect();
        close_outboxes(outboxes, reason);
    }

    /// Ends a sign-in, and begins to close its connections.
    pub(crate) fn sign_out(&self, sign_in: &SignInId) {
        let outboxes = self.lock().online_users.sign_ins.end(sign_in);
        close_outboxes(outboxes, CloseReason::SignedOut);
    }

    /// Whether a sign-in was ended here, as far as it is remembered.
    pub(crate) fn has_ended(&self, sign_in: &SignInId) -> bool {
        self.lock().online_users.sign_ins.has_ended(sign_in)
    }

    /// Drops entries below the retention floors.
    pub(crate) fn trim(&self, floors: &[(Place, Position)]) {
        let mut state = self.lock();
        for (place, floor) in floors {
            if let Some(live_room) = state.live_rooms.get(place) {
                live_room.trim(*floor);
            }
            state.online_users.trim(place, *floor);
        }
    }

    /// The devices with which a user is connected to this node.
    pub(crate) fn devices(&self, space: &Space, user: &UserName) -> DeviceSet {
        self.lock().online_users.get(space, user).map(OnlineUser::devices).unwrap_or_default()
    }

    /// Whether a user is connected to this node or in the grace period.
    pub(crate) fn is_present(&self, space: &Space, user: &UserName) -> bool {
        self.lock().online_users.get(space, user).is_some()
    }

    /// Whether the online user with this id still holds the name.
    pub(crate) fn holds_name(&self, space: &Space, user: &UserName, id: u64) -> bool {
        self.lock().online_users.get(space, user).is_some_and(|it| it.id == id)
    }

    /// Whether the user is registered, or a guest that still holds the name.
    pub(crate) fn is_current(&self, seen: &UserSeen) -> bool {
        let IdentityKind::Guest(guest_session) = &seen.identity_kind else { return true };
        let state = self.lock();
        state.online_users.get(&seen.space, &seen.user).is_some_and(|it| it.is_guest(guest_session))
    }

    /// When an online user was last seen with a device, if that was recent.
    pub(crate) fn device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
    ) -> Option<OffsetDateTime> {
        self.lock().online_users.get(space, user)?.device_seen(device)
    }

    /// Records when an online user connected or disconnected with a device.
    pub(crate) fn record_device_seen(
        &self,
        space: &Space,
        user: &UserName,
        device: &DeviceId,
        at: OffsetDateTime,
    ) {
        if let Some(online_user) = self.lock().online_users.get_mut(space, user) {
            online_user.record_device_seen(device, at);
        }
    }

    /// Takes the guests whose grace period is over.
    pub(crate) fn take_expired_guests(&self) -> Vec<GuestName> {
        mem::take(&mut self.lock().expired_guests)
    }

    /// Takes the names that were freed on this node.
    pub(crate) fn take_freed_names(&self) -> Vec<GuestName> {
        mem::take(&mut self.lock().freed_names)
    }

    /// Takes the users whose devices changed.
    pub(crate) fn take_device_changes(&self) -> Vec<OnlineDevices> {
        let mut state = self.lock();
        let devices_changed = mem::take(&mut state.devices_changed).into_iter();
        let online = |(space, user)| {
            let online_user = state.online_users.get(&space, &user);
            let devices = online_user.map(OnlineUser::devices).unwrap_or_default();
            OnlineDevices { space, user, devices }
        };
        devices_changed.map(online).collect()
    }

    /// Puts back users whose change could not be published.
    pub(crate) fn restore_device_changes(&self, devices_changed: Vec<OnlineDevices>) {
        self.lock()
            .devices_changed
            .extend(devices_changed.into_iter().map(|it| (it.space, it.user)));
    }

    /// Waits until the devices of a user changed or a guest expired. Cancel-safe.
    pub(crate) async fn wait_for_device_change(&self) {
        self.devices_changed.notified().await;
    }
}

impl HubState {
    /// Removes a live room without connections, users in their grace period, and cached members.
    fn forget_if_empty(&mut self, place: &Place) {
        let unused = |it: &Arc<LiveRoom>| Arc::strong_count(it) == 1 && it.is_empty();
        if self.live_rooms.get(place).is_some_and(unused) {
            self.live_rooms.remove(place);
        }
    }

    /// Frees a name whose grace period is over, if its user did not reconnect.
    fn expire(&mut self, hub: &Hub, space: &Space, user: &UserName, now: Duration) {
        if let Some(online_user) = self.online_users.expire(space, user, now) {
            self.release_user(hub, space, user, online_user);
        }
    }

    /// Releases the connections and memberships of a user who was removed from the online users.
    fn release_user(&mut self, hub: &Hub, space: &Space, user: &UserName, online_user: OnlineUser) {
        let guest_name = online_user.guest_name(space, user);
        self.freed_names.extend(guest_name.clone());
        self.expired_guests.extend(guest_name);
        if !online_user.devices().is_empty() {
            self.devices_changed.insert((space.clone(), user.clone()));
        }
        hub.devices_changed.notify_one();
        let OnlineUser { connections, memberships, .. } = online_user;
        let until = hub.now() + hub.limits.presence_grace;
        let disconnect = |(id, user_connection): (_, UserConnection)| {
            user_connection.disconnect(hub, (id, user), until)
        };
        let mut places: Vec<_> = connections.into_iter().flat_map(disconnect).collect();
        let memberships = memberships.into_iter().flatten();
        places.extend(memberships.filter_map(|(_, membership)| membership.place()));
        for place in places {
            self.forget_if_empty(&place);
        }
    }
}

/// A connection that a drain reaches.
#[must_use = "the hub forgets the connection when this is dropped"]
#[derive(Debug)]
pub(crate) struct HubRegistration {
    hub: Arc<Hub>,
    id: ConnectionId,
}

impl HubRegistration {
    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }
}

impl Drop for HubRegistration {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        let outbox = state.outboxes.remove(&self.id);
        self.hub.connections.send_replace(state.outboxes.len());
        drop(state);
        drop(outbox);
    }
}
