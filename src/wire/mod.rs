//! The protocol with clients: requests, events, answers and code tables, in JSON and `MessagePack`.
//!
//! All wire formats have the same requests and events (docs/protocol.md). They differ in how they
//! encode byte strings: Socket.IO sends them beside the text, plain WebSocket writes them as base64
//! in the text, and `MessagePack` has a type for them.

#![warn(clippy::wildcard_enum_match_arm)]

mod action;
pub mod admin_ui;
mod answer;
pub mod api;
pub mod backend;
mod body;
pub mod code;
pub mod contract;
pub mod dialect;
pub mod emitter;
mod event;
mod frame;
mod hello;
mod invalid_data;
mod json;
mod json_path;
mod keys;
mod lists;
pub mod msgpack;
mod path_rule;
mod payload;
mod percent;
mod readiness;
pub mod recovery;
mod rejection;
mod request;
mod schema;
mod sign_in;
pub mod socketio;
#[cfg(test)]
mod test_support;
mod webhook;
pub mod websocket;

pub(crate) use answer::profile;
pub(crate) use hello::parameter;
pub use hello::{dialect_hello_from_query, hello_from_query};
pub use invalid_data::InvalidData;
pub use path_rule::PathRule;
pub(crate) use percent::decode as percent_decode;
pub(crate) use readiness::readiness_json;
pub(crate) use rejection::rejection_object;
pub use request::{REQUESTS, ReplyForm, RequestSpec};
pub(crate) use sign_in::{sign_in, sign_in_form};
pub use webhook::webhook_body;
