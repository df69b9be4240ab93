//! Which rooms there are, and who may join them as what.

use super::{Joining, Role, RoomName, RoomPattern};

/// What the operator says of rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRules {
    /// Everybody joins these on identifying, and nobody owns them.
    pub auto_join: Vec<RoomName>,
    /// Anybody may join these.
    pub public: Vec<RoomPattern>,
    /// One has to be invited to these, whatever `public` says.
    pub private: Vec<RoomPattern>,
    /// Who joins these may only read.
    pub read_only: Vec<RoomPattern>,
}

/// What a token says of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// It opens the room.
    Open,
    /// It opens the room, and the user is this there.
    As(Role),
    /// It does not open the room.
    Closed,
}

/// Whether a token is an administrator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Office {
    /// It is: they may in every room what its admins may.
    Administrator,
    /// It is not.
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
    /// As what somebody who is no member may join, if at all.
    pub fn joining(&self, room: &RoomName, grant: Grant, office: Office) -> Option<Joining> {
        if grant == Grant::Closed {
            return None;
        }
        let owned = !self.auto_join.contains(room) && !any(&self.read_only, room);
        let is_invited = office == Office::Administrator || matches!(grant, Grant::As(_));
        let least = self.least(room);
        if !any(&self.private, room) {
            let joining = if owned { Joining::OwnerOr(least) } else { Joining::As(least) };
            return any(&self.public, room).then_some(joining);
        }
        match (is_invited, owned) {
            (true, true) => Some(Joining::OwnerOr(least)),
            (true, false) => Some(Joining::As(least)),
            (false, true) => Some(Joining::Founder),
            (false, false) => None,
        }
    }

    /// What one is in a room unless somebody says otherwise.
    pub fn least(&self, room: &RoomName) -> Role {
        if any(&self.read_only, room) { Role::Reader } else { Role::Member }
    }
}

impl Grant {
    /// What a member whose role is kept as `kept` may do with this token, if anything.
    pub fn role(self, kept: Role, office: Office) -> Option<Role> {
        let role = match self {
            Self::Closed => return None,
            Self::Open => kept,
            Self::As(role) => role,
        };
        Some(match office {
            Office::Administrator => role.max(Role::Admin),
            Office::User => role,
        })
    }

    /// The least role that a member must have kept to be `enough` with this token, if any is.
    pub fn least(self, office: Office, enough: fn(Role) -> bool) -> Option<Role> {
        Role::ALL.into_iter().find(|kept| self.role(*kept, office).is_some_and(enough))
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

    fn joining(room: &str, grant: Grant, office: Office) -> Option<Joining> {
        rules().joining(&RoomName::parse(room).unwrap(), grant, office)
    }

    #[test]
    fn the_first_owns_what_is_not_everybodys() {
        let join = |room| joining(room, Grant::Open, Office::User);
        assert_eq!(join("pub-a"), Some(Joining::OwnerOr(Role::Member)));
        assert_eq!(join("lobby"), Some(Joining::As(Role::Member)));
        assert_eq!(join("news"), Some(Joining::As(Role::Reader)));
        assert_eq!(join("elsewhere"), None);
        assert_eq!(joining("pub-a", Grant::Closed, Office::Administrator), None);
    }

    #[test]
    fn a_private_room_is_founded_or_one_is_invited() {
        let join = |room| joining(room, Grant::Open, Office::User);
        assert_eq!(join("team-a"), Some(Joining::Founder));
        assert_eq!(join("team-open"), Some(Joining::Founder), "whatever `public` says");
        assert_eq!(join("team-read"), None, "nobody owns it by joining");
        let invited = joining("team-a", Grant::As(Role::Member), Office::User);
        assert_eq!(invited, Some(Joining::OwnerOr(Role::Member)));
        let admin = joining("team-read", Grant::Open, Office::Administrator);
        assert_eq!(admin, Some(Joining::As(Role::Reader)));
    }

    #[test]
    fn a_token_goes_before_what_is_kept() {
        let (user, admin) = (Office::User, Office::Administrator);
        assert_eq!(Grant::Open.role(Role::Owner, user), Some(Role::Owner));
        assert_eq!(Grant::As(Role::Reader).role(Role::Owner, user), Some(Role::Reader));
        assert_eq!(Grant::Open.role(Role::Reader, admin), Some(Role::Admin));
        assert_eq!(Grant::Open.role(Role::Owner, admin), Some(Role::Owner));
        assert_eq!(Grant::Closed.role(Role::Owner, admin), None);
    }

    #[test]
    fn a_token_may_make_up_for_a_role_but_not_for_being_a_member() {
        let (user, admin) = (Office::User, Office::Administrator);
        let (send, moderate): (fn(_) -> _, fn(_) -> _) = (Role::may_send, Role::may_moderate);
        assert_eq!(Grant::Open.least(user, send), Some(Role::Member));
        assert_eq!(Grant::Open.least(user, moderate), Some(Role::Admin));
        assert_eq!(Grant::Open.least(admin, moderate), Some(Role::Reader), "whatever is kept");
        assert_eq!(Grant::As(Role::Member).least(user, send), Some(Role::Reader));
        assert_eq!(Grant::As(Role::Member).least(user, moderate), None);
        assert_eq!(Grant::Closed.least(admin, send), None);
    }
}
