//! One online user: identity, devices, and the connections that are attached and detached.

use std::{cmp::Reverse, collections::BTreeMap, mem, sync::Arc, time::Duration};

use time::OffsetDateTime;

use super::{
    connection::{ConnectionInfo, JoinedRoom, UserConnection},
    membership::{CachedMembership, ChangeEffects, DirectsCoverage, Memberships, Scope, TypingEnd},
};
use crate::{
    chat::{
        event::{Delivery, Event, RoomState, Tally},
        hub::{
            live_room::{FullOutboxes, LiveRoom, ReplayCursor, ReplayMode},
            live_rooms::LiveRooms,
            vec_map::VecMap,
        },
        ports::{DEVICES_PER_USER_MAX, DIRECTS_LISTED_MAX, GuestName, IdentityKind, Outbox},
        publisher::Subscription,
    },
    domain::{
        ConnectionId, Conversation, DeviceId, DeviceSet, DisplayName, Position, Role, RoomName,
        Seq, Space, UserName,
    },
};

/// How a name is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A new guest, whose guest session gets this id.
    NewGuest(Box<str>),
    /// The token of a guest session.
    Guest(Box<str>),
    /// A token of the back end.
    User,
}

/// A user with a connection or a claim on this node, or in the grace period after the last one.
pub(super) struct OnlineUser {
    /// Distinguishes this user from earlier and later ones with the same name.
    pub(super) number: u64,
    /// The id of a guest session; `None` for a user of the back end.
    guest_session: Option<Box<str>>,
    pub(super) display_name: Option<DisplayName>,
    /// The number of [`NameClaim`](crate::chat::hub::NameClaim)s. 0 in the grace period.
    pub(super) claims: usize,
    /// The end of the grace period that began when the last claim was dropped.
    pub(super) free_at: Duration,
    pub(super) connections: VecMap<ConnectionId, UserConnection>,
    /// The devices of connections that are announced and not attached yet.
    pub(super) pending_connections: VecMap<ConnectionId, Option<DeviceId>>,
    /// The memberships in the store, once they were read.
    pub(super) memberships: Option<Memberships>,
    /// The highest recency in `memberships`.
    pub(super) newest: u64,
    /// Which direct conversations are among `memberships`.
    pub(super) directs: DirectsCoverage,
    /// How far direct conversations were delivered whose memberships are about to be cached.
    pub(super) delivered_directs: BTreeMap<Conversation, Position>,
    /// The revision of the store that `memberships` was last refreshed from.
    pub(super) revision: Option<u64>,
    /// When devices connected or disconnected lately. The store is updated a little later.
    devices: VecMap<DeviceId, OffsetDateTime>,
    /// The channel on which other nodes publish events for this user.
    _subscription: Subscription,
}

/// How a recorded device changed the devices of a user.
pub(super) struct RecordedDevice {
    pub(super) is_new: bool,
    /// The device that is no longer known, because there are too many.
    pub(super) forgotten: Option<DeviceId>,
}

/// A connection that is to be attached.
pub(crate) struct AttachRequest<'a> {
    pub(crate) connection_info: ConnectionInfo,
    pub(crate) scope: Scope,
    pub(crate) display_name: Option<DisplayName>,
    /// The last entry that the client has, by room.
    pub(crate) since: &'a BTreeMap<RoomName, Seq>,
    /// How the entries after it are sent.
    pub(crate) mode: ReplayMode,
    pub(crate) now: OffsetDateTime,
}

/// What is left to do for a connection that was attached.
#[derive(Default)]
pub(crate) struct AttachOutcome {
    /// The connections of other devices that were attached before.
    pub(crate) other_devices: Vec<Arc<dyn Outbox>>,
    /// The rooms in which the connection has to catch up, and from where.
    pub(crate) behind: Vec<(Arc<LiveRoom>, ReplayCursor)>,
}

/// The state of a user at the moment a connection is attached.
#[derive(Debug, Default)]
pub(crate) struct WelcomeSnapshot {
    /// The rooms that the connection is in, the default room first.
    pub(crate) rooms: Vec<RoomState>,
    /// The users of the [`DIRECTS_LISTED_MAX`] direct conversations with the newest messages.
    pub(crate) directs: Vec<(UserName, Tally)>,
    /// The inbox.
    pub(crate) inbox: Tally,
}

impl OnlineUser {
    /// A user with one claim.
    pub(super) fn new(number: u64, guest_session: Option<Box<str>>, on: Subscription) -> Self {
        Self {
            number,
            guest_session,
            display_name: None,
            claims: 1,
            free_at: Duration::ZERO,
            connections: VecMap::new(),
            pending_connections: VecMap::new(),
            memberships: None,
            newest: 0,
            directs: DirectsCoverage::All,
            delivered_directs: BTreeMap::new(),
            revision: None,
            devices: VecMap::new(),
            _subscription: on,
        }
    }

