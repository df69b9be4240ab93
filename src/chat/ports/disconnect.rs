//! Why connections end, as far as Socket.IO has words for it.

use super::ConnectionEnd;
use crate::domain::CloseReason;

/// Why a connection ended. [`ConnectionEnd`] is more exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DisconnectCause {
    /// The transport ended before the client said anything.
    TransportClose,
    /// Nothing was received from the client for too long.
    PingTimeout,
    /// The client broke the protocol.
    ParseError,
    /// The client said that it leaves.
    ByClient,
    /// The server ended the session of the client.
    ByServer,
    /// The server stops.
    ServerShutdown,
    /// The server closed the transport: the client exceeds a limit, or the server has failed.
    ForcedClose,
}

impl DisconnectCause {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::TransportClose,
        Self::PingTimeout,
        Self::ParseError,
        Self::ByClient,
        Self::ByServer,
        Self::ServerShutdown,
        Self::ForcedClose,
    ];
}

impl From<ConnectionEnd> for DisconnectCause {
    fn from(end: ConnectionEnd) -> Self {
        match end {
            ConnectionEnd::ByClient => Self::ByClient,
            ConnectionEnd::TransportClosed | ConnectionEnd::NodeLost => Self::TransportClose,
            ConnectionEnd::ProtocolError => Self::ParseError,
            ConnectionEnd::ByServer(reason) => match reason {
                CloseReason::Draining { .. } => Self::ServerShutdown,
                CloseReason::PingTimeout => Self::PingTimeout,
                CloseReason::SlowReader
                | CloseReason::Flood
                | CloseReason::FrameTooLarge { .. }
                | CloseReason::Fault => Self::ForcedClose,
                CloseReason::TokenExpired
                | CloseReason::Reconnect
                | CloseReason::InvalidUser
                | CloseReason::Replaced
                | CloseReason::SignedOut
                | CloseReason::NameTaken
                | CloseReason::Disconnected
                | CloseReason::Banned { .. }
                | CloseReason::TokenRevoked => Self::ByServer,
            },
        }
    }
}
