//! The record of a user.

use std::collections::HashMap;

use time::OffsetDateTime;

use crate::{
    chat::ports::{DEVICES_PER_USER_MAX, IdentityKind, UserSeen},
    domain::{DeviceId, DisplayName},
};

/// A user that connected at least once.
#[derive(Debug)]
pub(super) struct UserRecord {
    /// The kind of the latest identity.
    identity_kind: Option<IdentityKind>,
    /// The latest display name.
    pub(super) display_name: Option<DisplayName>,
    /// Whether the name was ever registered.
    pub(super) registered: bool,
    pub(super) seen: OffsetDateTime,
    pub(super) devices: HashMap<DeviceId, OffsetDateTime>,
    /// Incremented by each change of the user's memberships.
    pub(super) revision: u64,
}

impl Default for UserRecord {
    fn default() -> Self {
        let seen = OffsetDateTime::UNIX_EPOCH;
        let (identity_kind, display_name, devices) = (None, None, HashMap::new());
        Self { identity_kind, display_name, registered: false, seen, devices, revision: 1 }
    }
}

impl UserRecord {
    /// Records a connection. Returns whether the name has another owner than before.
    pub(super) fn upsert_seen(&mut self, seen: &UserSeen) -> bool {
        self.update_last_seen(seen.device.as_ref(), seen.at);
        self.display_name.clone_from(&seen.display_name);
        self.registered |= seen.identity_kind == IdentityKind::Registered;
        let before = self.identity_kind.replace(seen.identity_kind.clone());
        before.is_some_and(|before| before != seen.identity_kind)
    }

    /// Records a connection or disconnection.
    pub(super) fn update_last_seen(&mut self, device: Option<&DeviceId>, at: OffsetDateTime) {
        let at = at.truncate_to_millisecond();
        self.seen = self.seen.max(at);
        if let Some(device) = device {
            let last = self.devices.entry(device.clone()).or_insert(at);
            *last = at.max(*last);
        }
        while self.devices.len() > DEVICES_PER_USER_MAX {
            let first = self.devices.iter().min_by_key(|(_, at)| **at).map(|(id, _)| id.clone());
            first.map(|id| self.devices.remove(&id));
        }
    }

    pub(super) fn is_guest(&self) -> bool {
        matches!(self.identity_kind, Some(IdentityKind::Guest(_)))
    }

    /// Whether this guest session had the name last.
    pub(super) fn has_guest_session(&self, guest_session: &str) -> bool {
        matches!(&self.identity_kind, Some(IdentityKind::Guest(last)) if **last == *guest_session)
    }
}
