//! The transports: HTTP, Socket.IO and WebSocket. They translate and decide nothing.

mod api;
mod body;
mod cookie;
mod cors;
pub mod credentials;
pub mod http;
pub mod lanes;
pub mod listener;
pub mod origin;
pub mod pages;
mod rejection;
mod request_clock;
pub mod socket;
pub mod socketio;
mod subprotocol;
mod upgrade;
pub mod websocket;
