//! What is remembered of a user.

use std::collections::HashMap;

use time::OffsetDateTime;

use crate::{
    chat::ports::{DEVICES_PER_USER_MAX, Seen, Voucher},
    domain::DeviceId,
};

/// Somebody who came at least once.
#[derive(Debug)]
pub(super) struct User {
    /// Who vouched for them last.
    voucher: Option<Voucher>,
    /// Whether the back end ever did.
    pub(super) vouched: bool,
    pub(super) seen: OffsetDateTime,
    pub(super) devices: HashMap<DeviceId, OffsetDateTime>,
    /// Another one after each change of what they are a member of.
    pub(super) revision: u64,
}

impl Default for User {
    fn default() -> Self {
        let seen = OffsetDateTime::UNIX_EPOCH;
        Self { voucher: None, vouched: false, seen, devices: HashMap::new(), revision: 1 }
    }
}

impl User {
    /// Takes note of a coming. Answers whether this is somebody else than before.
    pub(super) fn see(&mut self, seen: &Seen) -> bool {
        self.note(seen.device.as_ref(), seen.at);
        self.vouched |= seen.voucher == Voucher::BackEnd;
        let before = self.voucher.replace(seen.voucher.clone());
        before.is_some_and(|before| before != seen.voucher)
    }

    /// Takes note of a coming or going.
    pub(super) fn note(&mut self, device: Option<&DeviceId>, at: OffsetDateTime) {
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
        matches!(self.voucher, Some(Voucher::Guest(_)))
    }

    /// Whether the guest with this mark had the name last.
    pub(super) fn is_on(&self, stay: &str) -> bool {
        matches!(&self.voucher, Some(Voucher::Guest(last)) if **last == *stay)
    }
}
