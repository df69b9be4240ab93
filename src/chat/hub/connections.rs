//! All connections of this node, identified or not: a drain closes them and waits for their end.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{
    connection_map::ConnectionMap,
    emitter_rooms::EmitterRooms,
    end_log::{EndLog, RecordedEnds},
    least::least,
    presence_log::PresenceLog,
};
use crate::{
    chat::ports::{Carrier, MetricEvent, Metrics, Outbox, PresentClient},
    domain::{ConnectionAddress, ConnectionId, NodeId, Place, Space, UserName},
};

/// A registered connection.
struct Registered {
    space: Space,
    outbox: Arc<dyn Outbox>,
    since: OffsetDateTime,
    /// `None` while it is anonymous.
    user: Option<UserName>,
}

/// A connection in a list.
pub(super) struct ListedConnection {
    pub(super) id: ConnectionId,
    pub(super) user: Option<UserName>,
    pub(super) since: OffsetDateTime,
    pub(super) outbox: Arc<dyn Outbox>,
}

/// The connections of a node at one time.
#[derive(Debug, Default)]
pub(crate) struct ConnectionTotals {
    pub(crate) connections: HashMap<(Space, Carrier), usize>,
    /// What their outboxes hold.
    pub(crate) waiting_bytes: usize,
}

/// An open connection and its outbox.
pub(super) type OpenConnection = (ConnectionId, Arc<dyn Outbox>);

/// The outboxes of all connections. The lock is held for single map operations only.
pub(crate) struct Connections {
    outboxes: Mutex<HashMap<ConnectionId, Registered>>,
    /// The size of `outboxes`, set under its lock.
    count: watch::Sender<usize>,
    next_id: AtomicU64,
    /// Number of connections since the start, with those that have ended.
    opened: AtomicU64,
    emitter_rooms: EmitterRooms,
    end_log: EndLog,
    node: NodeId,
    presence_log: Arc<PresenceLog>,
    metrics: Arc<dyn Metrics>,
}

