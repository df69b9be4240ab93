//! What channels are called at the server, and which lie together.
//!
//! Channels are hashed onto groups, and the name of a group is the hash tag of all names in it: in a
//! cluster a group lies in one slot, and so on one server at a time. Another hash, or another number of
//! groups, is another language between nodes.

use crate::domain::{Channel, NodeId};

/// How many groups there are: enough to share out among the servers of a cluster.
pub(super) const GROUPS: usize = 16;
/// How many slots a cluster has.
const SLOTS: u16 = 16_384;

/// Channels that lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ChannelGroup(u8);

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameKind {
    /// A channel.
    Channel(Channel),
    /// The channel on which this node speaks to itself.
    Ping(ChannelGroup),
}

impl ChannelGroup {
    /// All of them.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0_u8..).take(GROUPS).map(Self)
    }

    /// The group of a channel.
    pub(super) fn of(channel: Channel) -> Self {
        let number = usize::from(channel.as_raw()) % GROUPS;
        Self(u8::try_from(number).expect("there are few groups"))
    }

    /// Its place among all.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Names with a prefix, for one node.
#[derive(Clone, Debug)]
pub(super) struct ChannelNames {
    prefix: Box<str>,
    node: NodeId,
}

impl ChannelNames {
    /// With a prefix without braces.
    pub(super) fn new(prefix: &str, node: NodeId) -> Self {
        Self { prefix: prefix.into(), node }
    }

    /// What a channel is called.
    pub(super) fn channel(&self, channel: Channel) -> String {
        let group = ChannelGroup::of(channel).0;
        format!("{{{}:{group}}}:{}", self.prefix, channel.as_raw())
    }

    /// What this node's own channel in a group is called.
    pub(super) fn ping(&self, group: ChannelGroup) -> String {
        format!("{{{}:{}}}:node:{}", self.prefix, group.0, self.node.as_raw())
    }

    /// What a name stands for, if it is one of ours.
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

/// CRC-16/XMODEM, by which a cluster hashes.
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
