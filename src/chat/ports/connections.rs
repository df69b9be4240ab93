//! Pages of connections, as nodes ask each other for them.

use time::OffsetDateTime;

use super::Peer;
use crate::domain::{ConnectionAddress, Space, UserName};

/// The number of a request for a page of connections, unique on the node that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionsRequestId(u64);

impl ConnectionsRequestId {
    /// The request with this number. The caller keeps the numbers unique.
    pub fn from_raw(number: u64) -> Self {
        Self(number)
    }

    /// The number between nodes.
    pub fn as_raw(self) -> u64 {
        self.0
    }
}

/// Which connections are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionsRequest {
    /// Their space.
    pub space: Space,
    /// Their user. `None`: those of all, and anonymous ones.
    pub user: Option<UserName>,
    /// The last connection of the page before. `None`: the beginning.
    pub after: Option<ConnectionAddress>,
    /// The most connections.
    pub count_max: usize,
}

/// The first connections of a request, on one node or on several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstConnections {
    /// The connections, in the order of their addresses.
    pub connections: Vec<OpenConnection>,
    /// Number of all connections in the space, or of those of the user, without regard to `after`.
    pub total: u64,
}

/// An open connection of any node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenConnection {
    /// Its address.
    pub address: ConnectionAddress,
    /// Its user. `None` while it is anonymous.
    pub user: Option<UserName>,
    /// How the client is connected, and from where.
    pub peer: Peer,
    /// When it was admitted.
    pub since: OffsetDateTime,
}
