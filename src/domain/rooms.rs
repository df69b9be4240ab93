//! Which rooms exist, which users may join them, and with which role.

use super::{JoinMode, Role, RoomName, RoomPattern};

/// The operator's rules for rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRules {
    /// Rooms that users join automatically. They have no owner.
    pub auto_join: Vec<RoomName>,
    /// Rooms that all users may join.
    pub public: Vec<RoomPattern>,
    /// Rooms that need an invitation, even if `public` matches them.
    pub private: Vec<RoomPattern>,
    /// Rooms in which joining users may only read.
    pub read_only: Vec<RoomPattern>,
}

/// The grant of a token for a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The token opens the room.
    Open,
    /// The token opens the room and sets the user's role there.
    As(Role),
    /// The token does not open the room.
    Closed,
}

/// The role of a token's user in all rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalRole {
    /// An administrator: has the permissions of an admin in every room.
    Administrator,
    /// A user without special permissions.
    User,
}

impl Default for RoomRules {
    fn default() -> Self {
        Self {
            auto_join: vec![RoomName::lobby()],
            public: RoomPattern::parse("*").into_iter().collect(),
            private: Vec::new(),
            read_only: Vec::new(),
        }
    }
}

impl RoomRules {
    /// How a user without a membership may join, if at all.
    pub fn join_mode(
        &self,
        room: &RoomName,
        grant: Grant,
        global_role: GlobalRole,
    ) -> Option<JoinMode> {
        if grant == Grant::Closed {
            return None;
        }
        let has_owner = !self.auto_join.contains(room) && !any(&self.read_only, room);
        let is_invited = global_role == GlobalRole::Administrator || matches!(grant, Grant::As(_));
        let default_role = self.default_role(room);
        if !any(&self.private, room) {
            let join_mode = if has_owner {
                JoinMode::OwnerIfFirst(default_role)
            } else {
                JoinMode::As(default_role)
            };
            return any(&self.public, room).then_some(join_mode);
        }
        match (is_invited, has_owner) {
            (true, true) => Some(JoinMode::OwnerIfFirst(default_role)),
            (true, false) => Some(JoinMode::As(default_role)),
            (false, true) => Some(JoinMode::FounderOnly),
            (false, false) => None,
        }
    }

    /// Whether users who are no members may know that the room exists.
    pub fn is_public(&self, room: &RoomName) -> bool {
        any(&self.public, room) && !any(&self.private, room)
    }

    /// The role of a member whose role was not set otherwise.
    pub fn default_role(&self, room: &RoomName) -> Role {
        if any(&self.read_only, room) { Role::Reader } else { Role::Member }
    }
}

impl Grant {
    /// The effective role of a member with the role `stored` under this grant. `None` if the token
    /// does not open the room.
    pub fn role(self, stored: Role, global_role: GlobalRole) -> Option<Role> {
        let role = match self {
            Self::Closed => return None,
            Self::Open => stored,
            Self::As(role) => role,
        };
        Some(match global_role {
            GlobalRole::Administrator => role.max(Role::Admin),
            GlobalRole::User => role,
        })
    }

    /// The least stored role whose effective role under this grant satisfies `is_sufficient`, if
    /// there is one.
    pub fn least(
        self,
        global_role: GlobalRole,
        is_sufficient: impl Fn(Role) -> bool,
    ) -> Option<Role> {
        Role::ALL
            .into_iter()
            .find(|stored| self.role(*stored, global_role).is_some_and(&is_sufficient))
    }
}

fn any(patterns: &[RoomPattern], room: &RoomName) -> bool {
    patterns.iter().any(|pattern| pattern.matches(room))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> RoomRules {
        let patterns =
            |all: &[&str]| all.iter().map(|it| RoomPattern::parse(it).unwrap()).collect();
        RoomRules {
            auto_join: vec![RoomName::lobby()],
            public: patterns(&["lobby", "pub-*", "team-open", "news"]),
            private: patterns(&["team-*"]),
            read_only: patterns(&["news", "team-read"]),
        }
    }

    fn join_mode(room: &str, grant: Grant, global_role: GlobalRole) -> Option<JoinMode> {
        rules().join_mode(&RoomName::parse(room).unwrap(), grant, global_role)
    }

    #[test]
    fn the_first_member_owns_a_public_room() {
        let join = |room| join_mode(room, Grant::Open, GlobalRole::User);
        assert_eq!(join("pub-a"), Some(JoinMode::OwnerIfFirst(Role::Member)));
        assert_eq!(join("lobby"), Some(JoinMode::As(Role::Member)));
        assert_eq!(join("news"), Some(JoinMode::As(Role::Reader)));
        assert_eq!(join("another"), None);
        assert_eq!(join_mode("pub-a", Grant::Closed, GlobalRole::Administrator), None);
    }

    #[test]
    fn a_private_room_needs_a_founder_or_an_invitation() {
        let join = |room| join_mode(room, Grant::Open, GlobalRole::User);
        assert_eq!(join("team-a"), Some(JoinMode::FounderOnly));
        assert_eq!(join("team-open"), Some(JoinMode::FounderOnly), "`private` overrides `public`");
        assert_eq!(join("team-read"), None, "a read-only room has no founder");
        let invited = join_mode("team-a", Grant::As(Role::Member), GlobalRole::User);
        assert_eq!(invited, Some(JoinMode::OwnerIfFirst(Role::Member)));
        let admin = join_mode("team-read", Grant::Open, GlobalRole::Administrator);
        assert_eq!(admin, Some(JoinMode::As(Role::Reader)));
    }

    #[test]
    fn a_token_role_overrides_the_stored_role() {
        let (user, admin) = (GlobalRole::User, GlobalRole::Administrator);
        assert_eq!(Grant::Open.role(Role::Owner, user), Some(Role::Owner));
        assert_eq!(Grant::As(Role::Reader).role(Role::Owner, user), Some(Role::Reader));
        assert_eq!(Grant::Open.role(Role::Reader, admin), Some(Role::Admin));
        assert_eq!(Grant::Open.role(Role::Owner, admin), Some(Role::Owner));
        assert_eq!(Grant::Closed.role(Role::Owner, admin), None);
    }

    #[test]
    fn a_token_lowers_the_required_stored_role() {
        let (user, admin) = (GlobalRole::User, GlobalRole::Administrator);
        let (send, moderate) = (Role::may_send, Role::may_moderate);
        assert_eq!(Grant::Open.least(user, send), Some(Role::Member));
        assert_eq!(Grant::Open.least(user, moderate), Some(Role::Admin));
        assert_eq!(
            Grant::Open.least(admin, moderate),
            Some(Role::Reader),
            "administrators need no stored role"
        );
        assert_eq!(Grant::As(Role::Member).least(user, send), Some(Role::Reader));
        assert_eq!(Grant::As(Role::Member).least(user, moderate), None);
        assert_eq!(Grant::Closed.least(admin, send), None);
    }
}
