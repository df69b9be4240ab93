//! Members of conversations, their roles and what the roles permit.

use super::{Position, Seq};

/// The role of a member. Each role includes the permissions of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// May read.
    Reader,
    /// May send.
    Member,
    /// May invite, kick and delete.
    Admin,
    /// May do everything.
    Owner,
}

impl Role {
    /// Every role, the least one first.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Member, Self::Admin, Self::Owner];

    /// The role with this name, if there is one.
    pub fn from_raw(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_raw() == word)
    }

    /// The name on the wire and in the store.
    pub fn as_raw(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Whether the role permits to send.
    pub fn may_send(self) -> bool {
        self >= Self::Member
    }

    /// Whether the role permits to delete messages of others, to invite and to kick.
    pub fn may_moderate(self) -> bool {
        self >= Self::Admin
    }

    /// Whether the role permits to change another user's role from `this` to `that`, where `None`
    /// is no membership.
    pub fn may_change(self, this: Option<Self>, that: Option<Self>) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => this.is_none_or(|it| it < self) && that.is_none_or(|it| it < self),
            Self::Member | Self::Reader => false,
        }
    }
}

/// The role that a joining user receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinMode {
    /// This role.
    As(Role),
    /// Owner in a room without members, else this role.
    OwnerIfFirst(Role),
    /// Owner in a room without members and without entries. Else joining is refused.
    FounderOnly,
}

/// A member of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The role.
    pub role: Role,
    /// The last entry before the user joined.
    pub joined: Seq,
    /// The last entry that the user has read.
    pub read: Position,
    /// Whether the user muted the conversation.
    pub muted: Muted,
}

/// Whether a member muted a conversation. Events are delivered all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Muted {
    /// The conversation is muted.
    Yes,
    /// The conversation is not muted.
    #[default]
    No,
}

impl Member {
    /// A new member that has read up to `read`.
    pub fn new(role: Role, read: Position) -> Self {
        Self { role, joined: read.seq, read, muted: Muted::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_owners_change_members_of_their_own_role() {
        use Role::{Admin, Member, Owner, Reader};
        assert!(Admin.may_change(None, Some(Member)));
        assert!(Admin.may_change(Some(Member), Some(Reader)));
        assert!(Admin.may_change(Some(Reader), None));
        assert!(!Admin.may_change(None, Some(Admin)));
        assert!(!Admin.may_change(Some(Admin), None));
        assert!(!Admin.may_change(Some(Owner), Some(Member)));
        assert!(Owner.may_change(Some(Owner), None));
        assert!(Owner.may_change(None, Some(Owner)));
        assert!(!Member.may_change(None, Some(Reader)));
        assert!(!Reader.may_change(Some(Reader), None));
    }

    #[test]
    fn a_role_round_trips_through_its_name() {
        for role in Role::ALL {
            assert_eq!(Role::from_raw(role.as_raw()), Some(role));
        }
        assert_eq!([Role::from_raw("Owner"), Role::from_raw("")], [None, None]);
    }

    #[test]
    fn permissions_grow_with_the_role() {
        assert_eq!(Role::ALL.map(Role::may_send), [false, true, true, true]);
        assert_eq!(Role::ALL.map(Role::may_moderate), [false, false, true, true]);
    }
}