    /// A guest in the grace period until `free_at`, with the devices of its guest session.
    pub(super) fn in_grace(
        number: u64,
        guest_session: Box<str>,
        devices: Vec<(DeviceId, OffsetDateTime)>,
        free_at: Duration,
        on: Subscription,
    ) -> Self {
        let devices = devices.into_iter().collect();
        Self { claims: 0, free_at, devices, ..Self::new(number, Some(guest_session), on) }
    }

    /// Whether a proof is for this user.
    pub(super) fn accepts(&self, proof: &Proof) -> bool {
        match (&self.guest_session, proof) {
            (Some(guest_session), Proof::Guest(other)) => guest_session == other,
            (None, Proof::User) => true,
            (_, Proof::NewGuest(_)) | (Some(_), Proof::User) | (None, Proof::Guest(_)) => false,
        }
    }

    /// Whether this is any guest.
    pub(super) fn is_any_guest(&self) -> bool {
        self.guest_session.is_some()
    }

    /// Whether the user is registered or a guest.
    pub(super) fn identity_kind(&self) -> IdentityKind {
        IdentityKind::of(self.guest_session.as_deref())
    }

    /// Whether this is the guest of a guest session.
    pub(super) fn is_guest(&self, guest_session: &str) -> bool {
        self.guest_session.as_deref() == Some(guest_session)
    }

    /// The guest session, if the guest connected with this device lately.
    pub(super) fn guest_session_with(&self, device: &DeviceId) -> Option<&str> {
        self.guest_session.as_deref().filter(|_| self.devices.contains_key(device))
    }

    /// What the store records when a guest expires. Users of the back end never expire.
    pub(super) fn guest_name(&self, space: &Space, user: &UserName) -> Option<GuestName> {
        let guest_session = self.guest_session.clone()?;
        Some(GuestName { space: space.clone(), user: user.clone(), guest_session })
    }

    /// Records when the user connected or disconnected with a device.
    pub(super) fn record_device_seen(
        &mut self,
        device: &DeviceId,
        at: OffsetDateTime,
    ) -> RecordedDevice {
        let is_new = self.devices.insert(device.clone(), at).is_none();
        let oldest = self.devices.iter().min_by_key(|(_, at)| **at);
        let oldest = oldest.filter(|_| self.devices.len() > DEVICES_PER_USER_MAX);
        let forgotten = oldest.map(|(device, _)| device.clone());
        if let Some(device) = &forgotten {
            self.devices.remove(device);
        }
        RecordedDevice { is_new, forgotten }
    }

