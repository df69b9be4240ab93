//! What somebody is in a conversation, and what they may do there.

use super::{Position, Seq};

/// What a member may do. Each may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Read.
    Reader,
    /// Send.
    Member,
    /// Invite, kick, delete.
    Admin,
    /// Everything.
    Owner,
}

impl Role {
    /// Every role, from the least on.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Member, Self::Admin, Self::Owner];

    /// The role that is called `word`, if one is.
    pub fn from_raw(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_raw() == word)
    }

    /// What it is called outside.
    pub fn as_raw(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Whether they may send.
    pub fn may_send(self) -> bool {
        self >= Self::Member
    }

    /// Whether they may delete what others said, and invite and kick at all.
    pub fn may_moderate(self) -> bool {
        self >= Self::Admin
    }

    /// Whether they may make somebody who has `this` role, if any, have `that` one, or none.
    pub fn may_change(self, this: Option<Self>, that: Option<Self>) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => this.is_none_or(|it| it < self) && that.is_none_or(|it| it < self),
            Self::Member | Self::Reader => false,
        }
    }
}

/// As what somebody joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinMode {
    /// As this.
    As(Role),
    /// As the owner where nobody is a member, else as this.
    OwnerIfFirst(Role),
    /// As the owner, and only where nobody is a member and nothing was ever done; else not at all.
    FounderOnly,
}

/// Somebody in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// What they may do.
    pub role: Role,
    /// The last entry before they came.
    pub joined: Seq,
    /// How far they have read.
    pub read: Position,
    /// Whether they want to be left alone by it.
    pub muted: Muted,
}

/// Whether a member wants to be left alone by a conversation. They are told everything all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Muted {
    /// They do.
    Yes,
    /// They do not.
    #[default]
    No,
}

impl Member {
    /// Somebody who has just come and has read up to `read`.
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
