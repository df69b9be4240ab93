//! What back ends read and write: JSON over HTTP, with bytes as `{"base64": "…"}`.
//!
//! docs/backend.md is the reference.

mod answer;
mod call;

pub use self::{
    answer::{answer, connect_answer, kept_event_answer, membership_answer, message_answer},
    call::{connect_call, event_call, request_call},
};
