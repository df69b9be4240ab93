//! The port of the transports: one connection's bounded queue.

use std::sync::Arc;

use async_trait::async_trait;

use super::{ConnectionEnd, Wire};
use crate::{chat::event::Delivery, domain::CloseReason};

/// The queue of events for one connection.
///
/// # Guarantees
/// - `push` never waits. Events are sent in the order of the pushes.
/// - After an [`Overflow`] or `close`, no later event is sent, only the close reason.
/// - `close` does not wait. Events pushed before it are sent if the client reads them within a
///   bounded time.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Queues an event. If the queue is full, the caller closes it.
    fn push(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow>;

    /// The same with an event that very many connections receive: what other connections receive
    /// may be sent first.
    fn push_to_many(&self, delivery: &Arc<Delivery>) -> Result<(), Overflow> {
        self.push(delivery)
    }

    /// Queues an optional event, or drops it when more than half of the queue is used.
    fn offer(&self, delivery: &Arc<Delivery>);

    /// Waits until less than half of the queue is used or it is closed, so that a replay is sent at
    /// the speed of its reader.
    async fn wait_for_capacity(&self);

    /// Closes the connection and sends the reason. A second call has no effect.
    fn close(&self, reason: CloseReason);

    /// Whether it was closed for a reason that revokes the client's rights
    /// ([`CloseReason::is_prompt`]): later requests of the client are ignored.
    fn is_revoked(&self) -> bool;

    /// How the client is connected at the moment, and from where.
    fn peer(&self) -> Peer;

    /// How the client is connected at the moment.
    fn carrier(&self) -> Carrier {
        self.peer().carrier
    }

    /// The bytes that wait for the client. Connections that share a queue count them once.
    fn waiting_bytes(&self) -> usize {
        0
    }

    /// How the connection has ended. Called once it has.
    fn end(&self) -> ConnectionEnd {
        ConnectionEnd::TransportClosed
    }
}

/// The other side of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// What carries the connection at the moment.
    pub carrier: Carrier,
    /// The IP address of the client, or of the first proxy that is not trusted. `None` if it is not
    /// known.
    pub address: Option<Box<str>>,
}

/// What carries a connection. A Socket.IO client that begins with polling may upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Carrier {
    /// Socket.IO over a WebSocket.
    SocketIoWebSocket,
    /// Socket.IO over HTTP requests.
    SocketIoPolling,
    /// A plain WebSocket.
    PlainWebSocket,
}

impl Carrier {
    /// The name in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SocketIoWebSocket => "websocket",
            Self::SocketIoPolling => "polling",
            Self::PlainWebSocket => "ws",
        }
    }

    /// The protocol on it.
    pub fn wire(self) -> Wire {
        match self {
            Self::SocketIoWebSocket | Self::SocketIoPolling => Wire::SocketIo,
            Self::PlainWebSocket => Wire::WebSocket,
        }
    }
}

/// The queue is full: the client reads too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;
