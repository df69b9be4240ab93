//! Changes of users that the journal and the cluster take: expired guests, freed names, devices.

use std::{collections::BTreeSet, mem, sync::Arc};

use tokio::sync::Notify;

use super::{OnlineUsers, user::OnlineUser};
use crate::{
    chat::ports::{GuestName, OnlineDevices},
    domain::{Space, UserName},
};

/// What changed since it was taken last.
pub(super) struct PendingReports {
    /// Guests whose grace period is over, for the journal.
    expired_guests: Vec<GuestName>,
    /// Their names, for the lease of this node.
    freed_names: Vec<GuestName>,
    /// Users whose connected devices changed, for the other nodes.
    devices_changed: BTreeSet<(Space, UserName)>,
    /// Wakes the task that stores changed devices and freed names.
    changed: Arc<Notify>,
}

impl PendingReports {
    pub(super) fn new(changed: Arc<Notify>) -> Self {
        Self {
            expired_guests: Vec::new(),
            freed_names: Vec::new(),
            devices_changed: BTreeSet::new(),
            changed,
        }
    }

    /// Reports a guest whose name is free.
    pub(super) fn report_expired(&mut self, guest_name: GuestName) {
        self.freed_names.push(guest_name.clone());
        self.expired_guests.push(guest_name);
        self.changed.notify_one();
    }

    /// Reports a user whose connected devices changed.
    pub(super) fn report_devices(&mut self, space: &Space, user: &UserName) {
        self.devices_changed.insert((space.clone(), user.clone()));
        self.changed.notify_one();
    }

    pub(super) fn take_expired_guests(&mut self) -> Vec<GuestName> {
        mem::take(&mut self.expired_guests)
    }

    pub(super) fn take_freed_names(&mut self) -> Vec<GuestName> {
        mem::take(&mut self.freed_names)
    }

    pub(super) fn take_devices_changed(&mut self) -> BTreeSet<(Space, UserName)> {
        mem::take(&mut self.devices_changed)
    }

    /// Puts users back whose devices could not be stored. The caller tries again by itself.
    pub(super) fn restore(&mut self, users: impl Iterator<Item = (Space, UserName)>) {
        self.devices_changed.extend(users);
    }
}

impl OnlineUsers {
    /// Waits until the devices of a user changed or a guest expired. Cancel-safe.
    pub(crate) async fn wait_for_change(&self) {
        self.changed.notified().await;
    }

    /// Takes the users whose devices changed.
    pub(crate) fn take_device_changes(&self) -> Vec<OnlineDevices> {
        let mut state = self.lock();
        let changed = state.reports.take_devices_changed();
        let online = |(space, user)| {
            let online_user = state.get(&space, &user);
            let devices = online_user.map(OnlineUser::devices).unwrap_or_default();
            OnlineDevices { space, user, devices }
        };
        changed.into_iter().map(online).collect()
    }

    /// Puts back users whose devices could not be published.
    pub(crate) fn restore_device_changes(&self, changes: Vec<OnlineDevices>) {
        self.lock().reports.restore(changes.into_iter().map(|it| (it.space, it.user)));
    }

    /// Takes the guests whose grace period is over.
    pub(crate) fn take_expired_guests(&self) -> Vec<GuestName> {
        self.lock().reports.take_expired_guests()
    }

    /// Takes the names that were freed on this node.
    pub(crate) fn take_freed_names(&self) -> Vec<GuestName> {
        self.lock().reports.take_freed_names()
    }
}
