//! Conversations, and how each of their users names them.

use std::fmt;

use super::{RoomName, Space, UserName};

/// A conversation: it has its own log inside a space.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Conversation {
    /// A room: its members are the users that joined it.
    Room(RoomName),
    /// A direct conversation of two users, ordered by name so that it has one form. Both may be the
    /// same user.
    Direct(UserName, UserName),
    /// The inbox of a user, which holds notifications.
    Inbox(UserName),
}

impl Conversation {
    /// The direct conversation of two users, in either order.
    pub fn direct(one: UserName, other: UserName) -> Self {
        if one <= other { Self::Direct(one, other) } else { Self::Direct(other, one) }
    }

    /// The room, if the conversation is one.
    pub fn room(&self) -> Option<&RoomName> {
        match self {
            Self::Room(room) => Some(room),
            Self::Direct(..) | Self::Inbox(_) => None,
        }
    }

    /// Whether a message counts as read by its author. The author of a notification writes into an
    /// inbox: it is unread there, also in the author's own.
    pub fn authors_have_read(&self) -> bool {
        match self {
            Self::Room(_) | Self::Direct(..) => true,
            Self::Inbox(_) => false,
        }
    }

    /// The view of `user`, one of its users.
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
    /// The user's own inbox.
    Inbox,
}

impl View {
    /// The conversation that `user` means by this view.
    pub fn conversation_of(self, user: &UserName) -> Conversation {
        match self {
            Self::Room(room) => Conversation::Room(room),
            Self::Direct(other) => Conversation::direct(user.clone(), other),
            Self::Inbox => Conversation::Inbox(user.clone()),
        }
    }
}

/// A conversation and its space: the key of all stored data.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The space.
    pub space: Space,
    /// The conversation in the space.
    pub conversation: Conversation,
}

impl Place {
    /// A room of a space.
    pub fn room(space: &Space, room: &RoomName) -> Self {
        Self { space: space.clone(), conversation: Conversation::Room(room.clone()) }
    }
}

impl fmt::Display for Place {
    /// For log messages: rooms by name, other conversations without the names of users.
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
    fn authors_have_read_their_messages_but_not_their_notifications() {
        let (ann, bob) = (UserName::from_raw("ann"), UserName::from_raw("bob"));
        assert!(Conversation::Room(RoomName::lobby()).authors_have_read());
        assert!(Conversation::direct(ann.clone(), bob).authors_have_read());
        assert!(!Conversation::Inbox(ann).authors_have_read());
    }

    #[test]
    fn a_user_may_have_a_direct_conversation_with_itself() {
        let ann = UserName::from_raw("ann");
        let alone = View::Direct(ann.clone()).conversation_of(&ann);
        assert_eq!(alone.view_for(&ann), View::Direct(ann));
    }
}
