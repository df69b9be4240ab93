//! `permessage-deflate` (RFC 7692) for the WebSockets of both wires: negotiation, messages that
//! arrive, and frames that are sent.

mod extensions;
mod messages;
mod shared_frame;

pub(super) use self::{
    extensions::{Agreement, negotiate},
    messages::{InflateError, Inflater, WindowBits, compress_for},
    shared_frame::SharedFrame,
};