impl Connections {
    pub(super) fn new(
        node: NodeId,
        presence_log: Arc<PresenceLog>,
        metrics: Arc<dyn Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            outboxes: Mutex::default(),
            count: watch::Sender::new(0),
            next_id: AtomicU64::new(1),
            opened: AtomicU64::new(0),
            emitter_rooms: EmitterRooms::default(),
            end_log: EndLog::default(),
            node,
            presence_log,
            metrics,
        })
    }

    /// The id of a connection that is registered later, or never.
    pub(crate) fn reserve(&self) -> ConnectionId {
        ConnectionId::from_raw(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Registers a connection until the result is dropped.
    pub(crate) fn register(
        self: &Arc<Self>,
        space: Space,
        outbox: Arc<dyn Outbox>,
        since: OffsetDateTime,
    ) -> ConnectionRegistration {
        self.register_reserved(self.reserve(), space, outbox, since)
    }

    /// The same with an id that was reserved for this connection.
    pub(crate) fn register_reserved(
        self: &Arc<Self>,
        id: ConnectionId,
        space: Space,
        outbox: Arc<dyn Outbox>,
        since: OffsetDateTime,
    ) -> ConnectionRegistration {
        self.metrics.record(MetricEvent::ConnectionOpened(outbox.carrier().wire()));
        let mut outboxes = self.outboxes.lock();
        outboxes.insert(id, Registered { space, outbox, since, user: None });
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.count.send_replace(outboxes.len());
        drop(outboxes);
        ConnectionRegistration { connections: Arc::clone(self), id }
    }

    /// The address of a connection on all nodes.
    pub(crate) fn address(&self, connection: ConnectionId) -> ConnectionAddress {
        ConnectionAddress { node: self.node.clone(), connection }
    }

    /// The number of connections.
    pub(crate) fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// The number of connections since the start, with those that have ended.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Why connections ended. Which ones they were is kept from now on.
    pub(super) fn ends(&self) -> RecordedEnds {
        self.end_log.read()
    }

    /// The number of connections by space and carrier, and the bytes that wait for them.
    pub(crate) fn totals(&self) -> ConnectionTotals {
        let all: Vec<_> = {
            let outboxes = self.outboxes.lock();
            outboxes.values().map(|it| (it.space.clone(), Arc::clone(&it.outbox))).collect()
        };
        let mut totals = ConnectionTotals::default();
        for (space, outbox) in all {
            *totals.connections.entry((space, outbox.carrier())).or_default() += 1;
            totals.waiting_bytes += outbox.waiting_bytes();
        }
        totals
    }

    /// Returns when the lock is free.
    pub(super) fn visit_lock(&self) {
        drop(self.outboxes.lock());
    }

    /// A connection, while it is open.
    pub(super) fn get(&self, id: ConnectionId) -> Option<Arc<dyn Outbox>> {
        self.outboxes.lock().get(&id).map(|it| Arc::clone(&it.outbox))
    }

    /// A connection, while it is open, if it is in a space.
    pub(super) fn get_in(&self, space: &Space, id: ConnectionId) -> Option<Arc<dyn Outbox>> {
        let outboxes = self.outboxes.lock();
        outboxes.get(&id).filter(|it| it.space == *space).map(|it| Arc::clone(&it.outbox))
    }

    /// Those of these connections that are open and in this space.
    pub(super) fn open(&self, ids: &HashSet<ConnectionId>, space: &Space) -> Vec<OpenConnection> {
        let outboxes = self.outboxes.lock();
        let open = ids.iter().filter_map(|id| Some((*id, outboxes.get(id)?)));
        let is_in_space = |(_, it): &(ConnectionId, &Registered)| it.space == *space;
        open.filter(is_in_space).map(|(id, it)| (id, Arc::clone(&it.outbox))).collect()
    }

    /// The connections in a space but `except`.
    pub(super) fn in_space(
        &self,
        space: &Space,
        except: Option<ConnectionId>,
    ) -> Vec<Arc<dyn Outbox>> {
        let outboxes = self.outboxes.lock();
        let are_in = outboxes.iter().filter(|(id, it)| it.space == *space && Some(**id) != except);
        are_in.map(|(_, it)| Arc::clone(&it.outbox)).collect()
    }

    /// The first `count_max` connections in a space after one, in the order of their ids, and the
    /// number of all in the space: those of `user`, if it is given.
    pub(super) fn list(
        &self,
        space: &Space,
        user: Option<&UserName>,
        after: ConnectionId,
        count_max: usize,
    ) -> (Vec<ListedConnection>, usize) {
        let outboxes = self.outboxes.lock();
        let is_listed =
            |it: &Registered| it.space == *space && (user.is_none() || it.user.as_ref() == user);
        let listed = || outboxes.iter().filter(|(_, it)| is_listed(it)).map(|(id, _)| *id);
        let total = listed().count();
        let page = least(listed().filter(|id| *id > after), count_max);
        let record = |id| {
            let Registered { space: _, outbox, since, user } = outboxes.get(&id)?;
            let outbox = Arc::clone(outbox);
            Some(ListedConnection { id, user: user.clone(), since: *since, outbox })
        };
        (page.into_iter().filter_map(record).collect(), total)
    }

    /// Adds all connections in a space to `found`.
    pub(super) fn find_in_space(&self, space: &Space, found: &mut ConnectionMap) {
        let outboxes = self.outboxes.lock();
        let are_in = outboxes.iter().filter(|(_, it)| it.space == *space);
        found.extend(are_in.map(|(id, it)| (*id, Arc::clone(&it.outbox))));
    }

    /// Adds a connection to `found`, if it is in a space.
    pub(super) fn find(&self, space: &Space, id: ConnectionId, found: &mut ConnectionMap) {
        let outboxes = self.outboxes.lock();
        let registered = outboxes.get(&id).filter(|it| it.space == *space);
        found.extend(registered.map(|it| (id, Arc::clone(&it.outbox))));
    }

    /// Adds the connections that emitters have put in a room to `found`.
    pub(super) fn find_in_emitter_room(&self, place: &Place, found: &mut ConnectionMap) {
        self.emitter_rooms.find(place, found);
    }

    /// Puts connections in a room of emitters, until they end.
    pub(super) fn join_emitter_room(&self, place: &Place, connections: &ConnectionMap) {
        let is_open = |id| self.outboxes.lock().contains_key(&id);
        self.emitter_rooms.join(place, connections, is_open);
    }

    /// The rooms that emitters have put a connection in.
    pub(super) fn emitter_rooms_of(&self, id: ConnectionId) -> Vec<Place> {
        self.emitter_rooms.of(id)
    }

    /// Takes connections out of a room that emitters have put them in.
    pub(super) fn leave_emitter_room(&self, place: &Place, connections: &ConnectionMap) {
        self.emitter_rooms.leave(place, connections.keys().copied());
    }

    /// Waits until there is no connection.
    pub(crate) async fn wait_until_empty(&self) {
        let mut count = self.count.subscribe();
        count.wait_for(|count| *count == 0).await.expect("the sender lives in `self`");
    }

    /// All connections. The order is that of a map whose hashes are seeded at random.
    pub(crate) fn all_in_random_order(&self) -> Vec<Arc<dyn Outbox>> {
        self.outboxes.lock().values().map(|it| Arc::clone(&it.outbox)).collect()
    }
}

/// A registered connection.
#[must_use = "dropping this removes the connection from the node's connections"]
pub(crate) struct ConnectionRegistration {
    connections: Arc<Connections>,
    id: ConnectionId,
}

impl std::fmt::Debug for ConnectionRegistration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionRegistration").field("id", &self.id).finish_non_exhaustive()
    }
}

impl ConnectionRegistration {
    /// The number of the connection, unique on this node.
    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    /// Records whose connection it is.
    pub(crate) fn identify(&self, user: &UserName) {
        if let Some(registered) = self.connections.outboxes.lock().get_mut(&self.id) {
            registered.user = Some(user.clone());
        }
    }

    /// Has webhooks told of the end of the connection, which is that of `user` or of nobody yet.
    pub(crate) fn announce(&self, space: &Space, outbox: &dyn Outbox, user: Option<UserName>) {
        if self.connections.presence_log.wants_connections() {
            let client = PresentClient { user, address: outbox.peer().address };
            let address = || self.connections.address(self.id);
            self.connections.presence_log.connection_appeared(space, address, client);
        }
    }
}

impl Drop for ConnectionRegistration {
    fn drop(&mut self) {
        let mut outboxes = self.connections.outboxes.lock();
        let removed = outboxes.remove(&self.id);
        self.connections.count.send_replace(outboxes.len());
        drop(outboxes);
        // After the removal: whoever puts it in a room checks that it still exists.
        self.connections.emitter_rooms.forget(self.id);
        if let Some(Registered { space, outbox, .. }) = removed {
            let end = outbox.end();
            self.connections.end_log.record(self.id, end.into());
            let closed = MetricEvent::ConnectionClosed(outbox.carrier().wire(), end);
            self.connections.metrics.record(closed);
            let address = || self.connections.address(self.id);
            self.connections.presence_log.connection_gone(&space, address, end);
        }
    }
}
