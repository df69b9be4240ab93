//! Pages of the lists that users ask for.

use time::OffsetDateTime;

use crate::domain::{DisplayName, Role, RoomName, RoomTopic, UserName};

/// The part of a list that is asked for: the first `limit` items after one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRange<C> {
    /// The last item of the page before. `None`: the beginning.
    pub after: Option<C>,
    /// The most items.
    pub limit: usize,
}

/// A page of the members of a room, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberPage {
    /// The room.
    pub room: RoomName,
    /// The members.
    pub members: Vec<RoomMember>,
    /// Number of members in all, also of those whose names do not match.
    pub total: u64,
    /// Where the next page begins. `None`: there is none.
    pub next: Option<UserName>,
}

/// A member of a room, as other members see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomMember {
    /// The user.
    pub user: UserName,
    /// The display name.
    pub name: Option<DisplayName>,
    /// The role that is stored.
    pub role: Role,
    /// Whether the user is online, on any node.
    pub online: bool,
    /// The time of the last connect or disconnect, if any.
    pub last_seen: Option<OffsetDateTime>,
}

/// A page of the directory of rooms, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPage {
    /// The rooms.
    pub rooms: Vec<DirectoryRoom>,
    /// Where the next page begins. `None`: there is none.
    pub next: Option<RoomName>,
}

/// A room that a user may know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryRoom {
    /// The room.
    pub room: RoomName,
    /// The topic.
    pub topic: Option<RoomTopic>,
    /// Number of members.
    pub members: u64,
    /// Number of users in it who are online, on all nodes.
    pub online: usize,
    /// Whether the asking user is a member.
    pub joined: bool,
}
