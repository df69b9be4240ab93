//! The devices of all guests of this node, so that a device is found without a search of the users.

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use crate::domain::{DeviceId, Space};

/// The number of guests by space and device, at least one each.
#[derive(Debug, Default)]
pub(super) struct DeviceIndex(HashMap<Space, BTreeMap<DeviceId, usize>>);

impl DeviceIndex {
    /// Adds a device of a guest.
    pub(super) fn add(&mut self, space: &Space, device: &DeviceId) {
        *self.0.entry(space.clone()).or_default().entry(device.clone()).or_default() += 1;
    }

    /// Removes a device that was added for a guest.
    pub(super) fn remove(&mut self, space: &Space, device: &DeviceId) {
        let Some(devices) = self.0.get_mut(space) else { return };
        if let Entry::Occupied(mut guests) = devices.entry(device.clone()) {
            *guests.get_mut() -= 1;
            if *guests.get() == 0 {
                guests.remove();
            }
        }
        if devices.is_empty() {
            self.0.remove(space);
        }
    }

    /// Whether any guest of the space has this device.
    pub(super) fn contains(&self, space: &Space, device: &DeviceId) -> bool {
        self.0.get(space).is_some_and(|devices| devices.contains_key(device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_as_long_as_one_guest_has_it() {
        let (space, phone) = (Space::root(), DeviceId::parse("phone").unwrap());
        let mut index = DeviceIndex::default();
        assert!(!index.contains(&space, &phone));
        index.add(&space, &phone);
        index.add(&space, &phone);
        index.remove(&space, &phone);
        assert!(index.contains(&space, &phone));
        index.remove(&space, &phone);
        index.remove(&space, &phone);
        assert!(!index.contains(&space, &phone) && index.0.is_empty());
    }
}
