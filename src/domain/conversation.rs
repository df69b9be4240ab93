//! Where messages belong.

use std::fmt;

use super::{RoomName, Space, UserName};

/// What has a log of its own inside a space.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Conversation {
    /// Everybody who joined.
    Room(RoomName),
    /// Two users, in the order of their names, so that both mean the same one. A user may talk to
    /// themselves.
    Direct(UserName, UserName),
}

impl Conversation {
    /// The conversation between two users, whoever begins.
    pub fn direct(one: UserName, other: UserName) -> Self {
        if one <= other { Self::Direct(one, other) } else { Self::Direct(other, one) }
    }
}

/// A conversation and the space that it is in: the key of everything that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The world.
    pub space: Space,
    /// The conversation in it.
    pub conversation: Conversation,
}

impl Place {
    /// A room of a space.
    pub fn room(space: &Space, room: &RoomName) -> Self {
        Self { space: space.clone(), conversation: Conversation::Room(room.clone()) }
    }
}

impl fmt::Display for Place {
    /// For the log: rooms by name, direct conversations without saying whose.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.conversation {
            Conversation::Room(room) => write!(f, "room {room} in {}", self.space),
            Conversation::Direct(..) => write!(f, "a direct conversation in {}", self.space),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_a_direct_conversation_mean_the_same_one() {
        let (ann, bob) = (UserName::from_raw("ann"), UserName::from_raw("bob"));
        assert_eq!(Conversation::direct(ann.clone(), bob.clone()), Conversation::direct(bob, ann));
    }
}
