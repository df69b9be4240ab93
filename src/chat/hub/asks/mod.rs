//! Asks: events of the application that connections answer.
//!
//! A back end asks one node, and waits. The node sends the event to its own connections and to the
//! other nodes, which reply how many connections they asked, and then with their answers. An ask is
//! over when all have answered or closed, or at the end of its wait.
//!
//! The lock of the table is held for single changes only; no other is taken meanwhile.

mod table;
mod tally;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};
use tracing::debug;

use self::table::{AskForward, AskTable, Full, RemoteAsk};
use super::{
    connections::{Connections, OpenConnection},
    custom_events::CustomEvents,
    live_room::push_function,
    slow_readers::close_slow_readers,
    timers::Timers,
};
use crate::{
    chat::{
        event::{Delivery, Event},
        ports::{AskReply, AskedEvent, ClusterEvent},
        publisher::Publisher,
    },
    domain::{
        AskAnswer, AskId, AskOutcome, Channel, ConnectionAddress, ConnectionId, CustomEvent,
        Limits, NodeId, Rejection,
    },
};

/// See the module.
pub(crate) struct Asks {
    connections: Arc<Connections>,
    custom_events: Arc<CustomEvents>,
    publisher: Arc<Publisher>,
    timers: Arc<Timers>,
    wait_max: Duration,
    table: Mutex<AskTable>,
}

/// An ask of this node whose answers are awaited. Dropping it ends the ask.
#[must_use = "the ask ends when this is dropped"]
pub(crate) struct PendingAsk {
    asks: Arc<Asks>,
    id: AskId,
    done: Arc<Notify>,
}

/// A connection that may be asked. Dropping it ends the waits for its answers.
#[must_use = "no answer of the connection is awaited after this is dropped"]
pub(crate) struct AskedConnection {
    asks: Arc<Asks>,
    connection: ConnectionId,
}

impl Asks {
    pub(super) fn new(
        connections: Arc<Connections>,
        custom_events: Arc<CustomEvents>,
        publisher: Arc<Publisher>,
        timers: Arc<Timers>,
        limits: &Limits,
    ) -> Arc<Self> {
        let table = Mutex::new(AskTable::new(limits.ask_answers_max));
        let wait_max = limits.ask_wait_max;
        Arc::new(Self { connections, custom_events, publisher, timers, wait_max, table })
    }

    /// Asks the connections of this node, and those of `peers`, the other nodes.
    pub(crate) fn begin(
        self: &Arc<Self>,
        asked: &Arc<AskedEvent>,
        peers: Vec<NodeId>,
    ) -> Result<PendingAsk, Rejection> {
        let connections = self.connections_of(asked);
        let begun = self.table.lock().begin(connections.iter().map(|it| it.0).collect(), peers);
        let (id, done) = begun.map_err(|Full| Rejection::Unavailable)?;
        let pending = PendingAsk { asks: Arc::clone(self), id, done };
        self.send(id, &asked.event, connections);
        self.publisher.publish(Channel::BROADCAST, ClusterEvent::Ask(id, Arc::clone(asked)));
        Ok(pending)
    }

    /// Asks the connections of this node for another one.
    pub(crate) fn begin_remote(&self, node: &NodeId, ask: AskId, asked: &AskedEvent) {
        let connections = self.connections_of(asked);
        if connections.is_empty() {
            return self.reply(node.clone(), ask, AskReply::Asked(0));
        }
        let until = self.timers.now() + asked.wait.min(self.wait_max);
        let remote = RemoteAsk { node: node.clone(), ask, until };
        let ids = connections.iter().map(|it| it.0).collect();
        let begun = self.change(|table, _| table.begin_remote(ids, remote));
        let Ok(id) = begun else {
            // Without a reply, the node that asks reports the ask as incomplete.
            debug!(node.id = node.as_raw(), "ask of another node dropped: there are too many");
            return;
        };
        self.reply(node.clone(), ask, AskReply::Asked(connections.len()));
        self.send(id, &asked.event, connections);
    }

    /// Records what another node replies.
    pub(crate) fn record(&self, from: &NodeId, (to, ask): (&NodeId, AskId), reply: AskReply) {
        if to == self.publisher.node() {
            self.table.lock().record(from, ask, reply);
        }
    }

