//! What the official Admin UI shows of all nodes, and what its users do to connections.
//!
//! A list of the connections is read each time, and compared with the one before. So a server without an
//! open Admin UI only counts for it; why single connections ended is kept while a page is open.

mod commands;
mod view;

use std::collections::BTreeSet;

pub use self::commands::{AdminCommand, AdminRequest};
pub use self::view::{AdminChange, AdminView, ServerCounts};
use super::{
    Chat,
    hub::ConnectionsOutcome,
    ports::{ConnectionsDetail, ConnectionsRequest, FirstConnections, NodeStats, OpenConnection},
};
use crate::domain::{ConnectionAddress, NodeId, Rejection, Space};

/// The most connections that are shown: the page searches its lists for each of them.
const SOCKETS_SHOWN_MAX: usize = 1000;
/// The most spaces whose connections are shown.
const SPACES_SHOWN_MAX: usize = 100;

/// A connection, and its space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSocket {
    /// The space.
    pub space: Space,
    /// The connection, with its rooms.
    pub open: OpenConnection,
}

/// The connections of all nodes at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminSnapshot {
    /// The first [`SOCKETS_SHOWN_MAX`] connections.
    pub sockets: Vec<AdminSocket>,
    /// Number of all connections.
    pub total: u64,
    /// What the nodes say of themselves.
    pub nodes: Vec<NodeStats>,
    /// Nodes that have stopped: nothing is known of the last ends of their connections.
    pub left: Vec<NodeId>,
    /// Whether all nodes answered. If not, connections may be missing.
    pub complete: bool,
}

impl AdminSnapshot {
    /// Whether there are more connections than are shown.
    pub fn is_cut(&self) -> bool {
        self.sockets.len() >= SOCKETS_SHOWN_MAX && self.total > self.sockets.len() as u64
    }
}

impl Chat {
    /// What the Admin UI shows now.
    pub async fn admin_snapshot(&self) -> Result<AdminSnapshot, Rejection> {
        let mut snapshot = AdminSnapshot { complete: true, ..AdminSnapshot::default() };
        let root = Space::root();
        self.add_space(&mut snapshot, &root, ConnectionsDetail::RoomsAndNodes).await?;
        let spaces = snapshot.nodes.iter().flat_map(|it| &it.connections);
        let spaces: BTreeSet<_> = spaces.map(|(space, _, _)| space.clone()).collect();
        for space in spaces.iter().filter(|it| **it != root).take(SPACES_SHOWN_MAX) {
            if snapshot.sockets.len() >= SOCKETS_SHOWN_MAX {
                break;
            }
            self.add_space(&mut snapshot, space, ConnectionsDetail::Rooms).await?;
        }
        let counted = snapshot.nodes.iter().map(NodeStats::open).sum();
        snapshot.total = snapshot.total.max(counted);
        snapshot.left = self.cluster.stopped_peers();
        Ok(snapshot)
    }

    async fn add_space(
        &self,
        snapshot: &mut AdminSnapshot,
        space: &Space,
        detail: ConnectionsDetail,
    ) -> Result<(), Rejection> {
        let count_max = SOCKETS_SHOWN_MAX - snapshot.sockets.len();
        let mut peers = self.cluster.serving_peers();
        if !snapshot.complete {
            // A silent node is awaited once, and not in each space.
            peers.retain(|peer| snapshot.nodes.iter().any(|it| it.node == *peer));
        }
        let request = page_request(space, None, (count_max, detail));
        let outcome = self.hub.connection_pages.list(request, peers).await?;
        let ConnectionsOutcome { first, complete } = outcome;
        let FirstConnections { connections, total, nodes } = first;
        let sockets = connections.into_iter().map(|open| {
            let space = space.clone();
            AdminSocket { space, open }
        });
        snapshot.sockets.extend(sockets);
        snapshot.total += total;
        snapshot.nodes.extend(nodes);
        snapshot.complete &= complete;
        Ok(())
    }

    /// The next page of a space.
    async fn next_page(
        &self,
        space: &Space,
        after: Option<ConnectionAddress>,
    ) -> Result<ConnectionsOutcome, Rejection> {
        let size = (SOCKETS_SHOWN_MAX, ConnectionsDetail::Rooms);
        let request = page_request(space, after, size);
        self.hub.connection_pages.list(request, self.cluster.serving_peers()).await
    }
}

fn page_request(
    space: &Space,
    after: Option<ConnectionAddress>,
    (count_max, detail): (usize, ConnectionsDetail),
) -> ConnectionsRequest {
    ConnectionsRequest { space: space.clone(), user: None, after, count_max, detail }
}
