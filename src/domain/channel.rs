//! Over which channels nodes speak of what: many conversations share one, so that a node hears little
//! that is not for its connections, and still has few things to listen to.

use super::{Conversation, NameKey, Place, RoomName, Space, UserName};

/// One of the channels that conversations and users are hashed onto, or the one for all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel(u16);

impl Channel {
    /// How many channels conversations and users are hashed onto. Another number is another version
    /// of what nodes say to each other.
    pub const COUNT: u16 = 1024;

    /// What every node hears.
    pub const BROADCAST: Self = Self(Self::COUNT);

    /// The channel with this number, if there is one.
    pub fn from_raw(number: u16) -> Option<Self> {
        (number <= Self::COUNT).then_some(Self(number))
    }

    /// Its number.
    pub fn as_raw(self) -> u16 {
        self.0
    }

    /// Where a room is spoken of.
    pub fn of_room(space: &Space, room: &RoomName) -> Self {
        Self::hashed(b'r', space, room.as_raw())
    }

    /// Where a user is spoken of: all who look alike on one channel, because names are about them.
    pub fn of_user(space: &Space, key: &NameKey) -> Self {
        Self::hashed(b'u', space, key.as_raw())
    }

    /// Where a conversation is spoken of: a room on its own channel, the others on their users'.
    pub fn of(place: &Place) -> impl Iterator<Item = Self> {
        let user = |name: &UserName| Self::of_user(&place.space, &name.key());
        let (one, other) = match &place.conversation {
            Conversation::Room(room) => (Self::of_room(&place.space, room), None),
            Conversation::Direct(one, other) => (user(one), Some(user(other))),
            Conversation::Inbox(name) => (user(name), None),
        };
        [Some(one), other.filter(|other| *other != one)].into_iter().flatten()
    }

    /// FNV-1a, 64 bits, folded: the same in every version and on every machine.
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
