//! The connection of a page to the namespace `/admin`.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use socketioxide::{
    adapter::LocalAdapter,
    handler::{DisconnectHandler, MessageHandler, Value},
    socket::DisconnectReason,
};

use crate::{
    domain::{Body, CloseReason, ConnectionId},
    transport::{
        deflate,
        lanes::{LaneWriter, QueueFull},
        socketio::{
            engine::NamespaceSocket,
            inbox::ConnectionInbox,
            listeners::{receive, report},
            packets::PacketFormat,
            session::{AttachedConnection, EngineSession},
        },
    },
};

/// See the module.
pub(super) struct AdminConnection {
    session: Arc<EngineSession>,
    format: PacketFormat,
    inbox: ConnectionInbox,
    /// Whether the page has left the namespace.
    is_disconnected: AtomicBool,
}

impl AdminConnection {
    /// A connection whose CONNECT is not answered yet.
    pub(super) fn new(session: Arc<EngineSession>, socket: &NamespaceSocket) -> Arc<Self> {
        let format = PacketFormat::new(socket.ns(), session.version(), session.parser());
        let (inbox, is_disconnected) = (ConnectionInbox::default(), AtomicBool::new(false));
        Arc::new(Self { session, format, inbox, is_disconnected })
    }

    /// The session that carries the connection.
    pub(super) fn session(&self) -> &Arc<EngineSession> {
        &self.session
    }

    /// The commands that wait.
    pub(super) fn inbox(&self) -> &ConnectionInbox {
        &self.inbox
    }

    /// Queues an event. A full queue ends the session, because no event may follow a lost one.
    pub(super) fn send(&self, event: &Body) {
        if self.is_disconnected.load(Ordering::Relaxed) {
            return;
        }
        let frames = deflate::compress_for(self.session.window(), self.format.array(event));
        if let Err(QueueFull) = LaneWriter::push(self.session.writer(), frames) {
            self.session.close(CloseReason::SlowReader);
        }
    }
}

impl AttachedConnection for AdminConnection {
    fn open_inbox(&self, packet: &str) {
        if self.format.namespace().is_connected_by(packet) {
            self.inbox.open();
        }
    }

    fn connect_answer(&self, _packet: &str) -> Option<String> {
        None
    }

    fn close_inbox(&self) {
        self.inbox.close();
    }

    fn is_inbox_closed(&self) -> bool {
        self.inbox.is_closed()
    }

    fn is_in(&self, namespace: &str) -> bool {
        !self.is_disconnected.load(Ordering::Relaxed) && self.format.namespace().is(namespace)
    }

    fn is_connected(&self) -> bool {
        !self.inbox.is_pending()
    }

    fn in_chat(&self) -> Option<ConnectionId> {
        None
    }

    /// The page knows no such event.
    fn send_closing(&self, _reason: CloseReason) {}
}

impl fmt::Debug for AdminConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminConnection").field("inbox", &self.inbox).finish_non_exhaustive()
    }
}

/// Puts every command into the inbox. See the listener of other namespaces.
pub(super) struct AdminMessageListener(pub(super) Arc<AdminConnection>);

impl MessageHandler<LocalAdapter, Self> for AdminMessageListener {
    fn call(&self, _socket: Arc<NamespaceSocket>, value: Value, ack: Option<i64>) {
        let Self(connection) = self;
        receive(&connection.session, &connection.inbox, value, ack);
    }
}

/// Closes the inbox when the engine reports a disconnect, or drops the socket without a report.
pub(super) struct AdminDisconnectListener(pub(super) Arc<AdminConnection>);

impl DisconnectHandler<LocalAdapter, Self> for AdminDisconnectListener {
    fn call_with_defer(
        &self,
        socket: Arc<NamespaceSocket>,
        reason: DisconnectReason,
        defer: fn(Arc<NamespaceSocket>),
    ) {
        let Self(connection) = self;
        connection.is_disconnected.store(true, Ordering::Relaxed);
        connection.inbox.close();
        report(&connection.session, reason);
        defer(socket);
    }
}

impl Drop for AdminDisconnectListener {
    fn drop(&mut self) {
        self.0.inbox.close();
    }
}
