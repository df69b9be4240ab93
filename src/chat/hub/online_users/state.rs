//! What the lock of the online users guards: the users by name, names that look the same,
//! credentials.

use std::{collections::HashMap, sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::sync::Notify;

use super::{
    OnlineUserId,
    connection::ConnectionInfo,
    credential_index::CredentialIndex,
    device_index::DeviceIndex,
    reports::PendingReports,
    user::{AttachOutcome, AttachRequest, OnlineUser, RecordedDevice, WelcomeSnapshot},
};
use crate::{
    chat::{
        event::Delivery,
        hub::{delivered_log::DeliveredLog, live_room::FullOutboxes, live_rooms::LiveRooms},
        ports::Outbox,
    },
    domain::{CloseReason, ConnectionId, DeviceId, NameKey, Place, Space, UserName},
};

pub(super) struct UsersState {
    /// Boxed, because half of the places of a map are empty.
    pub(super) users: HashMap<(Space, UserName), Box<OnlineUser>>,
    /// The names of `users` by the key that names which look the same share.
    pub(super) names: HashMap<(Space, NameKey), Vec<UserName>>,
    /// The devices of the guests among `users`.
    pub(super) guest_devices: DeviceIndex,
    pub(super) credential_index: CredentialIndex,
    pub(super) reports: PendingReports,
    /// The number of the newest online user.
    pub(super) last_number: u64,
}

impl UsersState {
    pub(super) fn new(changed: Arc<Notify>) -> Self {
        Self {
            users: HashMap::new(),
            names: HashMap::new(),
            guest_devices: DeviceIndex::default(),
            credential_index: CredentialIndex::default(),
            reports: PendingReports::new(changed),
            last_number: 0,
        }
    }

    /// Reports a removed user: the name of a guest is free, and its devices are disconnected.
    pub(super) fn report_removed(&mut self, space: &Space, user: &UserName, removed: &OnlineUser) {
        if let Some(guest_name) = removed.guest_name(space, user) {
            self.reports.report_expired(guest_name);
        }
        if !removed.devices().is_empty() {
            self.reports.report_devices(space, user);
        }
    }

    pub(super) fn get(&self, space: &Space, user: &UserName) -> Option<&OnlineUser> {
        self.users.get(&(space.clone(), user.clone())).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, space: &Space, user: &UserName) -> Option<&mut OnlineUser> {
        self.users.get_mut(&(space.clone(), user.clone())).map(Box::as_mut)
    }

    /// The online user with this id, unless it lost the name.
    pub(super) fn of(&self, id: &OnlineUserId) -> Option<&OnlineUser> {
        self.get(&id.space, &id.user).filter(|it| it.number == id.number)
    }

    /// The same, to be changed.
    pub(super) fn of_mut(&mut self, id: &OnlineUserId) -> Option<&mut OnlineUser> {
        self.get_mut(&id.space, &id.user).filter(|it| it.number == id.number)
    }

    /// Whether a guest of the space connected with this device lately.
    pub(super) fn is_guest_device(&self, space: &Space, device: &DeviceId) -> bool {
        self.guest_devices.contains(space, device)
    }

    /// Records when an online user connected or disconnected with a device.
    pub(super) fn record_device_seen(
        &mut self,
        (space, user): (&Space, &UserName),
        device: &DeviceId,
        at: OffsetDateTime,
    ) {
        let Some(online_user) = self.users.get_mut(&(space.clone(), user.clone())) else { return };
        let RecordedDevice { is_new, forgotten } = online_user.record_device_seen(device, at);
        if online_user.is_any_guest() {
            if is_new {
                self.guest_devices.add(space, device);
            }
            if let Some(forgotten) = forgotten {
                self.guest_devices.remove(space, &forgotten);
            }
        }
    }

    /// The users that `filter` accepts whose memberships are cached, with their revisions.
    pub(super) fn revisions(
        &self,
        filter: impl Fn(&Space, &UserName) -> bool,
    ) -> Vec<((Space, UserName), Option<u64>)> {
        let users = self.users.iter();
        let users =
            users.filter(|((space, user), it)| it.memberships.is_some() && filter(space, user));
        users.map(|(user, it)| (user.clone(), it.revision)).collect()
    }

    /// Updates the counts of all members of a room by the deletions that were delivered.
    pub(super) fn update_counts(&mut self, place: &Place, log: &DeliveredLog) {
        let users = self.users.iter_mut().filter(|((space, _), _)| *space == place.space);
        for (_, online_user) in users {
            let memberships = online_user.memberships.as_mut();
            if let Some(cached) = memberships.and_then(|it| it.get_mut(&place.conversation)) {
                cached.deleted = log.updated(cached.deleted, cached.member.read.seq);
            }
        }
    }

    /// Attaches a connection, unless the user lost the name.
    pub(super) fn attach(
        &mut self,
        live_rooms: &LiveRooms,
        id: &OnlineUserId,
        request: AttachRequest<'_>,
        welcome: impl FnOnce(WelcomeSnapshot) -> Arc<Delivery>,
    ) -> Result<(AttachOutcome, FullOutboxes), CloseReason> {
        let connection_info = request.connection_info.clone();
        let online_user = self.of_mut(id).ok_or(CloseReason::NameTaken)?;
        let attached = online_user.attach(live_rooms, &id.user, request, welcome);
        let announced = online_user.pending_connections.remove(&connection_info.connection);
        if announced.is_none() {
            self.reports.report_devices(&id.space, &id.user);
        }
        self.credential_index.add(&connection_info);
        Ok(attached)
    }

    /// Detaches a connection. Returns its outbox, which is to be dropped without the lock.
    pub(super) fn detach(
        &mut self,
        live_rooms: &LiveRooms,
        id: &OnlineUserId,
        connection_info: &ConnectionInfo,
        until: Duration,
    ) -> Option<Arc<dyn Outbox>> {
        self.credential_index.remove(connection_info);
        let connection = connection_info.connection;
        let user_connection = self.of_mut(id)?.connections.remove(&connection)?;
        let outbox = Arc::clone(&user_connection.outbox);
        self.reports.report_devices(&id.space, &id.user);
        for place in user_connection.disconnect(live_rooms, (connection, &id.user), until) {
            live_rooms.forget_if_empty(&place);
        }
        Some(outbox)
    }

    /// Takes back the announcement of a connection that was not attached.
    pub(super) fn cancel_announcement(&mut self, id: &OnlineUserId, connection: ConnectionId) {
        let online_user = self.of_mut(id);
        if online_user.is_some_and(|it| it.pending_connections.remove(&connection).is_some()) {
            self.reports.report_devices(&id.space, &id.user);
        }
    }
}
