//! The devices that a user is connected with.

use std::collections::BTreeSet;

use super::DeviceId;

/// The connected devices of a user. A connection without a device name counts as one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceSet {
    named: BTreeSet<DeviceId>,
    unnamed: usize,
}

impl DeviceSet {
    /// A set of named devices and a number of unnamed ones.
    pub fn new(named: impl IntoIterator<Item = DeviceId>, unnamed: usize) -> Self {
        Self { named: named.into_iter().collect(), unnamed }
    }

    /// The names of the named devices, in order.
    pub fn named(&self) -> impl Iterator<Item = &DeviceId> {
        self.named.iter()
    }

    /// Number of devices.
    pub fn count(&self) -> usize {
        self.named.len() + self.unnamed
    }

    /// Whether the user has no connected device.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Adds the devices of other connections.
    pub fn merge(&mut self, other: Self) {
        self.named.extend(other.named);
        self.unnamed += other.unnamed;
    }
}

/// Collects the devices of connections.
impl<'a> FromIterator<Option<&'a DeviceId>> for DeviceSet {
    fn from_iter<I: IntoIterator<Item = Option<&'a DeviceId>>>(connections: I) -> Self {
        let mut devices = Self::default();
        for device in connections {
            match device {
                Some(device) => {
                    devices.named.insert(device.clone());
                }
                None => devices.unnamed += 1,
            }
        }
        devices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_with_several_connections_counts_once() {
        let [phone, desk] = ["phone", "desk"].map(DeviceId::from_raw);
        let mut devices: DeviceSet = [Some(&phone), None, Some(&phone)].into_iter().collect();
        assert_eq!(devices.count(), 2);
        devices.merge([Some(&phone), None, Some(&desk)].into_iter().collect());
        assert_eq!(devices, DeviceSet::new([desk, phone], 2));
        assert_eq!(devices.count(), 4);
        assert!(!devices.is_empty() && DeviceSet::default().is_empty());
    }
}