    /// Whether an answer of this connection is awaited.
    pub(crate) fn awaits(&self, ask: AskId, connection: ConnectionId) -> bool {
        self.table.lock().awaits(ask, connection)
    }

    /// Takes an answer, if it is awaited.
    pub(crate) fn answer(&self, ask: AskId, answer: AskAnswer) {
        let forward = self.change(|table, now| table.answer(ask, answer, now));
        self.forward(forward);
    }

    /// Another node has left.
    pub(super) fn forget_node(&self, node: &NodeId) {
        self.table.lock().forget_node(node);
    }

    /// Ends the waits of all asks of this node, with the answers that have arrived.
    pub(crate) fn end_waits(&self) {
        self.table.lock().end_waits();
    }

    /// The next moment at which an ask of another node is over, or a reply to one is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.table.lock().next()
    }

    /// Sends the replies that are due at `now`, and removes the asks of other nodes that are over.
    pub(super) fn expire(&self, now: Duration) {
        let mut table = self.table.lock();
        let replies = table.take_replies(now);
        table.expire(now);
        drop(table);
        self.forward(replies);
    }

    /// Changes the table, and wakes the timers if something is due earlier than before.
    fn change<T>(&self, change: impl FnOnce(&mut AskTable, Duration) -> T) -> T {
        let now = self.timers.now();
        let mut table = self.table.lock();
        let before = table.next();
        let changed = change(&mut table, now);
        let next = table.next();
        drop(table);
        if next.is_some_and(|next| before.is_none_or(|before| next < before)) {
            self.timers.wake();
        }
        changed
    }

    /// The connections of this node that are to be asked.
    fn connections_of(&self, asked: &AskedEvent) -> Vec<OpenConnection> {
        let AskedEvent { space, to, except, event: _, wait: _ } = asked;
        let ids = self.custom_events.receivers(to, except.as_ref());
        self.connections.open(&ids, space)
    }

    fn send(&self, ask: AskId, event: &CustomEvent, connections: Vec<OpenConnection>) {
        // One that has closed since it was found had nothing to end then.
        for (connection, _) in &connections {
            if self.connections.get(*connection).is_none() {
                self.close(*connection);
            }
        }
        let delivery = Delivery::new(Event::Ask { event: event.clone(), ask });
        let push = push_function(connections.len());
        let full =
            connections.into_iter().filter(|(_, outbox)| push(&**outbox, &delivery).is_err());
        close_slow_readers(full.map(|(_, outbox)| outbox).collect());
    }

    fn close(&self, connection: ConnectionId) {
        let address = ConnectionAddress { node: self.publisher.node().clone(), connection };
        let forwards = self.change(|table, now| table.close(&address, now));
        self.forward(forwards);
    }

    fn forward(&self, forwards: impl IntoIterator<Item = AskForward>) {
        for AskForward { to, ask, reply } in forwards {
            self.reply(to, ask, reply);
        }
    }

    fn reply(&self, to: NodeId, ask: AskId, reply: AskReply) {
        self.publisher.publish(Channel::BROADCAST, ClusterEvent::AskReply { to, ask, reply });
    }
}

impl PendingAsk {
    /// Waits until all have answered, but at most for `wait_max`.
    pub(crate) async fn outcome(self, wait_max: Duration) -> AskOutcome {
        timeout(wait_max, self.done.notified()).await.ok();
        let outcome = self.asks.table.lock().end(self.id);
        outcome.expect("only this and the drop remove it")
    }
}

impl Drop for PendingAsk {
    fn drop(&mut self) {
        drop(self.asks.table.lock().end(self.id));
    }
}

impl AskedConnection {
    /// An open connection. The result is dropped after its registration.
    pub(crate) fn new(asks: &Arc<Asks>, connection: ConnectionId) -> Self {
        Self { asks: Arc::clone(asks), connection }
    }
}

impl Drop for AskedConnection {
    fn drop(&mut self) {
        self.asks.close(self.connection);
    }
}

impl std::fmt::Debug for AskedConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AskedConnection").field(&self.connection).finish()
    }
}
