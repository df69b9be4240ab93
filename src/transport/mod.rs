//! The transports: HTTP, Socket.IO and WebSocket. They translate and decide nothing.

pub mod accept_pause;
pub mod access_log;
mod admin_page;
pub mod api;
mod body;
pub mod client_address;
mod client_info;
mod cookie;
mod cors;
pub mod credentials;
mod deflate;
pub mod http;
pub mod lanes;
pub mod listener;
pub mod origin;
mod origin_log;
pub mod pages;
mod rejection;
mod request_clock;
pub mod socket;
mod socket_stream;
pub mod socketio;
mod subprotocol;
mod upgrade;
pub mod websocket;

use std::sync::Arc;

use self::{lanes::Lanes, origin::Origins};
use crate::{
    domain::{QueryTokens, WebSocketCompression},
    tasks::Tasks,
};

/// What the transports of a server share.
#[derive(Clone, Debug)]
pub struct TransportParts {
    /// The origins of pages that may connect.
    pub origins: Arc<Origins>,
    /// Whether tokens in queries are accepted.
    pub in_query: QueryTokens,
    /// Whether messages on WebSockets may be compressed.
    pub compression: WebSocketCompression,
    /// The tasks of connections, which end at the drain.
    pub tasks: Tasks,
    /// What writes to the connections.
    pub lanes: Lanes,
}
