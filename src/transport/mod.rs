//! Ways in: HTTP, Socket.IO, WebSocket. They translate and decide nothing.

pub mod http;
pub mod listener;
pub mod origin;
pub mod pages;
mod refusal;
pub mod socket;
pub mod socketio;
mod upgrade;
pub mod websocket;
