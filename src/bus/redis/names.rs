//! The names of channels at the server, and their groups.
//!
//! Channels are hashed onto groups, and the name of a group is the hash tag of all names in it: in
//! a cluster a group lies in one slot, and so on one server at a time. Another hash or number of
//! groups would be incompatible between nodes.

use crate::domain::{Channel, NodeId};

/// The number of groups: enough to spread them over the servers of a cluster.
pub(super) const GROUPS: usize = 16;
/// The number of slots of a cluster.
const SLOTS: u16 = 16_384;

/// Channels that lie in the same slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ChannelGroup(u8);

/// The meaning of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameKind {
    /// A channel.
    Channel(Channel),
    /// The channel of this node's pings in a group.
    Ping(ChannelGroup),
}

impl ChannelGroup {
    /// All groups.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0_u8..).take(GROUPS).map(Self)
    }

    /// The group of a channel.
    pub(super) fn of(channel: Channel) -> Self {
        let number = usize::from(channel.as_raw()) % GROUPS;
        Self(u8::try_from(number).expect("there are few groups"))
    }

    /// Its index among all groups.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The names for one node, with a prefix.
#[derive(Clone, Debug)]
pub(super) struct ChannelNames {
    prefix: Box<str>,
    node: NodeId,
}

impl ChannelNames {
    /// `prefix` must not contain braces.
    pub(super) fn new(prefix: &str, node: NodeId) -> Self {
        Self { prefix: prefix.into(), node }
    }

    /// The name of a channel.
    pub(super) fn channel(&self, channel: Channel) -> String {
        let group = ChannelGroup::of(channel).0;
        format!("{{{}:{group}}}:{}", self.prefix, channel.as_raw())
    }

    /// The name of this node's ping channel in a group.
    pub(super) fn ping(&self, group: ChannelGroup) -> String {
        format!("{{{}:{}}}:node:{}", self.prefix, group.0, self.node.as_raw())
    }

    /// The meaning of a name; `None` for names of other applications.
    pub(super) fn name_kind(&self, name: &[u8]) -> Option<NameKind> {
        let name = str::from_utf8(name).ok()?;
        let rest = name.strip_prefix('{')?.strip_prefix(&*self.prefix)?.strip_prefix(':')?;
        let (group, rest) = rest.split_once("}:")?;
        let group = group.parse().ok().filter(|it| usize::from(*it) < GROUPS).map(ChannelGroup)?;
        if let Some(node) = rest.strip_prefix("node:") {
            return (node == self.node.as_raw()).then_some(NameKind::Ping(group));
        }
        let channel = Channel::from_raw(rest.parse().ok()?)?;
        (ChannelGroup::of(channel) == group).then_some(NameKind::Channel(channel))
    }

    /// The slot of a group in a cluster.
    pub(super) fn slot(&self, group: ChannelGroup) -> u16 {
        crc16(format!("{}:{}", self.prefix, group.0).as_bytes()) % SLOTS
    }
}

/// CRC-16/XMODEM, the hash of a cluster.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let crc = crc ^ (u16::from(*byte) << 8);
        (0..8).fold(crc, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> ChannelNames {
        ChannelNames::new("chat", NodeId::from_raw("n1"))
    }

    #[test]
    fn names_round_trip() {
        let names = names();
        assert_eq!(names.channel(Channel::BROADCAST), "{chat:0}:1024");
        for number in 0..=Channel::COUNT {
            let channel = Channel::from_raw(number).unwrap();
            let name = names.channel(channel);
            assert_eq!(names.name_kind(name.as_bytes()), Some(NameKind::Channel(channel)));
        }
        for group in ChannelGroup::all() {
            let name = names.ping(group);
            assert_eq!(names.name_kind(name.as_bytes()), Some(NameKind::Ping(group)));
        }
    }

    #[test]
    fn foreign_names_are_not_recognized() {
        for name in [
            "",
            "chat",
            "{chat:1}:2",
            "{chat:1}:1025",
            "{chat:16}:16",
            "{chat:1}:x",
            "{talk:1}:1",
            "{chat:1}:node:n2",
            "{chat:1}1",
            "{chat:-1}:1",
        ] {
            assert_eq!(names().name_kind(name.as_bytes()), None, "{name}");
        }
        assert_eq!(names().name_kind(&[b'{', 0xff]), None);
    }

    #[test]
    fn slots_match_those_of_redis() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b"foo") % SLOTS, 12_182, "CLUSTER KEYSLOT foo");
    }
}
