//! The handlers that the engine calls when a client sends an event or disconnects.

use std::sync::{Arc, atomic::Ordering};

use socketioxide::{
    adapter::LocalAdapter,
    handler::{DisconnectHandler, MessageHandler, Value},
    socket::DisconnectReason,
};

use super::{
    connection::NamespaceConnection,
    engine::NamespaceSocket,
    inbox::{ConnectionInbox, QueuedRequest},
    session::{EngineSession, Unaccepted},
};
use crate::{chat::ports::ConnectionEnd, domain::CloseReason};

/// Puts every event of a client into the inbox of its connection.
///
/// The engine runs ordinary handlers in separate tasks, so in any order. The reading task calls this
/// one directly, in the order of arrival. It must neither wait nor panic.
pub(super) struct MessageListener(pub(super) Arc<NamespaceConnection>);

impl MessageHandler<LocalAdapter, Self> for MessageListener {
    fn call(&self, _socket: Arc<NamespaceSocket>, value: Value, ack: Option<i64>) {
        let Self(connection) = self;
        receive(connection.session(), connection.inbox(), value, ack);
    }
}

/// Puts an event into an inbox, unless the session has too many that wait.
pub(super) fn receive(
    session: &Arc<EngineSession>,
    inbox: &ConnectionInbox,
    value: Value,
    ack: Option<i64>,
) {
    session.writer().traffic().request_received();
    let bytes = QueuedRequest::bytes_of(&value);
    let unanswered = match session.reserve_request(bytes) {
        Ok(unanswered) => unanswered,
        Err(Unaccepted::Full) => return session.close(CloseReason::Flood),
        Err(Unaccepted::Closing) => return,
    };
    if inbox.put(QueuedRequest { value, ack, unanswered }).is_err() {
        session.release_requests(1, bytes);
    }
}

/// Tells a session that the engine has reported the end of one of its connections.
pub(super) fn report(session: &Arc<EngineSession>, reason: DisconnectReason) {
    match reason {
        // The engine has forgotten the session. A client that polls is told so with its next poll.
        DisconnectReason::PacketParsingError if session.is_polling() => session.refuse_packet(),
        DisconnectReason::ClientNSDisconnect | DisconnectReason::ServerNSDisconnect => {}
        _ => session.on_engine_end(),
    }
}

/// Closes the inbox when the engine reports a disconnect, or drops the socket without a report.
pub(super) struct DisconnectListener(pub(super) Arc<NamespaceConnection>);

impl DisconnectHandler<LocalAdapter, Self> for DisconnectListener {
    fn call_with_defer(
        &self,
        socket: Arc<NamespaceSocket>,
        reason: DisconnectReason,
        defer: fn(Arc<NamespaceSocket>),
    ) {
        // Before the inbox closes: the connection is told of then.
        let reported = match end(reason) {
            // After a missing pong the engine sends a close packet and then removes the session. Between
            // the two its reading task may see that the client reacts.
            ConnectionEnd::TransportClosed if self.0.session().is_closed_by_engine() => {
                ConnectionEnd::ByServer(CloseReason::PingTimeout)
            }
            reported => reported,
        };
        // The first report is kept.
        self.0.reported_end.set(reported).ok();
        self.0.is_disconnected.store(true, Ordering::Relaxed);
        self.0.inbox().close();
        report(self.0.session(), reason);
        defer(socket);
    }
}

/// What the engine reports. A socket that ends without a close frame is an error for the engine, and a
/// closed transport for Node's servers.
fn end(reason: DisconnectReason) -> ConnectionEnd {
    match reason {
        DisconnectReason::ClientNSDisconnect => ConnectionEnd::ByClient,
        DisconnectReason::TransportClose | DisconnectReason::TransportError => {
            ConnectionEnd::TransportClosed
        }
        DisconnectReason::PacketParsingError | DisconnectReason::MultipleHttpPollingError => {
            ConnectionEnd::ProtocolError
        }
        DisconnectReason::HeartbeatTimeout => ConnectionEnd::ByServer(CloseReason::PingTimeout),
        DisconnectReason::ServerNSDisconnect => ConnectionEnd::ByServer(CloseReason::Disconnected),
        DisconnectReason::ClosingServer => ConnectionEnd::ByServer(CloseReason::DRAINING),
    }
}

impl Drop for DisconnectListener {
    fn drop(&mut self) {
        self.0.inbox().close();
    }
}
