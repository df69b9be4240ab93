//! The bus channel of each conversation and user.
//!
//! Conversations and users are hashed onto a fixed number of channels. A node receives little that
//! is not for its connections, and still has few subscriptions.

use super::{Conversation, NameKey, Place, RoomName, Space, UserName};

/// One of the channels that conversations and users are hashed onto, or the one for all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel(u16);

impl Channel {
    /// Number of channels that conversations and users are hashed onto. Changing it changes the
    /// version of the protocol between nodes.
    pub const COUNT: u16 = 1024;

    /// The channel that every node subscribes to.
    pub const BROADCAST: Self = Self(Self::COUNT);

    /// The channel with this number, if there is one.
    pub fn from_raw(number: u16) -> Option<Self> {
        (number <= Self::COUNT).then_some(Self(number))
    }

    /// The number of the channel.
    pub fn as_raw(self) -> u16 {
        self.0
    }

    /// The channel of a room.
    pub fn of_room(space: &Space, room: &RoomName) -> Self {
        Self::hashed(b'r', space, room.as_raw())
    }

    /// The channel of a user. Names with the same key share one, because a claim of a name concerns
    /// all of them.
    pub fn of_user(space: &Space, key: &NameKey) -> Self {
        Self::hashed(b'u', space, key.as_raw())
    }

    /// The channels of a conversation: the room's own, or those of the users in it.
    pub fn of(place: &Place) -> impl Iterator<Item = Self> {
        let user = |name: &UserName| Self::of_user(&place.space, &name.key());
        let (one, other) = match &place.conversation {
            Conversation::Room(room) => (Self::of_room(&place.space, room), None),
            Conversation::Direct(one, other) => (user(one), Some(user(other))),
            Conversation::Inbox(name) => (user(name), None),
        };
        [Some(one), other.filter(|other| *other != one)].into_iter().flatten()
    }

    /// FNV-1a, 64 bits, folded. The result is the same in every version and on every machine.
    fn hashed(kind: u8, space: &Space, name: &str) -> Self {
        let bytes = [kind].into_iter().chain(space.as_raw().bytes()).chain([0]).chain(name.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let folded = (hash ^ (hash >> 32)) % u64::from(Self::COUNT);
        Self(u16::try_from(folded).expect("it is below the count"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn channel_numbers_are_stable() {
        let (space, lobby) = (Space::root(), RoomName::lobby());
        assert_eq!(Channel::of_room(&space, &lobby).as_raw(), 16);
        let (ann, other) = (UserName::from_raw("ann"), UserName::from_raw("Ann"));
        assert_eq!(Channel::of_user(&space, &ann.key()), Channel::of_user(&space, &other.key()));
    }

    #[test]
    fn conversations_are_spread_over_all_channels() {
        let room = |n: u32| RoomName::from_raw(&format!("room-{n}"));
        let channels: HashSet<_> =
            (0..20_000).map(|n| Channel::of_room(&Space::root(), &room(n))).collect();
        assert!(channels.len() > usize::from(Channel::COUNT) * 99 / 100);
        assert!(!channels.contains(&Channel::BROADCAST));
    }

    #[test]
    fn direct_conversations_use_the_channels_of_their_users() {
        let user = UserName::from_raw;
        let place = |conversation| Place { space: Space::root(), conversation };
        let direct = place(Conversation::direct(user("ann"), user("bob")));
        let of = |name| Channel::of_user(&Space::root(), &user(name).key());
        assert_eq!(Channel::of(&direct).collect::<Vec<_>>(), [of("ann"), of("bob")]);
        let alone = place(Conversation::direct(user("ann"), user("ann")));
        assert_eq!(Channel::of(&alone).collect::<Vec<_>>(), [of("ann")]);
        let inbox = place(Conversation::Inbox(user("bob")));
        assert_eq!(Channel::of(&inbox).collect::<Vec<_>>(), [of("bob")]);
    }
}
