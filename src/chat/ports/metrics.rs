//! What the chat and the transports count. The implementation decides how it is reported.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::domain::Rejection;

/// Receives countable events. Called on hot paths: an implementation must not block.
pub trait Metrics: Send + Sync + 'static {
    /// Counts one event.
    fn record(&self, event: MetricEvent<'_>);
}

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Socket.IO: one connection per namespace of a client.
    SocketIo,
    /// Plain WebSocket.
    WebSocket,
}

impl Wire {
    /// The label in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SocketIo => "socketio",
            Self::WebSocket => "websocket",
        }
    }
}

/// A countable event. Labels have few values: no user, room or address.
#[derive(Clone, Copy, Debug)]
pub enum MetricEvent<'a> {
    /// A connection was admitted.
    ConnectionOpened(Wire),
    /// An admitted connection ended.
    ConnectionClosed(Wire),
    /// A handshake was rejected before a connection existed.
    HandshakeRejected(&'a Rejection),
    /// A request on a connection was rejected.
    RequestRejected(Wire, &'a Rejection),
    /// The server closed a connection because its client read too slowly. Counted once per
    /// connection.
    SlowReaderDisconnected(Wire),
    /// The store committed a transaction of the journal.
    BatchCommitted {
        /// The messages in it; 0 if it held only memberships and visits.
        messages: usize,
        /// From the call of the store to its answer.
        elapsed: Duration,
    },
    /// The store refused a transaction of the journal.
    CommitFailed,
    /// A packet of a Redis emitter was malformed, too large, or named an event of the protocol.
    EmitterPacketDropped,
    /// A webhook has accepted events.
    WebhookDelivered {
        /// The events in the request.
        events: usize,
    },
    /// A request to a webhook failed.
    WebhookFailed,
    /// Events became dead letters.
    WebhookDead {
        /// The events in the request.
        events: usize,
    },
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl Metrics for NoMetrics {
    fn record(&self, _event: MetricEvent<'_>) {}
}

/// The metrics of one connection. Dropping it records that the connection closed.
pub struct ConnectionMetrics {
    metrics: Arc<dyn Metrics>,
    wire: Wire,
    slow_reader: AtomicBool,
}

impl ConnectionMetrics {
    /// Records that a connection opened.
    pub(crate) fn open(metrics: Arc<dyn Metrics>, wire: Wire) -> Self {
        metrics.record(MetricEvent::ConnectionOpened(wire));
        Self { metrics, wire, slow_reader: AtomicBool::new(false) }
    }

    /// Records that a request was rejected.
    pub fn request_rejected(&self, rejection: &Rejection) {
        self.metrics.record(MetricEvent::RequestRejected(self.wire, rejection));
    }

    /// Records that the server closes the connection because its client reads too slowly. Only the
    /// first call counts.
    pub fn slow_reader(&self) {
        if !self.slow_reader.swap(true, Ordering::Relaxed) {
            self.metrics.record(MetricEvent::SlowReaderDisconnected(self.wire));
        }
    }
}

impl fmt::Debug for ConnectionMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionMetrics").field("wire", &self.wire).finish_non_exhaustive()
    }
}

impl Drop for ConnectionMetrics {
    fn drop(&mut self) {
        self.metrics.record(MetricEvent::ConnectionClosed(self.wire));
    }
}
