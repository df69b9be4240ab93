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
    /// What a user is notified of.
    Inbox(UserName),
}

impl Conversation {
    /// The conversation between two users, whoever begins.
    pub fn direct(one: UserName, other: UserName) -> Self {
        if one <= other { Self::Direct(one, other) } else { Self::Direct(other, one) }
    }

    /// The room, where it is one.
    pub fn room(&self) -> Option<&RoomName> {
        match self {
            Self::Room(room) => Some(room),
            Self::Direct(..) | Self::Inbox(_) => None,
        }
    }

    /// What `user`, who is in it, calls it.
    pub fn view_for(&self, user: &UserName) -> View {
        match self {
            Self::Room(room) => View::Room(room.clone()),
            Self::Direct(one, other) => View::Direct(if one == user { other } else { one }.clone()),
            Self::Inbox(_) => View::Inbox,
        }
    }
}

/// A conversation as one of its users sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// A room.
    Room(RoomName),
    /// The direct conversation with this user.
    Direct(UserName),
    /// Their inbox.
    Inbox,
}

impl View {
    /// The conversation that `user` means.
    pub fn conversation_of(self, user: &UserName) -> Conversation {
        match self {
            Self::Room(room) => Conversation::Room(room),
            Self::Direct(other) => Conversation::direct(user.clone(), other),
            Self::Inbox => Conversation::Inbox(user.clone()),
        }
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
    /// For the log: rooms by name, the others without saying whose.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.conversation {
            Conversation::Room(room) => write!(f, "room {room} in {}", self.space),
            Conversation::Direct(..) => write!(f, "a direct conversation in {}", self.space),
            Conversation::Inbox(_) => write!(f, "an inbox in {}", self.space),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direct_conversation_is_the_same_from_both_sides() {
        let (ann, bob) = (UserName::from_raw("ann"), UserName::from_raw("bob"));
        let both = Conversation::direct(ann.clone(), bob.clone());
        assert_eq!(both, Conversation::direct(bob.clone(), ann.clone()));
        assert_eq!(both.view_for(&ann), View::Direct(bob.clone()));
        assert_eq!(both.view_for(&bob), View::Direct(ann.clone()));
        assert_eq!(View::Direct(bob).conversation_of(&ann), both);
    }

    #[test]
    fn a_user_may_have_a_direct_conversation_with_itself() {
        let ann = UserName::from_raw("ann");
        let alone = View::Direct(ann.clone()).conversation_of(&ann);
        assert_eq!(alone.view_for(&ann), View::Direct(ann));
    }
}
