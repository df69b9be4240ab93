//! What crosses a socket: requests, events, answers and code tables, in JSON and in `MessagePack`.
//!
//! All wires speak the same vocabulary (docs/protocol.md) and differ in how bytes travel: Socket.IO
//! puts them beside the text, plain WebSocket writes them as base64 inside it, and `MessagePack`
//! has a type for them.

#![warn(clippy::wildcard_enum_match_arm)]

mod answer;
mod body;
pub mod code;
mod event;
mod frame;
mod hello;
mod json;
pub mod msgpack;
mod payload;
mod request;
mod sign_in;
pub mod socketio;
pub mod websocket;

pub(crate) use answer::{profile, rejection_object};
pub use hello::hello_from_query;
pub(crate) use hello::parameter;
pub use request::{REQUESTS, ReplyForm, RequestSpec};
pub(crate) use sign_in::sign_in;
