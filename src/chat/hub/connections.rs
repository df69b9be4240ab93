//! All connections of this node, identified or not: a drain closes them and waits for their end.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::slow_readers::close_outboxes;
use crate::{
    chat::ports::Outbox,
    domain::{CloseReason, ConnectionId, Space},
};

/// A connection: its space and its outbox.
type Registered = (Space, Arc<dyn Outbox>);

/// The outboxes of all connections. The lock is held for single map operations only.
pub(crate) struct Connections {
    outboxes: Mutex<HashMap<ConnectionId, Registered>>,
    /// The size of `outboxes`, set under its lock.
    count: watch::Sender<usize>,
    next_id: AtomicU64,
}

impl Connections {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            outboxes: Mutex::default(),
            count: watch::Sender::new(0),
            next_id: AtomicU64::new(1),
        })
    }

    /// Registers a connection until the result is dropped.
    pub(crate) fn register(
        self: &Arc<Self>,
        space: Space,
        outbox: Arc<dyn Outbox>,
    ) -> ConnectionRegistration {
        let id = ConnectionId::from_raw(self.next_id.fetch_add(1, Ordering::Relaxed));
        let mut outboxes = self.outboxes.lock();
        outboxes.insert(id, (space, outbox));
        self.count.send_replace(outboxes.len());
        drop(outboxes);
        ConnectionRegistration { connections: Arc::clone(self), id }
    }

    /// The number of connections.
    pub(crate) fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// A connection, while it is open.
    pub(super) fn get(&self, id: ConnectionId) -> Option<Arc<dyn Outbox>> {
        self.outboxes.lock().get(&id).map(|(_, outbox)| Arc::clone(outbox))
    }

    /// The connections in a space but `except`.
    pub(super) fn in_space(
        &self,
        space: &Space,
        except: Option<ConnectionId>,
    ) -> Vec<Arc<dyn Outbox>> {
        let outboxes = self.outboxes.lock();
        let are_in = outboxes.iter().filter(|(id, (it, _))| it == space && Some(**id) != except);
        are_in.map(|(_, (_, outbox))| Arc::clone(outbox)).collect()
    }

    /// Waits until there is no connection.
    pub(crate) async fn wait_until_empty(&self) {
        let mut count = self.count.subscribe();
        count.wait_for(|count| *count == 0).await.expect("the sender lives in `self`");
    }

    /// Begins to close all connections.
    pub(crate) fn close_all(&self, reason: CloseReason) {
        let outboxes = self.outboxes.lock().values().map(|(_, it)| Arc::clone(it)).collect();
        close_outboxes(outboxes, reason);
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
}

impl Drop for ConnectionRegistration {
    fn drop(&mut self) {
        let mut outboxes = self.connections.outboxes.lock();
        let outbox = outboxes.remove(&self.id);
        self.connections.count.send_replace(outboxes.len());
        drop(outboxes);
        drop(outbox);
    }
}
