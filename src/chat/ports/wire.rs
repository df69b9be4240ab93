//! The protocols of connections, for metrics, traces and the log.

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
