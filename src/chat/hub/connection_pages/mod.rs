//! Pages of the connections of all nodes.
//!
//! A node that is asked for a page reads its own connections and asks the other nodes, each of which
//! replies with its first ones. A node that does not reply in time makes the page incomplete.
//!
//! The lock of the table is held for single changes only; no other is taken meanwhile.

mod details;
#[cfg(test)]
mod tests;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};

use super::{
    connections::{Connections, ListedConnection},
    listeners::Listeners,
    online_users::OnlineUsers,
    timers::Timers,
};
use crate::{
    chat::{
        ports::{
            ClusterEvent, ConnectionsDetail, ConnectionsRequest, ConnectionsRequestId,
            FirstConnections, NodeStats, OpenConnection, Traffic, TrafficMeter,
        },
        publisher::Publisher,
    },
    domain::{Channel, ConnectionAddress, ConnectionId, NodeId, Rejection},
};

/// How long the replies of other nodes are awaited.
const REPLY_WAIT_MAX: Duration = Duration::from_secs(1);
/// The most requests of this node at one time. It bounds the memory of their pages.
const REQUESTS_MAX: usize = 64;
/// The most connections in a reply, whatever another node asks for. Pages of the API are smaller.
const REPLY_CONNECTIONS_MAX: usize = 10_000;

/// See the module.
pub(crate) struct ConnectionPages {
    connections: Arc<Connections>,
    users: Arc<OnlineUsers>,
    listeners: Arc<Listeners>,
    publisher: Arc<Publisher>,
    timers: Arc<Timers>,
    /// The name of this machine, once it is known.
    host: OnceLock<Box<str>>,
    /// Counts the traffic of this node, once there are transports.
    traffic: OnceLock<Arc<dyn TrafficMeter>>,
    table: Mutex<Table>,
}

/// The result of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConnectionsOutcome {
    /// The first connections of all nodes that replied.
    pub(crate) first: FirstConnections,
    /// Whether all nodes replied.
    pub(crate) complete: bool,
}

#[derive(Default)]
struct Table {
    /// The number of the last request.
    last: u64,
    pages: HashMap<ConnectionsRequestId, Page>,
}

/// What has arrived.
struct Page {
    /// The nodes that have not replied.
    waiting: BTreeSet<NodeId>,
    first: BTreeMap<ConnectionAddress, OpenConnection>,
    total: u64,
    nodes: Vec<NodeStats>,
    count_max: usize,
    /// Notified when all nodes have replied.
    done: Arc<Notify>,
}

/// A request of this node. Dropping it ends the wait for replies.
struct PendingPage<'a> {
    pages: &'a ConnectionPages,
    id: ConnectionsRequestId,
    done: Arc<Notify>,
}

impl ConnectionPages {
    pub(super) fn new(
        connections: Arc<Connections>,
        users: Arc<OnlineUsers>,
        listeners: Arc<Listeners>,
        publisher: Arc<Publisher>,
        timers: Arc<Timers>,
    ) -> Self {
        let (host, traffic, table) = (OnceLock::new(), OnceLock::new(), Mutex::default());
        Self { connections, users, listeners, publisher, timers, host, traffic, table }
    }

    /// Names the machine. The first name is kept.
    pub(crate) fn set_host(&self, host: &str) {
        self.host.get_or_init(|| host.into());
    }

    /// Sets what counts the traffic of this node. The first one is kept.
    pub(crate) fn set_traffic_meter(&self, meter: Arc<dyn TrafficMeter>) {
        self.traffic.get_or_init(|| meter);
    }