    /// The devices of a guest.
    pub(super) fn guest_devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.devices.keys().filter(|_| self.is_any_guest())
    }

    /// When the user was last seen with a device, if that was lately.
    pub(super) fn device_seen(&self, device: &DeviceId) -> Option<OffsetDateTime> {
        self.devices.get(device).copied()
    }

    /// The devices of connections that are attached or announced.
    pub(super) fn devices(&self) -> DeviceSet {
        let connections = self.connections.values().map(|it| it.device.as_ref());
        connections.chain(self.pending_connections.values().map(Option::as_ref)).collect()
    }

    /// The outboxes of the connections with a device.
    pub(super) fn outboxes_with(&self, device: &DeviceId) -> Vec<Arc<dyn Outbox>> {
        let with = self.connections.values().filter(|it| it.device.as_ref() == Some(device));
        with.map(|it| Arc::clone(&it.outbox)).collect()
    }

    /// Whether there is a connection that is attached or announced.
    pub(super) fn is_connected(&self) -> bool {
        self.connections.len() + self.pending_connections.len() > 0
    }

    /// The outboxes of all connections.
    pub(super) fn outboxes(&self) -> Vec<Arc<dyn Outbox>> {
        self.connections.values().map(|it| Arc::clone(&it.outbox)).collect()
    }

    /// The connections of other devices. A connection without a device is a device of its own.
    pub(super) fn other_devices(&self, device: Option<&DeviceId>) -> Vec<Arc<dyn Outbox>> {
        self.replaced_outboxes(device, u64::MAX)
    }

    /// The connections of other devices with a ticket below `ticket`.
    pub(super) fn replaced_outboxes(
        &self,
        device: Option<&DeviceId>,
        ticket: u64,
    ) -> Vec<Arc<dyn Outbox>> {
        let is_other = |it: &&UserConnection| it.device.is_none() || it.device.as_ref() != device;
        let connections = self.connections.values().filter(is_other);
        connections.filter(|it| it.ticket < ticket).map(|it| Arc::clone(&it.outbox)).collect()
    }

    /// A room that a connection is in.
    pub(super) fn find_room(
        &self,
        connection: ConnectionId,
        room: &RoomName,
    ) -> Option<JoinedRoom> {
        let user_connection = self.connections.get(&connection)?;
        let live_room = Arc::clone(user_connection.rooms.get(room)?);
        let cached = self.memberships.as_ref()?.get(&live_room.place().conversation)?;
        Some(JoinedRoom { live_room, state: user_connection.state(room, cached)? })
    }

    /// Attaches a connection: sends it `welcome`, which is made of the user's state, and enters all
    /// rooms of the user that its token opens.
    pub(super) fn attach(
        &mut self,
        live_rooms: &LiveRooms,
        user: &UserName,
        request: AttachRequest<'_>,
        welcome: impl FnOnce(WelcomeSnapshot) -> Arc<Delivery>,
    ) -> (AttachOutcome, FullOutboxes) {
        let AttachRequest { connection_info, scope, display_name, since, mode, now: _ } = request;
        self.rename(user, display_name.as_ref());
        let (mut outcome, mut full_outboxes) = (AttachOutcome::default(), FullOutboxes::new());
        outcome.other_devices = self.other_devices(connection_info.device.as_ref());
        let connection = connection_info.connection;
        let mut user_connection = UserConnection::new(connection_info, scope);
        let memberships = self.memberships.get_or_insert_default();
        let snapshot = welcome_snapshot(&user_connection, user, memberships);
        let rooms: Vec<_> = snapshot.rooms.iter().map(|it| it.room.clone()).collect();
        if user_connection.outbox.push(&welcome(snapshot)).is_err() {
            full_outboxes.push(Arc::clone(&user_connection.outbox));
        }
        let target = (connection, user, self.display_name.as_ref());
        for room in rooms {
            let Some(cached) = memberships.get(&Conversation::Room(room.clone())) else { continue };
            let since = since.get(&room);
            let since = since.map(|&after| ReplayCursor { after, mode });
            let (behind, full) = user_connection.enter(live_rooms, target, (&room, cached), since);
            outcome.behind.extend(behind);
            full_outboxes.extend(full);
        }
        self.connections.insert(connection, user_connection);
        (outcome, full_outboxes)
    }

    /// Applies the scope of a renewed token to a connection: enters the rooms that it opens, leaves
    /// the others, and sends what changed.
    pub(super) fn update_scope(
        &mut self,
        live_rooms: &LiveRooms,
        (connection, user): (ConnectionId, &UserName),
        scope: Scope,
    ) -> ChangeEffects {
        let mut effects = ChangeEffects::default();
        let Some(user_connection) = self.connections.get_mut(&connection) else {
            return effects;
        };
        let Some(memberships) = &self.memberships else { return effects };
        let before = mem::replace(&mut user_connection.scope, scope);
        for (conversation, cached) in memberships.iter() {
            let Some(room) = conversation.room() else { continue };
            let role = |scope: &Scope| scope.role(room, cached.member.role);
            if role(&before) == role(&user_connection.scope) {
                continue;
            }
            let state = user_connection.state(room, cached);
            let event = Event::Membership { room: room.clone(), state, by: None };
            if user_connection.outbox.push(&Delivery::new(event)).is_err() {
                effects.full_outboxes.push(Arc::clone(&user_connection.outbox));
            }
            let target = (connection, user);
            if !role(&user_connection.scope).is_some_and(Role::may_send) {
                let ended = cached.room_place().map(|it| TypingEnd::Connection(it, connection));
                effects.typing_ended.extend(ended);
            }
            if role(&user_connection.scope).is_none() {
                effects.full_outboxes.extend(user_connection.leave(live_rooms, target, room));
            } else {
                let target = (connection, user, self.display_name.as_ref());
                let entered = user_connection.enter(live_rooms, target, (room, cached), None);
                effects.full_outboxes.extend(entered.1);
            }
        }
        effects
    }

    /// Detaches all connections and drops the memberships of a user who lost the name or whose grace
    /// period is over.
    pub(super) fn release(self, live_rooms: &LiveRooms, user: &UserName, until: Duration) {
        let Self { connections, memberships, .. } = self;
        let disconnect = |(id, user_connection): (_, UserConnection)| {
            user_connection.disconnect(live_rooms, (id, user), until)
        };
        let mut places: Vec<_> = connections.into_iter().flat_map(disconnect).collect();
        let memberships = memberships.iter().flat_map(VecMap::values);
        places.extend(memberships.filter_map(CachedMembership::room_place));
        for place in places {
            live_rooms.forget_if_empty(&place);
        }
    }
}

fn welcome_snapshot(
    user_connection: &UserConnection,
    user: &UserName,
    memberships: &Memberships,
) -> WelcomeSnapshot {
    let directs = memberships.iter().filter_map(|(conversation, cached)| match conversation {
        Conversation::Direct(one, other) => Some((if one == user { other } else { one }, cached)),
        Conversation::Room(_) | Conversation::Inbox(_) => None,
    });
    let mut directs: Vec<_> = directs.collect();
    // More may have begun while the user was online.
    directs.sort_unstable_by_key(|(_, cached)| Reverse(cached.recency));
    directs.truncate(DIRECTS_LISTED_MAX);
    directs.sort_unstable_by_key(|(user, _)| *user);
    let directs = directs.into_iter().map(|(user, cached)| (user.clone(), cached.tally()));
    let inbox = memberships.get(&Conversation::Inbox(user.clone()));
    WelcomeSnapshot {
        rooms: user_connection.rooms(memberships),
        directs: directs.collect(),
        inbox: inbox.map(CachedMembership::tally).unwrap_or_default(),
    }
}
