//! Users as the store records them: connects, disconnects, and guests.

use time::OffsetDateTime;

use crate::domain::{DeviceId, DisplayName, NodeId, Space, UserName};

/// A user that connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSeen {
    /// The space.
    pub space: Space,
    /// The name.
    pub user: UserName,
    /// Whether the user is registered or a guest.
    pub identity_kind: IdentityKind,
    /// The display name, which replaces the one before.
    pub display_name: Option<DisplayName>,
    /// The device, if the client named one.
    pub device: Option<DeviceId>,
    /// The time of the connect.
    pub at: OffsetDateTime,
}

/// A user that disconnected. Another user may have the name by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDeparted {
    /// The space.
    pub space: Space,
    /// The name.
    pub user: UserName,
    /// The device, if the client named one.
    pub device: Option<DeviceId>,
    /// The time of the disconnect.
    pub at: OffsetDateTime,
}

/// The source of a user's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityKind {
    /// A guest with this guest session.
    Guest(Box<str>),
    /// A user with a token of the back end.
    Registered,
}

impl IdentityKind {
    /// The identity kind of a token with this guest session, or without one.
    pub fn of(guest: Option<&str>) -> Self {
        guest.map_or(Self::Registered, |guest_session| Self::Guest(guest_session.into()))
    }
}

/// A guest whose grace period is over, unless the guest is online on another live node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestExpired {
    /// The space.
    pub space: Space,
    /// The name.
    pub user: UserName,
    /// The id of the guest session.
    pub guest_session: Box<str>,
    /// The node that the guest was on.
    pub from: NodeId,
}

/// A guest that was online, or in its grace period, when a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineGuest {
    /// The name and the guest session.
    pub name: GuestName,
    /// The devices of this guest session, and when each was last seen.
    pub devices: Vec<(DeviceId, OffsetDateTime)>,
}

/// A guest name and the session that has claimed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GuestName {
    /// The space.
    pub space: Space,
    /// The name. Names that look alike ([`UserName::key`]) are one.
    pub user: UserName,
    /// The id of the guest session.
    pub guest_session: Box<str>,
}