    /// What the connections of this node have sent and received.
    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic.get().map(|it| it.traffic()).unwrap_or_default()
    }

    /// The first connections of this node and of `peers`, the other nodes. Waits for them for
    /// [`REPLY_WAIT_MAX`] at most. Dropping the future ends the wait.
    ///
    /// Fails with [`Rejection::Unavailable`] while too many requests wait.
    pub(crate) async fn list(
        &self,
        request: ConnectionsRequest,
        peers: Vec<NodeId>,
    ) -> Result<ConnectionsOutcome, Rejection> {
        let here = self.first_here(&request);
        if peers.is_empty() {
            return Ok(ConnectionsOutcome { first: here, complete: true });
        }
        let mut page = Page::new(peers, request.count_max);
        page.add(here);
        let pending = self.begin(page)?;
        let event = ClusterEvent::ConnectionsRequest(pending.id, request);
        self.publisher.publish(Channel::BROADCAST, event);
        timeout(REPLY_WAIT_MAX, pending.done.notified()).await.ok();
        Ok(pending.finish())
    }

    /// Replies to another node with the first connections of this one.
    pub(crate) fn reply(
        &self,
        to: &NodeId,
        id: ConnectionsRequestId,
        request: &ConnectionsRequest,
    ) {
        let (to, first) = (to.clone(), self.first_here(request));
        let event = ClusterEvent::ConnectionsReply { to, request: id, first };
        self.publisher.publish(Channel::BROADCAST, event);
    }

    /// Records what another node replies.
    pub(crate) fn record(
        &self,
        from: &NodeId,
        (to, request): (&NodeId, ConnectionsRequestId),
        first: FirstConnections,
    ) {
        if to == self.publisher.node()
            && let Some(page) = self.table.lock().pages.get_mut(&request)
        {
            page.record(from, first);
        }
    }

    /// Another node has left, with its connections: no reply of it is to come.
    pub(super) fn forget_node(&self, node: &NodeId) {
        for page in self.table.lock().pages.values_mut() {
            page.record(node, FirstConnections::default());
        }
    }

    fn first_here(&self, request: &ConnectionsRequest) -> FirstConnections {
        let ConnectionsRequest { space, user, after, count_max, detail } = request;
        let node = self.publisher.node();
        let count_max = (*count_max).min(REPLY_CONNECTIONS_MAX);
        let (after, count_max) = match after {
            None => (ConnectionId::NONE, count_max),
            Some(after) => match node.cmp(&after.node) {
                Ordering::Less => (ConnectionId::NONE, 0),
                Ordering::Equal => (after.connection, count_max),
                Ordering::Greater => (ConnectionId::NONE, count_max),
            },
        };
        let (listed, total) = self.connections.list(space, user.as_ref(), after, count_max);
        let open = |ListedConnection { id, user, since, outbox }| OpenConnection {
            address: ConnectionAddress { node: node.clone(), connection: id },
            user,
            peer: outbox.peer(),
            since,
            rooms: Vec::new(),
        };
        let mut connections: Vec<_> = listed.into_iter().map(open).collect();
        if *detail != ConnectionsDetail::None {
            self.add_rooms(space, &mut connections);
        }
        let nodes = match detail {
            ConnectionsDetail::RoomsAndNodes => vec![self.stats()],
            ConnectionsDetail::Rooms | ConnectionsDetail::None => Vec::new(),
        };
        FirstConnections { connections, total: total as u64, nodes }
    }

    fn begin(&self, page: Page) -> Result<PendingPage<'_>, Rejection> {
        let done = Arc::clone(&page.done);
        let mut table = self.table.lock();
        if table.pages.len() >= REQUESTS_MAX {
            return Err(Rejection::Unavailable);
        }
        table.last += 1;
        let id = ConnectionsRequestId::from_raw(table.last);
        table.pages.insert(id, page);
        drop(table);
        Ok(PendingPage { pages: self, id, done })
    }
}

impl Page {
    fn new(peers: Vec<NodeId>, count_max: usize) -> Self {
        let (waiting, done) = (peers.into_iter().collect(), Arc::new(Notify::new()));
        let (first, nodes) = (BTreeMap::new(), Vec::new());
        Self { waiting, first, total: 0, nodes, count_max, done }
    }

    /// Records a reply, unless it arrives again.
    fn record(&mut self, from: &NodeId, first: FirstConnections) {
        if !self.waiting.remove(from) {
            return;
        }
        self.add(first);
        if self.waiting.is_empty() {
            self.done.notify_one();
        }
    }

    fn add(&mut self, first: FirstConnections) {
        let FirstConnections { connections, total, nodes } = first;
        self.nodes.extend(nodes);
        self.total = self.total.saturating_add(total);
        self.first.extend(connections.into_iter().map(|it| (it.address.clone(), it)));
        while self.first.len() > self.count_max {
            self.first.pop_last();
        }
    }
}

impl PendingPage<'_> {
    fn finish(self) -> ConnectionsOutcome {
        let page = self.pages.table.lock().pages.remove(&self.id);
        let Page { waiting, first, total, nodes, count_max: _, done: _ } =
            page.expect("only this and the drop remove it");
        let connections = first.into_values().collect();
        let first = FirstConnections { connections, total, nodes };
        ConnectionsOutcome { first, complete: waiting.is_empty() }
    }
}

impl Drop for PendingPage<'_> {
    fn drop(&mut self) {
        self.pages.table.lock().pages.remove(&self.id);
    }
}
