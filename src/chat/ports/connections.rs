//! Pages of connections, as nodes ask each other for them.

use std::time::Duration;

use time::OffsetDateTime;

use super::{Carrier, DisconnectCause, Peer, Traffic};
use crate::domain::{ConnectionAddress, NodeId, RoomName, Space, UserName};

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
    /// What is listed besides.
    pub detail: ConnectionsDetail,
}

/// What a page has besides its connections. Nodes of earlier versions reply without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectionsDetail {
    /// Nothing.
    #[default]
    None,
    /// The rooms of each connection.
    Rooms,
    /// These, and what each node says of itself.
    RoomsAndNodes,
}

/// The first connections of a request, on one node or on several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstConnections {
    /// The connections, in the order of their addresses.
    pub connections: Vec<OpenConnection>,
    /// Number of all connections in the space, or of those of the user, without regard to `after`.
    pub total: u64,
    /// What the nodes say of themselves, if the request asks for it.
    pub nodes: Vec<NodeStats>,
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
    /// Its rooms in their order, if the request asks for them: at most [`ROOMS_LISTED_MAX`].
    pub rooms: Vec<RoomName>,
}

/// The most rooms that are listed of a connection.
pub const ROOMS_LISTED_MAX: usize = 100;

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStats {
    /// The node.
    pub node: NodeId,
    /// The name of its machine.
    pub host: Box<str>,
    /// The number of its process.
    pub process: u32,
    /// How long it has run.
    pub uptime: Duration,
    /// Number of connections since its start, with those that have ended.
    pub opened: u64,
    /// Number of open connections.
    pub connections: Vec<(Space, Carrier, u64)>,
    /// Number of connections that have ended since its start, by cause.
    pub closed: Vec<(DisconnectCause, u64)>,
    /// The connections that ended lately, as far as they are kept.
    pub ended: Vec<(ConnectionAddress, DisconnectCause)>,
    /// What its connections have sent and received since its start.
    pub traffic: Traffic,
}

impl NodeStats {
    /// Number of all open connections.
    pub fn open(&self) -> u64 {
        self.connections.iter().map(|(_, _, count)| count).sum()
    }
}
